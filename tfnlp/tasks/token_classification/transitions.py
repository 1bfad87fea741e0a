"""Transitions of a conditional random field: what training data tells of them, and the file that keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tfnlp.checkpoints.checkpoint import Checkpoint
from tfnlp.checkpoints.directories import TRANSITIONS
from tfnlp.checkpoints.weight_files import SafetensorsFile
from tfnlp.errors import CheckpointError
from tfnlp.labels import IGNORE_ID
from tfnlp.networks.crf import TransitionScores
from tfnlp.tensor_files import write_tensors


def counted(rows: Iterable[np.ndarray], num_labels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how much more often labels begin, end and follow each other than by chance, each seen once more.

    Args:
        rows: label ids of each row, -100 for none. Shape `(length,)`.
        num_labels: how many labels there are.

    Returns:
        As `Transitions`, in nats.
    """
    starts, ends, steps = np.ones(num_labels), np.ones(num_labels), np.ones((num_labels, num_labels))
    for row in rows:
        path = row[row != IGNORE_ID]
        if len(path):
            starts[path[0]] += 1
            ends[path[-1]] += 1
            np.add.at(steps, (path[:-1], path[1:]), 1)
    often = starts + steps.sum(0)
    by_chance = np.log(often / often.sum())
    scores = (np.log(counts / counts.sum(-1, keepdims=True)) - by_chance for counts in (starts, ends, steps))
    first, last, between = (values.astype(np.float32) for values in scores)
    return first, last, between


def load_transitions(layer: TransitionScores, checkpoint: Checkpoint) -> bool:
    """Give a layer the transitions that were saved with a checkpoint. Returns whether there are any.

    Raises:
        CheckpointError: if they are damaged, or of other labels.
    """
    path = checkpoint.find_file(TRANSITIONS)
    if path is None:
        return False
    file = SafetensorsFile(path)
    for name, variable in _named(layer).items():
        if name not in file or file[name].shape != tuple(variable.shape):
            raise CheckpointError(
                f"{path}: `{name}` is missing or not of shape {tuple(variable.shape)}, as {layer.num_labels} labels "
                "need. Remove the file to begin with new transitions, or load the directory that it was saved with."
            )
        variable.assign(file[name])
    return True


def save_transitions(layer: TransitionScores, directory: Path) -> None:
    """Write `crf.safetensors`, under the names that pytorch-crf gives its weights."""
    write_tensors({name: variable.numpy() for name, variable in _named(layer).items()}, directory / TRANSITIONS)


def _named(layer: TransitionScores) -> dict[str, Any]:
    return {name: getattr(layer, name) for name in ("start_transitions", "end_transitions", "transitions")}
