"""Scores of answers for whole texts, by scikit-learn."""

from __future__ import annotations

import numpy as np

from tfnlp.reports import ClassificationReport, ConfusionMatrix, Scores


def single_label_report(
    names: tuple[str, ...], gold: np.ndarray, predicted: np.ndarray, *, loss: float | None = None
) -> ClassificationReport:
    """Compare one label a text.

    Args:
        names: of the labels.
        gold: label ids. Shape `(texts,)`.
        predicted: label ids. Shape `(texts,)`.
        loss: the mean loss of a text.
    """
    from sklearn.metrics import confusion_matrix, matthews_corrcoef

    ids = range(len(names))
    counts = confusion_matrix(gold, predicted, labels=ids)
    is_one = len(np.union1d(gold, predicted)) == 1  # the correlation is 0 then, and scikit-learn would warn
    return ClassificationReport(
        **_scores(names, gold, predicted),
        accuracy=float(np.mean(gold == predicted)),
        num_records=len(gold),
        loss=loss,
        matthews=0.0 if is_one else float(matthews_corrcoef(gold, predicted)),
        confusion=ConfusionMatrix(names, tuple(tuple(map(int, row)) for row in counts)),
    )


def multi_label_report(
    names: tuple[str, ...], gold: np.ndarray, predicted: np.ndarray, *, loss: float | None = None
) -> ClassificationReport:
    """Compare several labels a text; the accuracy is the share of texts all of whose labels are right.

    Args:
        names: of the labels.
        gold: whether each text has each label. Shape `(texts, labels)`, bool.
        predicted: whether it was answered. Shape `(texts, labels)`, bool.
        loss: the mean loss of a text.
    """
    return ClassificationReport(
        **_scores(names, gold.astype(int), predicted.astype(int)),
        accuracy=float(np.mean((gold == predicted).all(1))),
        num_records=len(gold),
        loss=loss,
    )


def _scores(names: tuple[str, ...], gold: np.ndarray, predicted: np.ndarray) -> dict:
    from sklearn.metrics import precision_recall_fscore_support as scores

    ids = list(range(len(names)))
    if gold.ndim == 2 and len(names) == 1:  # scikit-learn would take it for two classes
        gold, predicted, ids = gold[:, 0], predicted[:, 0], [1]
    precision, recall, f1, support = scores(gold, predicted, labels=ids, zero_division=0)
    averages = {
        average: scores(gold, predicted, labels=ids, average=average, zero_division=0)[:3]
        for average in ("micro", "macro")
    }
    total = int(support.sum())
    return {
        "labels": {
            name: Scores(float(precision[i]), float(recall[i]), float(f1[i]), int(support[i]))
            for i, name in enumerate(names)
        },
        **{
            average: Scores(float(found[0]), float(found[1]), float(found[2]), total)
            for average, found in averages.items()
        },
    }


def best_thresholds(gold: np.ndarray, scores: np.ndarray) -> tuple[float, ...]:
    """Return for each label the threshold with the greatest F1, the one nearest to 0.5 of several.

    It lies in the middle between the least score that reaches it and the next lower one: rounding decides nothing.

    Args:
        gold: whether each text has each label. Shape `(texts, labels)`, bool.
        scores: of each label, in [0, 1]. Shape `(texts, labels)`.

    Returns:
        In [0, 1]; 0.5 for a label that no text has.
    """
    from sklearn.metrics import precision_recall_curve

    found = []
    for truth, score in zip(gold.T, scores.T, strict=True):
        if not truth.any():
            found.append(0.5)
            continue
        precision, recall, thresholds = precision_recall_curve(truth, score)
        f1 = (2 * precision * recall / np.maximum(precision + recall, 1e-12))[:-1]
        best = np.flatnonzero(f1 >= f1.max() - 1e-12)
        least = thresholds[best[np.argmin(np.abs(thresholds[best] - 0.5))]]
        lower = score[score < least].max(initial=0.0)
        found.append(float((least + lower) / 2))
    return tuple(found)
