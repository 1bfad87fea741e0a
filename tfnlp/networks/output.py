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

    def matrix(self) -> tf.Tensor:
        """Return the matrix of the product. Shape `(size, vocabulary)`, in which it is faster than turned in it."""
        return tf.convert_to_tensor(self.kernel) if self.table is None else tf.transpose(self.table)

    def __call__(self, hidden: tf.Tensor, matrix: tf.Tensor | None = None) -> tf.Tensor:
        """Return logits, float32.

        Args:
            hidden: Shape `(tokens, size)`.
            matrix: as `matrix` returned it, for calls of which there are several; None: this is the only one.

        Returns:
            Shape `(tokens, vocabulary)`.
        """
        hidden = hidden * self.scale if self.scale != 1 else hidden
        if matrix is None and self.table is not None:
            logits = tf.matmul(hidden, self.table, transpose_b=True)
        else:
            logits = tf.matmul(hidden, self.kernel if matrix is None else matrix)
        return tf.cast(logits if self.bias is None else logits + self.bias, tf.float32)
