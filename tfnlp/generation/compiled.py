"""`CompiledLoop`: makes text by graphs that XLA compiles, for batches of few sizes, whose caches grow by doubling."""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from tfnlp._backend import tf
from tfnlp.generation.loop import advanced
from tfnlp.generation.search import Generated, Search
from tfnlp.rows import as_numpy

_STEPS_BEFORE = 32  # in batches of a size, before XLA compiles a graph for it
_PLACES_AT_FIRST = 256  # or, of longer prompts, so many more than they have:
_MORE_AT_FIRST = 128


class Bucket(NamedTuple):
    """The size of a batch that XLA compiles a graph for: powers of two, so that there are few.

    Attributes:
        rows: of the batch.
        places: of the decoder's own tokens, as many as there is room for.
        texts: tokens of given texts, where an encoder or a rule reads them; else 0.
        draws: random numbers for each row; 0 without sampling.
    """

    rows: int
    places: int
    texts: int
    draws: int

    @classmethod
    def holding(cls, rows: int, own: int, most: int, texts: int, draws: int) -> Bucket:
        """Return the smallest for rows of `own` tokens of the decoder at first, and `most` new ones."""
        places = min(own + most, max(_PLACES_AT_FIRST, own + _MORE_AT_FIRST))
        return cls(rounded_up(rows, 1), rounded_up(places), texts, draws)


class CompiledLoop:
    """Makes text by graphs that XLA compiles.

    When all places are written, there are twice as many from then on. Rows that are done leave once a smaller batch
    pays.

    Attributes:
        search: chooses tokens; its decoder has room for them from the start.
    """

    def __init__(self, search: Search) -> None:
        """Make one of a search."""
        self.search = search
        self._num_steps: dict[Bucket, int] = {}

    def pays(self, bucket: Bucket) -> bool:
        """Tell whether batches of a size have made so many tokens that a graph for it is worth the seconds."""
        return self._num_steps.get(bucket, 0) >= _STEPS_BEFORE

    def count(self, bucket: Bucket, num_steps: int) -> None:
        """Remember how many tokens a batch of a size has made without XLA, or could have made."""
        self._num_steps[bucket] = self._num_steps.get(bucket, 0) + num_steps

    def run(self, state: Any, bucket: Bucket) -> Generated:
        """Make text for a batch of a bucket's size that has its first tokens. Returns NumPy arrays."""
        made = _Made(self.search.generated(state))
        rows = np.arange(bucket.rows)
        while np.any(is_open := self.search.is_open(state).numpy()):
            if int(state.length) == bucket.places:
                state = self._with_places(state, tf.constant(bucket.places))
                bucket = bucket._replace(places=2 * bucket.places)
            fewer = bucket._replace(rows=bucket.rows // 2)
            if np.count_nonzero(is_open) <= fewer.rows and self.pays(fewer):
                left = np.argsort(~is_open, kind="stable")[: fewer.rows]
                state, rows, bucket = self._rows_of(state, tf.constant(left, tf.int32)), rows[left], fewer
                continue
            before = made.generated.lengths.max(1)[rows]
            state = self._advanced(state, tf.constant(fewer.rows if self.pays(fewer) else 0))
            made.put(rows, self.search.generated(state))
            self._count_fewer(bucket, made.generated.lengths.max(1)[rows] - before)
        return made.generated

    def _count_fewer(self, bucket: Bucket, lengths: np.ndarray) -> None:
        """Remember for how many steps smaller batches would have done; `lengths` are the tokens that each row made."""
        longest_first = -np.sort(-lengths)
        rows = bucket.rows // 2
        while rows:
            self.count(bucket._replace(rows=rows), int(longest_first[rows // 2] - longest_first[rows]))
            rows //= 2

    # Plain graphs, but for the one that makes tokens

    @cached_property
    def _advanced(self) -> Any:
        return tf.function(partial(advanced, self.search), jit_compile=True, autograph=False)

    @cached_property
    def _rows_of(self) -> Any:
        return tf.function(self.search.rows_of, autograph=False, reduce_retracing=True)

    @cached_property
    def _with_places(self) -> Any:
        return tf.function(self.search.with_places, autograph=False, reduce_retracing=True)


class _Made:
    """What rows have made so far, as NumPy arrays."""

    def __init__(self, made: Generated) -> None:
        self.generated = Generated(*map(np.array, as_numpy(made)))

    def put(self, rows: np.ndarray, made: Generated) -> None:
        """Put in what some rows have made by now."""
        made = as_numpy(made)
        free = made.tokens.shape[2] - self.generated.tokens.shape[2]
        tokens = np.pad(self.generated.tokens, [(0, 0), (0, 0), (0, free)])
        self.generated = self.generated._replace(tokens=tokens)
        for kept, new in zip(self.generated, made, strict=True):
            kept[rows] = new


def rounded_up(number: int, least: int = 16) -> int:
    """Return the next power of two."""
    return max(least, 1 << max(number - 1, 0).bit_length())
