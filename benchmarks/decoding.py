"""What choosing labels together brings: F1 and ill-formed entities, by each `decoding` of a token classifier.

python -m benchmarks.decoding --model M --train F --test F [--epochs 4] [--learning-rate 1e-4] [--texts 10000]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import tfnlp
from benchmarks.arguments import fitting_parser


def texts_of(*files: Path) -> Iterator[dict[str, list[str]]]:
    """Yield the words of records, again and again: whole, then cut in the middle, then with the next beside them."""
    words = [record["words"] for file in files for record in tfnlp.read_records(file)]
    for turn in cycle(range(3)):
        for one, other in zip(words, words[1:] + words[:1], strict=True):
            yield {"words": (one, one[len(one) // 2 :], one + other)[turn]}


def ill_formed(task: Any, records: list[dict[str, list[str]]]) -> int:
    """Return how many entities begin without a label that says so."""
    count = 0
    for start in range(0, len(records), task.answered_together):
        answers = task.ask(records[start : start + task.answered_together]).answers
        for begins, number in zip(answers["begins"], answers["num_entities"], strict=True):
            count += int((~begins[:number]).sum())
    return count


def main() -> None:
    """Read the arguments, train and evaluate."""
    parser = fitting_parser(__doc__)
    parser.add_argument("--texts", type=int, default=10_000)
    options = parser.parse_args()
    records = list(islice(texts_of(options.train, options.test), options.texts))
    for trained, asked in (("argmax", ("argmax", "constrained")), ("crf", ("crf",))):
        task = tfnlp.TokenClassifier.from_pretrained(options.model, decoding=trained)
        task.fit(options.train, epochs=options.epochs, learning_rate=options.learning_rate, verbose=2)
        for decoding in asked:
            task.settings = replace(task.settings, decoding=decoding)
            report = task.evaluate(options.test)
            print(
                f"{decoding}: F1 {report.f1:.4f}, strictly {task.evaluate(options.test, mode='strict').f1:.4f}, "
                f"{ill_formed(task, records)} ill-formed entities in {len(records)} texts",
                flush=True,
            )


if __name__ == "__main__":
    main()
