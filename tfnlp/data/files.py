"""Text files: found, unpacked, decoded, line by line. Streams; knows no TensorFlow and no tokenizer."""

from __future__ import annotations

import bz2
import codecs
import glob
import gzip
import io
import json
import lzma
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import wraps
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

from tfnlp.errors import ArgumentError, DataError
from tfnlp.paths import address_of, fetched, is_pattern, paths_of

T = TypeVar("T")
Record = dict[str, Any]
Files = str | Path | Sequence[str | Path]  # a path, an address, a pattern of either, or several of these
OnError = Literal["raise", "skip"]  # what to do with a record that can't be used

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SHARD = re.compile(r"-\d+-of-\d+$")  # as in `train.tfrecord-00000-of-00010`
_LEAST_GUESSED_FROM, _GUESSED_FROM = 16, 1 << 16  # bytes


@dataclass(frozen=True)
class Records:
    """The records of a file, read anew at every iteration, so that a file larger than memory works.

    Attributes:
        path: the file; of several, what they are called together.
        read: yields the records from the first.
        on_error: whether a record that can't be used raises an error, or is left out, counted and reported.
    """

    path: str | Path
    read: Callable[[], Iterator[Record]]
    on_error: OnError = "raise"

    def __post_init__(self) -> None:
        if self.on_error not in ("raise", "skip"):
            raise ArgumentError(f"`on_error` must be 'raise' or 'skip'; it is {self.on_error!r}.")

    def __iter__(self) -> Iterator[Record]:
        return self.read()

    def __repr__(self) -> str:
        return f"Records({str(self.path)!r})"


def of_several_files(read: Callable[..., Records]) -> Callable[..., Records]:
    """Let a reader of one path of this machine read `Files`, one after the other."""

    @wraps(read)
    def reader(path: Files, **options: Any) -> Records:
        given = [path] if isinstance(path, (str, os.PathLike)) else list(path)
        parts = [fetched(part) for one in given for part in paths_of(one)]
        if not parts:
            raise DataError("an empty list names no file.")
        found = [read(part, **options) for part in parts]
        if len(found) == 1:
            return found[0]
        name = f"{given[0]} and {len(given) - 1} more" if len(given) > 1 else str(path)
        return Records(name, lambda: chain.from_iterable(found), found[0].on_error)

    return reader


def are_files(data: Any) -> bool:
    """Tell whether data is a list of names of files: paths, addresses, or strings that files or patterns are named.

    Texts may begin with an address of the web, so such a string is none here.
    """
    return isinstance(data, (list, tuple)) and bool(data) and all(map(is_file, data))


def is_file(item: Any) -> bool:
    """Tell whether an item of a list names a file, or a pattern of files."""
    if not isinstance(item, str):
        return isinstance(item, os.PathLike)
    if os.path.isfile(item) or (address_of(item) is not None and not re.search(r"^https?:|\s", item)):
        return True
    return is_pattern(item) and bool(glob.glob(item, recursive=True))


def existing_file(path: str | Path) -> Path:
    """Return a file's path, of an address that of a copy, or raise `DataError` if there is no such file."""
    path = Path(fetched(path))
    if not path.is_file():
        raise DataError(f"{path}: there is no such file." if not path.exists() else f"{path}: this is a directory.")
    return path


def unpacked_suffix(path: Path) -> str:
    """Return the last ending of a file's name, in lower case, but for that of a packed file."""
    name = Path(_SHARD.sub("", path.name))
    suffixes = [suffix.lower() for suffix in name.suffixes if suffix.lower() not in _OPENERS]
    return suffixes[-1] if suffixes else ""


def lines_of(path: Path, encoding: str | None = None) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file with their numbers, without their ends; packed files are unpacked.

    Args:
        path: the file.
        encoding: by Python's names; None: UTF-8, or UTF-16 and UTF-32 if the file begins with their mark.

    Raises:
        DataError: if the file is damaged, or its bytes are not of the encoding.
        ArgumentError: if there is no such encoding.
    """
    opener = _OPENERS.get(path.suffix.lower(), open)
    with opener(path, "rb") as file:
        try:
            yield from _decoded(file, str(path), encoding)
        except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
            raise DataError(f"{path}: the packed file is cut short or damaged: {error}.") from error


def not_empty(items: Iterable[T], message: str) -> Iterator[T]:
    """Yield items; raise `DataError` with a message once it is seen that there are none."""
    is_filled = False
    for item in items:
        is_filled = True
        yield item
    if not is_filled:
        raise DataError(message)


def read_lines(source: str | Path | BinaryIO, *, name: str | None = None, encoding: str | None = None) -> Iterator[str]:
    """Yield the lines of a text file, or of a binary stream, one by one.

    Args:
        source: the file; `.gz`, `.bz2` and `.xz` are unpacked while reading.
        name: what to call a stream in messages.
        encoding: by Python's names; None: UTF-8.

    Raises:
        DataError: if the file is missing, is not UTF-8, or has no line.
    """
    if isinstance(source, (str, Path)):
        lines = lines_of(existing_file(source), encoding)
    else:
        lines = _decoded(source, name or "the stream", encoding)
    yield from not_empty((line for _, line in lines), f"{name or source}: the file is empty.")


def _decoded(file: Any, name: str, encoding: str | None) -> Iterator[tuple[int, str]]:
    file = file if hasattr(file, "peek") else io.BufferedReader(file)
    if encoding is None:
        head = file.peek(4)[:4]
        encoding = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
    if encoding is not None:
        yield from _in_encoding(file, name, encoding)
        return
    number = 0
    for raw in file:
        try:
            line = raw.decode("utf-8" if number else "utf-8-sig")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{name}:{number + 1}: byte 0x{raw[error.start]:02x} at position {error.start} is not UTF-8. "
                f"{_remedy(raw + file.read(_GUESSED_FROM))}"
            ) from error
        for part in line.rstrip("\r\n").split("\r"):  # alone, it ended lines on old Macs
            number += 1
            yield number, part


def _in_encoding(file: Any, name: str, encoding: str) -> Iterator[tuple[int, str]]:
    number = 0
    try:
        with io.TextIOWrapper(file, encoding=encoding) as text:
            for number, line in enumerate(text, start=1):
                yield number, line.rstrip("\n")
    except LookupError as error:
        raise ArgumentError(f"`encoding`: {error}. Python's documentation of `codecs` lists them.") from error
    except UnicodeError as error:
        raise DataError(f"{name}: after line {number}: {error}. Pass another `encoding=`.") from error


def _remedy(sample: bytes) -> str:
    """Say what to do about bytes that are not UTF-8, and which encoding they are likely of, if there are enough."""
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best() if len(sample) >= _LEAST_GUESSED_FROM else None
    if best is None or best.encoding == "utf_8":
        return "Pass `encoding=`, or convert the file to UTF-8."
    return f"It looks like {best.encoding}: pass `encoding={best.encoding!r}`, or convert the file to UTF-8."


def objects_of(path: Path, encoding: str | None = None) -> Iterator[tuple[str, Any]]:
    """Yield the JSON values of a file, and where each stands: one a line, or all in one list.

    Raises:
        DataError: if a line is no JSON, or there is none.
    """
    lines = ((number, line) for number, line in lines_of(path, encoding) if line.strip())
    first = next(lines, None)
    if first is None:
        raise DataError(f"{path}: the file holds no record.")
    if _is_part(first[1]):
        yield from _of_whole_file(path, encoding)
        return
    for number, line in chain([first], lines):
        yield f"{path}:{number}", _parsed(line, path, number)


def _parsed(text: str, name: Path, line: int = 1) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{name}:{line + error.lineno - 1}: not JSON: {error}.") from error
    except RecursionError as error:
        raise DataError(f"{name}:{line}: the JSON is nested too deeply.") from error


def _is_part(line: str) -> bool:
    """Tell whether a line is a part of a JSON value that goes on, or a list of records: the file is one value."""
    try:
        value = json.loads(line)
    except (json.JSONDecodeError, RecursionError):
        return line.lstrip()[:1] in ("{", "[") and line.rstrip()[-1:] in ("{", "[", ",")
    return isinstance(value, list) and all(isinstance(item, (dict, list)) for item in value)


def _of_whole_file(path: Path, encoding: str | None) -> Iterator[tuple[str, Any]]:
    text = "\n".join(line for _, line in lines_of(path, encoding))
    found = _parsed(text, path)
    values = found if isinstance(found, list) else [found]
    if not values:
        raise DataError(f"{path}: the file holds no record.")
    for number, value in enumerate(values, start=1):
        yield f"{path}: record {number}", value
