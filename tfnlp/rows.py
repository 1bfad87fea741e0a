"""`Rows`: what a network reads and learns, flat. NumPy arrays outside of graphs, tensors inside; imports neither."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np


class Column(NamedTuple):
    """One input, output or target of all rows.

    Attributes:
        values: the elements of all rows, one row after the other. Shape `(elements, ...)`.
        splits: where each row's elements begin, and the end of the last. Shape `(rows + 1,)`, int64. None: one element
            a row.
    """

    values: Any
    splits: Any = None


class Rows(NamedTuple):
    """Some inputs of a network. It is a tuple, so `tf.function` and `tf.nest` take it apart.

    Attributes:
        columns: inputs by name, and what else is known of their elements. The first one's splits say how long rows are.
        row_to_record: the record that each row is part of, ascending. Shape `(rows,)`, int32.
        targets: what each output of the network is to learn, with splits of its own.
        groups: where each group of rows that stay together in a batch begins, and the end of the last. Shape
            `(groups + 1,)`. None: each row is a group.
    """

    columns: dict[str, Column]
    row_to_record: Any
    targets: dict[str, Column] = {}  # noqa: RUF012 -- never changed
    groups: Any = None

    @property
    def first(self) -> Column:
        """The column that says how long rows are."""
        return next(iter(self.columns.values()))

    @property
    def splits(self) -> Any:
        """Where each row begins, and the end of the last. Shape `(rows + 1,)`, int64."""
        return self.first.splits

    def values(self, name: str) -> Any:
        """Return the elements of a column. Shape `(elements, ...)`."""
        return self.columns[name].values

    def with_columns(self, **values: Any) -> Rows:
        """Add columns, or replace some, by elements that lie as those of the first column do."""
        return self._replace(columns={**self.columns, **{n: Column(v, self.splits) for n, v in values.items()}})

    # Of NumPy arrays

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(self.row_to_record)

    @property
    def lengths(self) -> np.ndarray:
        """The elements of each row. Shape `(rows,)`, int64."""
        return np.ones(self.num_rows, np.int64) if self.splits is None else np.diff(self.splits)

    @property
    def row_ids(self) -> np.ndarray:
        """The row of each element. Shape `(elements,)`, int64."""
        return np.repeat(np.arange(self.num_rows), self.lengths)

    @property
    def record_ids(self) -> np.ndarray:
        """The record of each element. Shape `(elements,)`, int32."""
        return np.repeat(self.row_to_record, self.lengths)

    @property
    def first_rows(self) -> np.ndarray:
        """The first row of each record, as an index. Shape `(records with a row,)`, int64."""
        return np.flatnonzero(np.diff(self.row_to_record, prepend=-1))

    @property
    def group_splits(self) -> np.ndarray:
        """Where each group begins, and the end of the last. Shape `(groups + 1,)`, int64."""
        return np.arange(self.num_rows + 1) if self.groups is None else self.groups

    @property
    def group_lengths(self) -> np.ndarray:
        """The elements of each group's longest row. Shape `(groups,)`, int64."""
        return np.maximum.reduceat(self.lengths, self.group_splits[:-1]) if self.num_rows else self.lengths

    def taken(self, rows: np.ndarray) -> Rows:
        """Return some of the rows, given as ascending indices, without groups."""
        return Rows(
            {name: taken(column, rows) for name, column in self.columns.items()},
            self.row_to_record[rows],
            {name: taken(column, rows) for name, column in self.targets.items()},
        )


def taken(column: Column, rows: np.ndarray) -> Column:
    """Return some rows of a column of NumPy arrays."""
    if column.splits is None:
        return Column(column.values[rows])
    starts, lengths = column.splits[rows], np.diff(column.splits)[rows]
    splits = np.cumsum([0, *lengths])
    return Column(column.values[np.arange(splits[-1]) + np.repeat(starts - splits[:-1], lengths)], splits)


def joined(columns: Sequence[Column]) -> Column:
    """Return the rows of several columns of NumPy arrays, one after the other."""
    values = np.concatenate([column.values for column in columns])
    if columns[0].splits is None:
        return Column(values)
    return Column(values, np.cumsum([0, *np.concatenate([np.diff(column.splits) for column in columns])]))


def as_numpy(tree: Any) -> Any:
    """Return tensors, also in tuples and dicts, as NumPy arrays."""
    if isinstance(tree, dict):
        return {name: as_numpy(value) for name, value in tree.items()}
    if isinstance(tree, tuple):
        arrays = [as_numpy(value) for value in tree]
        return type(tree)(*arrays) if hasattr(tree, "_fields") else tuple(arrays)
    return tree.numpy() if hasattr(tree, "numpy") else tree
