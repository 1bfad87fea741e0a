"""Batches cut into shares, one for each replica of a network; groups of rows stay together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tfnlp._backend import tf
from tfnlp.data.batches import Target

Batch = tuple[dict[str, Any], dict[str, Any]]


def in_shares(dataset: tf.data.Dataset, targets: Mapping[str, Target], replicas: range, count: int) -> tf.data.Dataset:
    """Cut each batch for some of the replicas, one share after the other.

    A batch may hold fewer groups than there are replicas. A share without rows has the features of one row, as not
    every network takes none, and targets of none: see `losses.AveragedLoss`.

    Args:
        dataset: of features and targets, each of shape `(rows, ...)`.
        targets: what the outputs of the network learn.
        replicas: the numbers of those whose shares come out.
        count: of all replicas.
    """

    def cut(features: dict[str, Any], gold: dict[str, Any]) -> tf.data.Dataset:
        numbers = tf.data.Dataset.range(replicas.start, replicas.stop, output_type=tf.int32)
        return numbers.map(lambda number: share_of(features, gold, targets, number, count))

    return dataset.flat_map(cut)


def share_of(
    features: dict[str, Any], gold: dict[str, Any], targets: Mapping[str, Target], number: Any, count: int
) -> Batch:
    """Return the share of a batch with a number, from 0, of so many shares."""
    num_rows = tf.shape(next(iter(features.values())))[0]
    grouped = next((name for name, target in targets.items() if target.with_group), None)
    groups = tf.range(num_rows) if grouped is None else tf.cast(gold[grouped][:, 0], tf.int32)
    first = (groups[-1] + 1) * tf.stack([number, number + 1]) // count
    start, end = tf.unstack(tf.searchsorted(groups, first))
    own = {name: values[start:end] for name, values in gold.items()}
    for name in (name for name, target in targets.items() if target.with_group):
        own[name] = tf.concat([own[name][:, :1] - tf.cast(first[0], own[name].dtype), own[name][:, 1:]], 1)
    start, end = tf.cond(start < end, lambda: (start, end), lambda: (0, 1))
    return {name: values[start:end] for name, values in features.items()}, own
