"""`TFAutoModelFor*` whose `from_pretrained` really loads: every weight format, no PyTorch, nothing unpickled.

One mechanism serves all auto classes; the networks are those of transformers.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tfnlp._backend import has_transformers_heads, keras
from tfnlp.checkpoints.sizes import check_sizes
from tfnlp.checkpoints.upstream import HEADS_OF_NO_AUTO_CLASS, import_heads, prepare_config, repair_head
from tfnlp.checkpoints.weight_files import WEIGHT_FILES, SafetensorsFile, open_weights, shard_names
from tfnlp.checkpoints.weights import LoadingReport, assign_weights, head_variables, initialise, variables_named
from tfnlp.errors import CheckpointError, UnsupportedModelError, did_you_mean
from tfnlp.networks.own_heads import WITHOUT_HEAD, own_head_class, own_heads

logger = logging.getLogger(__name__)

# What says where a file is to be found, and not what is in it.
LOCATION = ("cache_dir", "force_download", "local_files_only", "proxies", "revision", "subfolder", "token")


@dataclass(frozen=True)
class AutoHead:
    """One of transformers' auto classes: a checkpoint's architecture decides which network is built.

    Attributes:
        name: the auto class (`TFAutoModelForTokenClassification`).
    """

    name: str

    def from_pretrained(
        self,
        name_or_path: str | Path,
        *,
        config: Any = None,
        output_loading_info: bool = False,
        fresh_head: bool = False,
        seed: int = 0,
        **options: Any,
    ) -> Any:
        """Build the head of a checkpoint and load its weights.

        Args:
            name_or_path: a directory or a Hub name.
            config: a configuration to use instead of the checkpoint's.
            output_loading_info: also return the `LoadingReport`.
            fresh_head: initialise the task's layers anew, though the checkpoint has them: for other labels.
            seed: of weights that are initialised anew.
            options: where to look (`revision`, `cache_dir`, `token`, `local_files_only` ...); all others change the
                configuration (`num_labels`, `output_hidden_states`, `id2label` ...).

        Returns:
            The Hugging Face TensorFlow head, a `tf_keras` model; with `output_loading_info`, the head and the report.

        Raises:
            CheckpointError: if the checkpoint is missing, incomplete or damaged.
            UnsupportedModelError: if the architecture has no such head.
        """
        location = {key: options.pop(key) for key in LOCATION if key in options}
        if config is None:
            config = load_config(name_or_path, **location, **options)
        elif options:
            raise TypeError(f"with `config=`, change the configuration itself; got {sorted(options)} as well")
        files = weight_files(name_or_path, **location)
        check_sizes(config, files)
        model = self.from_config(config)
        own = [(variable, variable.numpy()) for variable in head_variables(model)] if fresh_head else []
        report = load_weights(model, files)
        for variable, start in own:  # also where the checkpoint's has the same shape
            variable.assign(start)
        fresh = [variable for variable, _ in own] if fresh_head else variables_named(model, report.fresh)
        initialise(fresh, seed, scale=getattr(config, "initializer_range", 0.02))
        if fresh_head and not report.missing:
            logger.warning("%s: new labels; its head is initialised anew", type(model).__name__)
        report.log(str(name_or_path), type(model).__name__)
        model.config.name_or_path = str(name_or_path)
        return (model, report) if output_loading_info else model

    def from_config(self, config: Any) -> Any:
        """Build the head of a configuration, its weights initialised anew.

        Raises:
            UnsupportedModelError: if the architecture has no such head.
        """
        head_class = self._head_class(config)
        prepare_config(config, head_class.__name__)
        head = head_class(config)
        head.build_in_name_scope()
        repair_head(head)
        return head

    def _head_class(self, config: Any) -> Any:
        known = head_names(self.name)
        if config.model_type not in known and not has_transformers_heads():
            raise UnsupportedModelError(
                f"{config.model_type!r} has no {self.name} of tfnlp's own, and transformers 5 has none in TensorFlow: "
                f"`pip install 'transformers<5'`, or take one of {', '.join(sorted(known))}."
            )
        if config.model_type not in known:
            raise UnsupportedModelError(
                f"transformers has no {self.name} for the architecture {config.model_type!r}."
                f"{did_you_mean(config.model_type, sorted(known))} It has one for {', '.join(sorted(known))}."
            )
        if config.model_type in WITHOUT_HEAD or not has_transformers_heads():
            return own_head_class(self.name, config.model_type)
        return getattr(import_heads(), known[config.model_type][0])


@cache
def architectures(auto_class: str) -> frozenset[str]:
    """Return the classes that transformers' mapping of an auto class holds, by their names in PyTorch."""
    return frozenset(name.removeprefix("TF") for names in head_names(auto_class).values() for name in names)


@cache
def head_names(auto_class: str) -> dict[str, tuple[str, ...]]:
    """Return the classes that an auto class holds for each model type, the one to build first."""
    ours = own_heads(auto_class)
    if not has_transformers_heads():
        return {kind: (name,) for kind, name in ours.items()}
    others = HEADS_OF_NO_AUTO_CLASS.get(auto_class)
    entries = others or getattr(import_heads(), auto_class)._model_mapping._model_mapping
    entries = {**entries, **{kind: name for kind, name in ours.items() if kind in WITHOUT_HEAD}}
    return {kind: entry if isinstance(entry, tuple) else (entry,) for kind, entry in entries.items()}


def load_config(name_or_path: str | Path, **options: Any) -> Any:
    """Load the configuration of a directory or Hub name.

    Raises:
        CheckpointError: if there is none, or the Hub can't be reached.
    """
    from transformers import AutoConfig

    path = str(name_or_path)
    if os.path.isdir(path) and not os.path.isfile(os.path.join(path, options.get("subfolder", ""), "config.json")):
        raise CheckpointError(
            f"{path}: this directory is no checkpoint: it has no `config.json`. A checkpoint holds `config.json`, "
            f"weights ({', '.join(name for name in WEIGHT_FILES if 'index' not in name)}) and a tokenizer."
        )
    try:
        return AutoConfig.from_pretrained(path, **options)
    except RecursionError as error:
        raise CheckpointError(f"{path}: `config.json` is nested too deeply. Download it again.") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _not_found(path, error) from error


def save_config(head: Any, directory: str | Path) -> None:
    """Write the configuration of a head whose weights are saved as float32, with its class's name in PyTorch."""
    config = head.config
    config.architectures = [type(head).__name__.removeprefix("TF")]
    config.dtype = "float32"  # whatever the weights were loaded from: by this, PyTorch chooses what to run
    config.save_pretrained(str(directory))


def network_options(config: Any) -> tuple[str, ...]:
    """Return the names of what a configuration says of its own architecture (`hidden_dropout_prob` ...).

    What all configurations have (labels, what is returned, how text is generated) is not among them, nor is the size of
    the vocabulary, which is the tokenizer's.
    """
    from transformers import PretrainedConfig

    own = config.to_dict().keys() - PretrainedConfig().to_dict().keys() - {"vocab_size"}
    synonyms = {name for name, field in config.attribute_map.items() if field in own}
    return tuple(sorted(name for name in own | synonyms if not name.startswith("_")))


def weight_files(name_or_path: str | Path, **location: Any) -> list[str]:
    """Return the files of a checkpoint's weights, of the first of `WEIGHT_FILES` that there is.

    Raises:
        CheckpointError: if there are none, or one is missing.
    """
    for name in WEIGHT_FILES:
        path = find_file(name_or_path, name, **location)
        if path is not None:
            break
    else:
        raise CheckpointError(
            f"{name_or_path}: there are no weights: none of {', '.join(WEIGHT_FILES)} was found. A Flax or "
            "TensorFlow 1 checkpoint must be converted first."
        )
    if name.endswith(".index.json"):
        return [_required(name_or_path, shard, **location) for shard in shard_names(path)]
    return [path]


def load_weights(model: keras.Model, files: list[str]) -> LoadingReport:
    """Load weights into a built head.

    Raises:
        CheckpointError: if a file is damaged.
    """
    if files[0].endswith(".h5") or _is_tensorflow_layout(files[0]):
        return _load_tensorflow_layout(model, files)
    return assign_weights(model, open_weights(files))


def _is_tensorflow_layout(file: str) -> bool:
    return file.endswith(".safetensors") and SafetensorsFile(file).written_by == "tf"


def _load_tensorflow_layout(model: keras.Model, files: list[str]) -> LoadingReport:
    """Load files that TensorFlow wrote, which transformers 4 reads well."""
    if not has_transformers_heads():
        raise CheckpointError(
            f"{files[0]}: TensorFlow wrote this file, which is read by transformers 4 only: `pip install "
            "'transformers<5'`, load and `save` it there, and it is in PyTorch's layout."
        )
    from transformers import modeling_tf_utils

    try:
        if len(files) == 1:
            loaded = modeling_tf_utils.load_tf_weights(model, files[0], ignore_mismatched_sizes=True)
        elif files[0].endswith(".safetensors"):
            loaded = modeling_tf_utils.load_tf_sharded_weights_from_safetensors(
                model, files, ignore_mismatched_sizes=True
            )
        else:
            loaded = modeling_tf_utils.load_tf_sharded_weights(model, files, ignore_mismatched_sizes=True)
    except (OSError, KeyError, ValueError) as error:
        raise CheckpointError(f"{files[0]}: the file is damaged or incomplete: {error}. Download it again.") from error
    missing, unused, mismatched = loaded
    # These names are of layers. Those of dropout layers, which have no weights, count all models ever built.
    return LoadingReport(
        missing=tuple(sorted(name for name in missing if not name.startswith("dropout"))),
        unused=tuple(sorted(name for name in unused if not name.startswith("dropout"))),
        mismatched=tuple((name, tuple(there), tuple(here)) for name, there, here in mismatched),
    )


def find_file(name_or_path: str | Path, file: str, **location: Any) -> str | None:
    """Return the path of a file of a directory or Hub name, or None if it has no such file.

    Raises:
        CheckpointError: if the Hub can't be reached.
    """
    from transformers.utils.hub import cached_file

    try:
        return cached_file(str(name_or_path), file, _raise_exceptions_for_missing_entries=False, **location)
    except (OSError, ValueError) as error:  # a ValueError: of a path that is no name
        raise _not_found(str(name_or_path), error) from error


def _required(name_or_path: str | Path, file: str, **location: Any) -> str:
    path = find_file(name_or_path, file, **location)
    if path is None:
        raise CheckpointError(f"{name_or_path}: the shard {file!r}, which the index names, is missing. Download it.")
    return path


def _not_found(name_or_path: str, error: Exception) -> CheckpointError:
    if os.path.isdir(name_or_path):
        return CheckpointError(f"{name_or_path}: the checkpoint can't be read: {error}")
    return CheckpointError(
        f"{name_or_path}: neither a directory nor a checkpoint that can be had from the Hub: {error}\nCheck the "
        "spelling. Without network, download the checkpoint on another machine (`hf download NAME --local-dir DIR`) "
        "and pass the directory."
    )


def __getattr__(name: str) -> AutoHead:
    """Make the auto class of this name; which there are is listed in `tfnlp`'s public names."""
    if name.startswith("TFAutoModel"):
        return AutoHead(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
