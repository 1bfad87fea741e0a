"""Files that pandas reads: Parquet and Excel. It is imported when one is read, as it is no dependency."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tfnlp.data.files import OnError, Record, Records, existing_file
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
        DataError: if there is no such file, or it is damaged.
        VersionError: if pandas is missing, or what it needs to read the file.
    """
    path = existing_file(path)

    def read() -> Iterator[Record]:
        try:
            import pandas

            table = getattr(pandas, _READERS[path.suffix.lower()])(path)
        except ImportError as error:
            raise VersionError(
                f"{path}: pandas reads it, with pyarrow (Parquet) or openpyxl (Excel): `pip install pandas pyarrow "
                f"openpyxl`. {error}"
            ) from error
        except (ValueError, OSError, KeyError) as error:  # of many kinds; pyarrow's are among them
            raise DataError(f"{path}: pandas can't read it: {error}") from error
        named: Any = table.rename(columns=dict(rename or {})).astype(object)
        yield from named.where(named.notna(), None).to_dict("records")

    return Records(path, read, on_error)
