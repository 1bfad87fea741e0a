"""Precision, recall and F1 of entities and of single labels, equal to seqeval's and scikit-learn's.

seqeval itself, the field's reference, has had no release since 2020 and builds only from source, so it is a test's
dependency and not this library's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from tfnlp.errors import ArgumentError
from tfnlp.labels import IGNORE_ID, Span, are_tags, tags_to_spans, tags_to_spans_strictly
from tfnlp.reports import Report, Scores


class TaggingScores:
    """Counts what is right, predicted and gold, record by record, so that any number of records fits.

    >>> scores = TaggingScores(entities=True)
    >>> scores.update(["B-PER", "O"], ["B-PER", "B-LOC"])
    >>> scores.report().f1
    0.6666666666666666
    """

    def __init__(self, *, entities: bool, mode: str = "default") -> None:
        """Begin with nothing counted.

        Args:
            entities: compare entities, by type, start and end; otherwise single labels.
            mode: `default` reads entities as conlleval does, `strict` only those that are well formed.

        Raises:
            ArgumentError: if the mode is unknown.
        """
        if mode not in ("default", "strict"):
            raise ArgumentError(f"`mode` must be 'default' or 'strict', and is {mode!r}.")
        read = tags_to_spans if mode == "default" else tags_to_spans_strictly
        self._read: Callable[[Sequence[str]], list[Span]] = read if entities else _positions
        self._right: Counter[str] = Counter()
        self._predicted: Counter[str] = Counter()
        self._gold: Counter[str] = Counter()
        self._num_words = self._num_right_words = self._num_records = self._num_losses = 0
        self._loss = 0.0

    def update(self, gold: Sequence[str], predicted: Sequence[str]) -> None:
        """Count a record's labels.

        Raises:
            ArgumentError: if the two differ in length.
        """
        if len(gold) != len(predicted):
            raise ArgumentError("`gold` and `predicted` must hold as many records, and each as many labels.")
        self.update_spans(self._read(gold), self._read(predicted), gold, predicted)

    def update_spans(
        self, gold: Sequence[Span], predicted: Sequence[Span], gold_labels: Sequence[str], labels: Sequence[str]
    ) -> None:
        """Count a record's entities, in words or in characters, and the labels of its words.

        Args:
            gold: the right entities.
            predicted: the answered ones.
            gold_labels: of the words.
            labels: that were answered for the words; as many.
        """
        in_gold, in_predicted = set(gold), set(predicted)
        for counter, spans in (
            (self._right, in_gold & in_predicted),
            (self._predicted, in_predicted),
            (self._gold, in_gold),
        ):
            counter.update(span.label for span in spans)
        self._num_records += 1
        self._num_words += len(gold_labels)
        self._num_right_words += sum(a == b for a, b in zip(gold_labels, labels, strict=True))

    def add_losses(self, losses: np.ndarray) -> None:
        """Count the losses of some tokens. Shape `(tokens,)`."""
        self._loss += float(losses.sum())
        self._num_losses += len(losses)

    def report(self) -> Report:
        """Return the scores of all that was counted."""
        names = sorted({*self._gold, *self._predicted})
        labels = {name: _scores(self._right[name], self._predicted[name], self._gold[name]) for name in names}
        micro = _scores(self._right.total(), self._predicted.total(), self._gold.total())
        means = [
            float(np.mean([getattr(scores, name) for scores in labels.values()])) if labels else 0.0
            for name in ("precision", "recall", "f1")
        ]
        return Report(
            labels=labels,
            micro=micro,
            macro=Scores(means[0], means[1], means[2], micro.support),
            accuracy=self._num_right_words / self._num_words if self._num_words else 0.0,
            num_records=self._num_records,
            loss=self._loss / self._num_losses if self._num_losses else None,
        )


def tagging_report(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], *, mode: str = "default"
) -> Report:
    """Compare predicted with gold labels.

    Where labels are tags of entities, entities are compared; otherwise single labels.

    Args:
        gold: the labels of each record's words.
        predicted: of the same lengths.
        mode: as in `TaggingScores`.

    Raises:
        ArgumentError: if the lengths differ or the mode is unknown.

    >>> print(tagging_report([["B-PER", "O"]], [["B-PER", "B-LOC"]]))
               precision     recall         f1    support
    LOC           0.0000     0.0000     0.0000          0
    PER           1.0000     1.0000     1.0000          1
    micro avg     0.5000     1.0000     0.6667          1
    macro avg     0.5000     0.5000     0.5000          1
    accuracy 0.5000 over 1 records
    """
    if len(gold) != len(predicted):
        raise ArgumentError("`gold` and `predicted` must hold as many records, and each as many labels.")
    entities = are_tags(label for labels in (*gold, *predicted) for label in labels)
    scores = TaggingScores(entities=entities, mode=mode)
    for truth, answer in zip(gold, predicted, strict=True):
        scores.update(truth, answer)
    return scores.report()


def _positions(labels: Sequence[str]) -> list[Span]:
    return [Span(label, i, i + 1) for i, label in enumerate(labels)]


def _scores(right: int, predicted: int, gold: int) -> Scores:
    precision = right / predicted if predicted else 0.0
    recall = right / gold if gold else 0.0
    f1 = 2 * right / (predicted + gold) if predicted + gold else 0.0
    return Scores(precision, recall, f1, gold)


def token_losses(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the cross entropy of each labelled token, in nats.

    Args:
        logits: Shape `(tokens, labels)`.
        labels: label ids, -100 where there is none. Shape `(tokens,)`.

    Returns:
        Shape `(labelled tokens,)`, float64.
    """
    labelled = np.flatnonzero(labels != IGNORE_ID)
    scores = logits[labelled].astype(np.float64)
    scores -= scores.max(-1, keepdims=True)
    log_probabilities = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    return -log_probabilities[np.arange(len(labelled)), labels[labelled]]
