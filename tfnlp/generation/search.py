"""`Search`: how tokens are chosen one after the other. What is common to all ways of it."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from tfnlp._backend import tf
from tfnlp.generation.decoders import Decoder, Started
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


Numbers = dict[str, tf.Tensor]  # options of each row by name, some of `GenerationOptions.numbers`; of shape `(rows,)`


class Asked(NamedTuple):
    """What is asked for of each row.

    Attributes:
        limits: how many new tokens it may have, at least 1. Shape `(rows,)`, int32.
        seeds: a seed and a number, by which it is sampled, whatever stands beside it. Shape `(rows, 2)`, int32.
        numbers: options of sampling.
    """

    limits: tf.Tensor
    seeds: tf.Tensor
    numbers: Numbers


class Search(Protocol):
    """A way to choose tokens.

    Its state is a named tuple of tensors, among them `tokens`, whose last axis are places, and `length`, how many of
    these are written. Rows are prompts, each of which may have several sequences.

    Attributes:
        decoder: says what comes next.
    """

    decoder: Decoder

    def start(self, started: Started, texts: tf.Tensor, asked: Asked, most: tf.Tensor, room: tf.Tensor) -> Any:
        """Choose the first token of each row; return the state.

        Args:
            started: prompts, at least one.
            texts: their tokens, -1 for padding. Shape `(rows, length)`, int32.
            asked: of each.
            most: new tokens of a row. Scalar, int32.
            room: for how many of these to make places now. Scalar, int32.
        """
        ...

    def advance(self, state: Any) -> Any:
        """Choose the next token of each row that is open; return the next state."""
        ...

    def is_open(self, state: Any) -> tf.Tensor:
        """Tell for which rows there is more to choose. Shape `(rows,)`, bool."""
        ...

    def rows_of(self, state: Any, rows: tf.Tensor) -> Any:
        """Return the state of some rows. `rows` has shape `(chosen,)`, int32."""
        ...

    def with_places(self, state: Any, more: tf.Tensor) -> Any:
        """Return the state with room for so many tokens more, of a decoder whose memory has room."""
        ...

    def shapes(self, state: Any) -> Any:
        """Return the shapes of a state, None for what grows or depends on the batch."""
        ...

    def generated(self, state: Any) -> Generated:
        """Return what was made."""
        ...


def limits_of(lengths: tf.Tensor, numbers: Numbers, options: GenerationOptions, room: int) -> tf.Tensor:
    """Return how many new tokens each row may have.

    Args:
        lengths: how many tokens of its own a decoder starts with. Shape `(rows,)`, int32.
        numbers: of rows, among them `max_new_tokens` where options have it.
        options: of generation.
        room: the most tokens that the decoder takes.

    Returns:
        At least 1, even where that is too many. Shape `(rows,)`, int32.
    """
    if options.max_new_tokens is not None:
        limits = numbers["max_new_tokens"]
    elif options.max_length is not None:
        limits = options.max_length - lengths
    else:
        limits = tf.minimum(room - lengths, DEFAULT_NEW_TOKENS)
    return tf.maximum(limits, 1)


def starts_of(mask: tf.Tensor) -> tf.Tensor:
    """Return the first place of each prompt. Shape `(rows,)`, int32."""
    return tf.shape(mask)[1] - tf.reduce_sum(mask, 1)


def with_token(tokens: tf.Tensor, chosen: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
    """Put a token into one place of each row."""
    return tf.where(tf.equal(tf.range(tf.shape(tokens)[-1]), place), chosen[..., None], tokens)


def texts_for(options: GenerationOptions, texts: tf.Tensor) -> tf.Tensor:
    """Return given texts where a rule looks at them; else none of their tokens."""
    return texts if options.reads_texts else texts[:, :0]


def copies_of(rows: tf.Tensor, count: int) -> tf.Tensor:
    """Return where the sequences of some prompts lie, if each has so many. From `(rows,)` to `(rows * count,)`."""
    return tf.reshape(rows[:, None] * count + tf.range(count), [-1])


def with_room(tokens: tf.Tensor, most: tf.Tensor) -> tf.Tensor:
    """Add places on the right of the last axis, filled with 0."""
    return tf.pad(tokens, [*[[0, 0]] * (tokens.shape.rank - 1), [0, most]])
