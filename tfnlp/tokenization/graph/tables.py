"""Look-up tables of whole numbers: one entry for each code point, or one for some pairs of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tfnlp._backend import tf
from tfnlp.tokenization.graph.probing import NUM_CODE_POINTS

Table = Any  # a NumPy array, or the constant tensor made of it

_PAGE_BITS = 8
_PAGE_SIZE = 1 << _PAGE_BITS


@dataclass(frozen=True)
class CharacterTable:
    """A number for each code point, in two levels: equal pages of code points are kept once.

    Attributes:
        pages: the page of each block of code points. Integers.
        entries: the numbers of all distinct pages, one page after the other. Integers.
    """

    pages: Table
    entries: Table

    def __call__(self, code_points: tf.Tensor) -> tf.Tensor:
        """Return the number of each code point; added tokens, which count from `NUM_CODE_POINTS`, share one.

        Args:
            code_points: Shape `(characters,)`, int32.

        Returns:
            Shape `(characters,)`, int32.
        """
        code_points = tf.minimum(code_points, NUM_CODE_POINTS)
        page = tf.cast(tf.gather(self.pages, tf.bitwise.right_shift(code_points, _PAGE_BITS)), tf.int32)
        low = tf.bitwise.bitwise_and(code_points, _PAGE_SIZE - 1)
        return tf.cast(tf.gather(self.entries, tf.bitwise.left_shift(page, _PAGE_BITS) + low), tf.int32)


def build_character_table(numbers: np.ndarray, *, of_added_tokens: int = 0) -> CharacterTable:
    """Build a table.

    Args:
        numbers: of each code point. Shape `(0x110000,)`.
        of_added_tokens: the number that stands for any added token.
    """
    blocks = np.concatenate([numbers, np.full(_PAGE_SIZE, of_added_tokens)]).astype(np.int32).reshape(-1, _PAGE_SIZE)
    numbered: dict[bytes, int] = {}
    pages = [numbered.setdefault(block.tobytes(), len(numbered)) for block in blocks]
    return CharacterTable(narrowed(np.array(pages)), narrowed(np.frombuffer(b"".join(numbered), np.int32)))


def narrowed(numbers: np.ndarray) -> np.ndarray:
    """Return whole numbers in the smallest of int8, int16 and int32 that holds them."""
    least, most = numbers.min(initial=0), numbers.max(initial=0)
    fits = [dtype for dtype in (np.int8, np.int16) if np.iinfo(dtype).min <= least and most <= np.iinfo(dtype).max]
    return numbers.astype(fits[0] if fits else np.int32)


def table_of_members(code_points: np.ndarray) -> CharacterTable:
    """Build the table that has 1 for some code points and 0 for all others."""
    members = np.zeros(NUM_CODE_POINTS, np.int32)
    members[code_points] = 1
    return build_character_table(members)


_MULTIPLIERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F)
_LOW_BITS = (1 << 40) - 1
_KEYS_A_BUCKET = 4
_MOST_TRIALS = 1 << 13
_MOST_SIZES = 12


@dataclass(frozen=True)
class PerfectHash:
    """A slot of its own for each of some 64-bit keys, found with two hashes and no search.

    Belazzougui, Botelho and Dietzfelbinger, "Hash, displace, and compress" (2009): keys fall into small buckets by one
    hash; each bucket has the displacement under which the other hash takes all its keys to free slots.

    Attributes:
        displacements: of each bucket. Integers.
        size: the number of slots.
    """

    displacements: Table
    size: int

    def __call__(self, keys: tf.Tensor) -> tf.Tensor:
        """Return the slot of each key; a key that was not among those of the table shares a slot with one that was.

        Args:
            keys: Shape `(keys,)`, int64.

        Returns:
            In `[0, size)`. Shape `(keys,)`, int64.
        """
        mixed = (keys + 1) * _signed(_MULTIPLIERS[0])  # a key of 0 would stay 0, whatever it is multiplied by
        displacement = tf.gather(self.displacements, _scaled(mixed, self.displacements.shape[0]))
        return _scaled(
            tf.bitwise.bitwise_and(mixed, _LOW_BITS) * _multiplier(tf.cast(displacement, tf.int64)), self.size
        )


@dataclass(frozen=True)
class PairTable:
    """A number for some pairs of numbers.

    Attributes:
        slots: of pairs, as `first * stride + second`.
        keys: the pair in each slot, or -1. int32 or int64.
        values: the number in each slot, or -1. int32.
        stride: seconds are in `[0, stride)`.
    """

    slots: PerfectHash
    keys: Table
    values: Table
    stride: int

    def __call__(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        """Return the number of each pair, -1 for a pair that is not in the table.

        Args:
            first: at least 0. Shape `(pairs,)`, int32.
            second: in `[0, stride)`. Shape `(pairs,)`, int32.

        Returns:
            Shape `(pairs,)`, int32.
        """
        key = tf.cast(first, tf.int64) * self.stride + tf.cast(second, tf.int64)
        slot = self.slots(key)
        return tf.where(tf.equal(tf.cast(tf.gather(self.keys, slot), tf.int64), key), tf.gather(self.values, slot), -1)

    def get(self, first: int, second: int) -> int:
        """Return the number of one pair, or -1; for tables that are not tensors yet."""
        found = np.flatnonzero(self.keys == first * self.stride + second)
        return int(self.values[found[0]]) if len(found) else -1


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def _multiplier(displacement: Any) -> Any:
    """Return an odd number for each displacement, in which all 64 bits differ."""
    return displacement * _signed(2 * _MULTIPLIERS[1] % (1 << 64)) + _signed(_MULTIPLIERS[1])


def _scaled(number: Any, size: int) -> Any:
    """Take the 31 highest bits of 64, as a fraction, times a size."""
    if isinstance(number, np.ndarray):
        return (((number >> np.int64(33)) & np.int64(0x7FFFFFFF)) * np.int64(size)) >> np.int64(31)
    highest = tf.bitwise.bitwise_and(tf.bitwise.right_shift(number, tf.constant(33, tf.int64)), 0x7FFFFFFF)
    return tf.bitwise.right_shift(highest * size, tf.constant(31, tf.int64))


def build_pair_table(first: np.ndarray, second: np.ndarray, values: np.ndarray, stride: int) -> PairTable:
    """Build a table of pairs; of equal pairs the last counts.

    Args:
        first: at least 0.
        second: in `[0, stride)`.
        values: at least 0.
        stride: more than any second.
    """
    keys = first.astype(np.int64) * stride + second
    keys, last = np.unique(keys[::-1], return_index=True)
    hashed, slots = build_perfect_hash(keys)
    is_small = keys.max(initial=0) < 1 << 31
    slot_keys = np.full(hashed.size, -1, np.int32 if is_small else np.int64)
    slot_values = np.full(hashed.size, -1, np.int32)
    slot_keys[slots], slot_values[slots] = keys, np.asarray(values)[::-1][last]
    return PairTable(hashed, slot_keys, slot_values, stride)


def build_perfect_hash(keys: np.ndarray) -> tuple[PerfectHash, np.ndarray]:
    """Build the hash of distinct keys, int64. Returns it, and the slot of each key."""
    size = len(keys) * 21 // 20 + 2
    num_buckets = len(keys) // _KEYS_A_BUCKET + 1
    with np.errstate(over="ignore"):
        mixed = (keys + 1) * np.int64(_signed(_MULTIPLIERS[0]))
        for _ in range(_MOST_SIZES):
            found = _displace(mixed & np.int64(_LOW_BITS), _scaled(mixed, num_buckets), num_buckets, size)
            if found is not None:
                return PerfectHash(narrowed(found[0]), size), found[1]
            size += size // 4  # few keys, one a multiple of another, may not find two free slots at once
    raise ValueError("keys can't be told apart by their hashes: choose other `_MULTIPLIERS`")


def _displace(low: np.ndarray, bucket: np.ndarray, num_buckets: int, size: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Find displacements, for all buckets of one size at a time, the fullest first.

    Returns:
        The displacement of each bucket, and the slot of each key; None if there are none within `_MOST_TRIALS`.
    """
    order = np.argsort(bucket, kind="stable")
    counts = np.bincount(bucket, minlength=num_buckets)
    begins = np.cumsum(counts) - counts
    displacements = np.zeros(num_buckets, np.int64)
    slots = np.zeros(len(low), np.int64)
    is_free = np.ones(size, bool)
    owner = np.zeros(size, np.int64)
    for count in np.unique(counts[counts > 0])[::-1]:
        pending = np.flatnonzero(counts == count)
        trial = 0
        while len(pending):
            members = order[begins[pending][:, None] + np.arange(count)]  # (pending, count)
            found = _scaled(low[members] * _multiplier(np.array(trial)), size)
            distinct = np.sort(found, axis=1)
            fits = is_free[found].all(1) & (distinct[:, 1:] != distinct[:, :-1]).all(1)
            wanting = np.flatnonzero(fits)[::-1]
            owner[found[wanting]] = wanting[:, None]  # of those that want a slot, the first comes last and stays
            fits &= (owner[found] == np.arange(len(pending))[:, None]).all(1)
            displacements[pending[fits]] = trial
            slots[members[fits]] = found[fits]
            is_free[found[fits]] = False
            pending = pending[~fits]
            trial += 1
            if trial > _MOST_TRIALS:
                return None
    return displacements, slots
