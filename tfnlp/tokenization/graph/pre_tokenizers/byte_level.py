"""Characters as the bytes of their UTF-8, each written as a printable character: GPT-2's alphabet.

Radford et al., "Language models are unsupervised multitask learners" (2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfnlp._backend import tf
from tfnlp.tokenization.graph.characters import Characters, either
from tfnlp.tokenization.graph.matching import EnglishWords
from tfnlp.tokenization.graph.pre_tokenizers.splits import cut
from tfnlp.tokenization.graph.ragged import row_index


def byte_characters() -> np.ndarray:
    """Return the code point that stands for each byte. Shape `(256,)`, int32."""
    points = np.arange(256, dtype=np.int32)
    is_printable = ((points >= 0x21) & (points <= 0x7E)) | ((points >= 0xA1) & (points != 0xAD))
    points[~is_printable] = 256 + np.arange((~is_printable).sum())
    return points


_BYTE_CHARACTERS = tuple(byte_characters().tolist())


@dataclass(frozen=True)
class ByteLevel:
    """Cuts into words, then turns characters into bytes.

    Attributes:
        add_prefix_space: whether to put a space before each piece that does not begin with one.
        words: how to cut; None: not at all.
    """

    add_prefix_space: bool
    words: EnglishWords | None

    def __call__(self, characters: Characters) -> Characters:
        """Cut and turn into bytes."""
        if self.add_prefix_space:
            lacks = characters.begins & ~characters.is_added & tf.not_equal(characters.points, ord(" "))
            characters = characters.prepended(lacks, (ord(" "),))
        if self.words is not None:
            characters = cut(characters, self.words(characters), "Isolated")
        return to_bytes(characters)


@dataclass(frozen=True)
class Bytes:
    """The normalizer that turns characters into bytes, and nothing else."""

    def __call__(self, characters: Characters) -> Characters:
        """Turn into bytes."""
        return to_bytes(characters)


def to_bytes(characters: Characters) -> Characters:
    """Turn each character into the characters of its bytes; an added token stays."""
    table = tf.constant(_BYTE_CHARACTERS)
    size = num_bytes(characters)

    def one_each() -> Characters:
        return characters.with_points(
            tf.where(characters.is_added, characters.points, tf.gather(table, tf.minimum(characters.points, 0x7F)))
        )

    def expanded() -> Characters:
        longer, values = utf8(characters, size)
        return longer.with_points(tf.where(longer.is_added, longer.points, tf.gather(table, values)))

    return either(tf.reduce_all(tf.equal(size, 1)), one_each, expanded)


def num_bytes(characters: Characters) -> tf.Tensor:
    """Return how many bytes each character has in UTF-8, 1 for an added token. Shape `(characters,)`, int32."""
    points = characters.points
    size = 1 + sum(tf.cast(points >= least, tf.int32) for least in (0x80, 0x800, 0x10000))
    return tf.where(characters.is_added, 1, size)


def utf8(characters: Characters, size: tf.Tensor) -> tuple[Characters, tf.Tensor]:
    """Repeat each character for each of its bytes.

    Args:
        characters: the characters.
        size: how many bytes each has; 1 leaves it in one piece.

    Returns:
        The repeated characters, and the value of each byte in [0, 256), of no meaning for characters beyond ASCII that
        were left in one piece.
    """
    longer, copy = characters.repeated(size)
    total = tf.gather(size, row_index(size))
    shift = 6 * (total - 1 - copy)
    low = tf.bitwise.right_shift(longer.points, shift)
    lead = tf.gather(tf.constant([0, 0, 0xC0, 0xE0, 0xF0]), total)
    values = tf.where(copy > 0, tf.bitwise.bitwise_and(low, 0x3F) + 0x80, low + lead)
    return longer, tf.bitwise.bitwise_and(values, 0xFF)
