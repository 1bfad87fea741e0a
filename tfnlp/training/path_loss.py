"""`PathLoss`: the negative log-likelihood of a text's labels in a conditional random field."""

from __future__ import annotations

from typing import Any

from tfnlp._backend import tf
from tfnlp.labels import IGNORE_ID
from tfnlp.networks.crf import TransitionScores, log_likelihood
from tfnlp.training.losses import AveragedLoss


class PathLoss(AveragedLoss):
    """The negative log-likelihood of rows' labels, which are taken together, over the number of labels."""

    def __init__(self, transitions: TransitionScores, *, name: str = "path_loss", **options: Any) -> None:
        """Make the loss.

        Args:
            transitions: the layer that holds them.
            name: of the loss.
            options: of `keras.losses.Loss`.
        """
        super().__init__(name=name, **options)
        self._transitions = transitions

    def terms(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the summed loss in nats, and the number of labels.

        Args:
            y_true: label ids, -100 where there is none: labels on either side of these follow each other. Shape
                `(batch, length)`, int32.
            y_pred: logits. Shape `(batch, length, labels)`, float.

        Returns:
            Two scalars, float32.
        """
        y_true = tf.reshape(y_true, tf.shape(y_pred)[:-1])
        total = tf.reduce_sum(log_likelihood(y_pred, y_true, self._transitions.scores))
        count = tf.reduce_sum(tf.cast(tf.not_equal(y_true, IGNORE_ID), tf.float32))
        return -total, count
