"""From a text's logits to labels with scores."""

from __future__ import annotations

import numpy as np

from tfnlp.outputs import Label, Labels
from tfnlp.tasks.text_classification.records import MULTI, REGRESSION


def label_scores(logits: np.ndarray, problem_type: str) -> np.ndarray:
    """Return probabilities of one label or of each by itself; of a regression, the numbers themselves.

    Args:
        logits: Shape `(texts, labels)`, float32.
        problem_type: by transformers' names.

    Returns:
        Shape `(texts, labels)`, float32.
    """
    if problem_type == REGRESSION:
        return logits
    if problem_type == MULTI:
        return (0.5 * (1 + np.tanh(0.5 * logits))).astype(np.float32)  # the sigmoid, without overflow
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def ranked_labels(names: tuple[str, ...], scores: np.ndarray, least: np.ndarray | None = None) -> Labels:
    """Return the labels of one text, the likeliest first.

    Args:
        names: of the labels.
        scores: of the labels. Shape `(labels,)`.
        least: the score that each must have to be given. Shape `(labels,)`. None: all are given.
    """
    order = np.argsort(-scores, kind="stable")
    if least is not None:
        order = order[(scores >= least)[order]]
    return Labels(Label(names[i], float(scores[i])) for i in order)


def are_close(first: Labels, second: Labels, tolerance: float = 1e-5) -> bool:
    """Tell whether two lists hold the same labels with like scores; those with equal scores may change places."""
    by_name = {label.name: label.score for label in second}
    return len(first) == len(second) and all(
        abs(label.score - by_name[label.name]) <= tolerance * max(1.0, abs(label.score)) for label in first
    )
