"""Compiled tokenizers on disk, by content: `TFNLP_CACHE`, or `tfnlp` in the user's cache directory."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import json
import os
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers

_PACKAGE = __package__
_MOST_FILES = 32


def cached(content: str, compile_content: Callable[[str], Any]) -> Any:
    """Return what a function makes of a text: a dataclass of arrays, numbers, and such dataclasses.

    It is read from disk if it was made before, of the same text by the same code; else made, and written there.
    """
    path = cache_directory() / f"{_digest(content)}.npz"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            found = _restored(json.loads(str(arrays["layout"])), arrays)
            path.touch()
            return found
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        warnings.warn(f"{path} can't be read, and is written anew: {error}", stacklevel=2)
    made = compile_content(content)
    try:
        _write(path, made)
    except OSError as error:
        warnings.warn(f"The compiled tokenizer can't be kept: {error}. Set TFNLP_CACHE to a directory.", stacklevel=2)
    return made


def cache_directory() -> Path:
    """Return where compiled tokenizers are kept."""
    if "TFNLP_CACHE" in os.environ:
        return Path(os.environ["TFNLP_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tfnlp"


def _digest(content: str) -> str:
    return hashlib.sha256(f"{_code_digest()} {content}".encode()).hexdigest()


@cache
def _code_digest() -> str:
    """Name the code that compiles: another one may compile otherwise."""
    digest = hashlib.sha256(f"{tokenizers.__version__} {np.__version__}".encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _write(path: Path, made: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray] = {}
    arrays["layout"] = np.array(json.dumps(_laid_out(made, arrays)))
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        try:
            np.savez(file, **arrays)  # type: ignore[arg-type]
            file.close()
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
    files = sorted(path.parent.glob("*.npz"), key=lambda file: file.stat().st_mtime)
    for old in files[:-_MOST_FILES]:
        old.unlink(missing_ok=True)


def _laid_out(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Return a value as JSON, its arrays put aside."""
    if isinstance(value, np.ndarray):
        arrays[f"array{len(arrays)}"] = value
        return {"array": f"array{len(arrays) - 1}"}
    if isinstance(value, tuple):
        return {"tuple": [_laid_out(item, arrays) for item in value]}
    if dataclasses.is_dataclass(value):
        fields = {field.name: _laid_out(getattr(value, field.name), arrays) for field in dataclasses.fields(value)}
        return {"class": f"{type(value).__module__}:{type(value).__qualname__}", "fields": fields}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a compiled tokenizer holds no {type(value).__name__}")


def _restored(layout: Any, arrays: Any) -> Any:
    if not isinstance(layout, dict):
        return layout
    if "array" in layout:
        return arrays[layout["array"]]
    if "tuple" in layout:
        return tuple(_restored(item, arrays) for item in layout["tuple"])
    module, name = layout["class"].split(":")
    if not module.startswith(f"{_PACKAGE}."):
        raise ValueError(f"{module} is no module of the compiler")
    fields = {key: _restored(value, arrays) for key, value in layout["fields"].items()}
    return getattr(importlib.import_module(module), name)(**fields)
