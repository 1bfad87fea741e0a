"""How a task is served: the graph of a SavedModel, and its comparison. The functions are methods of `Task`."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np

from tfnlp._backend import on_cpu, tf
from tfnlp.errors import ArgumentError
from tfnlp.export import differences, export_saved_model
from tfnlp.precision import Precision
from tfnlp.replicas import is_chief
from tfnlp.rows import as_numpy
from tfnlp.tasks.answering import Tensors
from tfnlp.tasks.settings import changed, with_precision


def serving_inputs(task: Any) -> dict[str, tf.TensorSpec]:
    """The inputs of the exported signature."""
    del task
    return {"text": tf.TensorSpec([None], tf.string, name="text")}


def other_signatures(task: Any) -> dict[str, dict[str, tf.TensorSpec]]:
    """The inputs of signatures that answer what comes otherwise, by the signatures' names."""
    del task
    return {}


def settings_for(task: Any, inputs: Tensors) -> Any:
    """Return the settings by which inputs of a signature are answered; some may be among these."""
    del inputs
    return task.settings


def optional_inputs(task: Any, names: Sequence[str]) -> dict[str, tf.Tensor]:
    """Return settings that an exported signature may be given, and what they are where it is not.

    Raises:
        ArgumentError: if a setting can't be an input.
    """
    for name in names:
        raise ArgumentError(f"`inputs`: the signature of a {type(task).__name__} can't take `{name}`.")
    return {}


def serve(task: Any, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
    """Answer in a graph: the exported signature's inputs to its outputs."""
    settings = task.settings_for(inputs)
    rows = on_cpu(task.rows)(inputs, settings)
    outputs = task.answerer(settings).run_in_graph(rows)

    def answers() -> dict[str, tf.Tensor]:
        return task.served(task.decode(outputs, rows, inputs, settings), settings)

    found: dict[str, tf.Tensor] = on_cpu(answers)()
    return found


def export(
    task: Any,
    directory: str | Path,
    *,
    samples: Sequence[Any] = (),
    inputs: Sequence[str] = (),
    warm_up: Sequence[Any] = (),
    precision: Precision | None = None,
    **settings: Any,
) -> None:
    """Write a SavedModel that takes strings and answers as `predict` does; see `tfnlp.export`.

    Of several workers, the chief alone writes.

    Args:
        directory: where to write.
        samples: inputs of your own, as `predict` takes them, to compare the two with.
        inputs: names of options that the signature takes beside texts, one number for each or one for all; those of
            now are taken where a request has none. See `optional_inputs` of the task.
        warm_up: inputs, as `predict` takes them, that TensorFlow Serving answers while it loads the SavedModel.
        precision: that products of matrices are computed in, `float32` or `bfloat16`; None: as the settings say.
        settings: others than the task's own, of what is exported: `aggregation`, `max_entities` of a `TokenClassifier`.

    Raises:
        ExportError: if an answer differs; nothing is left in the directory then.
        UnsupportedTokenizerError: if the tokenizer can't be compiled into the graph, of tasks that don't take token ids
            instead.
        ArgumentError: if the directory holds something else than a SavedModel, or an option can't be an input.
    """
    for name, given in (("samples", samples), ("warm_up", warm_up)):
        if isinstance(given, (str, dict)):
            raise ArgumentError(f"`{name}` is a list of inputs, as `predict` takes them; it is {given!r:.80}.")
    if not is_chief(task.checkpoint.strategy):
        return
    if precision is not None or settings:
        task = copy(task)  # the same network, asked by other settings
        task.settings = changed(with_precision(task.settings, precision), settings)
    export_saved_model(task, directory, samples=samples, optional=task.optional_inputs(inputs), warm_up=warm_up)


def to_serving_inputs(task: Any, inputs: Sequence[Any]) -> Tensors:
    """Return inputs as `predict` takes them as tensors, by the names of the exported signature's inputs."""
    return task.tensors(task.as_records(inputs))


def compare_answers(task: Any, inputs: Sequence[Any], served: dict[str, np.ndarray]) -> list[str]:
    """Return how a SavedModel's answers for inputs differ from `predict`'s; empty if they don't."""
    decoded = task.ask(task.as_records(inputs)).answers
    expected = as_numpy(task.served(decoded, task.settings))
    return differences(inputs, served, expected, task.undecided(decoded, task.settings))


def served(task: Any, decoded: dict[str, Any], settings: Any) -> dict[str, Any]:
    """Return the part of what `decode` gives that a SavedModel gives as well, as it is given there."""
    del settings
    return {name: values for name, values in decoded.items() if name not in task.unserved}
