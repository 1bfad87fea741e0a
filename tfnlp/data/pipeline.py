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
        dtype: `int32` or `float32`.
        shape: of a row's target, where it is not per token.
    """

    per_token: bool = False
    dtype: str = "int32"
    shape: tuple[int, ...] = ()

    @property
    def padding(self) -> int | float:
        """What fills up a short row."""
        return IGNORE_ID if self.dtype == "int32" else 0.0


@dataclass(frozen=True)
class RowChunk:
    """Some rows, flat.

    Attributes:
        columns: the network's inputs by name, each of shape `(tokens,)`, int32.
        splits: where each row begins, and the end of the last. Shape `(rows + 1,)`.
        targets: what each output of the network is to learn, of shape `(tokens,)` or `(rows, ...)`.
    """

    columns: dict[str, np.ndarray]
    splits: np.ndarray
    targets: dict[str, np.ndarray] = field(default_factory=dict)


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


def count_rows(rows: RowSource, max_length: int) -> np.ndarray:
    """Count the rows of each bucket. Shape `(buckets,)`, int64."""
    lengths = bucket_lengths(max_length)
    counts = np.zeros(len(lengths), np.int64)
    for chunk in rows:
        counts += np.bincount(np.searchsorted(lengths, np.diff(chunk.splits)), minlength=len(lengths))
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
    num_rows: int | None = None,
) -> tf.data.Dataset:
    """Build the dataset that `keras.Model.fit` reads.

    Args:
        rows: with the columns `names`, and `targets`.
        names: the network's inputs.
        targets: what each output of the network is to learn.
        batch_size: rows in a batch.
        max_length: the longest row.
        pad_id: fills `input_ids`; the other inputs are filled with 0, labels of tokens with -100.
        shuffle: draw the rows in another order in every epoch.
        seed: of that order.
        num_rows: how many rows there are, if known: as many are shuffled together.

    Returns:
        Pairs of features, a dict of int32 tensors of shape `(batch, length)`, and a dict of targets, of shape
        `(batch, length)` or `(batch, ...)`.
    """
    per_token = [name for name, target in targets.items() if target.per_token]
    ragged = tf.RaggedTensorSpec([None, None], tf.int32, 1)
    specs = {
        name: ragged if target.per_token else tf.TensorSpec([None, *target.shape], target.dtype)
        for name, target in targets.items()
    }

    def generate() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        for chunk in rows:
            yield (
                {name: _ragged(chunk.columns[name], chunk.splits) for name in names},
                {
                    name: _ragged(chunk.targets[name], chunk.splits) if name in per_token else chunk.targets[name]
                    for name in targets
                },
            )

    dataset = tf.data.Dataset.from_generator(generate, output_signature=(dict.fromkeys(names, ragged), specs))
    dataset = dataset.unbatch().map(_of_one_row)
    if shuffle:
        dataset = dataset.shuffle(_SHUFFLE_ROWS if rows.is_stream else num_rows or _SHUFFLE_ROWS, seed=seed)
    lengths = bucket_lengths(max_length)
    dataset = dataset.bucket_by_sequence_length(
        lambda features, _: tf.size(features["input_ids"]),
        bucket_boundaries=[length + 1 for length in lengths],
        bucket_batch_sizes=[batch_size] * (len(lengths) + 1),
        padded_shapes=(
            {name: [None] for name in names},
            {name: [None] if target.per_token else list(target.shape) for name, target in targets.items()},
        ),
        padding_values=(
            {name: tf.constant(pad_id if name == "input_ids" else 0, tf.int32) for name in names},
            {name: tf.constant(target.padding, target.dtype) for name, target in targets.items()},
        ),
        pad_to_bucket_boundary=True,
    )
    if shuffle:  # full batches of common lengths come first, and the rest of each bucket at the end of the epoch
        dataset = dataset.shuffle(64, seed=seed)
    return dataset.prefetch(tf.data.AUTOTUNE)


def _ragged(values: np.ndarray, splits: np.ndarray) -> tf.RaggedTensor:
    return tf.RaggedTensor.from_row_splits(values, splits, validate=False)


def _of_one_row(features: dict[str, Any], targets: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A row taken out of ragged rows is a vector, which `tf.data` does not know by itself."""
    return tf.nest.map_structure(tf.identity, (features, targets))


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
    """Return the columns of some rows as matrices of shape `(rows, longest)`, short rows filled up."""
    starts, lengths = chunk.splits[rows], np.diff(chunk.splits)[rows]
    position = np.arange(lengths.max(initial=0))
    inside = position < lengths[:, None]
    index = np.where(inside, starts[:, None] + position, 0)
    return {name: np.where(inside, values[index], fill.get(name, 0)) for name, values in chunk.columns.items()}
