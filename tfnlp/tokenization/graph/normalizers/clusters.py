"""`Precompiled`: character maps as the Rust tokenizer applies them, to grapheme clusters.

A cluster of fewer than six bytes that begins with a text of the map is replaced whole, by what the shortest such text
becomes; else each of its characters is looked up alone.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cache

import numpy as np
from tokenizers import normalizers

from tfnlp._backend import tf
from tfnlp.tokenization.graph import probing, trie
from tfnlp.tokenization.graph.characters import Characters
from tfnlp.tokenization.graph.normalizers.charsmap import (
    CharacterMap,
    character_map_fields,
    read_character_map,
    with_texts,
)
from tfnlp.tokenization.graph.pre_tokenizers.byte_level import num_bytes
from tfnlp.tokenization.graph.probing import NUM_CODE_POINTS
from tfnlp.tokenization.graph.ragged import preceding, true_indices
from tfnlp.tokenization.graph.tables import CharacterTable, build_character_table

_MOST_BYTES = 5
# Joins a cluster before it; begins one with what follows it; joins nothing.
_EXTENDS, _LEADS, _BREAKS = 1, 2, 4
_LINE_END = ord("\n")


@dataclass(frozen=True)
class ClusterMap(CharacterMap):
    """A character map for grapheme clusters.

    Attributes:
        joins: whether each code point extends a cluster or leads one.
    """

    joins: CharacterTable

    def _found(self, characters: Characters, single: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        joins = self.joins(characters.points)
        return tf.cond(
            _may_join(characters, joins),
            lambda: self._clusters(characters, single, joins),
            lambda: (single, tf.ones_like(single)),
        )

    def _clusters(self, characters: Characters, single: tf.Tensor, joins: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
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
        return with_texts(single, starts, lengths, found)


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


def compile_cluster_map(encoded: str) -> ClusterMap:
    """Compile the `precompiled_charsmap` of a `Precompiled` normalizer."""
    texts = read_character_map(base64.b64decode(encoded), most_bytes=_MOST_BYTES)
    return ClusterMap(**character_map_fields(texts), joins=build_character_table(_probe_joins()))


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
