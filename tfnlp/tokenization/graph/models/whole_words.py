"""Words that are one entry of the vocabulary: most of a text, found by one hash of each word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from tfnlp._backend import tf
from tfnlp.tokenization.graph import trie
from tfnlp.tokenization.graph.models.tokens import Tokens, Words
from tfnlp.tokenization.graph.probing import NUM_CODE_POINTS
from tfnlp.tokenization.graph.ragged import ranges, row_index
from tfnlp.tokenization.graph.tables import (
    CharacterTable,
    PerfectHash,
    Table,
    build_character_table,
    build_perfect_hash,
    narrowed,
)

_BASE = 0x5851F42D4C957F2D  # of the polynomial that hashes a word; odd, so that it has an inverse modulo 2**64
_BLOCK = 256  # the starts of so many words are kept relative to the first, in half the space
_INVERSE = pow(_BASE, -1, 1 << 64) - (1 << 64)


@dataclass(frozen=True)
class Alphabet:
    """The characters of a vocabulary, numbered.

    Attributes:
        codes: the code of each code point, from 1; 0 for those that no entry contains.
        size: the number of codes, with 0.
    """

    codes: CharacterTable
    size: int


def build_alphabet(entries: Iterable[str]) -> tuple[Alphabet, dict[str, int]]:
    """Number the characters of all entries. Returns the alphabet, and its codes by character."""
    letters = sorted(set().union(*map(set, entries)))
    numbers = np.zeros(NUM_CODE_POINTS, np.int32)
    numbers[[ord(letter) for letter in letters]] = np.arange(1, len(letters) + 1)
    by_letter = {letter: code for code, letter in enumerate(letters, start=1)}
    return Alphabet(build_character_table(numbers), len(letters) + 1), by_letter


def build_entries(entries: Mapping[str, int], by_letter: Mapping[str, int]) -> trie.Trie:
    """Build the trie of entries to ids; empty entries match nothing."""
    keys = [[by_letter[letter] for letter in entry] for entry in entries]
    return trie.build_trie(keys, list(entries.values()), len(by_letter) + 1)


@dataclass(frozen=True)
class WholeWords:
    """The words that are one token.

    Attributes:
        slots: of words, by their hashes.
        letters: the codes of all words, one after the other, in the order of their slots. Integers.
        blocks: where in `letters` the first word of each `_BLOCK` slots begins. int32.
        starts: how far from there the word of each slot begins, and the end of the last. Integers.
        ids: the token of the word in each slot. Integers.
    """

    slots: PerfectHash
    letters: Table
    blocks: Table
    starts: Table
    ids: Table

    def __call__(self, codes: tf.Tensor, words: Words) -> tuple[Tokens, tf.Tensor]:
        """Take every word for one token.

        Args:
            codes: of the words' characters. Shape `(characters,)`, int32.
            words: the words.

        Returns:
            A token for each word, and whether it is one; where it is not, the token's id means nothing.
        """
        slot = self.slots(_hashes(codes, words))
        start, end = self._start(slot), self._start(slot + 1)
        is_as_long = tf.equal(end - start, words.lengths)
        lengths = tf.where(is_as_long, words.lengths, 0)
        letters = tf.cast(tf.gather(self.letters, ranges(start, lengths)), tf.int32)
        differs = tf.not_equal(letters, tf.gather(codes, ranges(words.starts, lengths)))
        num_different = tf.math.unsorted_segment_sum(tf.cast(differs, tf.int32), row_index(lengths), tf.size(lengths))
        is_added = tf.gather(words.characters.is_added, words.starts)
        token = Tokens(
            tf.cast(tf.gather(self.ids, slot), tf.int32), words.starts, words.ends, tf.range(tf.size(words.starts))
        )
        return token, (is_as_long & tf.equal(num_different, 0)) | is_added

    def _start(self, slot: tf.Tensor) -> tf.Tensor:
        return tf.gather(self.blocks, slot // _BLOCK) + tf.cast(tf.gather(self.starts, slot), tf.int32)


def _hashes(codes: tf.Tensor, words: Words) -> tf.Tensor:
    """Hash each word: the sum of its codes, each times a power of the base, modulo 2**64. Shape `(words,)`, int64."""
    ones = tf.ones_like(codes, tf.int64)
    powers = tf.math.cumprod(ones * _BASE, exclusive=True)
    sums = tf.cumsum(tf.cast(codes, tf.int64) * powers)
    before = tf.gather(tf.concat([[tf.zeros([], tf.int64)], sums], 0), words.starts)
    of_word = tf.gather(sums, words.ends - 1) - before
    return of_word * tf.gather(tf.math.cumprod(ones * _INVERSE, exclusive=True), words.starts)


def build_whole_words(words: Mapping[str, int], by_letter: Mapping[str, int]) -> WholeWords:
    """Build the table of words to tokens; no word is empty."""
    names = list(words)
    hashes = _hashes_of([[by_letter[letter] for letter in name] for name in names])
    if len(np.unique(hashes)) != len(names):
        raise ValueError("two words of the vocabulary have the same hash: choose another `_BASE`")
    slots, place = build_perfect_hash(hashes)
    ids, texts = np.zeros(slots.size, np.int32), [""] * slots.size
    for name, at in zip(names, place.tolist(), strict=True):
        ids[at], texts[at] = words[name], name
    letters = np.array([by_letter[letter] for text in texts for letter in text], np.int64)
    starts = np.cumsum([0, *map(len, texts)])
    blocks = starts[::_BLOCK]
    within = starts - np.repeat(blocks, _BLOCK)[: len(starts)]
    return WholeWords(slots, narrowed(letters), blocks.astype(np.int32), narrowed(within), narrowed(ids))


def _hashes_of(words: list[list[int]]) -> np.ndarray:
    """Hash words as `_hashes` does, int64."""
    lengths = np.array([len(word) for word in words], np.int64)
    letters = np.array([code for word in words for code in word], np.int64)
    ends = np.cumsum(lengths)
    within = np.arange(len(letters)) - np.repeat(ends - lengths, lengths)
    with np.errstate(over="ignore"):
        powers = np.cumprod(np.concatenate([[1], np.full(lengths.max(initial=1), _BASE, np.int64)]))
        sums = np.concatenate([[0], np.cumsum(letters * powers[within])])
        return sums[ends] - sums[ends - lengths]
