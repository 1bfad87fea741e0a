"""Plain texts: a line of a file each, JSON lines, lists and columns of strings. Knows no tokenizer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tfnlp.data.files import Records, are_files, existing_file, of_several_files, read_lines, unpacked_suffix
from tfnlp.data.sources import Layout, Source, as_source
from tfnlp.data.tables import read_objects


@of_several_files
def read_texts(path: str | Path) -> Records:
    """Read one text a line, empty lines left out; or of a `.jsonl` file the `text` of an object a line.

    Packed files (`.gz`, `.bz2`, `.xz`) are unpacked while reading.

    Raises:
        DataError: if the file is missing, is not UTF-8, or is empty.
    """
    path = existing_file(path)
    if unpacked_suffix(path) in (".jsonl", ".ndjson"):
        return read_objects(path)
    return Records(path, lambda: ({"text": line} for line in read_lines(path) if line.strip()))


def text_source(data: Any, layout: Layout) -> Source:
    """Make a source of whatever holds texts: a path, a list or column of strings, dicts, a table, a dataset.

    Args:
        data: one of these.
        layout: of the records.

    Raises:
        ArgumentError: if it is none of these.
    """
    if isinstance(data, Source):
        return data
    if hasattr(data, "tolist"):
        data = data.tolist()
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):  # a column of `datasets` among them
        if are_files(data):
            return as_source(data, layout)
        data = [{"text": item} if isinstance(item, str) else item for item in data]
    return as_source(data, layout)
