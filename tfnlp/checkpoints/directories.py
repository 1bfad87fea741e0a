"""Directories that hold a saved task: written whole or not at all, and what `tfnlp.json` in them tells."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfnlp.errors import ArgumentError, CheckpointError
from tfnlp.paths import address_of, file_system, kind_at, reaching

SETTINGS_FILE = "tfnlp.json"

TRANSITIONS = "crf.safetensors"
_LAST = {"config.json", "saved_model.pb"}  # by which a directory is seen to be a checkpoint, or a SavedModel

# What an older version leaves: weights, and requests to warm up.
_OF_OLDER = re.compile(
    r"(model|pytorch_model|tf_model)([-.].*)?\.(safetensors|bin|h5|index\.json)|assets\.extra|"
    rf"{re.escape(TRANSITIONS)}"
)


@contextmanager
def written_whole(directory: str | Path, *, is_older: Callable[[Path], bool]) -> Iterator[Path]:
    """Give a temporary directory, and put it in the target's place if all goes well.

    Until then an older target is not touched. Taking its place is two renames; between them the older one stands,
    whole, in a hidden directory beside it. Of an older one, weights, requests to warm up and what is written anew go;
    all else stays. At an address nothing can be renamed: the files are copied there, and `config.json` or
    `saved_model.pb` is the last.

    Args:
        directory: the target, or an address.
        is_older: tells whether a directory holds an older version; only such a one, or an empty one, is replaced.

    Raises:
        ArgumentError: if the target is a file, or a directory that holds something else.
        StorageError: if an address can't be reached.
    """
    address = address_of(directory)
    with _written_here(Path(directory), is_older) if address is None else _written_at(address, is_older) as draft:
        yield draft


def check_target(directory: Path, is_older: Callable[[Path], bool]) -> None:
    """Raise `ArgumentError` if nothing can be written there: it is a file, or holds something else."""
    if directory.exists() and not directory.is_dir():
        raise ArgumentError(f"{directory}: this is a file; name a directory to write to.")
    if directory.is_dir() and any(directory.iterdir()) and not is_older(directory):
        raise _holds_others(directory, (path.name for path in directory.iterdir()))


@contextmanager
def _written_here(directory: Path, is_older: Callable[[Path], bool]) -> Iterator[Path]:
    """Give a temporary directory beside the target, and rename it if all goes well."""
    target = directory.absolute()
    check_target(directory, is_older)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    draft, old = scratch / "new", scratch / "old"
    draft.mkdir()
    try:
        yield draft
        if target.exists():
            os.replace(target, old)
        os.replace(draft, target)
        if old.exists():
            for other in old.iterdir():
                if not (target / other.name).exists() and not _OF_OLDER.fullmatch(other.name):
                    os.replace(other, target / other.name)
    except BaseException:
        if old.exists() and not target.exists():
            os.replace(old, target)
        if not old.exists():
            shutil.rmtree(scratch, ignore_errors=True)
        raise
    shutil.rmtree(scratch, ignore_errors=True)


def _holds_others(directory: str | Path, names: Iterable[str]) -> ArgumentError:
    held = ", ".join(sorted(names)[:3])
    return ArgumentError(
        f"{directory}: the directory holds other files ({held}) and nothing that was saved before, so it is not "
        "replaced. Name a new directory."
    )


@contextmanager
def _written_at(address: str, is_older: Callable[[Path], bool]) -> Iterator[Path]:
    """Give a temporary directory, and copy its files to an address if all goes well."""
    system, target = file_system(address)
    target = target.rstrip("/")
    with tempfile.TemporaryDirectory(prefix="tfnlp-") as scratch:
        older, draft = Path(scratch, "older"), Path(scratch, "new")
        older.mkdir()
        draft.mkdir()
        with reaching(address):
            kind = kind_at(system, target)
            if kind == "file":
                raise ArgumentError(f"{address}: this is a file; name a directory to write to.")
            held = [] if kind is None else [one.rsplit("/", 1)[-1] for one in system.ls(target, detail=False)]
            for name in _LAST.intersection(held):
                system.get_file(f"{target}/{name}", str(older / name))
        if held and not is_older(older):
            raise _holds_others(address, held)
        yield draft
        files = sorted((path.relative_to(draft) for path in draft.rglob("*") if path.is_file()), key=_order)
        with reaching(address):
            for file in files:
                place = f"{target}/{file.as_posix()}"
                system.makedirs(place.rsplit("/", 1)[0], exist_ok=True)
                system.put_file(str(draft / file), place)
            for name in held:
                if _OF_OLDER.fullmatch(name) and not (draft / name).exists():
                    system.rm(f"{target}/{name}", recursive=True)


def _order(file: Path) -> tuple[bool, str]:
    return file.name in _LAST, file.as_posix()


def holds_checkpoint(directory: Path) -> bool:
    """Tell whether a directory holds a checkpoint, by its `config.json`."""
    try:
        return "model_type" in json.loads((directory / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def holds_saved_model(directory: Path) -> bool:
    """Tell whether a directory holds a SavedModel."""
    return (directory / "saved_model.pb").is_file()


def write_settings(directory: Path, task: str, settings: dict[str, Any]) -> None:
    """Write which task a directory holds, and its settings."""
    text = json.dumps({"task": task, "settings": settings}, indent=2)
    (directory / SETTINGS_FILE).write_text(text + "\n", encoding="utf-8")


def read_settings(path: str | Path) -> tuple[str, dict[str, Any]]:
    """Return the task and the settings that `write_settings` wrote.

    Raises:
        CheckpointError: if the file is damaged.
    """
    try:
        saved = json.loads(Path(path).read_text(encoding="utf-8"))
        task, settings = saved["task"], saved["settings"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(
            f"{path}: not the settings that `save` writes: {error!r}. Save the task again."
        ) from error
    if not isinstance(task, str) or not isinstance(settings, dict):
        raise CheckpointError(f"{path}: not the settings that `save` writes: found {saved!r:.80}. Save the task again.")
    return task, settings
