"""How a task is made of a checkpoint, changed before it is trained, and saved. The functions are methods of `Task`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from tfnlp.checkpoints.checkpoint import Checkpoint
from tfnlp.checkpoints.directories import holds_checkpoint, write_settings, written_whole
from tfnlp.checkpoints.heads import LOCATION
from tfnlp.checkpoints.vocabulary import extend_tokenizer
from tfnlp.errors import ArgumentError
from tfnlp.paths import fetched
from tfnlp.preprocessor import Preprocessor
from tfnlp.replicas import is_chief
from tfnlp.tasks.learned import Learned
from tfnlp.tasks.settings import WindowSettings


def from_pretrained(cls: Any, name_or_path: str | Path, *, seed: int = 0, **options: Any) -> Any:
    """Make the task from a checkpoint.

    Args:
        name_or_path: a directory, its address elsewhere (`gs://...`), or a Hub name. One that `save` wrote brings its
            settings along.
        seed: of weights that the checkpoint lacks, as a new task's head.
        options: fields of the task's settings (`max_length`, `stride` ...) and the task's own options; fields of
            the network's configuration (`hidden_dropout_prob` ...); where to look (`revision`, `token` ...);
            `network="transformers"`, to run transformers' own code where we have a faster network of our own.

    Raises:
        ArgumentError: if an option is unknown or its value is not allowed.
        CheckpointError: if the checkpoint is missing, incomplete or damaged.
        StorageError: if an address can't be reached.
        UnsupportedTokenizerError: if its tokenizer exists in Python only.
    """
    origin, name_or_path = name_or_path, fetched(name_or_path)
    hub: dict[str, Any] = {key: options.pop(key) for key in LOCATION if key in options}
    checkpoint = cls.checkpoint_class.from_pretrained(cls.auto_class, name_or_path, seed=seed, **hub)
    checkpoint.origin = origin
    preprocessor = cls.preprocessor_class.from_pretrained(name_or_path, **hub)
    of_others = cls.settings_of_others(checkpoint)
    saved = checkpoint.settings_of(cls.__name__)
    if saved is None:
        saved = of_others
        if "max_length" in saved:
            saved["max_length"] = min(saved["max_length"], checkpoint.position_limit(preprocessor.max_length))
    elif options.get("max_length") is not None:
        saved.pop("stride", None)  # it was chosen for the saved length
    task = _made(cls, checkpoint, preprocessor, {**of_others, **saved, **options})
    if task.labels is not None or task.learned.labels is None:
        _ = task.head  # a damaged checkpoint shows now
    return task


def from_config(cls: Any, config: Any, preprocessor: Any, **options: Any) -> Any:
    """Make the task with weights initialised anew.

    Args:
        config: a Hugging Face configuration.
        preprocessor: a Hugging Face tokenizer, a fast one for all tasks but TAPAS's.
        options: as in `from_pretrained`.
    """
    checkpoint = cls.checkpoint_class(cls.auto_class, config)
    return _made(
        cls, checkpoint, cls.preprocessor_class(preprocessor), {**cls.settings_of_others(checkpoint), **options}
    )


def _made(cls: Any, checkpoint: Checkpoint, preprocessor: Preprocessor, options: dict[str, Any]) -> Any:
    checkpoint.runs_head = _runs_head(options.pop("network", None))
    own = {name: options.pop(name) for name in cls.own_options if name in options}
    of_settings = [field.name for field in fields(cls.settings_class)]
    of_network = {name: options.pop(name) for name in set(options) - set(of_settings)}
    checkpoint.configure(of_network, (*cls.own_options, *of_settings), cls.__name__)
    cls.prepare(checkpoint, preprocessor)
    limit = checkpoint.position_limit(preprocessor.max_length)
    max_length = options.pop("max_length", None)
    max_length = min(limit, 512) if max_length is None else max_length
    if not 0 < max_length <= limit:
        raise ArgumentError(f"`max_length` must be in [1, {limit}], the network's limit; it is {max_length}.")
    if issubclass(cls.settings_class, WindowSettings):
        options.setdefault("stride", max_length // 4)
        preprocessor.check_window(max_length, options["stride"])
    settings = cls.settings_class(max_length=max_length, **options)
    return cls(checkpoint, preprocessor, Learned(settings, cls.labels_at_first(checkpoint, **own)))


def _runs_head(network: Any) -> bool:
    """Tell, by the option `network`, whether transformers' own code is wanted."""
    if network not in (None, "transformers"):
        raise ArgumentError(
            f"`network` must be 'transformers', which runs transformers' own code, or left out; it is {network!r}."
        )
    return network is not None


def add_tokens(task: Any, tokens: Sequence[str], *, special: bool = False) -> int:
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
    num_added = extend_tokenizer(task.tokenizer.hf, tokens, special=special)
    task.preprocessor = task.preprocessor_class(task.tokenizer.hf)
    task.checkpoint.make_room(task.preprocessor.num_tokens)
    task.forget_graphs()
    return num_added


def use_tokenizer(task: Any, tokenizer: Any) -> None:
    """Read texts by another tokenizer than the checkpoint's own.

    Args:
        tokenizer: a directory, a Hub name, or a Hugging Face tokenizer of the task's kind.

    Raises:
        CheckpointError: if there is none.
        ArgumentError: if it has more tokens than the network, or the network can't read what it makes.
    """
    kind, tokenizer = task.preprocessor_class, fetched(tokenizer) if isinstance(tokenizer, (str, Path)) else tokenizer
    chosen = kind.from_pretrained(tokenizer) if isinstance(tokenizer, (str, Path)) else kind(tokenizer)
    if chosen.num_tokens > task.checkpoint.vocab_size:
        raise ArgumentError(
            f"the tokenizer has {chosen.num_tokens} tokens and the network {task.checkpoint.vocab_size}: they do not "
            "belong together."
        )
    task.prepare(task.checkpoint, chosen)
    task.preprocessor = chosen
    task.forget_graphs()


def save(task: Any, directory: str | Path) -> None:
    """Write configuration, tokenizer, settings and `model.safetensors`, as `transformers` on PyTorch reads them.

    Everything is written beside the target first and then renamed: a crash leaves an older directory whole. What
    else lies in it stays. Of several workers, the chief alone writes.

    Raises:
        ArgumentError: if the directory holds something else than a checkpoint.
    """
    _ = task.head  # unknown labels show before anything is written
    if not is_chief(task.checkpoint.strategy):
        return
    with written_whole(directory, is_older=holds_checkpoint) as target:
        task.checkpoint.save(target)
        task.preprocessor.save(target)
        write_settings(target, type(task).__name__, task.own_settings)
        task.write_beside(target)
