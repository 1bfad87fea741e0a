"""What choosing labels together brings: F1 and ill-formed entities, by each `decoding` of a token classifier.

python -m benchmarks.decoding --model M --train F --test F [--columns word,label] [--comment "#"] [--epochs 4]
    [--learning-rate 1e-4] [--texts 10000]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import cycle, islice
from typing import Any

import tfnlp
from benchmarks.arguments import fitting_parser


def texts_of(*sources: Iterable[dict[str, Any]]) -> Iterator[dict[str, list[str]]]:
    """Yield the words of records, again and again: whole, then cut in the middle, then with the next beside them."""
    words = [record["words"] for source in sources for record in source]
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
    parser.add_argument("--columns", help="what the files' columns hold, where their names do not tell")
    parser.add_argument("--comment", help="how lines to skip begin")
    options = parser.parse_args()
    given = {"columns": options.columns and options.columns.split(","), "comment": options.comment}
    reading = {name: value for name, value in given.items() if value is not None}
    train, test = (tfnlp.read_records(file, **reading) for file in (options.train, options.test))
    records = list(islice(texts_of(train, test), options.texts))
    for trained, asked in (("argmax", ("argmax", "constrained")), ("crf", ("crf",))):
        task = tfnlp.TokenClassifier.from_pretrained(options.model, decoding=trained)
        task.fit(train, epochs=options.epochs, learning_rate=options.learning_rate, verbose=2)
        for decoding in asked:
            task.settings = replace(task.settings, decoding=decoding)
            report = task.evaluate(test)
            print(
                f"{decoding}: F1 {report.f1:.4f}, strictly {task.evaluate(test, mode='strict').f1:.4f}, "
                f"{ill_formed(task, records)} ill-formed entities in {len(records)} texts",
                flush=True,
            )


if __name__ == "__main__":
    main()
