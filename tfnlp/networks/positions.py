"""Positions as attention sees them: rotary ones, distances as a bias, and distances with vectors of their own."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tfnlp._backend import tf
from tfnlp.networks.layers import Dense, Mode, Norm, split_heads


def positions_of(mask: tf.Tensor, first: int = 0) -> tf.Tensor:
    """Return the position of each token in its row, `first` for padding before it. Shape of `mask`, int32."""
    return first + tf.maximum(tf.cumsum(mask, 1) - 1, 0)


class Relative(NamedTuple):
    """Positions as a bias on attention, by distance (T5, MPNet).

    Attributes:
        table: Shape `(buckets, heads)`.
        max_distance: from which on all share the last bucket.
    """

    table: Any
    max_distance: int

    def __call__(self, offsets: tf.Tensor, *, both_sides: bool) -> tf.Tensor:
        """Return what is added to scores. Shape `(1, heads, length, places)`, float32.

        Args:
            offsets: of keys from queries. Shape `(length, places)`, int32.
            both_sides: whether keys after a query have buckets of their own.
        """
        buckets = relative_buckets(
            offsets, num_buckets=self.table.shape[0], max_distance=self.max_distance, both_sides=both_sides
        )
        return tf.cast(tf.transpose(tf.gather(self.table, buckets), [2, 0, 1]), tf.float32)[None]


class Distances(NamedTuple):
    """Positions as vectors of distances, which queries and keys meet apart from contents (He et al. 2021, DeBERTa).

    Attributes:
        table: a vector for each distance, those of keys after the query first. Shape `(2 * span, size)`.
        norm: of these vectors; None: there is none.
        max_distance: beyond which distances are clipped, or from which on all share the last bucket.
        num_buckets: of distances on each side, exact ones and logarithmic ones; 0: each distance has its own vector.
        rate: of dropout of these vectors.
    """

    table: Any
    norm: Norm | None
    max_distance: int
    num_buckets: int
    rate: float

    def vectors(self, length: tf.Tensor, mode: Mode) -> tf.Tensor:
        """Return the vector of each distance of a query from a key, from `length - 1` to `1 - length`.

        Returns:
            Shape `(2 * length - 1, size)`.
        """
        distances = tf.range(length - 1, -length, -1)
        span = self.num_buckets or self.max_distance
        if self.num_buckets:
            distances = _log_buckets(distances, self.num_buckets, self.max_distance)
        table = (
            tf.convert_to_tensor(self.table) if self.norm is None else self.norm(tf.convert_to_tensor(self.table), mode)
        )
        return tf.gather(table, tf.clip_by_value(distances + span, 0, 2 * span - 1))


class Disentangled(NamedTuple):
    """What a layer makes of vectors of distances.

    Attributes:
        key: what queries of contents meet; None: nothing.
        query: what keys of contents meet; None: nothing.
    """

    key: Dense | None
    query: Dense | None

    def __call__(self, queries: tf.Tensor, keys: tf.Tensor, vectors: tf.Tensor, mode: Mode, rate: float) -> tf.Tensor:
        """Return scores by distance, before they are scaled. Shape `(rows, heads, length, length)`, float32.

        Args:
            queries: Shape `(rows, heads, length, size)`.
            keys: Shape `(rows, heads, length, size)`.
            vectors: of distances, as `Distances.vectors` returns them.
            mode: whether there is dropout of these.
            rate: of it.
        """
        vectors, num_heads, scores = mode.drop(vectors, rate), queries.shape[1], []
        if self.key is not None:
            scores.append(_at_places(queries, split_heads(self.key(vectors), tf.constant(1), num_heads)))
        if self.query is not None:
            turned = split_heads(self.query(tf.reverse(vectors, [0])), tf.constant(1), num_heads)
            scores.append(tf.linalg.matrix_transpose(_at_places(keys, turned)))
        return tf.add_n(scores)


def _at_places(contents: tf.Tensor, distances: tf.Tensor) -> tf.Tensor:
    """Return the scores of contents with the distances of all other places.

    Args:
        contents: Shape `(rows, heads, length, size)`.
        distances: of a place from another, from `length - 1` to `1 - length`. Shape `(1, heads, 2 * length - 1, size)`.

    Returns:
        Shape `(rows, heads, length, length)`, float32.
    """
    scores = tf.cast(tf.matmul(contents, distances, transpose_b=True), tf.float32)
    num_rows, num_heads, length = tf.shape(scores)[0], scores.shape[1], tf.shape(scores)[2]
    flat = tf.reshape(tf.pad(scores, [[0, 0], [0, 0], [0, 0], [0, 1]]), [num_rows, num_heads, 2 * length * length])
    # Each place now has one more than there are distances: read one shorter, each starts one distance earlier.
    shifted = tf.reshape(flat[:, :, : length * (2 * length - 1)], [num_rows, num_heads, length, 2 * length - 1])
    return shifted[:, :, :, length - 1 :]


def turning(frequencies: np.ndarray | None, positions: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return what turns queries and keys by position, or leaves them as they are.

    Args:
        frequencies: of rotary positions. Shape `(head size / 2,)`; None: there are none.
        positions: Shape `(rows, length)`, int32.
    """
    if frequencies is None:
        return lambda values: values
    angles = tf.cast(positions, tf.float32)[:, None, :, None] * tf.constant(frequencies, tf.float32)
    angles = tf.concat([angles, angles], -1)
    cosines, sines = tf.cos(angles), tf.sin(angles)
    return lambda values: rotated(values, tf.cast(cosines, values.dtype), tf.cast(sines, values.dtype))


def rotated(values: tf.Tensor, cosines: tf.Tensor, sines: tf.Tensor) -> tf.Tensor:
    """Turn the halves of each head against each other, by position (Su et al. 2021).

    Args:
        values: Shape `(rows, heads, length, size)`.
        cosines: of the angles. Shape `(rows, 1, length, size)`.
        sines: the same.
    """
    first, second = tf.split(values, 2, -1)
    return values * cosines + tf.concat([-second, first], -1) * sines


def relative_buckets(offsets: tf.Tensor, *, num_buckets: int, max_distance: int, both_sides: bool) -> tf.Tensor:
    """Return the bucket of each distance between two places (Raffel et al. 2020).

    Args:
        offsets: of keys from queries. Any shape, int32.
        num_buckets: of all distances.
        max_distance: from which on all share the last bucket.
        both_sides: whether keys after a query have buckets of their own.

    Returns:
        Shape of `offsets`, int32.
    """
    if both_sides:
        num_buckets //= 2
        first = tf.where(offsets > 0, num_buckets, 0)
        distance = tf.abs(offsets)
    else:
        first = tf.zeros_like(offsets)
        distance = tf.maximum(-offsets, 0)
    exact = num_buckets // 2
    ratio = tf.cast(tf.maximum(distance, exact), tf.float32) / exact
    steps = tf.math.log(ratio) / tf.math.log(max_distance / exact) * (num_buckets - exact)
    far = tf.minimum(exact + tf.cast(steps, tf.int32), num_buckets - 1)
    return first + tf.where(distance < exact, distance, far)


def _log_buckets(distances: tf.Tensor, num_buckets: int, max_distance: int) -> tf.Tensor:
    """Return the bucket of each distance, negative ones for negative ones. Shape of `distances`, int32."""
    middle = num_buckets // 2
    far = tf.cast(tf.maximum(tf.abs(distances), middle), tf.float32)
    steps = tf.math.ceil(tf.math.log(far / middle) / math.log((max_distance - 1) / middle) * (middle - 1))
    buckets = (tf.cast(steps, tf.int32) + middle) * tf.sign(distances)
    return tf.where(tf.abs(distances) <= middle, distances, buckets)


def sines(count: int, size: int) -> np.ndarray:
    """Return the vectors of positions that are computed (Vaswani et al. 2017), sines before cosines.

    Returns:
        Shape `(count, size)`, float32.
    """
    angles = np.arange(count)[:, None] / 10000 ** (2 * (np.arange(size) // 2) / size)
    return np.concatenate([np.sin(angles[:, ::2]), np.cos(angles[:, 1::2])], 1).astype(np.float32)
