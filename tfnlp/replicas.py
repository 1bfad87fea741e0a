"""Copies of a network under a strategy of `tf.distribute`: which strategies work, and what replicas tell each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

from tfnlp._backend import tf
from tfnlp.errors import ArgumentError
from tfnlp.rows import Column, Rows, as_numpy

T = TypeVar("T")

_are_together: ContextVar[bool] = ContextVar("are_together", default=False)
_INSTEAD = (
    "Use `tf.distribute.MirroredStrategy` for the GPUs of a machine, `tf.distribute.MultiWorkerMirroredStrategy` for "
    "several machines."
)
_REASONS = {
    "ParameterServer": "its workers change the weights without waiting for each other, so that a batch, its loss "
    "and the state of a training are not defined",
    "TPU": "a TPU has no operations on strings and ragged rows, and compiles a graph for each length of rows",
}


def strategy_in_force() -> Any:
    """Return the strategy whose scope this is, TensorFlow's default one outside of all.

    Raises:
        ArgumentError: if tasks don't work under it.
    """
    strategy = tf.distribute.get_strategy()
    known = (tf.distribute.OneDeviceStrategy, tf.distribute.MirroredStrategy, tf.distribute.MultiWorkerMirroredStrategy)
    if not tf.distribute.has_strategy() or isinstance(strategy, known):
        return strategy
    name = type(strategy).__name__
    reason = next((reason for part, reason in _REASONS.items() if part in name), "it has not been tried")
    raise ArgumentError(f"tasks don't work under {name}: {reason}. {_INSTEAD}")


@contextmanager
def scope_of(strategy: Any) -> Iterator[None]:
    """Enter the scope of the strategy that a task was made under.

    Raises:
        ArgumentError: if another one is in force.
    """
    current = strategy_in_force()
    if tf.distribute.has_strategy() and current is not strategy:
        raise ArgumentError(
            f"this task was made outside of the scope of this {type(current).__name__}, and its weights lie elsewhere. "
            "Make the task inside: `with strategy.scope(): task = ...`; `fit` needs no scope then."
        )
    with strategy.scope():
        yield


def is_chief(strategy: Any) -> bool:
    """Tell whether this process writes files: of several workers, one does."""
    return strategy.num_replicas_in_sync == 1 or bool(strategy.extended.should_checkpoint)


def num_local(strategy: Any) -> int:
    """Return how many replicas this process runs."""
    return 1 if strategy.num_replicas_in_sync == 1 else len(strategy.extended.worker_devices)


@contextmanager
def all_together() -> Iterator[None]:
    """Tell that all workers do here the same, so that they can share it; one alone would wait for the others."""
    before = _are_together.set(True)
    try:
        yield
    finally:
        _are_together.reset(before)


def workers(strategy: Any) -> tuple[int, int]:
    """Return which of the workers that are `all_together` this is, from 0, and how many there are; else 0 and 1."""
    count = strategy.num_replicas_in_sync // num_local(strategy)
    if count == 1 or not _are_together.get():
        return 0, 1
    numbers = strategy.experimental_distribute_values_from_function(lambda context: context.replica_id_in_sync_group)
    return int(strategy.experimental_local_results(numbers)[0]) // num_local(strategy), count


def gathered_arrays(strategy: Any, array: np.ndarray) -> np.ndarray:
    """Return the arrays of all workers, which must all call this, one after the other.

    Args:
        strategy: of several workers.
        array: of this one. Shape `(count, ...)`.
    """
    first = iter([array])
    values = strategy.experimental_distribute_values_from_function(lambda _: tf.constant(next(first, array[:0])))
    found: np.ndarray = strategy.gather(values, axis=0).numpy()
    return found


def gathered_column(strategy: Any, column: Column) -> Column:
    """Return the rows of a column of all workers, which must all call this, one after the other; NumPy arrays."""
    values = gathered_arrays(strategy, column.values)
    if column.splits is None:
        return Column(values)
    return Column(values, np.cumsum([0, *gathered_arrays(strategy, np.diff(column.splits))]))


def shared_rows(
    strategy: Any,
    items: Sequence[T],
    make: Callable[[Sequence[T]], Rows],
    num_owners: Callable[[Sequence[T]], int] = len,
) -> Rows:
    """Make rows of items: each of the workers that are `all_together` those of its share, of which all get all.

    Args:
        strategy: of the workers.
        items: the same for all workers.
        make: rows of some of them.
        num_owners: how many there are in some items of what `row_to_record` counts.

    Returns:
        Rows of NumPy arrays, in the order of the items, without targets and groups.
    """
    number, count = workers(strategy)
    if len(items) < count:
        number, count = 0, 1
    bounds = [len(items) * worker // count for worker in range(count + 1)]
    own: Rows = as_numpy(make(items[bounds[number] : bounds[number + 1]]))
    if count == 1:
        return own
    columns = {name: gathered_column(strategy, column) for name, column in own.columns.items()}
    return Rows(columns, gathered_arrays(strategy, own.row_to_record + num_owners(items[: bounds[number]])))


def averaged(values: tf.Tensor, weight: tf.Tensor | None = None) -> tf.Tensor:
    """Scale losses so that the mean of them, and of all replicas, is their sum over all weight.

    Args:
        values: of some elements, each times its weight; or a sum. Any shape, float.
        weight: the sum of the elements' weights here. Scalar, float; None: as many as there are values.

    Returns:
        Of the shape of `values`. On each replica its mean is the loss of all of them, its gradient that of its own part
        times the number of replicas, of whose gradients Keras takes the mean.
    """
    size = tf.cast(tf.size(values), values.dtype)
    context = own_replica()
    if context is None:
        return values if weight is None else values * tf.math.divide_no_nan(size, weight)
    total = context.all_reduce(tf.distribute.ReduceOp.SUM, size if weight is None else weight)
    scaled = values * tf.math.divide_no_nan(size * context.num_replicas_in_sync, total)
    mean = tf.stop_gradient(tf.math.divide_no_nan(tf.reduce_sum(scaled), size))
    return scaled + (context.all_reduce(tf.distribute.ReduceOp.MEAN, mean) - mean)


def gathered(values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | int]:
    """Return the values of all replicas, one after the other, and where this replica's begin.

    Args:
        values: of this replica. Shape `(count, ...)`.
    """
    context = own_replica()
    if context is None:
        return values, 0
    counts = context.all_gather(tf.shape(values)[:1], axis=0)
    return context.all_gather(values, axis=0), tf.reduce_sum(counts[: context.replica_id_in_sync_group])


def own_replica() -> Any:
    """Return the context of this replica; None: there is but one, or this is outside of them."""
    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context
