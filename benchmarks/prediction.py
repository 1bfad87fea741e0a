"""How fast `predict` is, beside transformers' network called batch by batch in file order.

    python -m benchmarks.prediction --model DIR --data F [--rounds 3]

The two take turns; only their ratio counts.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import tfnlp


def main() -> None:
    """Read the arguments and print texts per second."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="a token classifier")
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    task = tfnlp.load(options.model)
    texts = [" ".join(record["words"]) for record in tfnlp.read_records(options.data)]

    def in_file_order() -> None:
        for start in range(0, len(texts), 32):
            batch = task.tokenizer.hf(texts[start : start + 32], padding=True, truncation=True, return_tensors="np")
            task.forward({name: batch[name].astype("int32") for name in task.tokenizer.input_names})

    ways = {"tfnlp, texts to entities": lambda: task.predict(texts), "network alone, file order": in_file_order}
    task.predict(texts[:64])
    seconds = dict.fromkeys(ways, 0.0)
    for _ in range(options.rounds):
        for name, run in ways.items():
            start = time.perf_counter()
            run()
            seconds[name] += time.perf_counter() - start
    for name, spent in seconds.items():
        print(f"{name}: {options.rounds * len(texts) / spent:.0f} texts/s")


if __name__ == "__main__":
    main()
