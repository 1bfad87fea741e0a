"""Linear-chain conditional random fields (Lafferty et al., ICML 2001): likelihood, best path, marginals.

A path of labels has the score of its start, of each step from a label to the next, of its end, and of each label at its
place. All is computed in float32, of rows of at least one place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tfnlp._backend import keras, tf
from tfnlp.labels import IGNORE_ID


class Transitions(NamedTuple):
    """Scores of where paths go, in the natural logarithm.

    Attributes:
        starts: of each label as the first. Shape `(labels,)`, float32.
        ends: of each label as the last. Shape `(labels,)`, float32.
        steps: from each label (row) to each (column). Shape `(labels, labels)`, float32.
    """

    starts: Any
    ends: Any
    steps: Any


@keras.utils.register_keras_serializable("tfnlp")
class TransitionScores(keras.layers.Layer):
    """Holds the transitions of a field beside the logits that it passes on. Its weights have pytorch-crf's names."""

    def __init__(self, num_labels: int, *, name: str = "crf", **options: Any) -> None:
        """Make the layer, with scores of 0.

        Args:
            num_labels: how many labels there are.
            name: of the layer.
            options: of `keras.layers.Layer`.
        """
        super().__init__(name=name, **{**options, "dtype": "float32"})
        self.num_labels = num_labels
        self.start_transitions = self.add_weight("start_transitions", (num_labels,), initializer="zeros")
        self.end_transitions = self.add_weight("end_transitions", (num_labels,), initializer="zeros")
        self.transitions = self.add_weight("transitions", (num_labels, num_labels), initializer="zeros")

    @property
    def scores(self) -> Transitions:
        """The variables."""
        return Transitions(self.start_transitions, self.end_transitions, self.transitions)

    def call(self, logits: tf.Tensor) -> tf.Tensor:
        """Return the logits, of any shape."""
        return tf.identity(logits)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "num_labels": self.num_labels}


def log_likelihood(logits: tf.Tensor, labels: tf.Tensor, transitions: Transitions) -> tf.Tensor:
    """Return the logarithm of the probability of labels.

    Args:
        logits: Shape `(batch, length, labels)`, float.
        labels: label ids, -100 at places that are not part of the path. Shape `(batch, length)`, int32.
        transitions: of the field.

    Returns:
        Shape `(batch,)`, float32; 0 where there are no labels.
    """
    logits, mask = tf.cast(logits, tf.float32), tf.not_equal(labels, IGNORE_ID)
    return _path_score(logits, tf.where(mask, labels, 0), mask, transitions) - log_normalizer(logits, mask, transitions)


def log_normalizer(logits: tf.Tensor, mask: tf.Tensor, transitions: Transitions) -> tf.Tensor:
    """Return the logarithm of the sum of all paths' scores.

    Args:
        logits: Shape `(batch, length, labels)`, float.
        mask: the places that are part of paths. Shape `(batch, length)`, bool.
        transitions: of the field.

    Returns:
        Shape `(batch,)`, float32; 0 where there are no places.
    """
    reached = _forward(logits, mask, transitions, tf.reduce_logsumexp)[-1]
    total = tf.reduce_logsumexp(reached + transitions.ends, -1)
    return tf.where(tf.reduce_any(mask, -1), total, 0.0)


def best_path(logits: tf.Tensor, mask: tf.Tensor, transitions: Transitions) -> tf.Tensor:
    """Return the labels of the path with the highest score, by Viterbi's algorithm.

    Args:
        logits: Shape `(batch, length, labels)`, float.
        mask: the places that are part of paths. Shape `(batch, length)`, bool.
        transitions: of the field.

    Returns:
        Shape `(batch, length)`, int32; 0 at places that are not part of the path.
    """
    reached = _forward(logits, mask, transitions, tf.reduce_max)
    to_label = tf.transpose(tf.convert_to_tensor(transitions.steps))

    def step(after: tuple[tf.Tensor, tf.Tensor], at: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        (label, is_last), (scores, counts) = after, at
        onwards = tf.where(is_last[:, None], transitions.ends, tf.gather(to_label, label))
        return tf.where(counts, tf.argmax(scores + onwards, -1, tf.int32), label), is_last & ~counts

    counts = tf.transpose(mask)
    first = tf.zeros_like(counts[0], tf.int32), tf.ones_like(counts[0])
    labels, _ = tf.scan(step, (reached, counts), first, reverse=True)
    return tf.where(mask, tf.transpose(labels), 0)


def marginals(logits: tf.Tensor, mask: tf.Tensor, transitions: Transitions) -> tf.Tensor:
    """Return the probability of each label at each place, over all paths.

    Args:
        logits: Shape `(batch, length, labels)`, float.
        mask: the places that are part of paths. Shape `(batch, length)`, bool.
        transitions: of the field.

    Returns:
        Shape `(batch, length, labels)`, float32; 0 at places that are not part of paths.
    """
    reached = _forward(logits, mask, transitions, tf.reduce_logsumexp)
    scores, counts = _by_place(logits, mask)

    def step(after: tuple[tf.Tensor, tf.Tensor], at: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        (onwards, _), (score, is_counted) = after, at
        before = tf.reduce_logsumexp(transitions.steps + (score + onwards)[:, None], -1)
        return tf.where(is_counted, before, onwards), onwards

    ends = tf.zeros_like(scores[0]) + transitions.ends
    _, onwards = tf.scan(step, (scores, counts), (ends, ends), reverse=True)
    found = tf.nn.softmax(reached + onwards)
    return tf.transpose(tf.where(counts, found, 0.0), [1, 0, 2])


def _forward(
    logits: tf.Tensor, mask: tf.Tensor, transitions: Transitions, reduce: Callable[..., tf.Tensor]
) -> tf.Tensor:
    """Return the scores, taken together by `reduce`, of all paths up to a label, at each place or before it.

    Returns:
        Shape `(length, batch, labels)`, float32.
    """
    scores, counts = _by_place(logits, mask)

    def step(before: tuple[tf.Tensor, tf.Tensor], at: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        (reached, has_begun), (score, is_counted) = before, at
        entered = reduce(reached[:, :, None] + transitions.steps, 1)
        entered = tf.where(has_begun, entered, transitions.starts)
        return tf.where(is_counted, entered + score, reached), has_begun | is_counted

    first = tf.zeros_like(scores[0]), tf.zeros_like(counts[0])
    return tf.scan(step, (scores, counts), first)[0]


def _by_place(logits: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return logits and mask by place, then by row: shapes `(length, batch, labels)` and `(length, batch, 1)`."""
    return tf.transpose(tf.cast(logits, tf.float32), [1, 0, 2]), tf.transpose(mask)[:, :, None]


def _path_score(logits: tf.Tensor, labels: tf.Tensor, mask: tf.Tensor, transitions: Transitions) -> tf.Tensor:
    """Return the scores of paths. Shape `(batch,)`, float32."""
    at_places = tf.where(mask, tf.gather(logits, labels, batch_dims=2), 0.0)
    counts = tf.reduce_sum(tf.cast(mask, tf.int32), -1)
    path = tf.gather(labels, tf.argsort(tf.cast(~mask, tf.int32), -1, stable=True), batch_dims=1)  # moved together
    steps = tf.gather_nd(transitions.steps, tf.stack([path[:, :-1], path[:, 1:]], -1))
    of_steps = tf.where(tf.sequence_mask(counts - 1, tf.shape(path)[1] - 1), steps, 0.0)
    last = tf.gather(path, tf.maximum(counts - 1, 0), batch_dims=1)
    of_ends = tf.gather(transitions.starts, path[:, 0]) + tf.gather(transitions.ends, last)
    return tf.reduce_sum(at_places, -1) + tf.reduce_sum(of_steps, -1) + tf.where(counts > 0, of_ends, 0.0)
