"""How well a language model knows tokens: over batches of features with labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from tfnlp._backend import tf
from tfnlp.data.batches import chunked, token_batches
from tfnlp.errors import DataError
from tfnlp.labels import IGNORE_ID
from tfnlp.padding import filled, size_of
from tfnlp.replicas import num_local, of_all_workers, workers
from tfnlp.reports import PerplexityReport
from tfnlp.rows import Rows
from tfnlp.running import Features
from tfnlp.tasks.network import TOKENS_PER_BATCH

Labelled = tuple[Features, tf.Tensor]


def labelled_batches(task: Any, chunks: Iterable[Rows]) -> Iterator[Labelled]:
    """Yield batches of like length, with which token is right in each place, -100 where none is asked for.

    Args:
        task: whose target is `logits`.
        chunks: training rows.
    """
    preprocessor, is_per_element = task.preprocessor, task.targets["logits"].per_element
    for chunk in chunks:
        for batch in token_batches(chunk.lengths, TOKENS_PER_BATCH):
            rows = chunk.taken(batch)
            size, labels = size_of(rows.first), rows.targets["logits"]
            if is_per_element:
                yield preprocessor.features(rows, size), filled(labels, IGNORE_ID, size, preprocessor.padding_side)
            else:
                yield preprocessor.features(rows, size), filled(labels, IGNORE_ID, size_of(labels))


def perplexity_of(task: Any, batches: Iterable[Labelled], *, num_tokens: int, nothing: str) -> PerplexityReport:
    """Measure how well tokens are guessed: by all replicas of this process, and of workers that are `all_together`.

    Args:
        task: whose network gives `logits`, of shape `(batch, length, vocabulary)`.
        batches: features, and which token is right in each place, -100 where none is asked for; int32, of shape
            `(batch, length)`.
        num_tokens: of the vocabulary, among which the likeliest is taken.
        nothing: what to say if none is asked for.

    Raises:
        DataError: in that case.
    """
    key = "guessed", num_tokens
    if key not in task._graphs:
        task._graphs[key] = _on_replicas(task.checkpoint.strategy, _guessing(task.forward, num_tokens))
    guessed, strategy = task._graphs[key], task.checkpoint.strategy
    number, num_workers = workers(strategy)
    totals: Any = np.zeros(4)
    for together in chunked(_share(batches, number, num_workers), num_local(strategy)):
        for (_, labels), found in zip(together, guessed(together), strict=True):
            totals += [len(labels), *map(float, found)]
    if num_workers > 1:
        totals = sum(of_all_workers(strategy, totals))
    num_rows, losses, right, count = totals.tolist()
    if not count:
        raise DataError(nothing)
    return PerplexityReport(float(np.exp(losses / count)), right / count, int(count), int(num_rows), losses / count)


def _share(batches: Iterable[Labelled], number: int, count: int) -> Iterator[Labelled]:
    """Yield the batches of one worker; each batch goes to the one that has had the least before."""
    sizes = [0] * count
    for features, labels in batches:
        worker = int(np.argmin(sizes))
        sizes[worker] += int(tf.size(labels))
        if worker == number:
            yield features, labels


def _on_replicas(strategy: Any, graph: Any) -> Callable[[Sequence[Labelled]], Sequence[Any]]:
    """Return what runs a graph over batches, at most one for each replica of this process, at the same time."""
    count = num_local(strategy)
    if count == 1:
        return lambda batches: [graph(*batch) for batch in batches]

    @tf.function(reduce_retracing=True, autograph=False)
    def on_replicas(batches: list[Labelled]) -> Sequence[Any]:
        def run() -> Any:
            replica = tf.get_static_value(tf.distribute.get_replica_context().replica_id_in_sync_group)
            return graph(*batches[replica % count])

        return strategy.experimental_local_results(strategy.run(run))

    def over(batches: Sequence[Labelled]) -> Sequence[Any]:
        each = [*batches, *[batches[0]] * (count - len(batches))]  # what comes of those that are there twice is dropped
        return on_replicas(each)[: len(batches)]

    return over


def _guessing(forward: Callable[[Features], dict[str, tf.Tensor]], num_tokens: int) -> Any:
    """Return a graph: of features and labels, the sum of losses, how many were guessed, and how many there are."""

    @tf.function(reduce_retracing=True)
    def guessed(features: Features, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        place = tf.where(tf.not_equal(labels, IGNORE_ID))
        logits = tf.gather_nd(forward(features)["logits"], place)
        gold = tf.gather_nd(labels, place)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(gold, logits)
        hits = tf.equal(tf.argmax(logits[:, :num_tokens], 1, tf.int32), gold)
        return tf.reduce_sum(losses), tf.reduce_sum(tf.cast(hits, tf.int32)), tf.size(gold)

    return guessed
