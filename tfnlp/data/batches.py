"""Rows to batches: buckets by length and shuffling for training; batches of a budget of elements otherwise."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from tfnlp._backend import tf
from tfnlp.data.row_source import RowSource
from tfnlp.labels import IGNORE_ID
from tfnlp.padding import Side, filled, size_of
from tfnlp.preprocessor import Preprocessor
from tfnlp.rows import Column, Rows

T = TypeVar("T")

CHUNK = 256  # records that are made rows of together
_SHUFFLE_ROWS = 20_000  # rows that wait in memory to be drawn, where the records are a stream
# Rows are padded to the least of these that holds them, so that there are few shapes and little padding.
_STEPS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512)


@dataclass(frozen=True)
class Target:
    """What an output of the network is to learn from each row.

    Attributes:
        per_element: as long as the row, and filled up with it: a label id for each token, -100 where there is none.
        is_ragged: of a length of its own: the tokens to write, the letters that were spoken.
        with_group: before what is right, a column that numbers the groups of a batch, for losses over groups.
        dtype: `int32` or `float32`.
        shape: of an element, or of a row's target where it has one element.
        fill: what free places hold.
    """

    per_element: bool = False
    is_ragged: bool = False
    with_group: bool = False
    dtype: str = "int32"
    shape: tuple[int, ...] = ()
    fill: float = IGNORE_ID


def chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut an iterable into lists of a size, the last one shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def bucket_lengths(max_length: int) -> list[int]:
    """Return the lengths that rows are padded to, up to that of the longest row."""
    longer = range(_STEPS[-1] + 128, max_length, 128)
    return [length for length in (*_STEPS, *longer) if length < max_length] + [max_length]


def count_groups(rows: RowSource, longest: int) -> np.ndarray:
    """Count the groups of rows, mostly of one, of each bucket. Shape `(buckets,)`, int64."""
    lengths = bucket_lengths(longest)
    counts = np.zeros(len(lengths), np.int64)
    for chunk in rows:
        if chunk.num_rows:
            counts += np.bincount(np.searchsorted(lengths, chunk.group_lengths), minlength=len(lengths))
    return counts


def num_batches(counts: np.ndarray, batch_size: int) -> int:
    """Return how many batches the buckets make: each ends with one that may not be full."""
    return int(np.ceil(counts / batch_size).sum())


def build_dataset(
    rows: RowSource,
    preprocessor: Preprocessor,
    targets: Mapping[str, Target],
    *,
    batch_size: int,
    longest: int,
    shuffle: bool,
    seed: int,
) -> tf.data.Dataset:
    """Build the dataset that `keras.Model.fit` reads.

    Args:
        rows: with the columns that the preprocessor makes features of, and with `targets`.
        preprocessor: makes the network's features of rows.
        targets: what each output of the network is to learn.
        batch_size: groups of rows, mostly of one, in a batch.
        longest: the most elements in a row.
        shuffle: draw the groups in another order in every epoch.
        seed: of that order.

    Returns:
        Pairs of features, a dict of tensors of shape `(batch, length, ...)`, and a dict of targets, of shape
        `(batch, length)` or `(batch, ...)`.
    """
    batching = Batching(preprocessor, targets, batch_size, longest)
    groups = _groups(rows, preprocessor, targets)
    return batching.batches(groups, _SHUFFLE_ROWS if shuffle else 0, seed)


def build_epochs(
    rows: RowSource,
    batching: Batching,
    counts: np.ndarray,
    *,
    seed: int,
    epochs: range,
    skipped: int,
    augment: Callable[[tf.data.Dataset, tf.Tensor], tf.data.Dataset],
) -> tf.data.Dataset:
    """Build the batches of several epochs, one after the other, each in an order that its number alone decides.

    Args:
        rows: with columns and targets, as for `build_dataset`.
        batching: how they become batches.
        counts: the groups of rows, by `count_groups`; it is an error if an epoch has more or less batches of them.
        seed: of all epochs.
        epochs: their numbers.
        skipped: batches of the first that are left out.
        augment: changes the batches of an epoch, whose own seed it is given.
    """
    groups = _groups(rows, batching.preprocessor, batching.targets)
    shuffled = _SHUFFLE_ROWS if rows.is_stream else int(counts.sum())
    cardinality = tf.data.experimental.assert_cardinality(num_batches(counts, batching.size))

    def epoch_of(number: tf.Tensor) -> tf.data.Dataset:
        own = tf.constant(seed, tf.int64) * 1_000_003 + number
        tf.random.set_seed(1)  # of this graph: beside a seed of 0, TensorFlow does not take a tensor
        return augment(batching.batches(groups, shuffled, own), own).apply(cardinality)

    dataset = tf.data.Dataset.range(epochs.start, epochs.stop).flat_map(epoch_of).skip(skipped)
    dataset._rows = rows
    return dataset


@dataclass(frozen=True)
class Batching:
    """How groups of rows become batches.

    Attributes:
        preprocessor: makes the network's features of rows.
        targets: what each output of the network is to learn.
        size: groups of rows, mostly of one, in a batch.
        longest: the most elements in a row.
    """

    preprocessor: Preprocessor
    targets: Mapping[str, Target]
    size: int
    longest: int

    def batches(self, groups: tf.data.Dataset, shuffled: int, seed: int | tf.Tensor) -> tf.data.Dataset:
        """Make batches; `shuffled`: how many groups wait to be drawn, 0: they stay in order."""
        dataset = groups.shuffle(shuffled, seed=seed) if shuffled else groups
        lengths = bucket_lengths(self.longest)
        dataset = dataset.bucket_by_sequence_length(
            self._length,
            bucket_boundaries=[length + 1 for length in lengths],
            bucket_batch_sizes=[self.size] * (len(lengths) + 1),
            no_padding=True,
        ).map(self._filled)
        # Full batches of common lengths come first, and the rest of each bucket at the end of the epoch.
        return dataset.shuffle(64, seed=seed) if shuffled else dataset

    def batch_of(self, rows: Rows) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return rows of NumPy arrays as one batch."""
        return self._filled(_by_groups(rows, self.preprocessor.column_names, self.targets))

    def _length(self, group: dict[str, Any]) -> tf.Tensor:
        rows = group["columns"][self.preprocessor.column_names[0]]
        return tf.cast(tf.reduce_max(rows.row_lengths()), tf.int32) if isinstance(rows, tf.RaggedTensor) else 1

    def _filled(self, batch: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        columns = {name: _column(group.values) for name, group in batch["columns"].items()}
        first = columns[self.preprocessor.column_names[0]]
        size = None
        if first.splits is not None:
            lengths = bucket_lengths(self.longest)
            size = tf.gather(lengths, tf.searchsorted(lengths, size_of(first)[None])[0])
        features, side = self.preprocessor.features(Rows(columns, None), size), self.preprocessor.padding_side
        targets = batch["targets"].items()
        return features, {output: _target(group, self.targets[output], size, side) for output, group in targets}


def _groups(rows: RowSource, preprocessor: Preprocessor, targets: Mapping[str, Target]) -> tf.data.Dataset:
    """Return groups of rows one by one: columns and targets, ragged by row where rows differ in length."""
    specs = preprocessor.specs
    columns = {}
    for name in preprocessor.column_names:
        shape = specs[name].shape
        is_ragged = shape.rank > 0 and shape[0] is None
        columns[name] = _group_spec(shape[1:] if is_ragged else shape, specs[name].dtype, is_ragged=is_ragged)
    gold = {
        name: _group_spec(target.shape, target.dtype, is_ragged=target.per_element or target.is_ragged)
        for name, target in targets.items()
    }

    source = weakref.ref(rows)  # TensorFlow keeps `generate` for as long as the process lives

    def generate() -> Iterator[dict[str, Any]]:
        rows = source()
        assert rows is not None, "the dataset whose iterator asks keeps them"
        for chunk in rows:
            yield _by_groups(chunk, columns, gold)

    dataset = tf.data.Dataset.from_generator(generate, output_signature={"columns": columns, "targets": gold})
    dataset._rows = rows  # all datasets made of this one, and their iterators, keep it
    return dataset.unbatch()


def _group_spec(shape: Any, dtype: Any, *, is_ragged: bool) -> tf.RaggedTensorSpec:
    outer = [None, None, None] if is_ragged else [None, None]
    return tf.RaggedTensorSpec([*outer, *shape], dtype, len(outer) - 1)


def _by_groups(rows: Rows, columns: Iterable[str], targets: Iterable[str]) -> dict[str, dict[str, tf.RaggedTensor]]:
    return {
        "columns": {name: _by_group(rows.columns[name], rows.group_splits) for name in columns},
        "targets": {name: _by_group(rows.targets[name], rows.group_splits) for name in targets},
    }


def _by_group(column: Column, groups: np.ndarray) -> tf.RaggedTensor:
    rows = column.values if column.splits is None else _ragged(column.values, column.splits)
    return _ragged(rows, groups)


def _ragged(values: Any, splits: np.ndarray) -> tf.RaggedTensor:
    return tf.RaggedTensor.from_row_splits(values, splits, validate=False)


def _column(rows: tf.Tensor | tf.RaggedTensor) -> Column:
    return Column(rows.values, rows.row_splits) if isinstance(rows, tf.RaggedTensor) else Column(rows)


def _target(group: tf.RaggedTensor, target: Target, size: Any, side: Side) -> tf.Tensor:
    """Return a batch's targets by row, beside the number of their group if it is wanted."""
    column = _column(group.values)
    if target.per_element:
        return filled(column, target.fill, size, side)
    if target.is_ragged:
        return filled(column, target.fill, size_of(column))
    if not target.with_group:
        return column.values
    number = tf.cast(group.value_rowids(), group.dtype)[:, None]
    return tf.concat([number, tf.reshape(column.values, [tf.size(number), max(1, sum(target.shape))])], 1)


def token_batches(lengths: np.ndarray, budget: int) -> Iterator[np.ndarray]:
    """Group rows of like length into batches whose padded size stays within a budget.

    Args:
        lengths: of each row. Shape `(rows,)`.
        budget: the most tokens in a batch, padding included; a longer row is a batch of its own.

    Yields:
        Indices of rows, longest batch first, so that memory is claimed once.
    """
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        size = max(1, budget // max(1, int(lengths[order[start]])))
        yield order[start : start + size]
        start += size
