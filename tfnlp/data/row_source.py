"""`RowSource`: rows that can be read again and again, made anew or kept."""

from __future__ import annotations

import pickle
import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from tfnlp.rows import Rows


@dataclass
class RowSource:
    """Rows that can be read again and again.

    Attributes:
        read: yields rows from the first, many at a time.
        is_stream: whether to make them anew at every reading; else the first reading is kept.
        keeps_stream: whether the first reading of a stream is kept, too, in a temporary file.
    """

    read: Callable[[], Iterable[Rows]]
    is_stream: bool
    keeps_stream: bool = False
    _kept: Iterable[Rows] | None = field(default=None, repr=False)

    def __iter__(self) -> Iterator[Rows]:
        if self.is_stream and not self.keeps_stream:
            return iter(self.read())
        if self._kept is None:
            self._kept = KeptOnDisk(self.read()) if self.is_stream else list(self.read())
        return iter(self._kept)


class KeptOnDisk:
    """Rows in a temporary file, which goes when this does."""

    def __init__(self, rows: Iterable[Rows]) -> None:
        directory = mkdtemp(prefix="tfnlp-rows-")
        weakref.finalize(self, rmtree, directory, ignore_errors=True)
        self._path = Path(directory, "rows")
        with open(self._path, "wb") as file:
            for chunk in rows:
                pickle.dump(chunk, file)

    def __iter__(self) -> Iterator[Rows]:
        with open(self._path, "rb") as file:
            while file.peek(1):
                yield pickle.load(file)
