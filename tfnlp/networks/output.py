"""`Output`: from the last vector of a token to the logits of the next one."""

from __future__ import annotations

from typing import Any, NamedTuple

from tfnlp._backend import tf


class Output(NamedTuple):
    """From the last vector of a token to the logits of the next one.

    Attributes:
        table: Shape `(vocabulary, size)`; None: there is a kernel.
        kernel: Shape `(size, vocabulary)`; None: there is a table.
        bias: Shape `(vocabulary,)` or `(1, vocabulary)`; None: there is none.
        scale: what vectors are multiplied with before.
    """

    table: Any = None
    kernel: Any = None
    bias: Any = None
    scale: float = 1.0

    def matrix(self, *, by_token: bool) -> tf.Tensor:
        """Return the matrix of the product, laid out once for all steps.

        Args:
            by_token: whether its shape is `(vocabulary, size)`, which XLA multiplies fastest; else
                `(size, vocabulary)`, as TensorFlow's own kernels do.
        """
        if self.table is None:
            return tf.transpose(self.kernel) if by_token else tf.convert_to_tensor(self.kernel)
        return tf.convert_to_tensor(self.table) if by_token else tf.transpose(self.table)

    def __call__(self, hidden: tf.Tensor, matrix: tf.Tensor, *, by_token: bool) -> tf.Tensor:
        """Return logits, float32.

        Args:
            hidden: Shape `(tokens, size)`.
            matrix: as `matrix` returned it.
            by_token: as given there.

        Returns:
            Shape `(tokens, vocabulary)`.
        """
        hidden = hidden * self.scale if self.scale != 1 else hidden
        logits = tf.transpose(tf.matmul(matrix, hidden, transpose_b=True)) if by_token else tf.matmul(hidden, matrix)
        return tf.cast(logits if self.bias is None else logits + self.bias, tf.float32)
