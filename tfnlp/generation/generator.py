"""`Generator`: makes text for rows: in batches of like length from Python, or in a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from tfnlp._backend import tf
from tfnlp.errors import ArgumentError, DataError
from tfnlp.generation.decoders import Decoder
from tfnlp.generation.ends import Ends
from tfnlp.generation.loop import generate, search_of, texts_of
from tfnlp.generation.options import GenerationOptions
from tfnlp.generation.sampling import Sampling
from tfnlp.generation.search import Generated, excess_of, limits_of
from tfnlp.padding import Side, lengths_of, taken
from tfnlp.preprocessor import Preprocessor
from tfnlp.rows import Column, Rows, as_numpy
from tfnlp.running import Outputs, Runner, with_a_row

_CHOSEN = tf.TensorSpec([None], tf.int64)
_STEPS_BEFORE = 32  # in batches of a size, before XLA compiles a graph for it


class Generator(Runner):
    """Makes text for rows of prompts.

    Rows have a column `seeds` beside those of the preprocessor: for each, a seed and the number of its record from 0.

    Attributes:
        decoder: says what comes next; `build(False)` makes it. `build(True)` makes one whose cache has room for all
            tokens from the start, as XLA wants it, or None where there is none.
        preprocessor: makes features of prompts.
        options: of generation.
        ends: what ends a sequence.
        longest: the most tokens of a prompt; of a decoder that continues prompts, its room.
    """

    budget = served_budget = 8192  # tokens of prompts and new ones

    def __init__(
        self,
        build: Callable[[bool], Decoder | None],
        preprocessor: Preprocessor,
        options: GenerationOptions,
        ends: Ends,
        *,
        longest: int,
    ) -> None:
        decoder = build(False)
        assert decoder is not None, "there is always one whose cache grows"
        self.decoder, self.preprocessor, self.options, self.ends = decoder, preprocessor, options, ends
        self.longest = longest
        self._with_room = build(True)

    @property
    def column_names(self) -> list[str]:
        """The columns of rows that it reads."""
        return [*self.preprocessor.column_names, "seeds"]

    @property
    def column_specs(self) -> dict[str, Column]:
        """The columns as `on_rows` takes them."""
        seeds = Column(tf.TensorSpec([None, 2], tf.int32), tf.TensorSpec([None], tf.int64))
        return {**super().column_specs, "seeds": seeds}

    def sizes(self, lengths: tf.Tensor) -> tf.Tensor:
        """Return how many tokens rows may have with the new ones, those of all beams."""
        beams = max(self.options.num_beams, self.options.num_return_sequences)
        return beams * (lengths + limits_of(self._own(lengths), self.options, self.decoder.room))

    def run(self, rows: Rows, **how: Any) -> Outputs:
        """Make text for rows, from Python.

        Args:
            rows: of tensors or arrays.
            how: as for `Runner.run`.

        Returns:
            Of each row, `tokens`: those of its sequences, one after the other, int32; `lengths`, of these, int32, and
            `scores`, float32, of shape `(rows, num_return_sequences)`. NumPy arrays.

        Raises:
            DataError: if a prompt is empty, or too long with what is to be made of it.
        """
        self._check(as_numpy(rows))
        return super().run(rows, **how)

    def fits(self, lengths: np.ndarray) -> np.ndarray:
        """Tell which prompts can be read, with what is to be made of them. Shape of `lengths`, bool."""
        own = self._own(tf.constant(lengths, tf.int32))
        room = excess_of(own, self.options, self.decoder.room).numpy() <= 0
        return room & (lengths > 0) & (lengths <= self.longest)

    def _own(self, lengths: tf.Tensor) -> tf.Tensor:
        """Return how many of the decoder's own tokens there are at first."""
        return lengths if self.decoder.continues else tf.ones_like(lengths)

    def _check(self, rows: Rows) -> None:
        lengths, numbers, room = rows.lengths, rows.values("seeds")[:, 1], self.decoder.room
        for number in (numbers[lengths == 0] + 1).tolist():
            raise DataError(f"text {number}: it has no tokens. Pass a text that is not empty.")
        for i in np.flatnonzero(lengths > self.longest).tolist() if not self.decoder.continues else ():
            raise DataError(
                f"text {numbers[i] + 1}: it has {lengths[i]} tokens, {lengths[i] - self.longest} more than "
                f"`max_length={self.longest}`. Shorten it, or raise `max_length` where the network takes more."
            )
        own = self._own(tf.constant(lengths, tf.int32))
        limits = limits_of(own, self.options, room).numpy()
        excess = excess_of(own, self.options, room).numpy()
        for i in np.flatnonzero(excess > 0).tolist():
            most = self.options.max_length
            limit = f"the network takes, {room}" if most is None or most > room else f"`max_length={most}` allows"
            raise DataError(
                f"text {numbers[i] + 1}: {own[i]} tokens to begin with and {limits[i]} new ones are "
                f"{excess[i]} more than {limit}. Shorten the text, or ask for fewer by `max_new_tokens`."
            )

    @cached_property
    def on_rows(self) -> Any:
        """One graph that takes some of the rows: what is made of them comes out."""

        @tf.function(input_signature=[self.column_specs, _CHOSEN], autograph=False)
        def on_rows(columns: dict[str, Column], chosen: tf.Tensor) -> Outputs:
            features, limits, seeds = self._prepared(columns, chosen, None)
            given = with_a_row({**features, "limits": limits, "seeds": seeds})
            limits, seeds = tf.maximum(given.pop("limits"), 1), given.pop("seeds")
            made = generate(self.decoder, given, limits, seeds, self.options, self.ends)
            return _flat(Generated(*(values[: tf.size(chosen)] for values in made)))

        return on_rows

    def _prepared(
        self, columns: dict[str, Column], chosen: tf.Tensor, size: tf.Tensor | None
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]:
        """Return the features of some rows, how many new tokens each may have, and their seeds and numbers."""
        batch = {name: taken(column, chosen) for name, column in columns.items()}
        seeds = batch.pop("seeds").values
        lengths = lengths_of(next(iter(batch.values())))
        own = self._own(lengths)
        checks = [
            tf.debugging.assert_positive(lengths, "a text has no tokens"),
            tf.debugging.assert_non_positive(
                excess_of(own, self.options, self.decoder.room), "a text and what is to be made have too many tokens"
            ),
            tf.debugging.assert_less_equal(lengths, self.longest, "a text has too many tokens"),
        ]
        with tf.control_dependencies([check for check in checks if check is not None]):
            side: Side | None = "left" if self.decoder.continues else None
            features = self.preprocessor.features(Rows(batch, None), size, side)
        return features, limits_of(own, self.options, self.decoder.room), seeds

    def stream(self, rows: Rows) -> Iterator[int]:
        """Make text for one row, and yield its tokens as they are made.

        Raises:
            ArgumentError: if several sequences are searched, of which none is known before the end.
            DataError: if the prompt is empty, or too long with what is to be made of it.
        """
        if self.options.num_beams > 1 or self.options.num_return_sequences > 1:
            raise ArgumentError("a stream is one sequence: pass `num_beams=1` and `num_return_sequences=1`.")
        self._check(as_numpy(rows))
        start, advance = self._in_steps
        state = start(self._columns(rows))
        while True:
            yield int(state.tokens[0, state.length - 1])
            if not state.is_open[0]:
                return
            state = advance(state)

    @cached_property
    def _in_steps(self) -> tuple[Any, Any]:
        """Two graphs: of which one makes the first token of the first row, and the other the next."""
        search = Sampling(self.decoder, self.options, self.ends)

        @tf.function(input_signature=[self.column_specs], autograph=False)
        def start(columns: dict[str, Column]) -> Any:
            features, limits, seeds = self._prepared(columns, tf.constant([0], tf.int64), None)
            most = tf.reduce_max(limits)
            started = self.decoder.read(features, most)
            return search.start(started, texts_of(features), limits, search.noise(seeds, most), most)

        first = start.get_concrete_function().structured_outputs
        specs = tf.nest.map_structure(
            lambda shape, value: tf.TensorSpec(shape, value.dtype), search.shapes(first), first
        )
        return start, tf.function(search.advance, input_signature=[specs], autograph=False)

    # Compiled by XLA, for batches of a few sizes

    def run_batch(self, columns: dict[str, Column], chosen: tf.Tensor) -> Outputs:
        """Make text for some of the rows, from Python: by XLA where that is asked for, or pays."""
        if not self._can_compile or not len(chosen):
            return super().run_batch(columns, chosen)
        lengths = lengths_of(taken(columns["input_ids"], chosen))
        limits = limits_of(self._own(lengths), self.options, self.decoder.room)
        bucket = _Bucket.holding(len(chosen), int(tf.reduce_max(lengths)), int(tf.reduce_max(limits)))
        pays = self._steps.get(bucket, 0) >= _STEPS_BEFORE
        made = (
            self._by_xla(columns, chosen, bucket)
            if self.options.compile or pays
            else super().run_batch(columns, chosen)
        )
        self._steps[bucket] = self._steps.get(bucket, 0) + int(tf.reduce_max(made["lengths"].values))
        return made

    @cached_property
    def _steps(self) -> dict[_Bucket, int]:
        """How many tokens were made one after the other in batches of a size."""
        return {}

    @cached_property
    def _can_compile(self) -> bool:
        """Whether XLA knows all that is asked for: it has no strings, and draws other numbers."""
        options = self.options
        by_strings, by_drawing = bool(options.stop_strings), options.do_sample and options.num_beams > 1
        can = self._with_room is not None and not by_strings and not by_drawing
        if options.compile and not can:
            raise ArgumentError(
                "`compile=True`: XLA can't compile this: it takes an architecture with a network of our own (see "
                "docs/generation.md), no `stop_strings`, and no sampling in beams."
            )
        return can and options.compile is not False

    def _by_xla(self, columns: dict[str, Column], chosen: tf.Tensor, bucket: _Bucket) -> Outputs:
        features, limits, seeds = self._features_of_size(columns, chosen, tf.constant(bucket.length))
        free = bucket.rows - len(chosen)
        given = {name: tf.pad(values, [[0, free], [0, 0]]) for name, values in features.items()}
        limits = tf.pad(limits, [[0, free]], constant_values=1)
        seeds = tf.pad(seeds, [[0, free], [0, 0]])
        made = self._compiled(given, limits, seeds, self._noise(seeds, tf.constant(bucket.most)), bucket.most)
        return _flat(Generated(*(values[: len(chosen)] for values in made)))

    @cached_property
    def _features_of_size(self) -> Any:
        size = tf.TensorSpec([], tf.int32)
        return tf.function(self._prepared, input_signature=[self.column_specs, _CHOSEN, size], autograph=False)

    @cached_property
    def _noise(self) -> Any:
        specs = [tf.TensorSpec([None, 2], tf.int32), tf.TensorSpec([], tf.int32)]
        search = search_of(self.decoder, self.options, self.ends)
        return tf.function(search.noise, input_signature=specs, autograph=False)

    @cached_property
    def _compiled(self) -> Any:
        assert self._with_room is not None
        decoder = self._with_room

        @tf.function(jit_compile=True, autograph=False)
        def compiled(
            features: dict[str, tf.Tensor], limits: tf.Tensor, seeds: tf.Tensor, noise: tf.Tensor, most: int
        ) -> Generated:
            return generate(decoder, features, limits, seeds, self.options, self.ends, most, noise)

        return compiled


class _Bucket(NamedTuple):
    """The size of a batch that XLA compiles a graph for: powers of two, so that there are few.

    Attributes:
        rows: of the batch.
        length: of prompts.
        most: new tokens.
    """

    rows: int
    length: int
    most: int

    @classmethod
    def holding(cls, rows: int, length: int, most: int) -> _Bucket:
        """Return the smallest that holds a batch."""
        return cls(_power_of_two(rows, 1), _power_of_two(length, 16), _power_of_two(most, 16))


def _power_of_two(number: int, least: int) -> int:
    return max(least, 1 << max(number - 1, 0).bit_length())


def _flat(made: Generated) -> Outputs:
    is_made = tf.range(tf.shape(made.tokens)[2]) < made.lengths[:, :, None]
    splits = tf.concat([[0], tf.cumsum(tf.cast(tf.reduce_sum(made.lengths, 1), tf.int64))], 0)
    return {
        "tokens": Column(tf.boolean_mask(made.tokens, is_made), splits),
        "lengths": Column(made.lengths),
        "scores": Column(made.scores),
    }
