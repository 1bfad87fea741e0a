"""Directories that hold a saved task: written whole or not at all, and what `tfnlp.json` in them tells."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfnlp.errors import CheckpointError

SETTINGS_FILE = "tfnlp.json"


@contextmanager
def written_whole(directory: str | Path) -> Iterator[Path]:
    """Give a temporary directory beside the target, and put it in the target's place if all goes well."""
    target = Path(directory)
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    draft, old = scratch / "new", scratch / "old"
    draft.mkdir()
    try:
        yield draft
        if target.exists():
            os.replace(target, old)
        os.replace(draft, target)
    finally:
        if old.exists() and not target.exists():
            os.replace(old, target)
        shutil.rmtree(scratch, ignore_errors=True)


def write_settings(directory: Path, task: str, settings: dict[str, Any]) -> None:
    """Write which task a directory holds, and its settings."""
    text = json.dumps({"task": task, "settings": settings}, indent=2)
    (directory / SETTINGS_FILE).write_text(text + "\n", encoding="utf-8")


def saved_task(name_or_path: str | Path) -> str | None:
    """Return the name of the task that `save` wrote into a directory, or None.

    Raises:
        CheckpointError: if the file that tells is damaged.
    """
    return _read(name_or_path)[0]


def saved_settings(name_or_path: str | Path, task: str) -> dict[str, Any]:
    """Return the settings that `save` wrote for this task; none, if the directory holds no task or another one.

    Raises:
        CheckpointError: if the file is damaged.
    """
    found, settings = _read(name_or_path)
    return settings if found == task else {}


def _read(name_or_path: str | Path) -> tuple[str | None, dict[str, Any]]:
    path = Path(name_or_path) / SETTINGS_FILE
    if not path.is_file():
        return None, {}
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        return saved["task"], saved["settings"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path}: not the settings that `save` writes: {error!r}. Save the task again."
        ) from error
