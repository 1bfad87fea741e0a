"""How fast this version is beside another one: `predict` of many texts and of one, and the SavedModel of one.

    python -m benchmarks.versions --model DIR --data F --beside CHECKOUT [--rounds 3]

The two take turns, each in a process of its own; only their ratio counts.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median

from benchmarks.workers import Process

_HERE = Path(__file__).parent


def worker(checkout: Path, model: str, data: Path) -> Process:
    """Start a version of tfnlp in a process of its own."""
    return Process([str(_HERE / "versions_worker.py"), model, str(data)], PYTHONPATH=str(checkout))


def beside_another_version(checkout: Path, model: str, data: Path, rounds: int) -> None:
    """Print the milliseconds per text of this version and of another, medians, and the median of their ratios."""
    ours, theirs = worker(_HERE.parent, model, data), worker(checkout, model, data)
    for name in ("predict", "one", "served"):
        pairs = [(float(ours.ask(name)), float(theirs.ask(name))) for _ in range(rounds)]
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
