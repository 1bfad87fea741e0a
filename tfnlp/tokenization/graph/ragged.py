"""Flat vectors of rows of different lengths: the index arithmetic that the tokenizer's steps share."""

from __future__ import annotations

from tfnlp._backend import tf


def exclusive_cumsum(lengths: tf.Tensor) -> tf.Tensor:
    """Return where each row begins, if rows of these lengths are laid one after the other."""
    return tf.cumsum(lengths, exclusive=True)


def row_index(lengths: tf.Tensor) -> tf.Tensor:
    """Return for each position the row it belongs to: row `i`, `lengths[i]` times.

    `tf.repeat` makes a matrix of rows by the greatest length; this stays linear, whatever the lengths.

    Args:
        lengths: of each row, 0 allowed. Shape `(rows,)`, int32.

    Returns:
        Shape `(sum(lengths),)`, int32.
    """
    rows = tf.cast(tf.where(lengths > 0)[:, 0], tf.int32)
    starts = tf.gather(exclusive_cumsum(lengths), rows)
    begins = tf.scatter_nd(starts[:, None], tf.ones_like(rows), [tf.reduce_sum(lengths)])
    return tf.gather(rows, tf.cumsum(begins) - 1)


def ranges(starts: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Return the integers `starts[i]` to `starts[i] + lengths[i] - 1`, for all rows one after the other."""
    return tf.raw_ops.RaggedRange(starts=starts, limits=starts + lengths, deltas=tf.ones((), starts.dtype))[1]
