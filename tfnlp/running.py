"""`Runner`: what is run over rows: in batches of like length from Python, in steps in a graph."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tfnlp._backend import tf
from tfnlp.data.batches import chunked, token_batches
from tfnlp.padding import lengths_of
from tfnlp.preprocessor import Preprocessor
from tfnlp.replicas import num_local, of_all_workers, workers
from tfnlp.rows import Column, Rows, as_numpy, joined

Features = dict[str, tf.Tensor]
Outputs = dict[str, Column]


class Runner(abc.ABC):
    """Runs a graph over rows.

    Attributes:
        preprocessor: makes features of rows.
        strategy: whose replicas, and workers, share batches from Python.
        budget: the most elements in a batch from Python, padding included.
        served_budget: the same of a step in a graph.
    """

    preprocessor: Preprocessor
    strategy: tf.distribute.Strategy
    budget: int
    served_budget: int

    @property
    @abc.abstractmethod
    def on_rows(self) -> Any:
        """A `tf.function` that takes columns of all rows and the indices of some: outputs for these come out."""

    @property
    def num_replicas(self) -> int:
        """How many of this process's replicas run batches, each one at the same time."""
        return num_local(self.strategy)

    @property
    def column_names(self) -> list[str]:
        """The columns of rows that it reads."""
        return self.preprocessor.column_names

    @property
    def column_specs(self) -> dict[str, Column]:
        """The columns as `on_rows` takes them."""
        columns = {}
        for name in self.preprocessor.column_names:
            spec = self.preprocessor.specs[name]
            is_ragged = spec.shape.rank > 0 and spec.shape[0] is None
            values = tf.TensorSpec([None, *spec.shape[1:]] if is_ragged else [None, *spec.shape], spec.dtype)
            columns[name] = Column(values, tf.TensorSpec([None], tf.int64) if is_ragged else None)
        return columns

    def sizes(self, columns: dict[str, Column]) -> tf.Tensor:
        """Return how much room rows take, in elements. Shape `(rows,)`, int32."""
        first = next(iter(columns.values()))
        return tf.ones(tf.shape(first.values)[:1], tf.int32) if first.splits is None else lengths_of(first)

    def run(self, rows: Rows, *, budget: int | None = None, advance: Callable[[int], Any] | None = None) -> Outputs:
        """Run over rows, in batches of like length, from Python.

        Args:
            rows: of tensors or arrays.
            budget: the most elements in a batch, padding included; a longer row is a batch of its own. None: as many
                as are fastest.
            advance: told after each batch how many rows it held.

        Returns:
            What is kept of the outputs, in the order of the rows; NumPy arrays.
        """
        columns = self._columns(rows)
        sizes = as_numpy(self.sizes(columns))
        chosen = list(token_batches(sizes, budget or self.budget))
        number, count = workers(self.strategy)
        batches: list[Outputs] = []
        shares = [chosen[worker::count] or [np.zeros(0, np.int64)] for worker in range(count)]
        for together in chunked(shares[number], self.num_replicas):
            batches.extend(self.run_batches(columns, together))
            if advance is not None:
                advance(sum(map(len, together)))
        if count == 1:
            return {name: _in_order([outputs[name] for outputs in batches], shares[0]) for name in batches[0]}
        order = [np.concatenate(share) for share in shares]
        made = of_all_workers(self.strategy, {name: joined([one[name] for one in batches]) for name in batches[0]})
        return {name: _in_order([one[name] for one in made], order) for name in made[0]}

    def run_batches(self, columns: dict[str, Column], chosen: Sequence[np.ndarray]) -> list[Outputs]:
        """Run over batches, at most `num_replicas`, at the same time, from Python; NumPy arrays come out."""
        if self.num_replicas == 1:
            return [as_numpy(self.run_batch(columns, tf.constant(batch))) for batch in chosen]
        splits = np.cumsum([0, *map(len, chosen)])
        found = self._on_replicas(columns, tf.constant(np.concatenate(chosen)), tf.constant(splits))
        return [as_numpy(outputs) for outputs in found[: len(chosen)]]

    @cached_property
    def _on_replicas(self) -> Any:
        """The graph of a batch on each replica: indices of rows, one batch after the other, and where each begins."""
        number = tf.TensorSpec([None], tf.int64)

        @tf.function(input_signature=[self.column_specs, number, number], autograph=False)
        def on_replicas(columns: dict[str, Column], chosen: tf.Tensor, splits: tf.Tensor) -> Sequence[Outputs]:
            bounds = tf.concat([splits, tf.fill([self.num_replicas], splits[-1])], 0)  # there may be fewer batches

            def run() -> Outputs:
                replica = tf.distribute.get_replica_context().replica_id_in_sync_group % self.num_replicas
                return self.on_rows(columns, chosen[bounds[replica] : bounds[replica + 1]])

            return self.strategy.experimental_local_results(self.strategy.run(run))

        return on_replicas

    def run_batch(self, columns: dict[str, Column], chosen: tf.Tensor) -> Outputs:
        """Run over some of the rows, from Python. `chosen` are their indices, int64."""
        return self.on_rows.get_concrete_function()(columns, chosen)

    def run_in_graph(self, rows: Rows) -> Outputs:
        """Run over rows in a graph, over so many at a time that a very long text does not exhaust memory.

        Args:
            rows: of tensors, with splits; there may be none.

        Returns:
            What is kept of the outputs, in the order of the rows.
        """
        columns = self._columns(rows)
        graph = self.on_rows.get_concrete_function()
        kept: Outputs = graph.structured_outputs
        num_rows = tf.size(rows.row_to_record)
        longest = tf.maximum(tf.reduce_max(self.sizes(columns)), 1)
        step = tf.maximum(1, self.served_budget // longest)
        num_steps = tf.maximum(1, (num_rows + step - 1) // step)

        def add_step(i: tf.Tensor, found: dict[str, Any]) -> tuple[tf.Tensor, dict[str, Any]]:
            outputs = self.on_rows(columns, tf.cast(tf.range(i * step, tf.minimum((i + 1) * step, num_rows)), tf.int64))
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
        _, found = tf.while_loop(lambda i, _: i < num_steps, add_step, (0, arrays), parallel_iterations=1)
        outputs = {}
        for name, (values, counts) in found.items():
            flat = tf.ensure_shape(values.concat(), kept[name].values.shape)
            splits = tf.concat([[0], tf.cumsum(tf.ensure_shape(counts.concat(), [None]))], 0)
            outputs[name] = Column(flat, None if kept[name].splits is None else splits)
        return outputs

    def _columns(self, rows: Rows) -> dict[str, Column]:
        return {name: rows.columns[name] for name in self.column_names}


def with_a_row(features: Features) -> Features:
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
