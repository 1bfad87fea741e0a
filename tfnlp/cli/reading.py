"""Files that the command line reads, and the options that say how."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import typer

from tfnlp.cli.options import parameter

# The options of readers. Which of them a task's files have is said by the layout of its records.
READING: dict[str, inspect.Parameter] = {
    name: parameter(name, type_, typer.Option(help=help_))
    for name, type_, help_ in (
        (
            "columns",
            str,
            "What the columns hold: 'word,-,label' of a CoNLL file, 'text,label,-' of a table without a header; of "
            "CoNLL-U, the label's column.",
        ),
        ("rename", str, "Other names for the columns of a table with a header: 'review=text,sentiment=label'."),
        ("format", Literal["conll", "conllu", "jsonl", "kaggle", "brat"], "Where a file's name does not tell."),
        ("separator", str, "What stands between the columns of a table."),
        ("label_separator", str, "What stands between the labels of one text."),
        ("label_names", Path, "A file that names, line by line, labels that are given as numbers from 0."),
        ("encoding", str, "Of the files: 'gbk', 'cp1252' ...; else UTF-8."),
        ("on_error", Literal["raise", "skip"], "What to do with a record that can't be used."),
    )
}


def read_data(task: Any, paths: Sequence[Path], **options: Any) -> Any:
    """Read labelled data as the task's files are read.

    Args:
        task: whose records they are.
        paths: of files or directories, or patterns.
        options: of the reader, as the command line has them; None: not given.
    """
    from tfnlp.data.files import read_lines
    from tfnlp.errors import ArgumentError

    given = {name: value for name, value in options.items() if value is not None}
    for name in sorted(set(given) - task.layout.options_of_any):
        raise ArgumentError(f"--{name.replace('_', '-')} says nothing about files of a {type(task).__name__}.")
    if "columns" in given:
        is_conllu = given.get("format") == "conllu" or (
            "format" not in given and all(".conllu" in path.suffixes for path in paths)
        )
        columns = given.pop("columns")
        given |= {"label": columns} if is_conllu else {"columns": [name.strip() for name in columns.split(",")]}
    if "rename" in given:
        pairs = [pair.split("=") for pair in given["rename"].split(",")]
        if any(len(pair) != 2 for pair in pairs):
            raise ArgumentError(f"--rename must be 'old=new,old=new'; it is {given['rename']!r}.")
        given["rename"] = {old.strip(): new.strip() for old, new in pairs}
    if "label_names" in given:
        given["label_names"] = list(read_lines(given["label_names"]))
    return task.layout.read_file(paths[0] if len(paths) == 1 else paths, **given)


def read_inputs(file: Path | None) -> Iterator[Any]:
    """Yield what to ask: the lines of a text file or of standard input, or the objects of a `.jsonl` file."""
    from tfnlp.data.files import read_lines, unpacked_suffix
    from tfnlp.data.tables import read_objects

    if file is None:
        return read_lines(sys.stdin.buffer, name="standard input")
    return iter(read_objects(file)) if unpacked_suffix(file) in (".jsonl", ".ndjson") else read_lines(file)
