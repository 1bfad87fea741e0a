"""Files of examples: CSV, TSV, JSON lines, and folders of text files. Streams; knows no TensorFlow and no tokenizer."""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfnlp.data.files import (
    OnError,
    Record,
    Records,
    existing_file,
    lines_of,
    not_empty,
    objects_of,
    of_several_files,
    unpacked_suffix,
)
from tfnlp.errors import ArgumentError, DataError
from tfnlp.paths import local_path

logger = logging.getLogger(__name__)

_SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_BETWEEN = (",", ";", "\t", "|")
_OBJECTS = (".jsonl", ".ndjson", ".json")
_USUAL = {
    "text",
    "label",
    "labels",
    "sentence",
    "sentiment",
    "review",
    "category",
    "class",
    "target",
    "score",
    "content",
}
_MOST_CHARACTERS = 1 << 24  # of one cell; Python's own limit is 131,072


@of_several_files
def read_table(
    path: str | Path,
    *,
    columns: Sequence[str | None] | None = None,
    separator: str | None = None,
    label_separator: str | None = None,
    label_names: Sequence[str] | None = None,
    rename: Mapping[str, str] | None = None,
    encoding: str | None = None,
    on_error: OnError = "raise",
) -> Records:
    """Read a table of one example a line.

    Args:
        path: the file; `.gz`, `.bz2` and `.xz` are unpacked while reading.
        columns: what each column holds (`text`, `text_pair`, `label` ...; `-` or None: nothing of use), for a file
            without a header. None: the first line names the columns.
        separator: between columns. None: a TAB for `.tsv`; for `.csv` the first line tells: a comma, a semicolon, a TAB
            or a bar. Between TABs, quotation marks mean nothing in `.tsv`; else a text in quotes may hold the separator
            and line ends.
        label_separator: between the labels of one text, if it may have several.
        label_names: the names of labels that the file gives as numbers from 0.
        rename: other names for columns that the first line names: `{"review": "text", "sentiment": "label"}`.
        encoding: of the file, by Python's names (`gbk`, `cp1252` ...); None: UTF-8.
        on_error: whether a record that can't be used raises an error when the task reads it, or is left out (`skip`),
            counted and reported.

    Returns:
        Records of the columns, all text.

    Raises:
        ArgumentError: if nothing tells the separator, or both `columns` and `rename` are given.
        DataError: if the file is missing, is not UTF-8, is empty, or a line has another number of columns.
    """
    path = existing_file(path)
    suffix = unpacked_suffix(path)
    if separator is None and suffix not in _SEPARATORS:
        raise ArgumentError(f"{path}: can't tell what stands between the columns. Pass `separator=`.")
    if columns is not None and rename:
        raise ArgumentError("`rename` is for the names in a file's first line, `columns` for a file without them.")

    def read() -> Iterator[Record]:
        between = separator or (_SEPARATORS[suffix] if suffix != ".csv" else _told_separator(path, encoding))
        # Quotes mean nothing where columns stand between TABs, as in most such files.
        table = _lines_of_cells(path, between, encoding, quoted=between != "\t" or suffix == ".csv")
        names = list(columns) if columns is not None else renamed(next(table, ("", []))[1], rename or {}, path)
        check_names(names, path)
        rows = not_empty(((where, cells) for where, cells in table if cells), f"{path}: the file holds no record.")
        for i, (where, cells) in enumerate(rows):
            if not i and columns is not None:
                _warn_of_names(cells, path)
            yield _labelled(_record(names, cells, where), label_separator, label_names, where)

    return Records(path, read, on_error)


def _lines_of_cells(path: Path, between: str, encoding: str | None, *, quoted: bool) -> Iterator[tuple[str, list[str]]]:
    """Yield the cells of each line of a table, after the place of the line; a cell in quotes may have several lines."""
    csv.field_size_limit(_MOST_CHARACTERS)
    options: dict[str, Any] = {"strict": True} if quoted else {"quoting": csv.QUOTE_NONE}
    rows = csv.reader((line + "\n" for _, line in lines_of(path, encoding)), delimiter=between, **options)
    try:
        for cells in rows:
            yield f"{path}:{rows.line_num}", cells
    except csv.Error as error:
        raise DataError(
            f"{path}:{rows.line_num}: {error}. A quotation mark that opens a cell must be closed, one inside doubled."
        ) from error


def _record(names: Sequence[str | None], cells: list[str], where: str) -> Record:
    if len(cells) != len(names):
        raise DataError(
            f"{where}: expected {len(names)} columns ({', '.join(map(str, names))}), found {len(cells)}. Pass "
            "`columns=` to say what each column holds, `separator=` what stands between them."
        )
    return {name: cell for name, cell in zip(names, cells, strict=True) if name not in (None, "-")}


def check_names(names: Sequence[str | None], path: Path) -> None:
    """Raise `DataError` if several columns have one name."""
    repeated = sorted({str(name) for name in names if name not in (None, "-") and names.count(name) > 1})
    if repeated:
        raise DataError(f"{path}: several columns are named {repeated[0]!r}. Pass `columns=` to tell them apart.")


def _told_separator(path: Path, encoding: str | None) -> str:
    """Return what stands between the columns, as the first line tells; a comma where there is but one column."""
    _, first = next(lines_of(path, encoding), (0, ""))
    counts = {between: len(next(csv.reader([first], delimiter=between), [])) for between in _BETWEEN}
    return max(_BETWEEN, key=lambda between: counts[between])


def renamed(names: Sequence[str], others: Mapping[str, str], path: Path) -> list[str]:
    """Return names of columns, others in the place of some.

    Raises:
        DataError: if there is no column of a name that is to be replaced.
    """
    names = [name.strip() for name in names]
    wrong = [name for name in others if name not in names]
    if wrong:
        raise DataError(f"{path}: there is no column {wrong[0]!r} to rename; the columns are {names}.")
    return [others.get(name, name) for name in names]


def _warn_of_names(cells: list[str], path: Path) -> None:
    """Log a warning if the first line's cells are names of columns: short words, one of them usual."""
    words = [cell.strip().lower() for cell in cells]
    if _USUAL & set(words) and all(re.fullmatch(r"[a-z_][a-z0-9_ #]{0,30}", word) for word in words):
        logger.warning(
            "%s: the first line, %s, looks like names of columns, and is read as a record. Leave `columns` out, or "
            "rename columns by `rename={'review': 'text'}`.", path, cells,
        )  # fmt: skip


def _labelled(record: Record, separator: str | None, names: Sequence[str] | None, where: str) -> Record:
    """Return a record with its labels apart and named."""
    field = next((name for name in ("label", "labels") if name in record), None)
    if field is None or (separator is None and names is None):
        return record
    found = record[field].split(separator) if separator is not None else [record[field]]
    found = [label.strip() for label in found if label.strip()]
    if names is not None:
        wrong = [label for label in found if not (label.isdecimal() and int(label) < len(names))]
        if wrong:
            raise DataError(f"{where}: {wrong[0]!r} is no number of a label; `label_names` names {len(names)}.")
        found = [names[int(label)] for label in found]
    if separator is None and not found:
        raise DataError(f"{where}: the label is empty.")
    return record | {field: found if separator is not None else found[0]}


@of_several_files
def read_objects(path: str | Path, *, encoding: str | None = None, on_error: OnError = "raise") -> Records:
    """Read one JSON object a line, or a JSON list of objects; their keys are the fields of a record.

    Args:
        path: the file; `.gz`, `.bz2` and `.xz` are unpacked while reading.
        encoding: of the file, by Python's names; None: UTF-8.
        on_error: as for `read_table`.

    Raises:
        DataError: if the file is missing, is not UTF-8, is empty, or a line is no object.
    """
    path = existing_file(path)

    def read() -> Iterator[Record]:
        for where, value in objects_of(path, encoding):
            if not isinstance(value, dict):
                raise DataError(f"{where}: expected a JSON object, found {type(value).__name__}.")
            yield value

    return Records(path, read, on_error)


@of_several_files
def read_folder(path: str | Path, *, encoding: str | None = None, on_error: OnError = "raise") -> Records:
    """Read a folder that holds a folder of `.txt` files for each label, named as the label.

    Args:
        path: the folder.
        encoding: of the files, by Python's names; None: UTF-8.
        on_error: as for `read_table`.

    Raises:
        DataError: if there is no such folder, it holds no such file, or a file is not UTF-8.
    """
    path = Path(path)
    if not path.is_dir():
        raise DataError(f"{path}: there is no such directory.")

    def read() -> Iterator[Record]:
        # In the order of their names, not of their labels: a stream is shuffled only so far.
        files = sorted(path.glob("*/*.txt"), key=lambda file: (file.name, file.parent.name))
        for file in not_empty(files, f"{path}: expected a folder of .txt files for each label; there is no such file."):
            yield {"text": "\n".join(line for _, line in lines_of(file, encoding)), "label": file.parent.name}

    return Records(path, read, on_error)


@of_several_files
def read_examples(path: str | Path, **options: Any) -> Records:
    """Read a file or folder of examples in the format that its name tells.

    Args:
        path: a `.csv` or `.tsv` file, a `.jsonl` file, or a folder of text files.
        options: passed to the reader.

    Raises:
        ArgumentError: if the name does not tell the format.
    """
    suffix = unpacked_suffix(Path(path))
    is_table = suffix in _SEPARATORS or "separator" in options
    of_tables = sorted(set(options) - {"encoding", "on_error"})
    if of_tables and not is_table:
        raise ArgumentError(f"{path}: {', '.join(f'`{name}=`' for name in of_tables)} is for tables (CSV, TSV).")
    if local_path(path).is_dir():
        return read_folder(path, **options)
    if suffix in _OBJECTS:
        return read_objects(path, **options)
    if is_table:
        return read_table(path, **options)
    raise ArgumentError(
        f"{path}: can't tell the format from the name. Name the file with one of "
        f"{sorted([*_SEPARATORS, *_OBJECTS])}, or pass what `read_table(..., separator=)` reads."
    )
