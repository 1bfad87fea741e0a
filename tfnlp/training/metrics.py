"""Precision, recall and F1 of entities and of single labels, equal to seqeval's and scikit-learn's.

seqeval itself, the field's reference, has had no release since 2020 and builds only from source, so it is a test's
dependency and not this library's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from tfnlp.errors import ArgumentError
from tfnlp.labels import IGNORE_ID, Span, are_tags, tags_to_spans, tags_to_spans_strictly
from tfnlp.outputs import Report, Scores


def tagging_report(
    gold: Sequence[Sequence[str]],
    predicted: Sequence[Sequence[str]],
    *,
    mode: str = "default",
    loss: float | None = None,
) -> Report:
    """Compare predicted with gold labels.

    Where labels are tags of entities, entities are compared, by type, start and end; otherwise single labels.

    Args:
        gold: the labels of each record's words.
        predicted: of the same lengths.
        mode: `default` reads entities as conlleval does, `strict` only those that are well formed.
        loss: to keep in the report.

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
    if [len(labels) for labels in gold] != [len(labels) for labels in predicted]:
        raise ArgumentError("`gold` and `predicted` must hold as many records, and each as many labels.")
    if mode not in ("default", "strict"):
        raise ArgumentError(f"`mode` must be 'default' or 'strict', and is {mode!r}.")
    pairs = [pair for labels in zip(gold, predicted, strict=True) for pair in zip(*labels, strict=True)]
    accuracy = sum(a == b for a, b in pairs) / len(pairs) if pairs else 0.0
    if are_tags({label for pair in pairs for label in pair}):
        read = tags_to_spans if mode == "default" else tags_to_spans_strictly
        counts = _count(_spans(gold, read), _spans(predicted, read))
    else:
        counts = _count(_positions(gold), _positions(predicted))
    return _report(counts, accuracy, len(gold), loss)


Found = Iterable[tuple[int, Span]]


def _spans(sequences: Sequence[Sequence[str]], read: Callable[[Sequence[str]], list[Span]]) -> Found:
    return ((i, span) for i, labels in enumerate(sequences) for span in read(labels))


def _positions(sequences: Sequence[Sequence[str]]) -> Found:
    return ((i, Span(label, k, k + 1)) for i, labels in enumerate(sequences) for k, label in enumerate(labels))


def _count(gold: Found, predicted: Found) -> dict[str, np.ndarray]:
    """Return for each label how many are right, predicted and gold."""
    in_gold, in_predicted = set(gold), set(predicted)
    counters = [Counter(span.label for _, span in found) for found in (in_gold & in_predicted, in_predicted, in_gold)]
    labels = sorted(set().union(*counters))
    return {label: np.array([counter[label] for counter in counters], np.int64) for label in labels}


def _report(counts: dict[str, np.ndarray], accuracy: float, num_records: int, loss: float | None) -> Report:
    total = sum(counts.values(), np.zeros(3, np.int64))
    labels = {label: _scores(*count) for label, count in counts.items()}
    means = [
        float(np.mean([getattr(scores, name) for scores in labels.values()])) if labels else 0.0
        for name in ("precision", "recall", "f1")
    ]
    macro = Scores(means[0], means[1], means[2], int(total[2]))
    return Report(labels, _scores(*total), macro, accuracy, num_records, loss)


def _scores(right: int, predicted: int, gold: int) -> Scores:
    precision = right / predicted if predicted else 0.0
    recall = right / gold if gold else 0.0
    f1 = 2 * right / (predicted + gold) if predicted + gold else 0.0
    return Scores(float(precision), float(recall), float(f1), int(gold))


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
