"""Normalizers that look at each character alone, whatever they do to it: one table, made by asking them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfnlp._backend import tf
from tfnlp.tokenization.graph import probing
from tfnlp.tokenization.graph.characters import Characters, either
from tfnlp.tokenization.graph.probing import NUM_CODE_POINTS
from tfnlp.tokenization.graph.ragged import row_index_and_column
from tfnlp.tokenization.graph.tables import CharacterTable, Table, build_character_table, narrowed

# How a character of a run is written: as a code point; as the distance from the character that becomes it, so that runs
# of alphabets are the same and kept once; or as a letter of a Hangul syllable (The Unicode Standard, section 3.12).
_SELF, _LEAST_DISTANCE = 0x400000, 0x200000
_LEADING, _VOWEL, _TRAILING = -1, -2, -3
_SYLLABLES, _NUM_VOWELS, _NUM_TRAILING = range(0xAC00, 0xD7A4), 21, 28


@dataclass(frozen=True)
class PerCharacter:
    """What each character becomes: a run of others, or nothing.

    Attributes:
        runs: the run of each code point, 0 for one that stays as it is.
        starts: where in `values` each run begins. Integers.
        lengths: how long each run is. Integers.
        values: the characters of runs. int32.
    """

    runs: CharacterTable
    starts: Table
    lengths: Table
    values: Table

    def __call__(self, characters: Characters) -> Characters:
        """Replace each character by its run; all of a run stand for that character."""
        run = self.runs(characters.points)

        def replaced() -> Characters:
            points, owner = self.expand(characters.points)
            return characters.taken(owner).with_points(points)

        return either(tf.reduce_any(run > 0), replaced, lambda: characters)

    def expand(self, points: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the runs of code points one after the other, and for each of their members whose run it is part of.

        Args:
            points: Shape `(characters,)`, int32.

        Returns:
            Code points and indices into `points`, both of shape `(members,)`, int32.
        """
        run = self.runs(points)
        start = tf.cast(tf.gather(self.starts, run), tf.int32)
        length = tf.cast(tf.gather(self.lengths, run), tf.int32)

        def one_for_one() -> tuple[tf.Tensor, tf.Tensor]:
            return _written_out(tf.gather(self.values, start), points), tf.range(tf.size(points))

        def longer_or_shorter() -> tuple[tf.Tensor, tf.Tensor]:
            owner, copy = row_index_and_column(length)
            values = tf.gather(self.values, tf.gather(start, owner) + copy)
            return _written_out(values, tf.gather(points, owner)), owner

        return tf.cond(tf.reduce_all(tf.equal(length, 1)), one_for_one, longer_or_shorter)


def compile_per_character(normalize: Callable[[str], str]) -> PerCharacter:
    """Compile a function from text to text that looks at each character alone."""
    return from_runs(probing.probe_runs(normalize))


def from_runs(runs: probing.Runs) -> PerCharacter:
    """Make a table of runs."""
    is_same = runs.stays
    entries = np.zeros(NUM_CODE_POINTS, np.int64)
    values, starts, lengths = [np.full(1, _SELF)], [0], [1]  # the first run is the character itself
    size = 1
    for length in np.unique(runs.lengths[~is_same]):
        points = np.flatnonzero((runs.lengths == length) & ~is_same)
        found = _written(points, runs.values[runs.starts[points][:, None] + np.arange(length)].astype(np.int64))
        distinct, place = np.unique(found, axis=0, return_inverse=True) if length else (found[:1], 0)
        entries[points] = len(starts) + np.ravel(place)
        starts += [size + i * int(length) for i in range(len(distinct))]
        lengths += [int(length)] * len(distinct)
        values.append(distinct.ravel())
        size += distinct.size
    return PerCharacter(
        runs=build_character_table(entries),
        starts=narrowed(np.array(starts)),
        lengths=narrowed(np.array(lengths)),
        values=np.concatenate(values).astype(np.int32),
    )


def _written(points: np.ndarray, runs: np.ndarray) -> np.ndarray:
    """Write the characters of runs so that as many runs as possible are the same. `runs`: shape `(points, length)`."""
    distance = _SELF + runs - points[:, None]
    written = distance if runs.shape[1] == 1 else np.where(runs == points[:, None], _SELF, runs)
    if runs.shape[1] in (2, 3):
        letters = np.stack(_letters(points - _SYLLABLES[0]), 1)
        is_syllable = (points >= _SYLLABLES[0]) & (points <= _SYLLABLES[-1])
        is_syllable &= (letters[:, : runs.shape[1]] == runs).all(1)
        written[is_syllable] = (_LEADING, _VOWEL, _TRAILING)[: runs.shape[1]]
    return written


def _letters(index: Any) -> tuple[Any, Any, Any]:
    """Return the letters of Hangul syllables, given how far they are from the first syllable."""
    leading, rest = index // (_NUM_VOWELS * _NUM_TRAILING), index % (_NUM_VOWELS * _NUM_TRAILING)
    return 0x1100 + leading, 0x1161 + rest // _NUM_TRAILING, 0x11A7 + rest % _NUM_TRAILING


def _written_out(values: tf.Tensor, points: tf.Tensor) -> tf.Tensor:
    """Return the code points that values mean, given the characters that become them."""
    found = tf.where(values >= _LEAST_DISTANCE, points + (values - _SELF), values)

    def with_letters() -> tf.Tensor:
        leading, vowel, trailing = _letters(points - _SYLLABLES[0])
        letter = tf.where(tf.equal(values, _LEADING), leading, tf.where(tf.equal(values, _VOWEL), vowel, trailing))
        return tf.where(values < 0, letter, found)

    return tf.cond(tf.reduce_any(values < 0), with_letters, lambda: found)
