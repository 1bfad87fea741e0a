"""What bfloat16 costs in F1: a token classifier trained in each precision, and asked in each.

python -m benchmarks.precision --model M --train F --test F [--epochs 4] [--learning-rate 1e-4]
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import tfnlp
from benchmarks.arguments import fitting_parser
from tfnlp.precision import PRECISIONS


def main() -> None:
    """Read the arguments, train and evaluate."""
    parser = fitting_parser(__doc__)
    parser.add_argument("--save", type=Path, help="where to keep the one trained in float32")
    options = parser.parse_args()
    for trained in PRECISIONS:
        task = tfnlp.TokenClassifier.from_pretrained(options.model)
        task.fit(
            options.train, epochs=options.epochs, learning_rate=options.learning_rate, precision=trained, verbose=2
        )
        for asked in PRECISIONS:
            task.settings = replace(task.settings, precision=asked)
            print(f"trained in {trained}, asked in {asked}: F1 {task.evaluate(options.test).f1:.4f}", flush=True)
        if trained == "float32" and options.save is not None:
            task.settings = replace(task.settings, precision=trained)
            task.save(options.save)


if __name__ == "__main__":
    main()
