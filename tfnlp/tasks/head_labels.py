"""`HeadLabels`: the labels of a head: the checkpoint's own, those that the user names, or those of training data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from tfnlp.checkpoints.checkpoint import Checkpoint
from tfnlp.errors import ArgumentError, CheckpointError, LabelError
from tfnlp.labels import LabelMap

UNKNOWN_LABELS = (
    "the labels are not known yet. Pass `labels=[...]` to `from_pretrained`, or call `fit`, which takes them from the "
    "training data."
)


@dataclass(frozen=True)
class HeadLabels:
    """The labels of a head.

    Attributes:
        labels: in the order of their ids; None while they are unknown.
        is_fresh: whether the head's weights are to be initialised anew, as the checkpoint's are for other labels.
        problem_type: of a classifier of texts, by transformers' names; None: it does not matter, or is unknown.
    """

    labels: LabelMap | None
    is_fresh: bool = False
    problem_type: str | None = None

    @classmethod
    def of(cls, checkpoint: Checkpoint, names: Sequence[str] | None = None) -> HeadLabels:
        """Return the labels that a checkpoint brings along; those of another task, or placeholders, do not count.

        Args:
            checkpoint: of the head.
            names: others, that take their place.

        Raises:
            ArgumentError: if `names` are no list.
            CheckpointError: if an id has no label, and nothing takes their place.
        """
        config = checkpoint.config
        gaps = sorted(set(range(max(config.id2label, default=0) + 1)) - set(config.id2label))
        if gaps and checkpoint.is_trained and names is None:
            raise CheckpointError(
                f"{checkpoint.name_or_path}: `id2label` in `config.json` names no label for {gaps[0]}. Name every id "
                "from 0, or pass `labels=[...]` to begin with a new head."
            )
        labels = LabelMap.from_id2label(config.id2label)
        is_known = checkpoint.is_trained or not (labels.are_placeholders or config.architectures)
        own = cls(labels if is_known else None, problem_type=config.problem_type)
        return own if names is None else own.named(names, checkpoint)

    @property
    def known(self) -> LabelMap:
        """The labels in the order of their ids.

        Raises:
            LabelError: if they are not known yet.
        """
        if self.labels is None:
            raise LabelError(UNKNOWN_LABELS)
        return self.labels

    def named(self, names: Sequence[str], checkpoint: Checkpoint) -> HeadLabels:
        """Return these labels under other names. If they are the checkpoint's own, its order stays: its weights are so.

        Raises:
            ArgumentError: if they are no list.
            LabelError: if the network is already built with others.
        """
        if isinstance(names, (str, Mapping, Set)):
            raise ArgumentError(f"`labels` must be a list, in the order of their ids; it is {names!r:.80}.")
        labels, own = LabelMap(tuple(map(str, names))), self.labels
        if own is not None and set(own.names) == set(labels.names):
            return self
        if checkpoint.is_built:
            raise LabelError(f"the network is already built for the labels {list(own.names) if own else None}.")
        return replace(self, labels=labels, is_fresh=not checkpoint.is_trained or own is not None)

    def write(self, config: Any) -> None:
        """Write them into a Hugging Face configuration."""
        config.id2label = dict(enumerate(self.known.names))
        config.label2id = dict(self.known.ids)
        config.problem_type = self.problem_type

    def __repr__(self) -> str:
        return "labels not known yet" if self.labels is None else f"{len(self.labels)} labels"


def set_labels(task: Any, names: Sequence[str]) -> None:
    """Name the labels. Where they are not the checkpoint's own, its head's weights are initialised anew.

    Raises:
        ArgumentError: if they are no list, or the task has no labels.
        LabelError: if the network is already built with others.
    """
    if task.learned.labels is None:
        raise ArgumentError(f"a {type(task).__name__} has no labels to name.")
    task.learned = replace(task.learned, labels=task.learned.labels.named(names, task.checkpoint))
