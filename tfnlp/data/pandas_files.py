"""Files that pandas reads: Parquet and Excel. pandas is no dependency, and is imported when one is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tfnlp.data.files import OnError, Record, Records, existing_file
from tfnlp.data.tables import check_names, renamed
from tfnlp.errors import DataError, VersionError

_READERS = {".parquet": "read_parquet", ".xlsx": "read_excel", ".xls": "read_excel"}


def is_read_by_pandas(path: str | Path) -> bool:
    """Tell by its name whether pandas reads a file."""
    return Path(path).suffix.lower() in _READERS


def read_by_pandas(
    path: str | Path, *, rename: Mapping[str, str] | None = None, on_error: OnError = "raise"
) -> Records:
    """Read a Parquet or Excel file, of Excel's the first sheet: a record of each row.

    Args:
        path: a `.parquet`, `.xlsx` or `.xls` file.
        rename: other names of columns.
        on_error: whether a record that can't be used raises an error, or is left out, counted and reported.

    Raises:
        DataError: if there is no such file, it is damaged, or has no column to rename.
        VersionError: if pandas is missing, or what it needs to read the file.
    """
    path = existing_file(path)

    def read() -> Iterator[Record]:
        try:
            import pandas

            table = getattr(pandas, _READERS[path.suffix.lower()])(path)
        except ImportError as error:
            raise VersionError(
                f"{path}: pandas reads it, with pyarrow (Parquet), openpyxl (.xlsx) or xlrd (.xls): install these. "
                f"{error}"
            ) from error
        except Exception as error:  # each of the libraries that pandas asks has its own
            raise DataError(f"{path}: pandas can't read it: {error}") from error
        names = renamed([str(name) for name in table.columns], rename or {}, path)
        check_names(names, path)
        cells: Any = table.set_axis(names, axis=1).astype(object)
        yield from cells.where(cells.notna(), None).to_dict("records")

    return Records(path, read, on_error)
