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
# What a character does (Unicode Standard Annex 29): it joins a cluster before it; begins one with what follows it;
# joins nothing; is a leading, a vowel or a trailing Hangul letter for what stands before it; stands before such a one;
_EXTENDS, _LEADS, _BREAKS, _IS_HANGUL, _BEFORE_HANGUL = 1, 2, 4, (8, 16, 32), (64, 128, 256)
# is an emoji; may stand between an emoji and a joiner; is an Indic consonant; links two; may stand between them.
_EMOJI, _EMOJI_EXTENDS, _CONSONANT, _LINKS, _CONJUNCT_EXTENDS = 512, 1024, 2048, 4096, 8192
_LINE_END, _JOINER, _ACCENT = ord("\n"), 0x200D, 0x0301
_HANGUL = (0x1100, 0x1161, 0x11A8)  # a leading letter, a vowel, a trailing letter
_EMOJI_SAMPLE, _CONSONANT_SAMPLE, _LINK_SAMPLE = 0xA9, 0x0915, 0x094D  # ©, Devanagari ka, its virama


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
    return tf.reduce_any(_has(joins, _EXTENDS | _LEADS | _BREAKS)) | tf.reduce_any(
        tf.equal(characters.points, ord("\r"))
    )


def _cluster_begins(characters: Characters, joins: tf.Tensor) -> tf.Tensor:
    """Tell with which characters a grapheme cluster begins (Unicode Standard Annex 29). Shape `(characters,)`, bool.

    Pairs of regional indicators are left out: no cluster with one has fewer than six bytes.
    """
    before = preceding(joins, 0)
    line_end = tf.equal(characters.before(), ord("\r")) & tf.equal(characters.points, ord("\n"))
    breaks = _has(joins, _BREAKS) | _has(before, _BREAKS)
    joined = _has(joins, _EXTENDS) | _has(before, _LEADS)
    for kind, before_kind in zip(_IS_HANGUL, _BEFORE_HANGUL, strict=True):
        joined |= _has(joins, kind) & _has(before, before_kind)
    joined |= _emoji_joined(characters, joins) | _conjuncts_joined(characters, joins)
    return ~((joined & ~breaks) | line_end) | characters.begins


def _emoji_joined(characters: Characters, joins: tf.Tensor) -> tf.Tensor:
    """Tell which emoji follow an emoji, extenders and a joiner."""
    first = preceding(preceding(_last(~_has(joins, _EMOJI_EXTENDS)), -1), -1)  # from before the joiner back
    follows = _has(joins, _EMOJI) & tf.equal(characters.before(), _JOINER)
    return follows & _is_at(first, _has(joins, _EMOJI), characters.piece)


def _conjuncts_joined(characters: Characters, joins: tf.Tensor) -> tf.Tensor:
    """Tell which Indic consonants follow a consonant and extenders, one of which links."""
    links = _has(joins, _LINKS)
    first = preceding(_last(~(links | _has(joins, _CONJUNCT_EXTENDS))), -1)
    num_links = tf.cumsum(tf.cast(links, tf.int32))
    is_linked = num_links > tf.gather(num_links, tf.maximum(first, 0))
    return _has(joins, _CONSONANT) & is_linked & _is_at(first, _has(joins, _CONSONANT), characters.piece)


def _has(joins: tf.Tensor, flag: int) -> tf.Tensor:
    return tf.bitwise.bitwise_and(joins, flag) > 0


def _last(mask: tf.Tensor) -> tf.Tensor:
    """Return for each character the last one up to it for which a mask is true, as an index; -1: there is none."""
    return tf.gather(tf.concat([[-1], true_indices(mask)], 0), tf.cumsum(tf.cast(mask, tf.int32)))


def _is_at(index: tf.Tensor, mask: tf.Tensor, piece: tf.Tensor) -> tf.Tensor:
    """Tell for which characters a mask is true at an index, and that is in the character's own piece."""
    place = tf.maximum(index, 0)
    return (index >= 0) & tf.gather(mask, place) & tf.equal(tf.gather(piece, place), piece)


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
    _probe_longer_joins(flags, points)
    return probing.spread(flags)


def _probe_longer_joins(flags: np.ndarray, points: np.ndarray) -> None:
    """Add what characters do in clusters that are too long to be replaced whole.

    An accent after a character that begins a cluster is replaced with it; after one that joins a long one it is not.
    """
    every = _map_of(bytes(byte for byte in range(1, 0xF0) if byte != _LINE_END))
    asked = points[(flags[points] & _BREAKS) == 0]

    def joined(found: np.ndarray, *text: int | None) -> np.ndarray:
        """Return those of some characters that, in the place of None, make the text before the accent one cluster."""
        columns = [found if letter is None else np.full_like(found, letter) for letter in (*text, _ACCENT)]
        return found[_line_lengths(every, *columns) == len(columns)]

    extenders = asked[(flags[asked] & _EXTENDS) > 0]
    others = asked[(flags[asked] & (_EXTENDS | _LEADS)) == 0]
    short = others[others < 0x10000]
    leading, vowel, trailing = _HANGUL
    after_leading, after_vowel = joined(short, leading, None), joined(short, vowel, None)
    hangul = np.union1d(after_leading, after_vowel)
    after = (after_leading, after_vowel, joined(after_vowel, trailing, None))
    for letter, found, kind, before_kind in zip(_HANGUL, after, _IS_HANGUL, _BEFORE_HANGUL, strict=True):
        flags[found] &= ~sum(_IS_HANGUL)  # the last kind of letter that it follows is its own kind
        flags[found] |= kind
        flags[joined(hangul, None, letter)] |= before_kind
    flags[joined(np.setdiff1d(others, hangul, assume_unique=True), None, _JOINER, _EMOJI_SAMPLE)] |= _EMOJI
    flags[joined(np.setdiff1d(short, hangul, assume_unique=True), None, _LINK_SAMPLE, _CONSONANT_SAMPLE)] |= _CONSONANT
    flags[joined(extenders, _EMOJI_SAMPLE, None, _JOINER, _EMOJI_SAMPLE)] |= _EMOJI_EXTENDS
    flags[joined(extenders, _CONSONANT_SAMPLE, None, _CONSONANT_SAMPLE)] |= _LINKS
    flags[joined(extenders, _CONSONANT_SAMPLE, _LINK_SAMPLE, None, _CONSONANT_SAMPLE)] |= _CONJUNCT_EXTENDS


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
