"""`Pipeline`: what all pipelines share: options of the whole and of a call, single inputs, lists and streams."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tfnlp.errors import ArgumentError, did_you_mean

WITHOUT_EFFECT = ("batch_size", "num_workers", "padding")  # of transformers' pipelines; batches are made of tokens


class Pipeline:
    """Asks a task, and answers in lists of dicts as transformers' pipeline of the same name does.

    Attributes:
        task: the task that is asked.
        options: of every call that has not its own.
    """

    # Takes a list of inputs, and options by name; returns what transformers answers for each.
    answers: Callable[..., list[Any]]

    def __init__(self, task: Any, **options: Any) -> None:
        self.task = task
        self.options = self._checked(options)

    @property
    def model(self) -> Any:
        """The Keras model inside."""
        return self.task.model

    @property
    def tokenizer(self) -> Any:
        """The Hugging Face tokenizer."""
        return self.task.tokenizer.hf

    @property
    def position_limit(self) -> int:
        """The most tokens of a row that the network takes."""
        return self.task.checkpoint.position_limit(self.task.tokenizer.max_length)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.task!r})"

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """Answer one input, a list of them, or one after the other whatever else can be iterated.

        Raises:
            ArgumentError: if there is no such option.
            DataError: if an input can't be used.
        """
        chosen = self.options | self._checked(options)
        if isinstance(inputs, (str, Mapping)):
            return self.answers([inputs], **chosen)[0]
        if isinstance(inputs, (list, tuple)):
            return self.answers(list(inputs), **chosen)
        return self._stream(inputs, chosen)

    def _stream(self, inputs: Any, options: dict[str, Any]) -> Iterator[Any]:
        for given in inputs:
            yield self.answers([given], **options)[0]

    def _checked(self, options: dict[str, Any]) -> dict[str, Any]:
        allowed = [name for name in inspect.signature(self.answers).parameters if name != "inputs"]
        for name in options:
            if name not in (*allowed, *WITHOUT_EFFECT):
                raise ArgumentError(
                    f"`{name}` is no option of this pipeline; its options are {allowed}.{did_you_mean(name, allowed)}"
                )
        return {name: value for name, value in options.items() if name not in WITHOUT_EFFECT}
