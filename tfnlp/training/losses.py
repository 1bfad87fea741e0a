"""Losses: of labelled tokens, safe where nothing is labelled, and over groups of rows."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Any

from tfnlp._backend import keras, tf
from tfnlp.errors import ArgumentError
from tfnlp.labels import IGNORE_ID, LabelMap
from tfnlp.replicas import averaged, gathered, own_replica


class AveragedLoss(keras.losses.Loss, abc.ABC):
    """A sum over a weight, of the batch as a whole, however many replicas share it.

    Keras takes the mean of what `call` returns, and of replicas. So this comes scaled: the mean is then the loss.
    """

    @abc.abstractmethod
    def terms(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Return losses to be summed, of any shape, and the weight that divides the sum; None: their number."""

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """Return the scaled losses; arguments as for `terms`."""
        if own_replica() is not None:  # one without rows runs a row that has no target
            y_pred = y_pred[: tf.shape(y_true)[0]]
        return averaged(*self.terms(y_true, y_pred))


@keras.utils.register_keras_serializable("tfnlp")
class TokenCrossEntropy(AveragedLoss):
    """Cross entropy of labelled tokens, averaged over them as in PyTorch; 0 for a batch without any."""

    def __init__(
        self,
        *,
        label_weights: Sequence[float] | None = None,
        label_smoothing: float = 0.0,
        name: str = "token_cross_entropy",
        **options: Any,
    ) -> None:
        """Make the loss.

        Args:
            label_weights: the weight of each label, in the order of ids; None: 1 each.
            label_smoothing: the share of the target that is spread over all labels, in [0, 1).
            name: of the loss.
            options: of `keras.losses.Loss`.
        """
        super().__init__(name=name, **options)
        self.label_weights = None if label_weights is None else [float(weight) for weight in label_weights]
        self.label_smoothing = label_smoothing

    def terms(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the loss of each position, and the weight of all labels.

        Args:
            y_true: label ids, -100 where there is none. Shape `(batch, length)`, or `(batch,)` of whole texts, int32.
            y_pred: logits. Shape `(batch, length, labels)`, or `(batch, labels)`, float.

        Returns:
            Shape `(batch, length)`, or `(batch,)`, and scalar, float32.
        """
        y_true = tf.reshape(y_true, tf.shape(y_pred)[:-1])  # Keras gives labels of whole texts a dimension more
        log_probabilities = tf.nn.log_softmax(tf.cast(y_pred, tf.float32))  # (batch, length, labels)
        is_labelled = tf.not_equal(y_true, IGNORE_ID)
        labels = tf.where(is_labelled, y_true, 0)
        weights = tf.ones(tf.shape(log_probabilities)[-1]) if self.label_weights is None else self.label_weights
        weights = tf.convert_to_tensor(weights, tf.float32)
        mask = tf.cast(is_labelled, tf.float32)
        weight = tf.gather(weights, labels) * mask  # (batch, length)
        nll = -tf.gather(log_probabilities, labels, batch_dims=log_probabilities.shape.rank - 1) * weight
        if self.label_smoothing:
            num_labels = tf.cast(tf.shape(log_probabilities)[-1], tf.float32)
            spread = -tf.reduce_sum(log_probabilities * weights, -1) * mask / num_labels
            nll = (1.0 - self.label_smoothing) * nll + self.label_smoothing * spread
        return nll, tf.reduce_sum(weight)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        options = {"label_weights": self.label_weights, "label_smoothing": self.label_smoothing}
        return {**super().get_config(), **options}


@keras.utils.register_keras_serializable("tfnlp")
class ChoiceCrossEntropy(AveragedLoss):
    """Cross entropy over the choices of each prompt, however many there are, averaged over prompts."""

    def terms(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tuple[tf.Tensor, None]:
        """Return the loss of each prompt.

        Args:
            y_true: for each row the number of its prompt and of its choice, both ascending, and 1 if it is the right
                one. Shape `(rows, 3)`, int32.
            y_pred: logits; those of a choice's rows are averaged. Shape `(rows, 1)`, float.

        Returns:
            Shape `(prompts,)`, float32.
        """
        prompt, choice, is_right = tf.unstack(tf.cast(y_true, tf.int32), axis=1)
        begins = tf.not_equal(choice[1:], choice[:-1]) | tf.not_equal(prompt[1:], prompt[:-1])
        choice = tf.concat([[0], tf.cumsum(tf.cast(begins, tf.int32))], 0)[: tf.size(prompt)]  # there may be no rows
        logits = tf.math.segment_mean(tf.cast(y_pred[:, 0], tf.float32), choice)  # (choices,)
        right = tf.cast(tf.math.segment_max(is_right, choice), tf.float32)
        prompt = tf.math.segment_max(prompt, choice)
        greatest = tf.stop_gradient(tf.math.segment_max(logits, prompt))
        powers = tf.math.segment_sum(tf.exp(logits - tf.gather(greatest, prompt)), prompt)
        return tf.math.log(powers) + greatest - tf.math.segment_sum(logits * right, prompt), None


@keras.utils.register_keras_serializable("tfnlp")
class LabelCrossEntropy(AveragedLoss):
    """Cross entropy of each of several labels by itself, averaged over texts and labels."""

    def __init__(self, *, label_smoothing: float = 0.0, name: str = "label_cross_entropy", **options: Any) -> None:
        """Make the loss.

        Args:
            label_smoothing: how far targets are drawn from 0 and 1 to the middle, in [0, 1).
            name: of the loss.
            options: of `keras.losses.Loss`.
        """
        super().__init__(name=name, **options)
        self.label_smoothing = label_smoothing

    def terms(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tuple[tf.Tensor, None]:
        """Return the loss of each text.

        Args:
            y_true: 1 for the labels that a text has. Shape `(batch, labels)`, float32.
            y_pred: logits. Shape `(batch, labels)`, float.

        Returns:
            Shape `(batch,)`, float32.
        """
        y_pred = tf.cast(y_pred, tf.float32)
        return keras.losses.binary_crossentropy(y_true, y_pred, True, self.label_smoothing), None

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.utils.register_keras_serializable("tfnlp")
class SquaredError(AveragedLoss):
    """The squared error of numbers, averaged over texts."""

    def terms(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tuple[tf.Tensor, None]:
        """Return the error of each text; both arguments of shape `(batch, 1)`, float, the result `(batch,)`."""
        return keras.losses.mean_squared_error(y_true, tf.cast(y_pred, tf.float32)), None


def _vectors_of_pairs(y_true: tf.Tensor, y_pred: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the two vectors of each pair, of length 1, and its score.

    Args:
        y_true: for each row the number of its pair, ascending, 0 or 1 for the first or second text, and the pair's
            score. Shape `(rows, 3)`, float32.
        y_pred: the vectors of rows; those of one text are averaged. Shape `(rows, hidden)`, float.
    """
    pair, side, score = tf.unstack(tf.cast(y_true, tf.float32), axis=1)
    text = tf.cast(2 * pair + side, tf.int32)
    vectors = tf.math.segment_mean(tf.cast(y_pred, tf.float32), text)
    vectors = tf.math.l2_normalize(tf.reshape(vectors, [-1, 2, vectors.shape[-1]]), -1)
    return vectors[:, 0], vectors[:, 1], tf.math.segment_max(score, tf.cast(pair, tf.int32))


@keras.utils.register_keras_serializable("tfnlp")
class CosineError(AveragedLoss):
    """The squared error of the cosines of pairs of vectors (Reimers and Gurevych 2019)."""

    def terms(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tuple[tf.Tensor, None]:
        """Return the error of each pair, of shape `(pairs,)`, float32; arguments as for `RankingLoss`."""
        first, second, score = _vectors_of_pairs(y_true, y_pred)
        return tf.square(tf.reduce_sum(first * second, -1) - score), None


@keras.utils.register_keras_serializable("tfnlp")
class RankingLoss(AveragedLoss):
    """Cross entropy of each text's own pair among the second texts of a batch (Henderson et al. 2017).

    The second texts are those of all replicas.
    """

    def __init__(self, *, scale: float = 20.0, name: str = "ranking_loss", **options: Any) -> None:
        """Make the loss.

        Args:
            scale: what cosines are multiplied with.
            name: of the loss.
            options: of `keras.losses.Loss`.
        """
        super().__init__(name=name, **options)
        self.scale = scale

    def terms(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tuple[tf.Tensor, None]:
        """Return the loss of each pair.

        Args:
            y_true: for each row the number of its pair, ascending, 0 or 1 for the first or second text, and the pair's
                score. Shape `(rows, 3)`, float32.
            y_pred: the vectors of rows; those of one text are averaged. Shape `(rows, hidden)`, float.

        Returns:
            Shape `(pairs,)`, float32.
        """
        first, second, _ = _vectors_of_pairs(y_true, y_pred)
        candidates, own = gathered(second)
        logits = self.scale * tf.matmul(first, candidates, transpose_b=True)  # (pairs, pairs of all replicas)
        labels = own + tf.range(tf.shape(logits)[0])
        return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits), None

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "scale": self.scale}


def cross_entropy(labels: LabelMap, weights: Mapping[str, float] | str | None, smoothing: float) -> TokenCrossEntropy:
    """Return the cross entropy of labels whose weights are given by name; of those not named they are 1.

    Raises:
        LabelError: if a name is not a label.
        ArgumentError: if the weights are balanced, but not worked out from data.
    """
    if isinstance(weights, str):
        raise ArgumentError(f"`label_weights={weights!r}` is worked out from training data, by `fit`.")
    if weights is None:
        return TokenCrossEntropy(label_smoothing=smoothing)
    given = {labels.id_of(name): weight for name, weight in weights.items()}
    return TokenCrossEntropy(label_weights=[given.get(i, 1.0) for i in range(len(labels))], label_smoothing=smoothing)
