"""The labels of a text chosen together, as TensorFlow ops: windows joined, and the best path through them."""

from __future__ import annotations

import numpy as np

from tfnlp._backend import tf
from tfnlp.labels import IGNORE_ID, LabelMap, well_formed
from tfnlp.networks.crf import Transitions, best_path, log_likelihood, marginals
from tfnlp.tasks.token_classification.units import TokenScores, at, differs, ends_of
from tfnlp.tasks.windows import shown_best

_FORBIDDEN = -1e9
_LEAST = 1e-30  # of a probability, so that its logarithm is a number
_PLACES = 65_536  # that are decoded together, padding included
_ROWS = 256  # whose losses are computed together


def constrained(labels: LabelMap, learned: Transitions | None = None) -> Transitions:
    """Return transitions that lead to well-formed tags alone; labels that are no tags may follow each other freely.

    Args:
        labels: in the order of their ids.
        learned: what they score where they are allowed; None: 0.
    """
    allowed = well_formed(labels.names) if labels.are_tags else (True, True, True)
    scores = learned or Transitions(*(tf.zeros([len(labels)] * rank) for rank in (1, 1, 2)))
    return Transitions(*(tf.where(np.array(may), one, _FORBIDDEN) for may, one in zip(allowed, scores, strict=True)))


def joined(tokens: TokenScores, overlap: int) -> tuple[TokenScores, tf.Tensor]:
    """Make one row of the windows of a record.

    Of the tokens that two windows share, each gives the half that lies further from its edge.

    Args:
        tokens: of all windows.
        overlap: how many tokens two windows share.

    Returns:
        The tokens that are kept, and their indices among all.
    """
    begins = differs(tokens.rows)
    first = tf.cast(tf.where(begins)[:, 0], tf.int32)
    window = tf.cumsum(tf.cast(begins, tf.int32)) - 1
    position = tf.range(tf.size(window)) - tf.gather(first, window)
    lengths = ends_of(first, tf.size(window)) + 1 - first
    is_kept = shown_best(position, lengths, window, tf.gather(tokens.records, first), overlap)
    index = tf.where(is_kept)[:, 0]
    kept = at(tokens, index)
    return kept._replace(rows=kept.records), index


def choose_together(scores: tf.Tensor, rows: tf.Tensor, transitions: Transitions) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the labels of each row's best path, and the probability of each over all paths.

    Rows of like length are decoded together.

    Args:
        scores: probabilities by label. Shape `(units, labels)`, float32.
        rows: of the units, ascending. Shape `(units,)`, int32.
        transitions: between labels.

    Returns:
        Label ids, int32, and probabilities, float32, of shape `(units,)`.
    """
    logits = tf.math.log(tf.maximum(scores, _LEAST))
    first = tf.where(differs(rows))[:, 0]
    places = tf.RaggedTensor.from_row_starts(tf.range(tf.size(rows)), first)
    order = tf.argsort(places.row_lengths(), direction="DESCENDING", stable=True)
    places = tf.gather(places, order)
    lengths = tf.cast(places.row_lengths(), tf.int32)

    def step(start: tf.Tensor, labels: tf.Tensor, best: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        end = start + tf.maximum(1, _PLACES // lengths[start])
        some = places[start:end]
        mask = tf.sequence_mask(lengths[start:end])
        given = tf.gather(logits, some.to_tensor())
        path = best_path(given, mask, transitions)
        probability = tf.gather(marginals(given, mask, transitions), path, batch_dims=2)
        found = tf.boolean_mask(path, mask), tf.boolean_mask(probability, mask)
        return end, tf.concat([labels, found[0]], 0), tf.concat([best, found[1]], 0)

    nothing = tf.zeros([0], tf.int32), tf.zeros([0])
    shapes = tf.TensorShape([]), tf.TensorShape([None]), tf.TensorShape([None])
    _, labels, best = tf.while_loop(
        lambda start, *_: start < tf.size(lengths), step, (tf.constant(0), *nothing), shape_invariants=shapes
    )
    back = tf.math.invert_permutation(places.values)
    return tf.gather(labels, back), tf.gather(best, back)


def path_losses(logits: np.ndarray, labels: np.ndarray, splits: np.ndarray, transitions: Transitions) -> np.ndarray:
    """Return the loss of each labelled token: that of its row's labels together, shared evenly.

    Args:
        logits: Shape `(tokens, labels)`.
        labels: label ids, -100 where there is none. Shape `(tokens,)`.
        splits: where rows begin. Shape `(rows + 1,)`.
        transitions: of the field.

    Returns:
        Shape `(labelled tokens,)`, float32, in nats.
    """
    index = np.flatnonzero(labels != IGNORE_ID)
    path_splits = np.searchsorted(index, splits)
    losses = []
    for start in range(0, len(splits) - 1, _ROWS):
        bounds = path_splits[start : start + _ROWS + 1]
        some = tf.RaggedTensor.from_row_splits(index[bounds[0] : bounds[-1]], bounds - bounds[0])
        given, gold = some.with_values(tf.gather(logits, some.values)), some.with_values(tf.gather(labels, some.values))
        if bounds[-1] > bounds[0]:
            losses.append(_likelihood(given.to_tensor(), gold.to_tensor(IGNORE_ID), transitions).numpy())
        else:
            losses.append(np.zeros(len(bounds) - 1, np.float32))
    counts = np.diff(path_splits)
    return np.repeat(-np.concatenate([*losses, np.zeros(0, np.float32)]) / np.maximum(counts, 1), counts)


_likelihood = tf.function(log_likelihood, reduce_retracing=True, autograph=False)
