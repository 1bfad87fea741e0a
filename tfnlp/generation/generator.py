"""`Generator`: makes text for rows: in batches of like length from Python, or in a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

import numpy as np

from tfnlp._backend import tf
from tfnlp.errors import ArgumentError, DataError
from tfnlp.generation.compiled import Bucket, CompiledLoop, rounded_up
from tfnlp.generation.decoders import Decoder
from tfnlp.generation.ends import Ends
from tfnlp.generation.loop import generate, search_of, started
from tfnlp.generation.options import RANGES, GenerationOptions
from tfnlp.generation.search import Asked, Generated, limits_of
from tfnlp.padding import Side, taken
from tfnlp.preprocessor import Preprocessor
from tfnlp.replicas import refuse_xla
from tfnlp.rows import Column, Rows, as_numpy
from tfnlp.running import Features, Outputs, Runner

_CHOSEN = tf.TensorSpec([None], tf.int64)


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
        strategy: whose replicas, and workers, share batches from Python.
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
        strategy: tf.distribute.Strategy,
    ) -> None:
        decoder = build(False)
        assert decoder is not None, "there is always one whose cache grows"
        self.decoder, self.preprocessor, self.options, self.ends = decoder, preprocessor, options, ends
        self.longest, self.strategy = longest, strategy
        self._search = search_of(decoder, options, ends)
        self._with_room = build(True)

    @property
    def column_names(self) -> list[str]:
        """The columns of rows that it reads."""
        return [*self.preprocessor.column_names, "seeds", *self.options.numbers]

    @property
    def column_specs(self) -> dict[str, Column]:
        """The columns as `on_rows` takes them."""
        numbers = {
            name: tf.TensorSpec([None], tf.int32 if isinstance(value, int) else tf.float32)
            for name, value in self.options.numbers.items()
        }
        numbers["seeds"] = tf.TensorSpec([None, 2], tf.int32)
        one_each = tf.TensorSpec([None], tf.int64)
        return {**super().column_specs, **{name: Column(values, one_each) for name, values in numbers.items()}}

    def sizes(self, columns: dict[str, Column]) -> tf.Tensor:
        """Return how many tokens rows may have with the new ones, those of all beams."""
        beams = max(self.options.num_beams, self.options.num_return_sequences)
        return beams * (super().sizes(columns) + self._limits(columns))

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
            ArgumentError: if XLA is asked for where there are several replicas.
        """
        if self.options.compile:
            refuse_xla("`compile=True`", self.num_replicas)
        self._check(as_numpy(rows))
        return super().run(rows, **how)

    def fits(self, rows: Rows) -> np.ndarray:
        """Tell which prompts can be read, with what is to be made of them. Shape `(rows,)`, bool."""
        lengths = rows.lengths
        return (self._excess(rows.columns).numpy() <= 0) & (lengths > 0) & (lengths <= self.longest)

    def _own(self, columns: dict[str, Column]) -> tf.Tensor:
        """Return how many of the decoder's own tokens rows have at first. Shape `(rows,)`, int32."""
        lengths = super().sizes(columns)
        return lengths if self.decoder.continues else tf.ones_like(lengths)

    def _limits(self, columns: dict[str, Column]) -> tf.Tensor:
        """Return how many new tokens rows may have. Shape `(rows,)`, int32."""
        numbers = {name: columns[name].values for name in self.options.numbers}
        return limits_of(self._own(columns), numbers, self.options, self.decoder.room)

    def _excess(self, columns: dict[str, Column]) -> tf.Tensor:
        """Return by how many tokens rows, with the new ones, are too long. Shape `(rows,)`, int32."""
        return self._own(columns) + self._limits(columns) - self._most

    @property
    def _most(self) -> int:
        """The most tokens of the decoder's own, with the new ones."""
        most = self.options.max_length
        return self.decoder.room if most is None else min(self.decoder.room, most)

    def _check(self, rows: Rows) -> None:
        lengths, numbers = rows.lengths, rows.values("seeds")[:, 1]
        for number in (numbers[lengths == 0] + 1).tolist():
            raise DataError(f"text {number}: it has no tokens. Pass a text that is not empty.")
        for i in np.flatnonzero(lengths > self.longest).tolist() if not self.decoder.continues else ():
            raise DataError(
                f"text {numbers[i] + 1}: it has {lengths[i]} tokens, {lengths[i] - self.longest} more than "
                f"`max_length={self.longest}`. Shorten it, or raise `max_length` where the network takes more."
            )
        own, limits, excess = (of(rows.columns).numpy() for of in (self._own, self._limits, self._excess))
        for i in np.flatnonzero(excess > 0).tolist():
            is_network_s = self._most == self.decoder.room
            limit = f"the network takes, {self._most}" if is_network_s else f"`max_length={self._most}` allows"
            raise DataError(
                f"text {numbers[i] + 1}: {own[i]} tokens to begin with and {limits[i]} new ones are "
                f"{excess[i]} more than {limit}. Shorten the text, or ask for fewer by `max_new_tokens`."
            )

    @cached_property
    def on_rows(self) -> Any:
        """One graph that takes some of the rows: what is made of them comes out."""
        search = self._search

        @tf.function(input_signature=[self.column_specs, _CHOSEN], autograph=False)
        def on_rows(columns: dict[str, Column], chosen: tf.Tensor) -> Outputs:
            features, asked = self._prepared(columns, chosen)
            is_empty = tf.cast(tf.equal(tf.size(chosen), 0), tf.int32)
            made = generate(search, *_with_rows(features, asked, is_empty))
            return _flat(Generated(*(values[: tf.size(chosen)] for values in made)))

        return on_rows

    def _prepared(
        self, columns: dict[str, Column], chosen: tf.Tensor, least: tf.Tensor | int = 0
    ) -> tuple[Features, Asked]:
        """Return the features of some rows, filled up to `least` tokens or more, and what is asked for of them."""
        batch = {name: taken(column, chosen) for name, column in columns.items()}
        lengths = super().sizes(batch)
        checks = [
            tf.debugging.assert_positive(lengths, "a text has no tokens"),
            tf.debugging.assert_less_equal(lengths, self.longest, "a text has too many tokens"),
            tf.debugging.assert_non_positive(self._excess(batch), "a text and what is to be made have too many tokens"),
        ]
        for name in self.options.numbers:
            is_allowed = tf.reduce_all(RANGES[name].holds(batch[name].values))
            checks.append(tf.debugging.Assert(is_allowed, [f"`{name}` must be {RANGES[name]}"]))
        asked = Asked(
            self._limits(batch),
            batch["seeds"].values,
            {name: batch[name].values for name in self.options.numbers if name != "max_new_tokens"},
        )
        with tf.control_dependencies([check for check in checks if check is not None]):
            texts = {name: batch[name] for name in self.preprocessor.column_names}
            side: Side | None = "left" if self.decoder.continues else None
            size = tf.reduce_max(tf.concat([lengths, [least, 1]], 0))
            return self.preprocessor.features(Rows(texts, None), size, side), asked

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
        search = self._search

        @tf.function(input_signature=[self.column_specs], autograph=False)
        def start(columns: dict[str, Column]) -> Any:
            features, asked = self._prepared(columns, tf.constant([0], tf.int64))
            return started(search, features, asked, tf.reduce_max(asked.limits))

        first = start.get_concrete_function().structured_outputs
        specs = tf.nest.map_structure(
            lambda shape, value: tf.TensorSpec(shape, value.dtype), search.shapes(first), first
        )
        return start, tf.function(search.advance, input_signature=[specs], autograph=False)

    # Compiled by XLA, for batches of a few sizes

    def run_batch(self, columns: dict[str, Column], chosen: tf.Tensor) -> Outputs:
        """Make text for some of the rows, from Python: by XLA where that is asked for, or pays."""
        if self._compiled is None or not len(chosen):
            return super().run_batch(columns, chosen)
        bucket = self._bucket(columns, chosen)
        if self.options.compile or self._compiled.pays(bucket):
            start = self._started_with_room(columns, chosen, tf.constant(bucket))
            made = self._compiled.run(start, bucket)
            outputs = _flat(Generated(*(values[: len(chosen)] for values in made)))
        else:
            outputs = super().run_batch(columns, chosen)
            self._compiled.count(bucket, int(tf.reduce_max(outputs["lengths"].values)))
        return outputs

    def _bucket(self, columns: dict[str, Column], chosen: tf.Tensor) -> Bucket:
        batch = {name: taken(column, chosen) for name, column in columns.items()}
        longest, own, most = (int(tf.reduce_max(of(batch))) for of in (super().sizes, self._own, self._limits))
        reads_texts = self.options.reads_texts or not self.decoder.continues
        texts, draws = rounded_up(longest) if reads_texts else 0, rounded_up(most) if self.options.do_sample else 0
        return Bucket.holding(len(chosen), max(own, texts) if self.decoder.continues else own, most, texts, draws)

    @cached_property
    def _compiled(self) -> CompiledLoop | None:
        """The loop by XLA, if XLA knows all that is asked for: it has no strings, and draws other numbers."""
        options = self.options
        by_strings, by_drawing = bool(options.stop_strings), options.do_sample and options.num_beams > 1
        can = self._with_room is not None and not by_strings and not by_drawing
        if options.compile and not can:
            raise ArgumentError(
                "`compile=True`: XLA can't compile this: it takes an architecture with a network of our own (see "
                "docs/generation.md), no `stop_strings`, and no sampling in beams."
            )
        if self._with_room is None or not can or options.compile is False:
            return None
        return CompiledLoop(search_of(self._with_room, options, self.ends))

    @cached_property
    def _started_with_room(self) -> Any:
        """A graph that makes the first token of a batch, which it fills up to a bucket's size."""
        assert self._compiled is not None
        search = self._compiled.search
        sizes = tf.TensorSpec([4], tf.int32)

        @tf.function(input_signature=[self.column_specs, _CHOSEN, sizes], autograph=False)
        def start(columns: dict[str, Column], chosen: tf.Tensor, sizes: tf.Tensor) -> Any:
            rows, places, texts, draws = tf.unstack(sizes)
            features, asked = self._prepared(columns, chosen, texts)
            features, asked = _with_rows(features, asked, rows - tf.size(chosen))
            own = tf.shape(features["input_ids"])[1] if self.decoder.continues else 1
            return started(search, features, asked, draws, places - own)

        return start


def _with_rows(features: Features, asked: Asked, free: tf.Tensor) -> tuple[Features, Asked]:
    """Fill a batch up with rows of which nothing is asked but one token."""

    def filled_up(values: tf.Tensor, fill: int = 0) -> tf.Tensor:
        return tf.pad(values, [[0, free], *[[0, 0]] * (values.shape.rank - 1)], constant_values=fill)

    return (
        {name: filled_up(values) for name, values in features.items()},
        Asked(
            filled_up(asked.limits, 1),
            filled_up(asked.seeds),
            {name: filled_up(values, 1) for name, values in asked.numbers.items()},
        ),
    )


def _flat(made: Generated) -> Outputs:
    is_made = tf.range(tf.shape(made.tokens)[2]) < made.lengths[:, :, None]
    splits = tf.concat([[0], tf.cumsum(tf.cast(tf.reduce_sum(made.lengths, 1), tf.int64))], 0)
    return {
        "tokens": Column(tf.boolean_mask(made.tokens, is_made), splits),
        "lengths": Column(made.lengths),
        "scores": Column(made.scores),
    }
