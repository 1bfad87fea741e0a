"""Paths of this machine, addresses elsewhere (`gs://bucket/train.conll`), and patterns of both (`train-*.conll`)."""

from __future__ import annotations

import glob
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from tfnlp.errors import ArgumentError, DataError, StorageError, TfnlpError

logger = logging.getLogger(__name__)

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//?)(?=[^/]|/[^/])")  # of one letter, it is a drive
_numbers = count()


def address_of(path: Any) -> str | None:
    """Return the address that a path is; None: it is a path of this machine."""
    text = str(path)
    found = _SCHEME.match(text)
    if found is None or found[2] == "//":
        return None if found is None else text
    import fsspec

    if found[1] not in fsspec.available_protocols():
        return None
    rest = text[found.end() :]  # `Path` leaves one stroke of two or three
    return f"{found[1]}:///{rest}" if found[1] in ("file", "local") else f"{found[1]}://{rest}"


def local_path(path: str | Path) -> Path:
    """Return a path of this machine.

    Raises:
        ArgumentError: if it is an address, which would be taken for a local name.
    """
    if address_of(path) is not None:
        raise ArgumentError(f"{path}: name a path of this machine here, or one that is mounted.")
    return Path(path)


def file_system(address: str) -> tuple[Any, str]:
    """Return the file system of an address, by fsspec, and the name there.

    Raises:
        ArgumentError: if there is no such file system, or its package is not installed.
        StorageError: if it can't be reached.
    """
    import fsspec

    try:
        return fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise ArgumentError(f"{address}: a package is missing that opens such addresses: {error}") from error
    except ValueError as error:
        raise ArgumentError(
            f"{address}: fsspec knows no such addresses: {error}. It knows {', '.join(fsspec.available_protocols())}."
        ) from error
    except Exception as error:  # each file system has its own
        raise StorageError(f"{address}: can't be reached: {error!r}") from error


@contextmanager
def reaching(address: str) -> Iterator[None]:
    """Raise `StorageError` for whatever a file system raises here."""
    try:
        yield
    except TfnlpError:
        raise
    except FileNotFoundError as error:
        raise StorageError(f"{address}: there is no such file or directory.") from error
    except Exception as error:  # each file system has its own
        raise StorageError(f"{address}: can't be reached: {error!r}") from error


def kind_at(system: Any, name: str) -> str | None:
    """Return whether a name of a file system is a `file` or a `directory`; None: it is neither."""
    try:  # `exists` and its kin take every error for a no
        return str(system.info(name)["type"])
    except FileNotFoundError:
        return None


def fetched(path: Any) -> Any:
    """Return a path as it is, or of an address the path of a copy on this machine, which goes with the process.

    Raises:
        ArgumentError: if there is no such file system, or its package is not installed.
        StorageError: if it can't be reached, or there is no such file.
    """
    address = address_of(path)
    if address is None:
        return path
    system, name = file_system(address)
    target = Path(_copies().name) / str(next(_numbers)) / Path(name).name
    target.parent.mkdir()
    logger.info("%s is copied to this machine", address)
    with reaching(address):
        system.get(name, str(target), recursive=system.info(name)["type"] == "directory")
    return target


@cache
def _copies() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="tfnlp-", ignore_cleanup_errors=True)


def is_pattern(path: Any) -> bool:
    """Tell whether a path has `*`, `?` or `[...]` that stand for names."""
    return glob.has_magic(str(path)) and not os.path.exists(path)


def paths_of(path: str | Path) -> list[str | Path]:
    """Return the paths that a pattern stands for, by name; `**` stands for directories in each other.

    Raises:
        DataError: if there is none.
    """
    if not is_pattern(path):
        return [path]
    address = address_of(path)
    if address is None:
        found = sorted(glob.glob(str(path), recursive=True))
    else:
        system, name = file_system(address)
        with reaching(address):
            found = sorted(system.unstrip_protocol(one) for one in system.glob(name))
    if not found:
        raise DataError(f"{path}: no file has a name of this pattern.")
    return list(found)
