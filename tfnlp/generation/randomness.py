"""Random numbers of rows: each row's depend on its seed and its number, and not on what stands beside it."""

from __future__ import annotations

from tfnlp._backend import tf


def uniform(seeds: tf.Tensor, size: tf.Tensor | int, step: tf.Tensor | int = 0) -> tf.Tensor:
    """Return random numbers.

    Args:
        seeds: a seed and a number for each row. Shape `(rows, 2)`, int32.
        size: how many numbers a row needs.
        step: other ones in every step, of which there are fewer than a million. Scalar, int32.

    Returns:
        In [0, 1). Shape `(rows, size)`, float32.
    """
    seed, number = tf.unstack(tf.cast(seeds, tf.int64), axis=1)
    return tf.map_fn(
        lambda pair: tf.random.stateless_uniform([size], pair),
        tf.stack([seed, number * 1_000_000 + tf.cast(step, tf.int64)], 1),
        fn_output_signature=tf.TensorSpec([None], tf.float32),
    )
