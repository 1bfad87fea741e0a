"""Unicode's normalization forms: decomposition, canonical order of marks, composition.

Unicode Standard Annex 15. The tables are asked of the Rust normalizers, whose version of Unicode may be an older one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from tokenizers import normalizers

from tfnlp._backend import tf
from tfnlp.tokenization.graph import probing
from tfnlp.tokenization.graph.characters import Characters, either
from tfnlp.tokenization.graph.normalizers.per_character import PerCharacter, from_runs
from tfnlp.tokenization.graph.normalizers.replaced import replaced_characters
from tfnlp.tokenization.graph.probing import NUM_CODE_POINTS
from tfnlp.tokenization.graph.ragged import changes, following, preceding, true_indices
from tfnlp.tokenization.graph.tables import (
    CharacterTable,
    PairTable,
    build_character_table,
    build_pair_table,
)

_CLASS = 255  # the bits of the canonical combining class
_SECOND = 256  # may be the second of a pair that is composed
_ALONE = 512  # changes even if it stands alone
_NONE = -1
_PASSING, _STAYING = 1, 2  # a mark that goes later, or stays


@dataclass(frozen=True)
class UnicodeForm:
    """One of the four forms.

    Attributes:
        runs: what each character decomposes into.
        properties: of each code point: canonical combining class and flags; 0 for one that never changes.
        pairs: the composition of each pair of code points; None: nothing is composed.
    """

    runs: PerCharacter
    properties: CharacterTable
    pairs: PairTable | None

    def __call__(self, characters: Characters) -> Characters:
        """Bring every piece into the form."""
        may_change = tf.reduce_any(self.properties(characters.points) > 0)
        return either(may_change, lambda: self._normalized(characters), lambda: characters)

    def _normalized(self, characters: Characters) -> Characters:
        points, owner = self.runs.expand(characters.points)
        piece = tf.gather(characters.piece, owner)
        change = tf.cast(~changes(owner), tf.int32)
        properties = self.properties(points)
        order = _canonical_order(tf.bitwise.bitwise_and(properties, _CLASS), piece)
        points, change, properties = (tf.gather(column, order) for column in (points, change, properties))
        if self.pairs is not None:
            points, change, is_gone = self._composed(points, change, properties, piece)
            points, change, piece = (tf.boolean_mask(column, ~is_gone) for column in (points, change, piece))
        return characters.taken(replaced_characters(change, piece, characters.piece)).with_points(points)

    def _composed(
        self, points: tf.Tensor, change: tf.Tensor, properties: tf.Tensor, piece: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Compose each base with what follows it: runs of a base and marks are gone through together, mark by mark."""
        classes = tf.bitwise.bitwise_and(properties, _CLASS)
        attaches = tf.bitwise.bitwise_and(properties, _CLASS | _SECOND) > 0
        starts = true_indices(~attaches | changes(piece))
        lengths = tf.concat([starts[1:], tf.shape(points)], 0) - starts
        base = tf.where(tf.equal(tf.gather(classes, starts), 0), starts, _NONE)
        runs = true_indices(lengths > 1)

        def step(k: tf.Tensor, runs: tf.Tensor, base: tf.Tensor, last: tf.Tensor, *state: tf.Tensor) -> tuple:
            """Look at the `k`-th after each base. `last`: the class of the mark before it that stays, or -1."""
            points, change, is_gone = state
            here = tf.gather(starts, runs) + k
            own = tf.gather(classes, here)
            has_base = base >= 0
            first = tf.where(has_base, tf.gather(points, tf.maximum(base, 0)), 0)
            # No class is less than that of no mark before it, so `last < own` holds right after the base.
            made = tf.where(has_base & (last < own), self.pairs(first, tf.gather(points, here)), _NONE)
            joins = made >= 0
            into, gone = tf.boolean_mask(base, joins)[:, None], tf.boolean_mask(here, joins)
            points = tf.tensor_scatter_nd_update(points, into, tf.boolean_mask(made, joins))
            change = tf.tensor_scatter_nd_add(change, into, tf.gather(change, gone) - 1)
            is_gone = tf.tensor_scatter_nd_update(is_gone, gone[:, None], tf.ones_like(gone, tf.bool))
            is_base = ~joins & tf.equal(own, 0)
            base = tf.where(is_base, here, base)
            last = tf.where(joins, last, tf.where(is_base | ~has_base, _NONE, own))
            goes_on = true_indices(tf.gather(lengths, runs) > k + 1)
            runs, base, last = (tf.gather(column, goes_on) for column in (runs, base, last))
            return k + 1, runs, base, last, points, change, is_gone

        vector = tf.TensorShape([None])
        is_gone = tf.zeros_like(points, tf.bool)
        found = tf.while_loop(
            lambda k, runs, *_: tf.size(runs) > 0,
            step,
            (1, runs, tf.gather(base, runs), tf.fill(tf.shape(runs), _NONE), points, change, is_gone),
            shape_invariants=(tf.TensorShape([]), vector, vector, vector, vector, vector, vector),
        )
        return found[-3:]


def _canonical_order(classes: tf.Tensor, piece: tf.Tensor) -> tf.Tensor:
    """Return the order of characters in which the marks after each base ascend by class."""
    begins = changes(piece) | tf.equal(classes, 0)
    key = tf.cast(tf.cumsum(tf.cast(begins, tf.int32)), tf.int64) * (_CLASS + 1) + tf.cast(classes, tf.int64)
    is_wrong = tf.reduce_any(key[1:] < key[:-1])
    return tf.cond(is_wrong, lambda: tf.argsort(key, stable=True), lambda: tf.range(tf.size(key)))


@dataclass(frozen=True)
class Shortcut:
    """Steps around a decomposition that look at each character alone, as one table: right unless marks change places.

    Attributes:
        together: what all steps make of each character.
        marks: whether a mark that others may pass is part of each character, and whether it stays.
        steps: the steps.
    """

    together: PerCharacter
    marks: CharacterTable
    steps: tuple[Callable[[Characters], Characters], ...]

    def __call__(self, characters: Characters) -> Characters:
        """Take the shortcut, or the steps."""

        def one_by_one() -> Characters:
            changed = characters
            for step in self.steps:
                changed = step(changed)
            return changed

        marks = self.marks(characters.points)
        is_beside = (preceding(marks, 0) > 0) | (following(marks, 0) > 0)
        may_move = tf.reduce_any(tf.equal(marks, _STAYING) & is_beside)
        return either(may_move, one_by_one, lambda: self.together(characters))


def compile_shortcut(
    normalize: Callable[[str], str], steps: tuple[Callable[[Characters], Characters], ...]
) -> Shortcut:
    """Compile the shortcut for steps, given what all of them make of a text."""
    runs = probing.probe_runs(normalize)
    marks = np.where(_bears_mark(probing.probe_runs(normalizers.NFKD().normalize_str)), _PASSING, 0)
    marks[runs.lengths == 0] = _PASSING  # what goes may have stood between two marks
    marks[_bears_mark(runs)] = _STAYING
    return Shortcut(from_runs(runs), build_character_table(marks), steps)


def _bears_mark(runs: probing.Runs) -> np.ndarray:
    """Tell of which code points a character of a combining class is part. Shape `(0x110000,)`, bool."""
    counts = np.concatenate([[0], np.cumsum(probing.probe_combining_classes()[runs.values] > 0)])
    return counts[runs.starts + runs.lengths] > counts[runs.starts]


@cache
def compile_unicode_form(name: str) -> UnicodeForm:
    """Compile `NFD`, `NFKD`, `NFC` or `NFKC`."""
    decompose = normalizers.NFKD() if "K" in name else normalizers.NFD()
    runs = probing.probe_runs(decompose.normalize_str)
    alone = probing.probe_runs(getattr(normalizers, name)().normalize_str)
    properties = probing.probe_combining_classes().copy()
    properties[~alone.stays] |= _ALONE
    pairs = _probe_pairs() if name.endswith("C") else None
    if pairs is not None:
        properties[np.unique(pairs[1])] |= _SECOND
    table = build_pair_table(*pairs, NUM_CODE_POINTS) if pairs is not None else None
    return UnicodeForm(from_runs(runs), build_character_table(properties), table)


@cache
def _probe_pairs() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pairs that are composed, as first, second and composition; each int64."""
    parts = [(unicodedata.decomposition(chr(point)), point) for point in range(NUM_CODE_POINTS)]
    split = [(*(int(part, 16) for part in text.split()), point) for text, point in parts if text and text[0] != "<"]
    found = [row for row in split if len(row) == 3]
    leading, vowels, trailing = range(0x1100, 0x1113), range(0x1161, 0x1176), range(0x11A8, 0x11C3)
    for i, first in enumerate(leading):
        for j, second in enumerate(vowels):
            syllable = 0xAC00 + (i * len(vowels) + j) * 28
            found.append((first, second, syllable))
            found += [(syllable, third, syllable + k) for k, third in enumerate(trailing, start=1)]
    compose = normalizers.NFC().normalize_str
    composed = [row for row in found if compose(chr(row[0]) + chr(row[1])) == chr(row[2])]
    first, second, made = np.array(composed, np.int64).T
    return first, second, made
