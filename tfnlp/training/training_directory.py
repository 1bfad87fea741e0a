"""What a directory keeps of a training: its state, written whole or not at all, and the best weights."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from tfnlp._backend import tf
from tfnlp.errors import CheckpointError
from tfnlp.paths import local_path
from tfnlp.tensor_files import write_tensors

_TENSORS, _FACTS = "state.safetensors", "state.json"
_STEP, _DRAFT = "step-", ".draft-"
DIGEST = "digest of "  # begins the name of what is known by a digest, which says nothing to a reader


@dataclass
class Position:
    """How far a training has come.

    Attributes:
        epoch: that is running, from 0; as many as there are: the training has ended.
        step: of this epoch, from 0: the next one.
        history: Keras's logs of the epochs that have ended, by name.
        best: the best number of the watched metric so far; None: there is none.
        waited: epochs since then.
    """

    epoch: int = 0
    step: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)
    best: float | None = None
    waited: int = 0


class TrainingDirectory:
    """Keeps the state of a training on disk: each is written whole under a name of its own, and then the older goes.

    Attributes:
        path: of the directory.
        is_written: whether this process writes to it.
    """

    def __init__(self, path: str | Path, description: Mapping[str, Any], *, is_written: bool = True) -> None:
        """Open the directory, which may not exist yet.

        Args:
            path: of it.
            description: what must be the same for a training to go on, as JSON has it.
            is_written: whether this process writes to it; of several workers, one does.
        """
        self.is_written = is_written
        self.path, self._description = local_path(path), json.loads(json.dumps(description, default=_plain))

    def save(self, position: Position, tensors: Mapping[str, np.ndarray], number: int) -> None:
        """Write a state; `number` is that of the steps so far: after as many, there is but one."""
        target = self.path / f"{_STEP}{number:09d}"
        if not self.is_written or target.exists():
            return
        self.path.mkdir(parents=True, exist_ok=True)
        for left in self.path.glob(f"{_DRAFT}*"):  # by a process that was killed while it wrote
            shutil.rmtree(left)
        draft = self.path / f"{_DRAFT}{number}"
        draft.mkdir()
        write_tensors(tensors, draft / _TENSORS)
        facts = {"position": vars(position), "training": self._description}
        (draft / _FACTS).write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
        os.replace(draft, target)
        for other in states_in(self.path):
            if other != target:
                shutil.rmtree(other)

    def load(self) -> tuple[Position, dict[str, np.ndarray]] | None:
        """Return the newest state; None: there is none.

        Raises:
            CheckpointError: if it is damaged, or of another training.
        """
        states = states_in(self.path)
        if not states:
            if self.path.is_dir() and any(not one.name.startswith(".") for one in self.path.iterdir()):
                raise CheckpointError(
                    f"{self.path}: the directory holds other files and no training; name another one."
                )
            return None
        newest = states[-1]
        try:
            facts = json.loads((newest / _FACTS).read_text(encoding="utf-8"))
            position, found = Position(**facts["position"]), facts["training"]
            tensors = load_file(newest / _TENSORS)
        except Exception as error:
            raise CheckpointError(f"{newest}: the state is damaged: {error!r}. Remove this directory.") from error
        self._check(found)
        return position, tensors

    def _check(self, found: Mapping[str, Any]) -> None:
        wanted = self._description
        different = [
            _difference(name, found.get(name), wanted.get(name))
            for name in {**found, **wanted}
            if found.get(name) != wanted.get(name)
        ]
        if different:
            raise CheckpointError(
                f"{self.path}: this is of another training: {'; '.join(different)}. Train as before to go on, or name "
                "another directory."
            )


def states_in(directory: Path) -> list[Path]:
    """Return the directories of the states of a training, the newest last."""
    return sorted(directory.glob(f"{_STEP}*"))


def _difference(name: str, found: Any, wanted: Any) -> str:
    if not name.startswith(DIGEST):
        return f"{name} was {found!r} and is {wanted!r}"
    name = name.removeprefix(DIGEST)
    if found is None or wanted is None:
        return f"there {'was' if found is None else 'is'} no {name}"
    return f"the {name} is another"


def _plain(value: Any) -> Any:
    """Return what JSON has no word for as a number or text."""
    return value.item() if isinstance(value, np.generic) else str(value)


class BestWeights:
    """Keeps the weights of the best epoch, in a file or, where this process writes none, in memory."""

    def __init__(self, directory: TrainingDirectory | None) -> None:
        self._file = None if directory is None else directory.path / ".best.safetensors"
        self._is_written = directory is not None and directory.is_written
        self._kept: dict[str, np.ndarray] | None = None

    def keep(self, weights: Sequence[tf.Variable]) -> None:
        """Keep these."""
        tensors = {str(i): np.asarray(weight.numpy()) for i, weight in enumerate(weights)}
        if self._file is None or not self._is_written:
            self._kept = tensors
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(".draft")
        write_tensors(tensors, draft)
        os.replace(draft, self._file)

    def restore(self, weights: Sequence[tf.Variable]) -> None:
        """Give variables the values that were kept.

        Raises:
            CheckpointError: if their file is gone.
        """
        kept = self._kept
        if kept is None and self._file is not None:
            if not self._file.exists():
                raise CheckpointError(f"{self._file}: the best weights are missing: copy hidden files as well.")
            kept = load_file(self._file)
        assert kept is not None, "some were kept"
        for i, weight in enumerate(weights):
            weight.assign(kept[str(i)])
