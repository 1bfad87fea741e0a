"""How fast `predict` is, beside transformers' network called batch by batch in file order, or beside another version.

    python -m benchmarks.prediction --model DIR --data F [--rounds 3] [--beside CHECKOUT]

The two take turns; only their ratio counts. With `--beside`, each version runs in a process of its own, and single
texts are measured too, by `predict` and by the SavedModel.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import tfnlp

_HERE = Path(__file__).parent


def beside_the_network(model: str, data: Path, rounds: int) -> None:
    """Print texts per second of `predict` and of the network alone."""
    task = tfnlp.load(model)
    texts = [" ".join(record["words"]) for record in tfnlp.read_records(data)]

    def in_file_order() -> None:
        for start in range(0, len(texts), 32):
            batch = task.tokenizer.hf(texts[start : start + 32], padding=True, truncation=True, return_tensors="np")
            task.forward({name: batch[name].astype("int32") for name in task.tokenizer.input_names})

    ways = {"tfnlp, texts to entities": lambda: task.predict(texts), "network alone, file order": in_file_order}
    task.predict(texts[:64])
    seconds = dict.fromkeys(ways, 0.0)
    for _ in range(rounds):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            seconds[name] += time.perf_counter() - start
    for name, spent in seconds.items():
        print(f"{name}: {rounds * len(texts) / spent:.0f} texts/s")


class Worker:
    """A version of tfnlp in a process of its own."""

    def __init__(self, checkout: Path, model: str, data: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(_HERE / "prediction_worker.py"), model, str(data)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(checkout)},
        )  # fmt: skip
        self._read()

    def seconds(self, name: str) -> float:
        """Return the seconds per text that one way takes."""
        assert self._process.stdin is not None
        print(name, file=self._process.stdin, flush=True)
        return float(self._read())

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process of a version ended; its error is above.")
        return line


def beside_another_version(checkout: Path, model: str, data: Path, rounds: int) -> None:
    """Print the milliseconds per text of this version and of another, medians, and the median of their ratios."""
    ours, theirs = Worker(_HERE.parent, model, data), Worker(checkout, model, data)
    for name in ("predict", "one", "served"):
        pairs = [(ours.seconds(name), theirs.seconds(name)) for _ in range(rounds)]
        mine, other = (median(column) for column in zip(*pairs, strict=True))
        ratio = median(b / a for a, b in pairs)
        print(f"{name}: {1000 * mine:.2f} ms a text, the other version {1000 * other:.2f}; {ratio:.2f} times as fast")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="a token classifier")
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--beside", type=Path, help="the directory of another version")
    options = parser.parse_args()
    if options.beside is None:
        beside_the_network(options.model, options.data, options.rounds)
    else:
        beside_another_version(options.beside, options.model, options.data, options.rounds)


if __name__ == "__main__":
    main()
