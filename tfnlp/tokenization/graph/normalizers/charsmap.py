"""SentencePiece's precompiled character maps: texts, and what becomes of them.

The format is that of SentencePiece's `builder.cc`: a double-array trie (darts-clone) and a pool of strings, each with a
zero at its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfnlp._backend import tf
from tfnlp.errors import UnsupportedTokenizerError
from tfnlp.tokenization.graph import trie
from tfnlp.tokenization.graph.characters import Characters, either
from tfnlp.tokenization.graph.leftmost import leftmost
from tfnlp.tokenization.graph.normalizers.replaced import replaced_characters
from tfnlp.tokenization.graph.probing import NUM_CODE_POINTS
from tfnlp.tokenization.graph.ragged import exclusive_cumsum, ranges, row_index_and_column, true_indices
from tfnlp.tokenization.graph.tables import CharacterTable, Table, build_character_table, table_of_members


@dataclass(frozen=True)
class CharacterMap:
    """A character map as SentencePiece itself applies it: the leftmost text of the map is replaced, the longest first.

    Attributes:
        singles: the replacement of each code point, from 1; 0: it stays.
        alphabet: the code of each code point that a text of several characters contains, from 1.
        inner: 1 for each code point that is in such a text, and not only its first.
        texts: the texts of several characters, to their replacements.
        begins: where in `values` each replacement begins, and the end of the last. int32.
        values: the replacements' code points. int32.
    """

    singles: CharacterTable
    alphabet: CharacterTable
    inner: CharacterTable
    texts: trie.Trie
    begins: Table
    values: Table

    def __call__(self, characters: Characters) -> Characters:
        """Replace texts and characters."""
        single = self.singles(characters.points)
        replacement, count = self._found(characters, single)
        return either(
            tf.reduce_any(replacement > 0),
            lambda: self._replaced(characters, replacement, count),
            lambda: characters,
        )

    def _found(self, characters: Characters, single: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Find what is replaced together.

        Args:
            characters: the characters.
            single: the replacement of each alone, or 0. Shape `(characters,)`, int32.

        Returns:
            For each character the replacement of what begins with it, or 0; and how many characters that is, 0 for
            those that are part of what began before; both of shape `(characters,)`, int32.
        """
        goes_on = tf.equal(self.inner(characters.points), 1) & ~characters.begins

        def texts() -> tuple[tf.Tensor, tf.Tensor]:
            starts = true_indices(goes_on) - 1
            ends = tf.gather(tf.searchsorted(characters.piece, characters.piece, side="right"), starts)
            lengths, found = trie.longest_matches(self.texts, self.alphabet(characters.points), starts, ends)
            starts, lengths, found = _masked(lengths > 0, starts, lengths, found)
            starts, lengths, found = _masked(leftmost(starts, starts + lengths), starts, lengths, found)
            return with_texts(single, starts, lengths, found)

        return tf.cond(tf.reduce_any(goes_on), texts, lambda: (single, tf.ones_like(single)))

    def _replaced(self, characters: Characters, replacement: tf.Tensor, count: tf.Tensor) -> Characters:
        changed = replacement > 0
        begin = tf.gather(self.begins, replacement)
        size = tf.where(changed, tf.gather(self.begins, replacement + 1) - begin, tf.minimum(count, 1))
        size = tf.where(tf.equal(count, 0), 0, size)
        owner, copy = row_index_and_column(size)
        place = tf.where(tf.gather(changed, owner), tf.gather(begin, owner) + copy, 0)
        points = tf.where(tf.gather(changed, owner), tf.gather(self.values, place), tf.gather(characters.points, owner))
        piece = tf.gather(characters.piece, owner)
        change = self._change(characters, owner, copy, size, count)
        return characters.taken(replaced_characters(change, piece, characters.piece)).with_points(points)

    def _change(
        self, characters: Characters, owner: tf.Tensor, copy: tf.Tensor, size: tf.Tensor, count: tf.Tensor
    ) -> tf.Tensor:
        """Return how each new character changes the text, as the Rust normalizer says it.

        What a replacement lacks in length counts for its last character, and where it is empty for the last before it
        in the piece; if there is none, nobody counts it, and all that follows stands for an earlier character.
        """
        own_size, own_count = tf.gather(size, owner), tf.gather(count, owner)
        change = tf.cast(copy >= own_count, tf.int32)
        is_last = tf.equal(copy + 1, own_size)
        change += tf.where(is_last, tf.minimum(own_size - own_count, 0), 0)
        empty = true_indices(tf.equal(size, 0) & (count > 0))
        before = tf.gather(exclusive_cumsum(size), empty) - 1
        piece = tf.gather(characters.piece, owner)
        has_one = before >= 0
        before, empty = tf.boolean_mask(before, has_one), tf.boolean_mask(empty, has_one)
        is_same = tf.equal(tf.gather(piece, before), tf.gather(characters.piece, empty))
        before, empty = tf.boolean_mask(before, is_same), tf.boolean_mask(empty, is_same)
        return tf.tensor_scatter_nd_sub(change, before[:, None], tf.gather(count, empty))


def _masked(mask: tf.Tensor, *vectors: tf.Tensor) -> list[tf.Tensor]:
    return [tf.boolean_mask(vector, mask) for vector in vectors]


def with_texts(
    single: tf.Tensor, starts: tf.Tensor, lengths: tf.Tensor, found: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return what `_found` does, of texts that do not overlap."""
    inside = ranges(starts, lengths)
    nothing = tf.zeros_like(inside)
    single = tf.tensor_scatter_nd_update(single, inside[:, None], nothing)
    single = tf.tensor_scatter_nd_update(single, starts[:, None], found)
    count = tf.tensor_scatter_nd_update(tf.ones_like(single), inside[:, None], nothing)
    return single, tf.tensor_scatter_nd_update(count, starts[:, None], lengths)


def compile_character_map(blob: bytes) -> CharacterMap:
    """Compile the `precompiled_charsmap` of a SentencePiece model."""
    return CharacterMap(**character_map_fields(read_character_map(blob)))


def character_map_fields(texts: dict[str, str]) -> dict[str, Any]:
    """Return the attributes of the `CharacterMap` of texts to their replacements."""
    singles, values, begins = np.zeros(NUM_CODE_POINTS, np.int32), [], [0, 0]
    several: list[tuple[str, int]] = []
    for text, replacement in texts.items():
        if len(text) == 1:
            singles[ord(text)] = len(begins) - 1
        else:
            several.append((text, len(begins) - 1))
        values += [ord(letter) for letter in replacement]
        begins.append(len(values))
    letters = sorted({letter for text, _ in several for letter in text})
    codes = np.zeros(NUM_CODE_POINTS, np.int32)
    codes[[ord(letter) for letter in letters]] = np.arange(1, len(letters) + 1)
    keys = [[int(codes[ord(letter)]) for letter in text] for text, _ in several]
    return {
        "singles": build_character_table(singles),
        "alphabet": build_character_table(codes),
        "inner": table_of_members(
            np.array(sorted({ord(letter) for text, _ in several for letter in text[1:]}), np.int64)
        ),
        "texts": trie.build_trie(keys, [value for _, value in several], len(letters) + 1),
        "begins": np.array(begins, np.int32),
        "values": np.array([*values, 0], np.int32),
    }


def read_character_map(blob: bytes, *, most_bytes: int | None = None) -> dict[str, str]:
    """Read the texts of a character map, and what becomes of them.

    Args:
        blob: the `precompiled_charsmap`.
        most_bytes: read only texts that are not longer, and that do not begin with another; None: all.

    Raises:
        UnsupportedTokenizerError: if a text in it is no UTF-8.
    """
    size = int(np.frombuffer(blob[:4], "<u4")[0])
    units = np.frombuffer(blob[4 : 4 + size], "<u4").astype(np.int64)
    pool = blob[4 + size :]
    found: dict[bytes, int] = {}
    labels = units & 0x800000FF  # of values, that have the highest bit, no label
    children = np.flatnonzero((labels > 0) & (labels < 256))
    children = children[np.argsort(children ^ labels[children], kind="stable")]
    bases = children ^ labels[children]  # of the nodes that they are children of
    keys, nodes = np.zeros((1, 0), np.uint8), _offset(units[:1])
    while len(nodes) and (most_bytes is None or keys.shape[1] < most_bytes):
        first, last = np.searchsorted(bases, nodes), np.searchsorted(bases, nodes, side="right")
        parent = np.repeat(np.arange(len(nodes)), last - first)
        rank = np.arange(len(parent)) - np.repeat(np.cumsum(last - first) - (last - first), last - first)
        child = children[first[parent] + rank]
        keys = np.hstack([keys[parent], labels[child][:, None].astype(np.uint8)])
        nodes = child ^ _offset(units[child])
        ends = (units[child] >> 8) & 1 == 1
        values = units[nodes[ends]] & 0x7FFFFFFF
        found.update((key.tobytes(), int(value)) for key, value in zip(keys[ends], values, strict=True))
        if most_bytes is not None:
            keys, nodes = keys[~ends], nodes[~ends]
    try:
        return {key.decode(): pool[at : pool.index(b"\0", at)].decode() for key, at in found.items()}
    except UnicodeDecodeError as error:
        raise UnsupportedTokenizerError(f"A text of the `precompiled_charsmap` is no UTF-8: {error}.") from error


def _offset(unit: np.ndarray) -> np.ndarray:
    return (unit >> 10) << ((unit & (1 << 9)) >> 6)
