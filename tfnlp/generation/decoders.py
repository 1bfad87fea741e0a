"""Decoders: networks that say what comes next, one token after the other, and remember what they have read."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from tfnlp._backend import tf

Memory = Any  # nested tensors, whose rows lie along one axis


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


class Decoder(Protocol):
    """Says what comes next.

    Attributes:
        room: the most tokens of its own that a row may have.
        continues: whether the tokens of prompts are its own; else it starts with one.
    """

    room: int
    continues: bool

    def read(self, features: dict[str, tf.Tensor], most: tf.Tensor) -> Started:
        """Read prompts.

        Args:
            features: of the prompts, at least one, those of tokens filled up on the left.
            most: how many tokens may be read after them. Scalar, int32.
        """
        ...

    def step(self, tokens: tf.Tensor, place: tf.Tensor, mask: tf.Tensor, memory: Memory) -> tuple[tf.Tensor, Memory]:
        """Read one token more.

        Args:
            tokens: Shape `(rows,)`, int32.
            place: of these, in all rows alike. Scalar, int32.
            mask: 1 for all tokens that are read, these included; 0 for padding and free places. Shape `(rows, size)`,
                int32.
            memory: of the tokens before.

        Returns:
            The logits of the next token, shape `(rows, vocabulary)`, float32, and what is remembered now.
        """
        ...

    def rows_of(self, memory: Memory, rows: tf.Tensor) -> Memory:
        """Return what is remembered of some rows, each as often as it is named. `rows` has shape `(chosen,)`."""
        ...

    def shapes(self, memory: Memory) -> Memory:
        """Return the shapes of what is remembered, None for what grows or depends on the batch."""
        ...

    def with_places(self, memory: Memory, more: tf.Tensor) -> Memory:
        """Return what is remembered with room for so many tokens more; as it is where it grows by itself."""
        ...
