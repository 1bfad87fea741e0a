"""Copies of a network under a strategy of `tf.distribute`: which strategies work, and what replicas tell each other."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar

import numpy as np

from tfnlp._backend import tf
from tfnlp.digests import digest_of, written
from tfnlp.errors import ArgumentError, DataError, TfnlpError
from tfnlp.rows import Rows, as_numpy, joined

T = TypeVar("T")
logger = logging.getLogger(__name__)

_are_together: ContextVar[bool] = ContextVar("are_together", default=False)
_WORD = 8  # bytes
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


def refuse_xla(option: str, num_replicas: int) -> None:
    """Raise `ArgumentError` if an option asks for XLA where there are several replicas."""
    if num_replicas > 1:
        raise ArgumentError(f"{option} is for one device: XLA reads no weights of another. Leave it out.")


@contextmanager
def all_together() -> Iterator[None]:
    """Declare that all workers run this block, so that they may share its work; one alone would wait for the others."""
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


def of_all_workers(strategy: Any, own: T) -> list[T]:
    """Return what each of several workers, which must all call this, has: anything that can be pickled."""
    data = pickle.dumps(own)
    words = np.frombuffer(data + bytes(-len(data) % _WORD), np.int64)
    found = _gathering(strategy)(np.concatenate([[len(data)], words])).numpy()
    trees: list[T] = []
    while len(found):
        size = int(found[0])
        end = 1 + -(-size // _WORD)
        trees.append(pickle.loads(found[1:end].tobytes()[:size]))
        found = found[end:]
    return trees


@cache
def _gathering(strategy: Any) -> Any:
    """Return a graph: the words of all workers, of which it takes this one's. Shape `(words,)`, int64.

    `Strategy.gather` builds a graph for each call, which takes longer than what is gathered took to make.
    """

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)], autograph=False)
    def gather(words: tf.Tensor) -> tf.Tensor:
        def of_replica() -> tf.Tensor:
            context = tf.distribute.get_replica_context()
            is_first = tf.equal(context.replica_id_in_sync_group % num_local(strategy), 0)
            return context.all_gather(words[: tf.where(is_first, tf.size(words), 0)], axis=0)

        return strategy.experimental_local_results(strategy.run(of_replica))[0]

    return gather


def shared_rows(
    strategy: Any,
    items: Sequence[T],
    make: Callable[[Sequence[T]], Rows],
    num_owners: Callable[[Sequence[T]], int] = len,
) -> Rows:
    """Make rows of items. Workers that are `all_together` each make a share, and each gets all rows.

    Args:
        strategy: of the workers.
        items: the same for all workers.
        make: rows of some of them.
        num_owners: how many there are in some items of what `row_to_record` counts.

    Returns:
        Rows of NumPy arrays, in the order of the items, without targets and groups.

    Raises:
        TfnlpError: of any worker, on all: none waits for one that has stopped.
        DataError: if workers have other items than the first.
        RuntimeError: for any other error of a worker.
    """
    number, count = workers(strategy)
    if len(items) < count:
        number, count = 0, 1
    bounds = [len(items) * worker // count for worker in range(count + 1)]
    own = items[bounds[number] : bounds[number + 1]]
    if count == 1:
        made: Rows = as_numpy(make(own))
        return made
    parts = []
    mine = _rows_or_error(make, own, num_owners(items[: bounds[number]]))
    found = of_all_workers(strategy, (digest_of(map(written, items)), mine))
    for worker, (digest, part) in enumerate(found):
        if digest != found[0][0]:
            raise DataError(f"worker {worker} reads other records than worker 0. Give all workers the same data.")
        if isinstance(part, TfnlpError):
            raise part
        if isinstance(part, str):
            raise RuntimeError(f"worker {worker} can't make rows: {part}")
        parts.append(part)
    columns = {name: joined([part.columns[name] for part in parts]) for name in parts[0].columns}
    return Rows(columns, np.concatenate([part.row_to_record for part in parts]))


def _rows_or_error(make: Callable[[Sequence[T]], Rows], items: Sequence[T], start: int) -> Rows | TfnlpError | str:
    """Make rows of a worker's items, which `row_to_record` counts from `start`; or return why there are none."""
    try:
        rows: Rows = as_numpy(make(items))
    except TfnlpError as error:
        return error
    except Exception as error:
        logger.exception("this worker can't make rows of its share")
        return f"{type(error).__name__}: {error}"
    return rows._replace(row_to_record=rows.row_to_record + start)


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
