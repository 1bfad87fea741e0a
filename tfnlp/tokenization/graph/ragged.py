"""Flat vectors of rows of different lengths: the index arithmetic that the tokenizer's steps share."""

from __future__ import annotations

from tfnlp._backend import tf

_HIGH = 32  # where a row's number stands beside the column's, in 64 bits


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
    return tf.cast(tf.bitwise.right_shift(_numbered(lengths), _HIGH), tf.int32)


def row_index_and_column(lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return for each position the row it belongs to, and which position of that row it is."""
    numbered = _numbered(lengths)
    column = tf.cast(tf.bitwise.bitwise_and(numbered, (1 << _HIGH) - 1), tf.int32)
    return tf.cast(tf.bitwise.right_shift(numbered, _HIGH), tf.int32), column


def _numbered(lengths: tf.Tensor) -> tf.Tensor:
    """Return row times `2**32` plus column of each position, int64."""
    starts = tf.bitwise.left_shift(tf.range(tf.size(lengths, tf.int64)), _HIGH)
    limits = starts + tf.cast(lengths, tf.int64)
    return tf.raw_ops.RaggedRange(starts=starts, limits=limits, deltas=tf.ones((), tf.int64))[1]


def ranges(starts: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Return the integers `starts[i]` to `starts[i] + lengths[i] - 1`, for all rows one after the other."""
    return tf.raw_ops.RaggedRange(starts=starts, limits=starts + lengths, deltas=tf.ones((), starts.dtype))[1]


def changes(values: tf.Tensor) -> tf.Tensor:
    """Tell where a value differs from the one before; the first always does. Shape `(values,)`, bool."""
    return tf.concat([tf.ones_like(values[:1], tf.bool), tf.not_equal(values[1:], values[:-1])], 0)


def following(values: tf.Tensor, last: bool | int) -> tf.Tensor:
    """Return for each position the value after it, and `last` for the last."""
    return tf.concat([values[1:], tf.fill(tf.shape(values[:1]), tf.cast(last, values.dtype))], 0)


def preceding(values: tf.Tensor, first: bool | int) -> tf.Tensor:
    """Return for each position the value before it, and `first` for the first."""
    return tf.concat([tf.fill(tf.shape(values[:1]), tf.cast(first, values.dtype)), values[:-1]], 0)


def true_indices(mask: tf.Tensor) -> tf.Tensor:
    """Return the positions at which a vector is true, ascending, int32."""
    return tf.cast(tf.where(mask)[:, 0], tf.int32)
