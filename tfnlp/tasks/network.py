"""`Network`: a Keras model that is run over rows: in batches of like length from Python, in steps in a graph."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.data.batches import token_batches
from tfnlp.padding import flattened, is_filled, taken
from tfnlp.preprocessor import Preprocessor
from tfnlp.rows import Column, Rows, as_numpy

TOKENS_PER_BATCH = 2048  # the fastest on a CPU of those measured; see docs/speed.md
SERVED_TOKENS = 32768  # in one pass of a SavedModel, padding included

Features = dict[str, tf.Tensor]
Outputs = dict[str, Column]
# From the outputs for a batch, its features, and which places of rows hold an element, to what is kept of them, flat.
Kept = Callable[[dict[str, tf.Tensor], Features, tf.Tensor], Outputs]


def per_element(outputs: dict[str, tf.Tensor], features: Features, inside: tf.Tensor) -> Outputs:
    """Keep outputs of shape `(rows, length, ...)` as the elements of rows."""
    del features
    return {name: flattened(values, inside) for name, values in outputs.items()}


def per_row(outputs: dict[str, tf.Tensor], features: Features, inside: tf.Tensor) -> Outputs:
    """Keep outputs of shape `(rows, ...)`, one element a row."""
    del features, inside
    return {name: Column(values) for name, values in outputs.items()}


class Network:
    """Runs a model over rows.

    Attributes:
        model: features in, a dict of outputs out.
        preprocessor: makes features of rows.
        kept: what is kept of the outputs.
        served_budget: the most elements in one step of a graph, padding included.
    """

    def __init__(
        self, model: keras.Model, preprocessor: Preprocessor, kept: Kept, *, served_budget: int = SERVED_TOKENS
    ) -> None:
        self.model, self.preprocessor, self.kept = model, preprocessor, kept
        self.served_budget = served_budget
        self._others: dict[Kept, Network] = {}

    @cached_property
    def forward(self) -> Any:
        """The model as one graph for batches of every size: features in, a dict of outputs out."""
        model = self.model

        @tf.function(input_signature=[self.preprocessor.batch_specs])  # some heads (DeBERTa) need AutoGraph
        def forward(features: Features) -> dict[str, tf.Tensor]:
            return model(features, training=False)

        return forward

    def keeping(self, kept: Kept) -> Network:
        """Return the same network, of whose outputs something else is kept; made once."""
        if kept not in self._others:
            other = Network(self.model, self.preprocessor, kept, served_budget=self.served_budget)
            other.forward = self.forward
            self._others[kept] = other
        return self._others[kept]

    def run(
        self, rows: Rows, *, budget: int = TOKENS_PER_BATCH, advance: Callable[[int], Any] | None = None
    ) -> Outputs:
        """Run the model over rows, in batches of like length, from Python.

        Args:
            rows: of tensors or arrays.
            budget: the most elements in a batch, padding included; a longer row is a batch of its own.
            advance: told after each batch how many rows it held.

        Returns:
            What is kept of the outputs, in the order of the rows; NumPy arrays.
        """
        columns = self._columns(rows)
        lengths = as_numpy(rows).lengths
        chosen, batches = [], []
        for batch in token_batches(lengths, budget) if len(lengths) else [np.zeros(0, np.int64)]:
            chosen.append(batch)
            batches.append(as_numpy(self._on_rows(columns, tf.constant(batch))))
            if advance is not None:
                advance(len(batch))
        return {name: _in_order([outputs[name] for outputs in batches], chosen) for name in batches[0]}

    def run_in_graph(self, rows: Rows) -> Outputs:
        """Run the model over rows in a graph, over so many at a time that a very long text does not exhaust memory.

        Args:
            rows: of tensors, with splits; there may be none.

        Returns:
            What is kept of the outputs, in the order of the rows.
        """
        columns = self._columns(rows)
        graph = self._on_rows.get_concrete_function()
        kept: Outputs = graph.structured_outputs
        num_rows = tf.size(rows.row_to_record)
        longest = tf.maximum(tf.cast(tf.reduce_max(rows.splits[1:] - rows.splits[:-1]), tf.int32), 1)
        step = tf.maximum(1, self.served_budget // longest)
        num_steps = tf.maximum(1, (num_rows + step - 1) // step)

        def run(i: tf.Tensor, found: dict[str, Any]) -> tuple[tf.Tensor, dict[str, Any]]:
            outputs = self._on_rows(
                columns, tf.cast(tf.range(i * step, tf.minimum((i + 1) * step, num_rows)), tf.int64)
            )
            return i + 1, {
                name: (
                    values.write(i, outputs[name].values),
                    counts.write(i, _counts(outputs[name])),
                )
                for name, (values, counts) in found.items()
            }

        arrays = {
            name: (
                tf.TensorArray(column.values.dtype, num_steps, infer_shape=False),
                tf.TensorArray(tf.int64, num_steps, infer_shape=False),
            )
            for name, column in kept.items()
        }
        _, found = tf.while_loop(lambda i, _: i < num_steps, run, (0, arrays), parallel_iterations=1)
        outputs = {}
        for name, (values, counts) in found.items():
            flat = tf.ensure_shape(values.concat(), kept[name].values.shape)
            splits = tf.concat([[0], tf.cumsum(tf.ensure_shape(counts.concat(), [None]))], 0)
            outputs[name] = Column(flat, None if kept[name].splits is None else splits)
        return outputs

    def _columns(self, rows: Rows) -> dict[str, Column]:
        return {name: rows.columns[name] for name in self.preprocessor.column_names}

    @cached_property
    def _on_rows(self) -> Any:
        """The model as one graph that takes some of the rows: what is kept of its outputs comes out."""
        preprocessor = self.preprocessor
        ragged = tf.TensorSpec([None], tf.int64)
        columns = {}
        for name in preprocessor.column_names:
            spec = preprocessor.specs[name]
            is_ragged = spec.shape.rank > 0 and spec.shape[0] is None
            values = tf.TensorSpec([None, *spec.shape[1:]] if is_ragged else [None, *spec.shape], spec.dtype)
            columns[name] = Column(values, ragged if is_ragged else None)

        @tf.function(input_signature=[columns, tf.TensorSpec([None], tf.int64)], autograph=False)
        def on_rows(columns: dict[str, Column], chosen: tf.Tensor) -> Outputs:
            batch = {name: taken(column, chosen) for name, column in columns.items()}
            features = preprocessor.features(Rows(batch, None))
            first = next(iter(batch.values()))
            name = next(iter(batch))
            inside = (
                tf.ones([tf.size(chosen), 1], tf.bool)
                if first.splits is None
                else is_filled(first, tf.shape(features[name])[1], preprocessor.padding_side)
            )
            num_rows = tf.size(chosen)
            outputs = self.forward(_with_a_row(features))
            return self.kept({name: values[:num_rows] for name, values in outputs.items()}, features, inside)

        return on_rows


def _with_a_row(features: Features) -> Features:
    """Add a row of zeros where there is none: not every network takes a batch of nothing."""
    is_empty = tf.cast(tf.equal(tf.shape(next(iter(features.values())))[0], 0), tf.int32)
    return {
        name: tf.ensure_shape(tf.pad(values, [[0, is_empty], *[[0, 0]] * (values.shape.rank - 1)]), values.shape)
        for name, values in features.items()
    }


def _counts(column: Column) -> tf.Tensor:
    if column.splits is None:
        return tf.ones(tf.shape(column.values)[:1], tf.int64)
    return column.splits[1:] - column.splits[:-1]


def _in_order(batches: list[Column], chosen: list[np.ndarray]) -> Column:
    """Put the outputs of batches in the order of all rows; `chosen` are the rows of each batch."""
    if batches[0].splits is None:
        order = np.argsort(np.concatenate(chosen), kind="stable")
        return Column(np.concatenate([column.values for column in batches])[order])
    rows = np.concatenate(chosen)
    counts = np.zeros(len(rows), np.int64)
    counts[rows] = np.concatenate([np.diff(column.splits) for column in batches])
    splits = np.cumsum([0, *counts])
    values = np.zeros((splits[-1], *batches[0].values.shape[1:]), batches[0].values.dtype)
    for column, batch in zip(batches, chosen, strict=True):
        within = np.arange(len(column.values)) - np.repeat(column.splits[:-1], counts[batch])
        values[np.repeat(splits[batch], counts[batch]) + within] = column.values
    return Column(values, splits)
