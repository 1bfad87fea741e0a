"""Scores of labels, ranked."""

from __future__ import annotations

import numpy as np

from tfnlp._backend import tf
from tfnlp.labels import LabelMap


def ranked_labels(labels: LabelMap, scores: tf.Tensor) -> dict[str, tf.Tensor]:
    """Rank the labels of each text by score, with TensorFlow ops.

    Args:
        labels: in the order of their ids.
        scores: Shape `(batch, labels)`, float32.

    Returns:
        `labels`, string, `scores`, float32, and `order`, label ids, int32, of shape `(batch, labels)`, the likeliest
        first; `label` and `score`, of shape `(batch,)`: the first of each.
    """
    order = tf.argsort(scores, direction="DESCENDING", stable=True)
    names = tf.gather(tf.constant(labels.names), order)
    ranked = tf.gather(scores, order, batch_dims=1)
    return {"label": names[:, 0], "score": ranked[:, 0], "labels": names, "scores": ranked, "order": order}


def in_order_of_ids(ranked: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Put what is ranked in the order of label ids. Both of shape `(texts, labels)`."""
    ordered = np.empty_like(ranked)
    np.put_along_axis(ordered, order, ranked, 1)
    return ordered
