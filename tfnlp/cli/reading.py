"""Files that the command line reads, and the options that say how."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

FileFormat = Literal["conll", "conllu", "jsonl"]
FormatOption = Annotated[FileFormat | None, typer.Option("--format", help="Where a file's name does not tell.")]
ColumnsOption = Annotated[
    str | None,
    typer.Option(
        help="What the columns hold: 'word,-,label' of a CoNLL file, 'text,label,-' of a table without a header; of "
        "CoNLL-U, the label's column."
    ),
]
SeparatorOption = Annotated[str | None, typer.Option(help="What stands between the columns of a table.")]
LabelSeparatorOption = Annotated[str | None, typer.Option(help="What stands between the labels of one text.")]
LabelNamesOption = Annotated[
    Path | None, typer.Option(help="A file that names, line by line, labels that are given as numbers from 0.")
]


def read_data(task: Any, path: Path, **options: Any) -> Any:
    """Read labelled data as the task's files are read.

    Args:
        task: whose records they are.
        path: the file or directory.
        options: of the reader, as the command line has them; None: not given.
    """
    from tfnlp.data.readers import read_lines
    from tfnlp.errors import ArgumentError

    given = {name: value for name, value in options.items() if value is not None}
    for name in sorted(set(given) - task.layout.options):
        raise ArgumentError(f"--{name.replace('_', '-')} says nothing about files of a {type(task).__name__}.")
    if "columns" in given:
        is_conllu = given.get("format") == "conllu" or ("format" not in given and ".conllu" in path.suffixes)
        columns = given.pop("columns")
        given |= {"label": columns} if is_conllu else {"columns": [name.strip() for name in columns.split(",")]}
    if "label_names" in given:
        given["label_names"] = list(read_lines(given["label_names"]))
    return task.layout.read(path, **given)


def read_inputs(file: Path | None) -> Iterator[Any]:
    """Yield what to ask: the lines of a text file or of standard input, or the objects of a `.jsonl` file."""
    from tfnlp.data.readers import read_lines, unpacked_suffix
    from tfnlp.data.tables import read_objects

    if file is None:
        return read_lines(sys.stdin.buffer, name="standard input")
    return iter(read_objects(file)) if unpacked_suffix(file) in (".jsonl", ".ndjson") else read_lines(file)
