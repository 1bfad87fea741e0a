"""`Preprocessor`: what stands between the user's inputs and a network: a tokenizer, or what reads images or sound."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfnlp._backend import tf
from tfnlp.padding import Side, filled, size_of
from tfnlp.rows import Rows


class Preprocessor(abc.ABC):
    """Makes rows of inputs, and a network's features of rows: in `tf.data`, in `predict` and in a SavedModel alike.

    How inputs become rows depends on what they are, so `rows` is each kind's own.

    Attributes:
        padding_side: where rows are filled up.
        own_sizes: the columns that are not as long as the first one; each is filled up on the right to the longest of
            its own.
    """

    padding_side: Side = "right"
    own_sizes: frozenset[str] = frozenset()

    @property
    @abc.abstractmethod
    def specs(self) -> dict[str, tf.TensorSpec]:
        """The features of one row, by the names of the network's inputs; None for a size that differs."""

    @property
    def num_tokens(self) -> int:
        """How many tokens there are, a row of the network's table for each; 0: they are not tokens."""
        return 0

    @property
    def max_length(self) -> int | None:
        """The most elements of a row that the checkpoint was made for; None: any number."""
        return None

    def check_window(self, max_length: int, stride: int) -> None:
        """Raise `ArgumentError` if rows of a length have no room for what they must hold beside `stride` elements."""
        del max_length, stride

    @property
    def is_compiled(self) -> bool:
        """Whether rows can be made as TensorFlow ops."""
        return True

    @property
    def fills(self) -> dict[str, int | float]:
        """What free places of a feature hold, where that is not 0."""
        return {}

    @property
    def batch_specs(self) -> dict[str, tf.TensorSpec]:
        """The features of several rows."""
        return {name: tf.TensorSpec([None, *spec.shape], spec.dtype, name=name) for name, spec in self.specs.items()}

    @property
    def column_names(self) -> list[str]:
        """The columns of rows that features are made of."""
        return list(self.specs)

    def features(
        self, rows: Rows, size: tf.Tensor | int | None = None, side: Side | None = None
    ) -> dict[str, tf.Tensor]:
        """Make a network's inputs of rows.

        Args:
            rows: of tensors.
            size: to which rows are filled up; None: that of the longest.
            side: where they are filled up; None: on `padding_side`.

        Returns:
            Shape `(rows, size, ...)` each; of columns with one element a row, `(rows, ...)`.
        """
        features = {}
        for name, spec in self.specs.items():
            column = rows.columns[name]
            if column.splits is None:
                features[name] = column.values
                continue
            is_own = name in self.own_sizes
            wanted = size_of(column) if size is None or is_own else size
            where = "right" if is_own else side or self.padding_side
            matrix = filled(column, self.fills.get(name, 0), wanted, where)
            features[name] = tf.ensure_shape(matrix, [None, *spec.shape])
        return features

    @abc.abstractmethod
    def check(self, samples: Sequence[Any]) -> None:
        """Raise an error unless the graph reads samples as the checkpoint's own Python code does."""

    @abc.abstractmethod
    def save(self, directory: str | Path) -> None:
        """Write its files."""
