"""SentencePiece's precompiled character maps, as the Rust tokenizer applies them to grapheme clusters.

A map holds texts and what becomes of them. A cluster of fewer than six bytes that begins with a text of the map is
replaced whole, by what the shortest such text becomes; else each of its characters is looked up alone. The format is
that of SentencePiece's `builder.cc`: a double-array trie (darts-clone) and a pool of strings that end with a zero.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cache

import numpy as np
from tokenizers import normalizers

from tfnlp._backend import tf
from tfnlp.errors import UnsupportedTokenizerError
from tfnlp.tokenization.graph import probing, trie
from tfnlp.tokenization.graph.characters import Characters, either
from tfnlp.tokenization.graph.normalizers.replaced import replaced_characters
from tfnlp.tokenization.graph.pre_tokenizers.byte_level import num_bytes
from tfnlp.tokenization.graph.probing import NUM_CODE_POINTS
from tfnlp.tokenization.graph.ragged import exclusive_cumsum, preceding, ranges, row_index_and_column, true_indices
from tfnlp.tokenization.graph.tables import CharacterTable, Table, build_character_table

_MOST_BYTES = 5
# Joins a cluster before it; begins one with what follows it; joins nothing.
_EXTENDS, _LEADS, _BREAKS = 1, 2, 4
_LINE_END = ord("\n")


@dataclass(frozen=True)
class CharacterMap:
    """A character map.

    Attributes:
        singles: the replacement of each code point, from 1; 0: it stays.
        alphabet: the code of each code point that a text of several characters contains, from 1.
        texts: the texts of several characters, to their replacements.
        begins: where in `values` each replacement begins, and the end of the last. int32.
        values: the replacements' code points. int32.
        joins: whether each code point extends a cluster or leads one.
    """

    singles: CharacterTable
    alphabet: CharacterTable
    texts: trie.Trie
    begins: Table
    values: Table
    joins: CharacterTable

    def __call__(self, characters: Characters) -> Characters:
        """Replace clusters and characters."""
        single = self.singles(characters.points)
        joins = self.joins(characters.points)

        def by_clusters() -> tuple[tf.Tensor, tf.Tensor]:
            return self._clusters(characters, single, joins)

        def by_characters() -> tuple[tf.Tensor, tf.Tensor]:
            return single, tf.ones_like(single)

        replacement, count = tf.cond(_may_join(characters, joins), by_clusters, by_characters)
        return either(
            tf.reduce_any(replacement > 0),
            lambda: self._replaced(characters, replacement, count),
            lambda: characters,
        )

    def _clusters(self, characters: Characters, single: tf.Tensor, joins: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Find what is replaced together.

        Returns:
            For each character the replacement of what begins with it, or 0; and how many characters that is, 0 for
            those that are part of what began before; both of shape `(characters,)`, int32.
        """
        begins = _cluster_begins(characters, joins)
        starts = true_indices(begins)
        cluster = tf.cumsum(tf.cast(begins, tf.int32)) - 1
        lengths = tf.concat([starts[1:], tf.shape(single)], 0) - starts
        is_small = (tf.math.segment_sum(num_bytes(characters), cluster) <= _MOST_BYTES) & (lengths > 1)
        starts, lengths = tf.boolean_mask(starts, is_small), tf.boolean_mask(lengths, is_small)
        codes = self.alphabet(characters.points)
        _, found = trie.longest_matches(self.texts, codes, starts, starts + lengths)
        first = tf.gather(single, starts)
        found = tf.where(first > 0, first, tf.maximum(found, 0))  # the shortest text counts
        starts, lengths, found = (tf.boolean_mask(column, found > 0) for column in (starts, lengths, found))
        inside = ranges(starts, lengths)
        nothing = tf.zeros_like(inside)
        single = tf.tensor_scatter_nd_update(single, inside[:, None], nothing)
        single = tf.tensor_scatter_nd_update(single, starts[:, None], found)
        count = tf.tensor_scatter_nd_update(tf.ones_like(single), inside[:, None], nothing)
        return single, tf.tensor_scatter_nd_update(count, starts[:, None], lengths)

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


def _may_join(characters: Characters, joins: tf.Tensor) -> tf.Tensor:
    return tf.reduce_any(joins > 0) | tf.reduce_any(tf.equal(characters.points, ord("\r")))


def _cluster_begins(characters: Characters, joins: tf.Tensor) -> tf.Tensor:
    """Tell with which characters a grapheme cluster begins (Unicode Standard Annex 29). Shape `(characters,)`, bool.

    Rules that join only characters of three bytes and more can't make a cluster of fewer than six, and are left out.
    """
    extends = tf.bitwise.bitwise_and(joins, _EXTENDS) > 0
    follows = tf.bitwise.bitwise_and(preceding(joins, 0), _LEADS) > 0
    breaks = tf.bitwise.bitwise_and(joins, _BREAKS) > 0
    after_break = tf.bitwise.bitwise_and(preceding(joins, 0), _BREAKS) > 0
    is_line_end = tf.equal(characters.before(), ord("\r")) & tf.equal(characters.points, ord("\n"))
    joined = ((extends | follows) & ~breaks & ~after_break) | is_line_end
    return ~joined | characters.begins


def compile_character_map(encoded: str) -> CharacterMap:
    """Compile the `precompiled_charsmap` of a `Precompiled` normalizer."""
    texts = read_character_map(base64.b64decode(encoded))
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
    return CharacterMap(
        singles=build_character_table(singles),
        alphabet=build_character_table(codes),
        texts=trie.build_trie(keys, [value for _, value in several], len(letters) + 1),
        begins=np.array(begins, np.int32),
        values=np.array([*values, 0], np.int32),
        joins=build_character_table(_probe_joins()),
    )


def read_character_map(blob: bytes) -> dict[str, str]:
    """Read the texts of a character map that can matter, and what becomes of them.

    Texts that begin with another text of the map, or are longer than a cluster that is replaced whole, never do.

    Raises:
        UnsupportedTokenizerError: if a text in it is no UTF-8.
    """
    size = int(np.frombuffer(blob[:4], "<u4")[0])
    units = np.frombuffer(blob[4 : 4 + size], "<u4").astype(np.int64)
    pool = blob[4 + size :]
    found: dict[bytes, int] = {}
    keys, nodes = np.zeros((1, 0), np.uint8), _offset(units[:1])
    labels = np.arange(1, 256)
    for _ in range(_MOST_BYTES):
        children = nodes[:, None] ^ labels  # (nodes, labels)
        unit = np.where(children < len(units), units[np.minimum(children, len(units) - 1)], -1)
        parent, code = np.nonzero((unit & 0x800000FF) == labels)
        keys = np.hstack([keys[parent], labels[code][:, None].astype(np.uint8)])
        unit, nodes = unit[parent, code], children[parent, code]
        nodes = nodes ^ _offset(unit)
        ends = (unit >> 8) & 1 == 1
        values = units[nodes[ends]] & 0x7FFFFFFF
        found.update((key.tobytes(), int(value)) for key, value in zip(keys[ends], values, strict=True))
        keys, nodes = keys[~ends], nodes[~ends]
    try:
        return {key.decode(): pool[at : pool.index(b"\0", at)].decode() for key, at in found.items()}
    except UnicodeDecodeError as error:
        raise UnsupportedTokenizerError(f"A text of the `precompiled_charsmap` is no UTF-8: {error}.") from error


def _offset(unit: np.ndarray) -> np.ndarray:
    return (unit >> 10) << ((unit & (1 << 9)) >> 6)


@cache
def _probe_joins() -> np.ndarray:
    """Ask the Rust normalizer how each character joins its neighbours, with maps that replace whatever holds a byte.

    Returns:
        Flags of each code point. Shape `(0x110000,)`, int32.
    """
    flags = np.zeros(NUM_CODE_POINTS, np.int32)
    points = probing.characters()
    points = points[points != _LINE_END]
    # `a` and what extends it become one `X`; any other character stays behind the `X`.
    flags[points[_line_lengths(_map_of(b"a"), np.full_like(points, ord("a")), points) == 1]] |= _EXTENDS
    # A character beyond ASCII becomes `X`, and takes along the `a` that it leads.
    beyond = points[points > 0x7F]
    led = _line_lengths(_map_of(bytes(range(0xC2, 0xF5))), beyond, np.full_like(beyond, ord("a")))
    flags[beyond[led == 1]] |= _LEADS
    # A character becomes `X`, and takes along the accent after it unless it breaks.
    short = points[(points > 0) & (points < 0x10000)]
    every = _map_of(bytes(byte for byte in range(1, 0xF0) if byte != _LINE_END))
    flags[short[_line_lengths(every, short, np.full_like(short, 0x0301)) == 2]] |= _BREAKS
    flags[[0, _LINE_END]] |= _BREAKS
    return probing.spread(flags)


def _line_lengths(normalizer: normalizers.Normalizer, *columns: np.ndarray) -> np.ndarray:
    """Return how many characters a normalizer makes of each row of characters."""
    asked = np.stack([*columns, np.full_like(columns[0], _LINE_END)], 1).ravel()
    answer = probing.to_code_points(normalizer.normalize_str(probing.to_text(asked)))
    ends = np.flatnonzero(answer == _LINE_END)
    return np.diff(ends, prepend=-1) - 1


def _map_of(first_bytes: bytes) -> normalizers.Precompiled:
    """Return the normalizer whose map replaces by `X` all that begins with one of these bytes."""
    root, leaves = 256, 512
    units = np.zeros(1024, "<u4")
    units[0] = root << 10
    for byte in first_bytes:
        units[root ^ byte] = byte | 1 << 8 | leaves << 10
        units[root ^ byte ^ leaves] = 1 << 31
    return normalizers.Precompiled(np.array([units.nbytes], "<u4").tobytes() + units.tobytes() + b"X\0")
