"""`Search`: how tokens are chosen one after the other. What is common to all ways of it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from tfnlp._backend import tf
from tfnlp.generation.options import DEFAULT_NEW_TOKENS, GenerationOptions


class Generated(NamedTuple):
    """What was made, `n` sequences for each prompt, the best first.

    Attributes:
        tokens: the new ones, with what ended each, filled up on the right. Shape `(rows, n, most tokens)`, int32.
        lengths: of these. Shape `(rows, n)`, int32.
        scores: the geometric mean of its tokens' probabilities, as rules and sampling's options left them, in [0, 1];
            with a `length_penalty` other than 1, the root is another. Shape `(rows, n)`, float32.
    """

    tokens: tf.Tensor
    lengths: tf.Tensor
    scores: tf.Tensor


class Started(NamedTuple):
    """Prompts that a decoder has read.

    Attributes:
        tokens: the decoder's own: of the prompts, or what an answer starts with. Filled up on the left. Shape
            `(rows, length)`, int32.
        mask: 1 for tokens, 0 for padding. Shape `(rows, length)`, int32.
        logits: of the next token. Shape `(rows, vocabulary)`, float32.
        memory: of what was read.
    """

    tokens: tf.Tensor
    mask: tf.Tensor
    logits: tf.Tensor
    memory: Any


class Search(Protocol):
    """A way to choose tokens. Its state is a named tuple of tensors whose first axis, or the memory's, are rows."""

    def noise(self, seeds: tf.Tensor, most: tf.Tensor | int) -> tf.Tensor:
        """Return what chance decides by: random numbers, or what they are made of.

        Args:
            seeds: a seed and a number for each row, by which it is sampled, whatever stands beside it. Shape
                `(rows, 2)`, int32.
            most: new tokens of a row.
        """
        ...

    def start(self, started: Started, texts: tf.Tensor, limits: tf.Tensor, noise: tf.Tensor, most: tf.Tensor) -> Any:
        """Choose the first token of each row; return the state.

        Args:
            started: prompts, at least one.
            texts: their tokens, -1 for padding. Shape `(rows, length)`, int32.
            limits: how many new tokens each row may have, at least 1. Shape `(rows,)`, int32.
            noise: as `noise` returned it.
            most: of the limits. Scalar, int32.
        """
        ...

    def advance(self, state: Any) -> Any:
        """Choose the next token of each row that is open; return the next state."""
        ...

    def is_open(self, state: Any) -> tf.Tensor:
        """Tell for which rows there is more to choose. Shape `(rows,)`, bool."""
        ...

    def shapes(self, state: Any) -> Any:
        """Return the shapes of a state, None for what grows or depends on the batch."""
        ...

    def generated(self, state: Any) -> Generated:
        """Return what was made."""
        ...


def limits_of(lengths: tf.Tensor, options: GenerationOptions, room: int) -> tf.Tensor:
    """Return how many new tokens each row may have.

    Args:
        lengths: how many tokens of its own a decoder starts with. Shape `(rows,)`, int32.
        options: of generation.
        room: the most tokens that the decoder takes.

    Returns:
        At least 1, even where that is too many: see `excess_of`. Shape `(rows,)`, int32.
    """
    if options.max_new_tokens is not None:
        limits = tf.fill(tf.shape(lengths), options.max_new_tokens)
    elif options.max_length is not None:
        limits = options.max_length - lengths
    else:
        limits = tf.minimum(room - lengths, DEFAULT_NEW_TOKENS)
    return tf.maximum(limits, 1)


def excess_of(lengths: tf.Tensor, options: GenerationOptions, room: int) -> tf.Tensor:
    """Return by how many tokens rows, with the new ones, are too long; arguments as for `limits_of`."""
    most = room if options.max_length is None else min(room, options.max_length)
    return lengths + limits_of(lengths, options, room) - most


def starts_of(mask: tf.Tensor) -> tf.Tensor:
    """Return the first place of each prompt. Shape `(rows,)`, int32."""
    return tf.shape(mask)[1] - tf.reduce_sum(mask, 1)


def with_token(tokens: tf.Tensor, chosen: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """Put a token into one place of each row."""
    return tf.where(tf.equal(tf.range(tf.shape(tokens)[-1]), place), chosen[..., None], tokens)


def with_room(tokens: tf.Tensor, most: tf.Tensor) -> tf.Tensor:
    """Add places on the right, filled with 0."""
    return tf.pad(tokens, [[0, 0], [0, most]])
