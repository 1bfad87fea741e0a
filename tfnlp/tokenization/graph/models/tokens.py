"""What models take and give: words in, tokens out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from tfnlp._backend import tf
from tfnlp.tokenization.graph.characters import Characters
from tfnlp.tokenization.graph.ragged import changes, exclusive_cumsum, following, preceding, true_indices


@dataclass(frozen=True)
class Words:
    """The words of a batch: stretches of its characters, none of them empty.

    Attributes:
        characters: the characters.
        starts: where each word begins. Shape `(words,)`, int32.
        lengths: how long each word is. Shape `(words,)`, int32.
        index: the word of each character. Shape `(characters,)`, int32.
    """

    characters: Characters
    starts: tf.Tensor
    lengths: tf.Tensor
    index: tf.Tensor

    @property
    def ends(self) -> tf.Tensor:
        """Where each word ends. Shape `(words,)`, int32."""
        return self.starts + self.lengths


def words_of(characters: Characters) -> Words:
    """Return the pieces of characters as words."""
    begins = characters.begins
    starts = true_indices(begins)
    lengths = following(starts, 0) - starts
    size = tf.size(characters.points)
    lengths = tf.concat([lengths[:-1], tf.fill(tf.shape(starts[:1]), size) - starts[-1:]], 0)
    return Words(characters, starts, lengths, tf.cumsum(tf.cast(begins, tf.int32)) - 1)


@dataclass(frozen=True)
class Tokens:
    """The tokens of words, in their order; each attribute is int32 of shape `(tokens,)`.

    Attributes:
        ids: token ids.
        starts: the first character of each.
        ends: the character after its last.
        words: the word that each is part of.
    """

    ids: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    words: tf.Tensor

    def taken(self, index: tf.Tensor) -> Tokens:
        """Return those at these positions."""
        return Tokens(*(tf.gather(column, index) for column in columns_of(self)))


def columns_of(tokens: Tokens) -> tuple[tf.Tensor, ...]:
    """Return ids, starts, ends and words, as `tf.cond` and `Tokens` take them."""
    return tokens.ids, tokens.starts, tokens.ends, tokens.words


class Model(Protocol):
    """Turns words into tokens. A word that is an added token is one token, whose id means nothing."""

    def __call__(self, words: Words) -> Tokens:
        """Split words into tokens."""
        ...


def in_word_order(parts: list[Tokens]) -> Tokens:
    """Put the tokens of several lists in the order of their words; the tokens of a word are all in one list."""
    words = tf.concat([part.words for part in parts], 0)
    counts = tf.math.bincount(words)
    first = tf.concat([changes(part.words) for part in parts], 0)
    index = tf.range(tf.size(words))
    row = tf.cumsum(tf.cast(first, tf.int32)) - 1
    rank = index - tf.gather(true_indices(first), row)  # in its word
    place = tf.gather(exclusive_cumsum(counts), words) + rank
    order = tf.scatter_nd(place[:, None], index, tf.shape(index))
    return Tokens(*(tf.gather(tf.concat(columns, 0), order) for columns in zip(*map(columns_of, parts), strict=True)))


def fuse(tokens: Tokens, mask: tf.Tensor) -> Tokens:
    """Make one token of neighbours of one word for which a mask is true; it has the id of the first."""
    joins = mask & preceding(mask, False) & ~changes(tokens.words)

    def fused() -> tuple[tf.Tensor, ...]:
        stays = true_indices(~joins)
        last = tf.concat([stays[1:] - 1, [tf.size(joins) - 1]], 0)
        return columns_of(replace(tokens.taken(stays), ends=tf.gather(tokens.ends, last)))

    return Tokens(*tf.cond(tf.reduce_any(joins), fused, lambda: columns_of(tokens)))
