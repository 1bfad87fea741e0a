"""`VectorCrossEntropy`: the cross entropy of tokens of a large vocabulary, whose logits are made a piece at a time."""

from __future__ import annotations

from typing import Any

from tfnlp._backend import tf
from tfnlp.labels import IGNORE_ID
from tfnlp.networks.output import Output
from tfnlp.training.losses import AveragedLoss

_LOGITS = 1 << 25  # in a piece: 128 MiB


class VectorCrossEntropy(AveragedLoss):
    """`TokenCrossEntropy` of the vectors that logits are made of, of labelled tokens only.

    Logits of a piece of the tokens, and the gradients of its loss, are made at once and forgotten, so that memory does
    not grow by tokens times vocabulary.
    """

    def __init__(
        self, output: Output, *, label_smoothing: float = 0.0, name: str = "vector_cross_entropy", **options: Any
    ) -> None:
        """Make the loss.

        Args:
            output: makes logits of vectors.
            label_smoothing: the share of the target that is spread over all tokens, in [0, 1).
            name: of the loss.
            options: of `keras.losses.Loss`.
        """
        super().__init__(name=name, **options)
        self._output, self._label_smoothing = output, label_smoothing

    def terms(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the summed loss of labelled tokens, and their number.

        Args:
            y_true: token ids, -100 where there is none. Shape `(batch, length)`, int32.
            y_pred: vectors. Shape `(batch, length, size)`, float32.

        Returns:
            Two scalars, float32.
        """
        place = tf.where(tf.not_equal(y_true, IGNORE_ID))
        vectors, labels = tf.gather_nd(y_pred, place) * self._output.scale, tf.gather_nd(y_true, place)
        matrix = tf.cast(self._output.matrix(), vectors.dtype)
        bias = self._output.bias
        bias = tf.zeros([tf.shape(matrix)[1]]) if bias is None else tf.reshape(tf.cast(bias, vectors.dtype), [-1])
        total = _summed_loss(self._label_smoothing)(vectors, matrix, bias, tf.cast(labels, tf.int32))
        return total, tf.cast(tf.size(labels), tf.float32)


def _summed_loss(label_smoothing: float) -> Any:
    """Return a function of vectors, a matrix, a bias and labels, to the sum of losses, which knows its gradients."""

    @tf.custom_gradient
    def summed(vectors: tf.Tensor, matrix: tf.Tensor, bias: tf.Tensor, labels: tf.Tensor) -> Any:
        num_tokens, vocabulary = tf.shape(vectors)[0], tf.shape(matrix)[1]
        step = tf.maximum(1, _LOGITS // vocabulary)
        num_pieces = tf.maximum(1, (num_tokens + step - 1) // step)

        def add(i: tf.Tensor, loss: tf.Tensor, by_vectors: Any, by_matrix: tf.Tensor, by_bias: tf.Tensor) -> Any:
            own, gold = (values[i * step : (i + 1) * step] for values in (vectors, labels))
            more, by_logits = _loss_of(tf.matmul(own, matrix) + bias, gold, label_smoothing)
            return (
                i + 1,
                loss + more,
                by_vectors.write(i, tf.matmul(by_logits, matrix, transpose_b=True)),
                by_matrix + tf.matmul(own, by_logits, transpose_a=True),
                by_bias + tf.reduce_sum(by_logits, 0),
            )

        pieces = tf.TensorArray(
            vectors.dtype, num_pieces, infer_shape=False, element_shape=tf.TensorShape([None, vectors.shape[1]])
        )
        start = (0, tf.zeros([], vectors.dtype), pieces, tf.zeros_like(matrix), tf.zeros_like(bias))
        _, loss, by_vectors, by_matrix, by_bias = tf.while_loop(
            lambda i, *_: i < num_pieces, add, start, parallel_iterations=1
        )
        gradients = (by_vectors.concat(), by_matrix, by_bias)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
            return *(upstream * values for values in gradients), None

        return loss, gradient

    return summed


def _loss_of(logits: tf.Tensor, labels: tf.Tensor, label_smoothing: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the sum of losses of tokens, and its gradient by their logits, of shape `(tokens, vocabulary)`."""
    log_probabilities = tf.nn.log_softmax(logits)
    spread = label_smoothing / tf.cast(tf.shape(logits)[1], logits.dtype)
    of_label = 1 - label_smoothing
    gold = tf.gather(log_probabilities, labels, batch_dims=1)
    loss = -of_label * tf.reduce_sum(gold) - (spread * tf.reduce_sum(log_probabilities) if label_smoothing else 0)
    place = tf.stack([tf.range(tf.size(labels)), labels], 1)
    by_logits = tf.exp(log_probabilities) - spread
    return loss, tf.tensor_scatter_nd_sub(by_logits, place, tf.fill(tf.shape(labels), tf.cast(of_label, logits.dtype)))
