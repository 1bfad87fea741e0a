"""Chooses among matches that overlap."""

from __future__ import annotations

from tfnlp._backend import tf


def leftmost(starts: tf.Tensor, ends: tf.Tensor) -> tf.Tensor:
    """Choose among matches, ascending by start, those that do not begin inside a chosen one.

    Args:
        starts: Shape `(matches,)`, int32.
        ends: Shape `(matches,)`, int32.

    Returns:
        Shape `(matches,)`, bool.
    """

    def step(i: tf.Tensor, reached: tf.Tensor, chosen: tf.TensorArray) -> tuple:
        fits = starts[i] >= reached
        return i + 1, tf.where(fits, ends[i], reached), chosen.write(i, fits)

    def one_by_one() -> tf.Tensor:
        chosen = tf.TensorArray(tf.bool, tf.size(starts))
        return tf.while_loop(lambda i, *_: i < tf.size(starts), step, (0, 0, chosen))[2].stack()

    overlap = tf.reduce_any(starts[1:] < ends[:-1])
    return tf.cond(overlap, one_by_one, lambda: tf.ones_like(starts, tf.bool))
