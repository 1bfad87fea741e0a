"""How a task answers: rows, the network, `decode`, and what is written down. The functions are methods of `Task`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tfnlp._backend import as_traced, on_cpu, tf
from tfnlp.data.files import Record
from tfnlp.precision import Precision
from tfnlp.replicas import shared_rows
from tfnlp.rows import Rows, as_numpy
from tfnlp.running import Outputs
from tfnlp.tasks.prediction import predicted
from tfnlp.tasks.settings import with_precision

Tensors = dict[str, Any]


class Asked(NamedTuple):
    """What was asked of a network, and what it said.

    Attributes:
        rows: of tensors.
        outputs: of the network, for the rows; NumPy arrays.
        answers: what the task makes of them, by the names of the exported signature; NumPy arrays.
    """

    rows: Rows
    outputs: Outputs
    answers: dict[str, np.ndarray]


def ask(
    task: Any,
    records: Sequence[Record],
    settings: Any = None,
    progress: Callable[[int, int], Any] | None = None,
) -> Asked:
    """Make rows of records, run the network, and decode.

    Args:
        records: as `as_record` returns them, all of the same fields.
        settings: others than the task's own.
        progress: told, after each batch of rows, how many are done, and of how many.
    """
    settings = task.settings if settings is None else settings
    inputs = task.tensors(records)
    rows = _rows(task, inputs, settings)
    num_rows, done = len(rows.row_to_record), 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, num_rows)

    outputs = task.answerer(settings).run(rows, advance=advance)
    return Asked(rows, outputs, _decoded(task, outputs, rows, inputs, settings))


def as_records(task: Any, inputs: Sequence[Any]) -> list[Record]:
    """Check inputs as `predict` takes them, and name their parts."""
    return [task.as_record(given, number) for number, given in enumerate(inputs, start=1)]


def rows_of(task: Any, records: Sequence[Record], settings: Any = None) -> Rows:
    """Make rows of records of the same fields; workers that are `all_together` share them. Returns NumPy arrays."""
    chosen = task.settings if settings is None else settings

    def make(records: Sequence[Record]) -> Rows:
        return _rows(task, task.tensors(records), chosen)

    return shared_rows(task.checkpoint.strategy, records, make, task.num_owners)


def _rows(task: Any, inputs: Tensors, settings: Any) -> Rows:
    """Run `rows`, as a graph where the tokenizer can be compiled."""
    if not task.preprocessor.is_compiled:
        return task.rows(inputs, settings)
    try:
        return _run(task, "rows", lambda given: task.rows(given, settings), (inputs,), settings)
    except tf.errors.InvalidArgumentError:
        return task.rows(inputs, settings)  # raises what is wrong with them in plain words


def _decoded(task: Any, outputs: Outputs, rows: Rows, inputs: Tensors, settings: Any) -> dict[str, np.ndarray]:
    """Run `decode` as a graph."""

    def decode(outputs: Outputs, rows: Rows, inputs: Tensors) -> dict[str, tf.Tensor]:
        return task.decode(outputs, rows, inputs, settings)

    return as_numpy(_run(task, "decode", decode, (outputs, rows, inputs), settings))


def _run(task: Any, name: str, step: Callable[..., Any], given: tuple[Any, ...], settings: Any) -> Any:
    """Run a step as a graph for inputs of every size, which is built once for settings and kinds of inputs."""
    given = tf.nest.map_structure(_as_tensor, given)
    key = name, settings, frozenset(given[-1])
    if key not in task._graphs:
        *made, inputs = given  # of rows and outputs, the number differs from call to call; of inputs, every size
        specs = *tf.nest.map_structure(_of_any_number, made), tf.nest.map_structure(_of_every_size, inputs)
        task._graphs[key] = tf.function(on_cpu(step), autograph=False).get_concrete_function(*specs)
    with as_traced():
        return task._graphs[key](*given)


def predict_by(
    task: Any,
    inputs: Any,
    *,
    is_one: bool,
    settings: Any = None,
    precision: Precision | None = None,
    as_record: Callable[[Any, int], Record] | None = None,
    answers: Callable[..., Sequence[Any]] | None = None,
) -> Any:
    """Answer for one input or many; `settings`, `precision`, `as_record` and `answers` stand for the task's own."""
    settings = with_precision(task.settings if settings is None else settings, precision)
    write = answers or task.answers

    def answer(records: list[Record], progress: Callable[[int, int], Any] | None = None) -> Sequence[Any]:
        return write(task.ask(records, settings, progress).answers, records, settings)

    return predicted(inputs, answer, as_record or task.as_record, is_one=is_one, together=task.answered_together)


def _as_tensor(value: Any) -> Any:
    return value if value is None or tf.is_tensor(value) else tf.convert_to_tensor(value)


def _of_any_number(value: Any) -> Any:
    return None if value is None else tf.TensorSpec([None, *value.shape[1:]], value.dtype)


def _of_every_size(value: Any) -> Any:
    if isinstance(value, tf.RaggedTensor):
        return tf.RaggedTensorSpec([None] * value.shape.rank, value.dtype, value.ragged_rank)
    return tf.TensorSpec([None] * value.shape.rank, value.dtype)
