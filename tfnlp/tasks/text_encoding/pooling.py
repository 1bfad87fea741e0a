"""`Pooling`: token vectors to one vector a row."""

from __future__ import annotations

from typing import Any

from tfnlp._backend import keras, tf
from tfnlp.errors import ArgumentError
from tfnlp.tasks.text_encoding.settings import POOLING_MODES, PoolingMode


@keras.utils.register_keras_serializable("tfnlp")
class Pooling(keras.layers.Layer):
    """Pools the vectors of a row's tokens, special tokens included, as sentence-transformers does.

    Reimers and Gurevych, "Sentence-BERT" (2019).
    """

    def __init__(self, mode: PoolingMode, **options: Any) -> None:
        """Make the layer.

        Args:
            mode: the `mean` of the tokens, the first token (`cls`), or the `max` of each dimension.
            options: of `keras.layers.Layer`.

        Raises:
            ArgumentError: if there is no such mode.
        """
        super().__init__(**options)
        if mode not in POOLING_MODES:
            raise ArgumentError(f"`pooling` must be one of {POOLING_MODES}; it is {mode!r}.")
        self.mode = mode

    def call(self, vectors: tf.Tensor, attention_mask: tf.Tensor) -> tf.Tensor:
        """Pool.

        Args:
            vectors: Shape `(batch, length, hidden)`, float.
            attention_mask: 1 for tokens, 0 for padding. Shape `(batch, length)`, int32.

        Returns:
            Shape `(batch, hidden)`, float; 0 for a row without tokens.
        """
        if self.mode == "cls":
            return vectors[:, 0]
        is_token = tf.cast(attention_mask, vectors.dtype)[..., None]  # (batch, length, 1)
        if self.mode == "mean":
            return tf.math.divide_no_nan(tf.reduce_sum(vectors * is_token, 1), tf.reduce_sum(is_token, 1))
        return tf.reduce_max(tf.where(is_token > 0, vectors, vectors.dtype.min), 1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "mode": self.mode}
