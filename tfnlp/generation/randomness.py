"""Random numbers of rows: each row's depend on the seed and its own number, and not on what stands beside it."""

from __future__ import annotations

from tfnlp._backend import tf


def uniform(seed: int, numbers: tf.Tensor, size: tf.Tensor | int, step: tf.Tensor | int = 0) -> tf.Tensor:
    """Return random numbers.

    Args:
        seed: of all.
        numbers: of the rows. Shape `(rows,)`, int32.
        size: how many numbers a row needs.
        step: other ones in every step, of which there are fewer than a million. Scalar, int32.

    Returns:
        In [0, 1). Shape `(rows, size)`, float32.
    """
    counters = tf.cast(numbers, tf.int64) * 1_000_000 + tf.cast(step, tf.int64)
    return tf.map_fn(
        lambda counter: tf.random.stateless_uniform([size], tf.stack([tf.cast(seed, tf.int64), counter])),
        counters,
        fn_output_signature=tf.TensorSpec([None], tf.float32),
    )
