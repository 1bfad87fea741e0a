"""`LabelledTask`: what the tasks share whose answers are labels with names."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from tfnlp.data.sources import Source
from tfnlp.errors import ArgumentError, LabelError
from tfnlp.labels import LabelMap
from tfnlp.tasks.pretrained import Settings
from tfnlp.tasks.task import TaskModel
from tfnlp.tokenization.tokenizer import Tokenizer

Self = TypeVar("Self", bound="LabelledTask")


class LabelledTask(TaskModel):
    """A task with labels: the checkpoint's own, those that the user names, or those of the training data."""

    own_options: ClassVar[tuple[str, ...]] = ("labels",)

    def __init__(self, source: str | Path | None, config: Any, tokenizer: Tokenizer, settings: Settings) -> None:
        super().__init__(source, config, tokenizer, settings)
        self._named = False

    @abc.abstractmethod
    def labels_of(self, records: Source) -> LabelMap:
        """Return the labels that training data holds."""

    @classmethod
    def _make(cls: type[Self], source: Any, config: Any, tokenizer: Tokenizer, options: dict[str, Any]) -> Self:
        labels = options.pop("labels", None)
        task = super()._make(source, config, tokenizer, options)
        if labels is not None:
            task.set_labels(labels)
        return task

    @property
    def labels(self) -> LabelMap | None:
        """The labels in the order of their ids, or None while they are unknown."""
        labels = LabelMap.from_id2label(self.config.id2label)
        if self._named or self.is_trained:
            return labels
        return None if labels.are_placeholders or self.config.architectures else labels

    @property
    def known_labels(self) -> LabelMap:
        """The labels in the order of their ids.

        Raises:
            LabelError: if they are not known yet.
        """
        if self.labels is None:
            raise LabelError(self.unknown)
        return self.labels

    @property
    def unknown(self) -> str | None:
        """Why the network can't be built while the labels are unknown."""
        if self.labels is not None:
            return None
        return (
            "the labels are not known yet. Pass `labels=[...]` to `from_pretrained`, or call `fit`, which takes them "
            "from the training data."
        )

    def learn(self, records: Source) -> None:
        """Take the labels from training data, if they are unknown."""
        if self.labels is None:
            self.set_labels(self.labels_of(records).names)

    def set_labels(self, names: Sequence[str]) -> None:
        """Name the labels. Where they are not the checkpoint's own, its head's weights are initialised anew.

        Raises:
            ArgumentError: if they are no list.
            LabelError: if the network is already built with others.
        """
        if isinstance(names, (str, Mapping, Set)):
            raise ArgumentError(f"`labels` must be a list, in the order of their ids; it is {names!r:.80}.")
        labels, own = LabelMap(tuple(map(str, names))), self.labels
        if own is not None and set(own.names) == set(labels.names):
            return  # the checkpoint's order stays: its weights are in that order
        if "head" in self.__dict__:
            raise LabelError(f"the network is already built for the labels {list(own.names) if own else None}.")
        self._fresh_head = not self.is_trained or own is not None
        self._named = True
        self.config.id2label = dict(enumerate(labels.names))
        self.config.label2id = dict(labels.ids)

    @property
    def _learned(self) -> str:
        return "labels not known yet, " if self.labels is None else f"{len(self.labels)} labels, "
