"""Rows to matrices and back, as TensorFlow ops: the one place where rows are filled up."""

from __future__ import annotations

from typing import Literal

from tfnlp._backend import tf
from tfnlp.rows import Column

Side = Literal["left", "right"]


def taken(column: Column, rows: tf.Tensor) -> Column:
    """Return some rows of a column. `rows` are indices, of shape `(taken,)`."""
    if column.splits is None:
        return Column(tf.gather(column.values, rows))
    ragged = tf.gather(tf.RaggedTensor.from_row_splits(column.values, column.splits, validate=False), rows)
    return Column(ragged.values, ragged.row_splits)


def lengths_of(column: Column) -> tf.Tensor:
    """Return how many elements each row has. Shape `(rows,)`, int32."""
    return tf.cast(column.splits[1:] - column.splits[:-1], tf.int32)


def row_ids(column: Column) -> tf.Tensor:
    """Return the row of each element. Shape `(elements,)`, int32."""
    return tf.cast(tf.ragged.row_splits_to_segment_ids(column.splits), tf.int32)


def size_of(column: Column) -> tf.Tensor:
    """Return how many elements the longest row has, at least 1: no network takes rows of nothing."""
    return tf.maximum(tf.reduce_max(lengths_of(column)), 1)


def filled(column: Column, fill: int | float, size: tf.Tensor | int, side: Side = "right") -> tf.Tensor:
    """Fill rows up.

    Args:
        column: with splits.
        fill: what to put into free places.
        size: of the rows to return, at least that of the longest.
        side: where the free places are.

    Returns:
        Shape `(rows, size, ...)`.
    """
    ragged = tf.RaggedTensor.from_row_splits(column.values, column.splits, validate=False)
    matrix = ragged.to_tensor(fill)
    free = [[0, 0], [0, size - tf.shape(matrix)[1]], *[[0, 0]] * (matrix.shape.rank - 2)]
    matrix = tf.pad(matrix, free, constant_values=fill)
    if side == "right":
        return matrix
    shift = tf.cast(size, tf.int32) - lengths_of(column)
    return tf.gather(matrix, (tf.range(size) - shift[:, None]) % size, batch_dims=1)


def is_filled(column: Column, size: tf.Tensor | int, side: Side = "right") -> tf.Tensor:
    """Tell which places of `filled` hold an element. Shape `(rows, size)`, bool."""
    lengths = lengths_of(column)[:, None]
    place = tf.range(size)
    return place < lengths if side == "right" else place >= size - lengths


def flattened(matrix: tf.Tensor, inside: tf.Tensor) -> Column:
    """Return the elements of some places of rows.

    Args:
        matrix: Shape `(rows, size, ...)`.
        inside: which places. Shape `(rows, size)`, bool.
    """
    counts = tf.math.count_nonzero(inside, 1)
    return Column(tf.boolean_mask(matrix, inside), tf.concat([[0], tf.cumsum(counts)], 0))
