"""How fast this version is beside another one: `predict` of many texts and of one, and the SavedModel of one.

    python -m benchmarks.versions --model DIR --data F --beside CHECKOUT [--rounds 3]

The two take turns, each in a process of its own; only their ratio counts.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

_HERE = Path(__file__).parent


class Worker:
    """A version of tfnlp in a process of its own."""

    def __init__(self, checkout: Path, model: str, data: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(_HERE / "versions_worker.py"), model, str(data)],
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
    parser.add_argument("--beside", required=True, type=Path, help="the directory of another version")
    options = parser.parse_args()
    beside_another_version(options.beside, options.model, options.data, options.rounds)


if __name__ == "__main__":
    main()
