"""The files with which sentence-transformers tells how a checkpoint's token vectors become one: read and written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tfnlp.checkpoints.heads import find_file
from tfnlp.errors import UnsupportedModelError

_MODULES, _POOLING, _LENGTH = "modules.json", "1_Pooling/config.json", "sentence_bert_config.json"
_PROMPTS = "config_sentence_transformers.json"
_MODES = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token", "max": "pooling_mode_max_tokens"}
_PACKAGE = "sentence_transformers.models"


def read_pooling(name_or_path: str | Path, **location: Any) -> dict[str, Any]:
    """Return the settings of a sentence-transformers checkpoint: `pooling`, `normalize` and `max_length`.

    Returns:
        Those settings; nothing for a checkpoint that is none of sentence-transformers.

    Raises:
        UnsupportedModelError: if it does more than pool the vectors of tokens in a known way, and normalise them.
    """
    file = find_file(name_or_path, _MODULES, **location)
    if file is None:
        return {}
    modules = {module["type"].rpartition(".")[2]: module for module in json.loads(Path(file).read_text("utf-8"))}
    unknown = sorted(set(modules) - {"Transformer", "Pooling", "Normalize"})
    if unknown or "Pooling" not in modules:
        raise UnsupportedModelError(
            f"{name_or_path}: of sentence-transformers' modules only Transformer, Pooling and Normalize are known; "
            f"this checkpoint has {sorted(modules)}."
        )
    pooling = _content(name_or_path, f"{modules['Pooling']['path']}/config.json", **location)
    given = [name for name, value in pooling.items() if name.startswith("pooling_mode_") and value is True]
    mode = next((mode for mode, name in _MODES.items() if given == [name]), None)
    if mode is None:
        raise UnsupportedModelError(
            f"{name_or_path}: its pooling is {given}; only one of {sorted(_MODES.values())} is known."
        )
    settings = {"pooling": mode, "normalize": "Normalize" in modules}
    length, prompts = (_content(name_or_path, file, **location) for file in (_LENGTH, _PROMPTS))
    if length.get("do_lower_case") or prompts.get("default_prompt_name"):
        raise UnsupportedModelError(
            f"{name_or_path}: it changes texts before tokenizing (`do_lower_case`, `default_prompt_name`), which is "
            "not known here. Change your texts so, and take these settings out of its files."
        )
    return settings if length.get("max_seq_length") is None else settings | {"max_length": length["max_seq_length"]}


def _content(name_or_path: str | Path, file: str, **location: Any) -> dict[str, Any]:
    """Return the content of a JSON file of a checkpoint; nothing where there is none."""
    path = find_file(name_or_path, file, **location)
    return {} if path is None else json.loads(Path(path).read_text("utf-8"))


def write_pooling(directory: Path, *, hidden_size: int, pooling: str, normalize: bool, max_length: int) -> None:
    """Write the files that make a directory a checkpoint of sentence-transformers."""
    names = ["Transformer", "Pooling", *(["Normalize"] if normalize else [])]
    paths = ["", "1_Pooling", "2_Normalize"]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"{_PACKAGE}.{name}"}
        for i, (name, path) in enumerate(zip(names, paths, strict=False))
    ]
    modes = {name: mode == pooling for mode, name in _MODES.items()}
    files = {
        _MODULES: modules,
        _POOLING: {"word_embedding_dimension": hidden_size, **modes, "pooling_mode_mean_sqrt_len_tokens": False},
        _LENGTH: {"max_seq_length": max_length, "do_lower_case": False},
    }
    (directory / "1_Pooling").mkdir()
    for name, content in files.items():
        (directory / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
