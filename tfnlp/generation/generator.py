"""`Generator`: makes text for rows: in batches of like length from Python, or in a graph."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from tfnlp._backend import tf
from tfnlp.errors import DataError
from tfnlp.generation.decoders import Decoder
from tfnlp.generation.ends import Ends
from tfnlp.generation.loop import generate
from tfnlp.generation.options import GenerationOptions
from tfnlp.generation.search import Generated, excess_of, limits_of
from tfnlp.padding import lengths_of, taken
from tfnlp.preprocessor import Preprocessor
from tfnlp.rows import Column, Rows, as_numpy
from tfnlp.running import Outputs, Runner, with_a_row


class Generator(Runner):
    """Makes text for rows of prompts.

    Rows have a column `seeds` beside those of the preprocessor: for each, a seed and the number of its record from 0.

    Attributes:
        decoder: says what comes next.
        preprocessor: makes features of prompts.
        options: of generation.
        ends: what ends a sequence.
        longest: the most tokens of a prompt; a decoder that continues prompts has its own limit.
    """

    budget = served_budget = 8192  # tokens of prompts and new ones

    def __init__(
        self,
        decoder: Decoder,
        preprocessor: Preprocessor,
        options: GenerationOptions,
        ends: Ends,
        *,
        longest: int,
    ) -> None:
        self.decoder, self.preprocessor, self.options, self.ends = decoder, preprocessor, options, ends
        self.longest = longest

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
        own = tf.constant(lengths, tf.int32)
        limits = limits_of(self._own(own), self.options, room).numpy()
        excess = excess_of(self._own(own), self.options, room).numpy()
        for i in np.flatnonzero(excess > 0).tolist():
            most = self.options.max_length
            limit = f"the network takes, {room}" if most is None or most > room else f"`max_length={most}` allows"
            raise DataError(
                f"text {numbers[i] + 1}: {self._own(own)[i]} tokens to begin with and {limits[i]} new ones are "
                f"{excess[i]} more than {limit}. Shorten the text, or ask for fewer by `max_new_tokens`."
            )

    @cached_property
    def on_rows(self) -> Any:
        """One graph that takes some of the rows: what is made of them comes out."""

        @tf.function(input_signature=[self.column_specs, tf.TensorSpec([None], tf.int64)], autograph=False)
        def on_rows(columns: dict[str, Column], chosen: tf.Tensor) -> Outputs:
            batch = {name: taken(column, chosen) for name, column in columns.items()}
            seeds = batch.pop("seeds").values
            lengths = lengths_of(next(iter(batch.values())))
            too_many = excess_of(self._own(lengths), self.options, self.decoder.room)
            checks = [
                tf.debugging.assert_positive(lengths, "a text has no tokens"),
                tf.debugging.assert_non_positive(too_many, "a text and what is to be made of it have too many tokens"),
                tf.debugging.assert_less_equal(
                    lengths, self.decoder.room if self.decoder.continues else self.longest, "a text has too many tokens"
                ),
            ]
            with tf.control_dependencies([check for check in checks if check is not None]):
                rows = Rows(batch, None)
                features = self.preprocessor.features(rows, side="left" if self.decoder.continues else None)
            given = with_a_row({**features, "seeds": seeds})
            seeds = given.pop("seeds")
            made = generate(self.decoder, given, seeds, self.options, self.ends)
            return _flat(Generated(*(values[: tf.size(chosen)] for values in made)))

        return on_rows


def _flat(made: Generated) -> Outputs:
    is_made = tf.range(tf.shape(made.tokens)[2]) < made.lengths[:, :, None]
    splits = tf.concat([[0], tf.cumsum(tf.cast(tf.reduce_sum(made.lengths, 1), tf.int64))], 0)
    return {
        "tokens": Column(tf.boolean_mask(made.tokens, is_made), splits),
        "lengths": Column(made.lengths),
        "scores": Column(made.scores),
    }
