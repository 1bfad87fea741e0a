"""Files of examples: CSV, TSV, JSON lines, and folders of text files. Streams; knows no TensorFlow and no tokenizer."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tfnlp.data.readers import Record, Records, existing_file, lines_of, objects_of, unpacked_suffix
from tfnlp.errors import ArgumentError, DataError

_SEPARATORS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_OBJECTS = (".jsonl", ".ndjson")
_MOST_CHARACTERS = 1 << 24  # of one cell; Python's own limit is 131,072


def read_table(
    path: str | Path,
    *,
    columns: Sequence[str | None] | None = None,
    separator: str | None = None,
    label_separator: str | None = None,
    label_names: Sequence[str] | None = None,
) -> Records:
    """Read a table of one example a line.

    Args:
        path: the file; `.gz`, `.bz2` and `.xz` are unpacked while reading.
        columns: what each column holds (`text`, `text_pair`, `label` ...; `-` or None: nothing of use), for a file
            without a header. None: the first line names the columns.
        separator: between columns. None: a comma for `.csv`, a TAB for `.tsv`. Between TABs, quotation marks mean
            nothing; else a text in quotes may hold the separator and line ends.
        label_separator: between the labels of one text, if it may have several.
        label_names: the names of labels that the file gives as numbers from 0.

    Returns:
        Records of the columns, all text.

    Raises:
        ArgumentError: if nothing tells the separator.
        DataError: if the file is missing, is not UTF-8, is empty, or a line has another number of columns.
    """
    path = existing_file(path)
    between = separator or _SEPARATORS.get(unpacked_suffix(path))
    if between is None:
        raise ArgumentError(f"{path}: can't tell what stands between the columns. Pass `separator=`.")

    def read() -> Iterator[Record]:
        csv.field_size_limit(_MOST_CHARACTERS)
        # Quotes mean nothing where columns stand between TABs, as in most such files.
        options: dict[str, Any] = {"quoting": csv.QUOTE_NONE} if between == "\t" else {"strict": True}
        rows = csv.reader((line + "\n" for _, line in lines_of(path)), delimiter=between, **options)
        table = _cells(rows, path)
        names = list(columns) if columns is not None else next(table, [])
        repeated = sorted({str(name) for name in names if name not in (None, "-") and names.count(name) > 1})
        if repeated:
            raise DataError(f"{path}: several columns are named {repeated[0]!r}. Pass `columns=` to tell them apart.")
        found = False
        for cells in table:
            if not cells:
                continue
            found = True
            where = f"{path}:{rows.line_num}"
            if len(cells) != len(names):
                raise DataError(
                    f"{where}: expected {len(names)} columns ({', '.join(map(str, names))}), found {len(cells)}. Pass "
                    "`columns=` to say what each column holds, `separator=` what stands between them."
                )
            record = {name: cell for name, cell in zip(names, cells, strict=True) if name not in (None, "-")}
            yield _labelled(record, label_separator, label_names, where)
        if not found:
            raise DataError(f"{path}: the file holds no record.")

    return Records(path, read)


def _cells(rows: Any, path: Path) -> Iterator[list[str]]:
    """Yield the cells of each line of a table."""
    try:
        yield from rows
    except csv.Error as error:
        raise DataError(
            f"{path}:{rows.line_num}: {error}. A quotation mark that opens a cell must be closed, one inside doubled."
        ) from error


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


def read_objects(path: str | Path) -> Records:
    """Read one JSON object a line; its keys are the fields of a record.

    Raises:
        DataError: if the file is missing, is not UTF-8, is empty, or a line is no object.
    """
    path = existing_file(path)

    return Records(path, lambda: (found for _, found in objects_of(path)))


def read_folder(path: str | Path) -> Records:
    """Read a folder that holds a folder of `.txt` files for each label, named as the label.

    Raises:
        DataError: if there is no such folder, it holds no such file, or a file is not UTF-8.
    """
    path = Path(path)
    if not path.is_dir():
        raise DataError(f"{path}: there is no such directory.")

    def read() -> Iterator[Record]:
        found = False
        # In the order of their names, not of their labels: a stream is shuffled only so far.
        for file in sorted(path.glob("*/*.txt"), key=lambda file: (file.name, file.parent.name)):
            found = True
            yield {"text": "\n".join(line for _, line in lines_of(file)), "label": file.parent.name}
        if not found:
            raise DataError(f"{path}: expected a folder of .txt files for each label; there is no such file.")

    return Records(path, read)


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
    if options and not is_table:
        raise ArgumentError(f"{path}: {', '.join(f'`{name}=`' for name in sorted(options))} is for tables (CSV, TSV).")
    if Path(path).is_dir():
        return read_folder(path)
    if suffix in _OBJECTS:
        return read_objects(path)
    if is_table:
        return read_table(path, **options)
    raise ArgumentError(
        f"{path}: can't tell the format from the name. Name the file with one of "
        f"{sorted([*_SEPARATORS, *_OBJECTS])}, or pass what `read_table(..., separator=)` reads."
    )
