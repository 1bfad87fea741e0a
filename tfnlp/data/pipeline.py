"""Rows to batches: buckets by length, shuffling and padding for training; batches of a budget of tokens otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
class RowChunk:
    """Some rows, flat: columns by name, each of shape `(tokens,)`, int32, and where each row begins."""

    columns: dict[str, np.ndarray]
    splits: np.ndarray


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
        rows: with the columns `names` and `labels`.
        names: the network's inputs.
        batch_size: rows in a batch.
        max_length: the longest row.
        pad_id: fills `input_ids`; the other inputs are filled with 0, labels with -100.
        shuffle: draw the rows in another order in every epoch.
        seed: of that order.
        num_rows: how many rows there are, if known: as many are shuffled together.

    Returns:
        Pairs of features, a dict of int32 tensors of shape `(batch, length)`, and `{"logits": labels}`.
    """
    columns = [*names, "labels"]
    signature = {name: tf.RaggedTensorSpec([None, None], tf.int32, 1) for name in columns}

    def generate() -> Iterator[dict[str, tf.RaggedTensor]]:
        for chunk in rows:
            yield {
                name: tf.RaggedTensor.from_row_splits(chunk.columns[name], chunk.splits, validate=False)
                for name in columns
            }

    dataset = tf.data.Dataset.from_generator(generate, output_signature=signature).unbatch()
    dataset = dataset.map(lambda row: {name: tf.identity(row[name]) for name in columns})  # a row is no longer ragged
    if shuffle:
        dataset = dataset.shuffle(_SHUFFLE_ROWS if rows.is_stream else num_rows or _SHUFFLE_ROWS, seed=seed)
    lengths = bucket_lengths(max_length)
    padding = {name: IGNORE_ID if name == "labels" else pad_id if name == "input_ids" else 0 for name in columns}
    dataset = dataset.bucket_by_sequence_length(
        lambda row: tf.size(row["input_ids"]),
        bucket_boundaries=[length + 1 for length in lengths],
        bucket_batch_sizes=[batch_size] * (len(lengths) + 1),
        padded_shapes={name: [None] for name in columns},
        padding_values={name: tf.constant(value, tf.int32) for name, value in padding.items()},
        pad_to_bucket_boundary=True,
    )
    if shuffle:  # full batches of common lengths come first, and the rest of each bucket at the end of the epoch
        dataset = dataset.shuffle(64, seed=seed)
    dataset = dataset.map(lambda batch: ({name: batch[name] for name in names}, {"logits": batch["labels"]}))
    return dataset.prefetch(tf.data.AUTOTUNE)


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
