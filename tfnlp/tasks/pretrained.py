"""`PretrainedTask`: a Hugging Face head with its tokenizer and settings, from a checkpoint and back to one."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from tfnlp.checkpoints.directories import (
    SETTINGS_FILE,
    holds_checkpoint,
    read_settings,
    write_settings,
    written_whole,
)
from tfnlp.checkpoints.heads import (
    LOCATION,
    AutoHead,
    find_file,
    load_config,
    network_options,
    position_limit,
    save_config,
)
from tfnlp.checkpoints.vocabulary import extend_tokenizer, with_vocabulary
from tfnlp.checkpoints.weights import SAFETENSORS, save_safetensors
from tfnlp.errors import ArgumentError, LabelError, did_you_mean
from tfnlp.tokenization.tokenizer import Tokenizer

Self = TypeVar("Self", bound="PretrainedTask")


@dataclass(frozen=True)
class Settings:
    """What a task remembers beside the network: its part of `tfnlp.json`.

    Attributes:
        max_length: the most tokens in a row; longer texts become windows.
        stride: how many tokens of the text two neighbouring windows share.
    """

    max_length: int
    stride: int


class PretrainedTask(abc.ABC):
    """What a task is made of, and how that is read and written. It knows neither records nor answers.

    Attributes:
        config: the Hugging Face configuration.
        tokenizer: the checkpoint's tokenizer.
        settings: what is kept beside the network.
    """

    auto_class: ClassVar[str]
    settings_class: ClassVar[type[Settings]]
    own_options: ClassVar[tuple[str, ...]] = ()  # of `from_pretrained`, beside the fields of its settings

    def __init__(self, source: str | Path | None, config: Any, tokenizer: Tokenizer, settings: Settings) -> None:
        """Make the task; `from_pretrained`, `from_config` and `tfnlp.load` are the ways to call this.

        Args:
            source: the checkpoint to read weights from; None: they are initialised anew.
            config: the Hugging Face configuration.
            tokenizer: the checkpoint's tokenizer.
            settings: of the task.
        """
        self.config = config
        self.tokenizer = tokenizer
        self.settings = settings
        self._source = source
        self._seed = 0
        self._fresh_head = False
        self._location: dict[str, Any] = {}

    # What a task may define

    @classmethod
    def settings_beside(cls, name_or_path: str | Path, **location: Any) -> dict[str, Any]:
        """Return the settings that files of other libraries tell of a checkpoint which tfnlp has not written."""
        del name_or_path, location
        return {}

    def write_beside(self, directory: Path) -> None:  # noqa: B027 -- a hook
        """Write, beside what `save` writes, what other libraries read."""

    @property
    def unknown(self) -> str | None:
        """Why the network can't be built yet, and what to do; None: it can."""
        return None

    @property
    def is_trained(self) -> bool:
        """Whether the checkpoint was trained for this task, as its configuration tells."""
        ending = self.auto_class.removeprefix("TFAutoModel")
        return any(name.endswith(ending) for name in self.config.architectures or ())

    # Making one

    @classmethod
    def from_pretrained(cls: type[Self], name_or_path: str | Path, *, seed: int = 0, **options: Any) -> Self:
        """Make the task from a checkpoint.

        Args:
            name_or_path: a directory or a Hub name. One that `save` wrote brings its settings along.
            seed: of weights that the checkpoint lacks, as a new task's head.
            options: fields of the task's settings (`max_length`, `stride` ...) and the task's own options; fields of
                the network's configuration (`hidden_dropout_prob` ...); where to look (`revision`, `token` ...).

        Raises:
            ArgumentError: if an option is unknown or its value is not allowed.
            CheckpointError: if the checkpoint is missing, incomplete or damaged.
            UnsupportedTokenizerError: if its tokenizer exists in Python only.
        """
        hub: dict[str, Any] = {key: options.pop(key) for key in LOCATION if key in options}
        config = load_config(name_or_path, **hub)
        tokenizer = Tokenizer.from_pretrained(name_or_path, **hub)
        file = find_file(name_or_path, SETTINGS_FILE, **hub)
        name, saved = read_settings(file) if file is not None else (None, {})
        if name != cls.__name__:
            saved = cls.settings_beside(name_or_path, **hub)
            if "max_length" in saved:
                saved["max_length"] = min(saved["max_length"], position_limit(config, tokenizer.max_length))
        elif options.get("max_length") is not None:
            saved.pop("stride", None)  # it was chosen for the saved length
        task = cls._make(name_or_path, config, tokenizer, {**saved, **options})
        task._seed, task._location = seed, hub
        if task.unknown is None:
            _ = task.head  # a damaged checkpoint shows now
        return task

    @classmethod
    def from_config(cls: type[Self], config: Any, tokenizer: Any, **options: Any) -> Self:
        """Make the task with weights initialised anew.

        Args:
            config: a Hugging Face configuration.
            tokenizer: a Hugging Face fast tokenizer.
            options: as in `from_pretrained`.
        """
        return cls._make(None, config, Tokenizer(tokenizer), options)

    @classmethod
    def _make(cls: type[Self], source: Any, config: Any, tokenizer: Tokenizer, options: dict[str, Any]) -> Self:
        cls._configure(config, options)
        limit = position_limit(config, tokenizer.max_length)
        max_length = options.pop("max_length", None)
        max_length = min(limit, 512) if max_length is None else max_length
        if not 0 < max_length <= limit:
            raise ArgumentError(f"`max_length` must be in [1, {limit}], the network's limit; it is {max_length}.")
        options.setdefault("stride", max_length // 4)
        task = cls(source, config, tokenizer, cls.settings_class(max_length=max_length, **options))
        tokenizer.check_window(max_length, task.settings.stride)
        return task

    @classmethod
    def _configure(cls, config: Any, options: dict[str, Any]) -> None:
        """Move the options that are the network's to its configuration; those of the settings stay."""
        of_settings = {field.name for field in fields(cls.settings_class)}
        of_network = network_options(config)
        for name in sorted(options.keys() - of_settings):
            if name not in of_network:
                raise ArgumentError(
                    f"`{name}` is no option of a {cls.__name__}, nor of the network's configuration."
                    f"{did_you_mean(name, (*cls.own_options, *sorted(of_settings), *of_network))}"
                )
            setattr(config, name, options.pop(name))

    # The network

    @cached_property
    def head(self) -> Any:
        """The Hugging Face TensorFlow head."""
        if self.unknown is not None:
            raise LabelError(self.unknown)
        if self._source is None:
            head = AutoHead(self.auto_class).from_config(self.config)
            head.build_in_name_scope()
        else:
            head = AutoHead(self.auto_class).from_pretrained(
                self._source, config=self.config, seed=self._seed, fresh_head=self._fresh_head, **self._location
            )
        return self._with_room(head)

    def _with_room(self, head: Any) -> Any:
        """Return a head with a row for each of the tokenizer's tokens."""
        num_tokens = len(self.tokenizer.hf)
        if num_tokens <= self.config.vocab_size:
            return head
        return with_vocabulary(head, self.auto_class, num_tokens, seed=self._seed)

    def add_tokens(self, tokens: Sequence[str], *, special: bool = False) -> int:
        """Add tokens to the tokenizer, and rows for them to the network, before it is trained.

        `save` and `export` keep them.

        Args:
            tokens: as they stand in texts.
            special: whether they are special tokens, which decoding leaves out and masking never hides.

        Returns:
            How many were not there before.

        Raises:
            ArgumentError: if a token is empty.
        """
        num_added = extend_tokenizer(self.tokenizer.hf, tokens, special=special)
        self.tokenizer = Tokenizer(self.tokenizer.hf)
        head = self.__dict__.get("head")
        for kind in type(self).__mro__:  # what was made of the old ones
            for name, value in vars(kind).items():
                if isinstance(value, cached_property):
                    self.__dict__.pop(name, None)
        if head is not None:
            self.head = self._with_room(head)
        return num_added

    # Files

    def save(self, directory: str | Path) -> None:
        """Write configuration, tokenizer, settings and `model.safetensors`, as `transformers` on PyTorch reads them.

        Everything is written beside the target first and then renamed: a crash leaves an older directory whole. What
        else lies in it stays.

        Raises:
            ArgumentError: if the directory holds something else than a checkpoint.
        """
        with written_whole(directory, is_older=holds_checkpoint) as target:
            self.write_into(target)

    def write_into(self, directory: Path) -> None:
        """Write what `save` writes into an empty directory."""
        save_config(self.head, directory)
        self.tokenizer.save(directory)
        save_safetensors(self.head, directory / SAFETENSORS)
        write_settings(directory, type(self).__name__, asdict(self.settings))
        self.write_beside(directory)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in asdict(self.settings).items())
        return f"{type(self).__name__}({self.config.model_type}, {self._learned}{settings})"

    @property
    def _learned(self) -> str:
        """What `repr` tells of what was learned, with a comma after it."""
        return ""
