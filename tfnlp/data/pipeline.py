"""Rows to batches: buckets by length, shuffling and padding for training; batches of a budget of tokens otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from tfnlp._backend import tf
from tfnlp.labels import IGNORE_ID

T = TypeVar("T")

CHUNK = 256  # records that are tokenized together
_SHUFFLE_ROWS = 20_000  # rows that wait in memory to be drawn, where the records are a stream
# Rows are padded to the least of these that holds them, so that there are few shapes and little padding.
_STEPS = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512)


@dataclass(frozen=True)
class Target:
    """What an output of the network is to learn from each row.

    Attributes:
        per_token: a label id for each token, -100 where there is none; else the same for the whole row.
        with_group: before what is right, a column that numbers the groups of a batch, for losses over groups.
        dtype: `int32` or `float32`.
        shape: of a row's target, where it is not per token.
    """

    per_token: bool = False
    with_group: bool = False
    dtype: str = "int32"
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class RowChunk:
    """Some rows, flat.

    Attributes:
        columns: the network's inputs by name, each of shape `(tokens,)`, int32.
        splits: where each row begins, and the end of the last. Shape `(rows + 1,)`.
        targets: what each output of the network is to learn, of shape `(tokens,)` or `(rows, ...)`.
        groups: where each group of rows that stay together in a batch begins, and the end of the last. Shape
            `(groups + 1,)`. None: each row is one by itself.
    """

    columns: dict[str, np.ndarray]
    splits: np.ndarray
    targets: dict[str, np.ndarray] = field(default_factory=dict)
    groups: np.ndarray | None = None

    @property
    def group_splits(self) -> np.ndarray:
        """Where each group begins, and the end of the last. Shape `(groups + 1,)`, int64."""
        return np.arange(len(self.splits)) if self.groups is None else self.groups

    @property
    def group_lengths(self) -> np.ndarray:
        """The tokens of each group's longest row. Shape `(groups,)`, int64."""
        return np.maximum.reduceat(np.diff(self.splits), self.group_splits[:-1])


@dataclass
class RowSource:
    """Rows that can be read again and again.

    Attributes:
        read: yields chunks of rows from the first.
        is_stream: whether to make them anew at every reading; else the first reading is kept.
    """

    read: Callable[[], Iterable[RowChunk]]
    is_stream: bool
    _kept: list[RowChunk] | None = field(default=None, repr=False)

    def __iter__(self) -> Iterator[RowChunk]:
        if self.is_stream:
            return iter(self.read())
        if self._kept is None:
            self._kept = list(self.read())
        return iter(self._kept)


def chunked(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Cut an iterable into lists of a size, the last one shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def bucket_lengths(max_length: int) -> list[int]:
    """Return the lengths that rows are padded to, up to that of the longest row."""
    longer = range(_STEPS[-1] + 128, max_length, 128)
    return [length for length in (*_STEPS, *longer) if length < max_length] + [max_length]


def count_groups(rows: RowSource, max_length: int) -> np.ndarray:
    """Count the groups of rows, mostly of one, of each bucket. Shape `(buckets,)`, int64."""
    lengths = bucket_lengths(max_length)
    counts = np.zeros(len(lengths), np.int64)
    for chunk in rows:
        if len(chunk.splits) > 1:
            counts += np.bincount(np.searchsorted(lengths, chunk.group_lengths), minlength=len(lengths))
    return counts


def num_batches(counts: np.ndarray, batch_size: int) -> int:
    """Return how many batches the buckets make: each ends with one that may not be full."""
    return int(np.ceil(counts / batch_size).sum())


def build_dataset(
    rows: RowSource,
    names: Sequence[str],
    targets: Mapping[str, Target],
    *,
    batch_size: int,
    max_length: int,
    pad_id: int,
    shuffle: bool,
    seed: int,
    num_groups: int | None = None,
) -> tf.data.Dataset:
    """Build the dataset that `keras.Model.fit` reads.

    Args:
        rows: with the columns `names`, and `targets`.
        names: the network's inputs.
        targets: what each output of the network is to learn.
        batch_size: groups of rows, mostly of one, in a batch.
        max_length: the longest row.
        pad_id: fills `input_ids`; the other inputs are filled with 0, labels of tokens with -100.
        shuffle: draw the groups in another order in every epoch.
        seed: of that order.
        num_groups: how many there are, if known: as many are shuffled together.

    Returns:
        Pairs of features, a dict of int32 tensors of shape `(batch, length)`, and a dict of targets, of shape
        `(batch, length)` or `(batch, ...)`.
    """
    dataset = _groups(rows, names, targets)
    if shuffle:
        dataset = dataset.shuffle(_SHUFFLE_ROWS if rows.is_stream else num_groups or _SHUFFLE_ROWS, seed=seed)
    lengths = bucket_lengths(max_length)
    dataset = dataset.bucket_by_sequence_length(
        lambda features, _: tf.cast(tf.reduce_max(features["input_ids"].row_lengths()), tf.int32),
        bucket_boundaries=[length + 1 for length in lengths],
        bucket_batch_sizes=[batch_size] * (len(lengths) + 1),
        no_padding=True,
    )

    def fill(features: dict[str, Any], gold: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        longest = tf.reduce_max(features["input_ids"].values.row_lengths())
        length = tf.gather(lengths, tf.searchsorted(lengths, tf.cast(longest, tf.int32)[None])[0])
        padding = {name: pad_id if name == "input_ids" else 0 for name in names}
        return (
            {name: _matrix(rows.values, padding[name], length) for name, rows in features.items()},
            {name: _filled(rows, targets[name], length) for name, rows in gold.items()},
        )

    dataset = dataset.map(fill)
    if shuffle:  # full batches of common lengths come first, and the rest of each bucket at the end of the epoch
        dataset = dataset.shuffle(64, seed=seed)
    return dataset.prefetch(tf.data.AUTOTUNE)


def _groups(rows: RowSource, names: Sequence[str], targets: Mapping[str, Target]) -> tf.data.Dataset:
    """Return groups of rows one by one: features and targets, each ragged by row."""
    tokens = tf.RaggedTensorSpec([None, None, None], tf.int32, 2)
    specs = {
        name: tokens if target.per_token else tf.RaggedTensorSpec([None, None, *target.shape], target.dtype, 1)
        for name, target in targets.items()
    }

    def generate() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        for chunk in rows:
            yield (
                {name: _ragged(_ragged(chunk.columns[name], chunk.splits), chunk.group_splits) for name in names},
                {
                    name: _ragged(
                        _ragged(chunk.targets[name], chunk.splits) if target.per_token else chunk.targets[name],
                        chunk.group_splits,
                    )
                    for name, target in targets.items()
                },
            )

    dataset = tf.data.Dataset.from_generator(generate, output_signature=(dict.fromkeys(names, tokens), specs))
    return dataset.unbatch()


def _ragged(values: Any, splits: np.ndarray) -> tf.RaggedTensor:
    return tf.RaggedTensor.from_row_splits(values, splits, validate=False)


def _matrix(rows: tf.RaggedTensor, fill: int, length: tf.Tensor) -> tf.Tensor:
    """Fill rows up to a length. Returns shape `(rows, length)`."""
    found = rows.to_tensor(fill)
    return tf.pad(found, [[0, 0], [0, length - tf.shape(found)[1]]], constant_values=fill)


def _filled(gold: tf.RaggedTensor, target: Target, length: tf.Tensor) -> tf.Tensor:
    """Return a batch's targets by row, beside the number of their group if it is wanted."""
    if target.per_token:
        return _matrix(gold.values, IGNORE_ID, length)
    if not target.with_group:
        return gold.values
    group = tf.cast(gold.value_rowids(), gold.dtype)[:, None]
    return tf.concat([group, tf.reshape(gold.values, [tf.size(group), max(1, sum(target.shape))])], 1)


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


def padded(chunk: RowChunk, rows: np.ndarray, fill: dict[str, int]) -> dict[str, Any]:
    """Return the columns of some rows as matrices of shape `(rows, longest)`, short rows filled up, to 1 at least."""
    starts, lengths = chunk.splits[rows], np.diff(chunk.splits)[rows]
    position = np.arange(lengths.max(initial=1))
    inside = position < lengths[:, None]
    index = starts[:, None] + position
    padded_columns = {}
    for name, values in chunk.columns.items():
        matrix = np.full(inside.shape, fill.get(name, 0), values.dtype)
        matrix[inside] = values[index[inside]]
        padded_columns[name] = matrix
    return padded_columns
