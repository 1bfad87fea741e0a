"""Files of labelled words and of texts with spans, in whichever format. Knows no TensorFlow and no tokenizer."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfnlp.data.annotations import annotated_text, named, read_brat
from tfnlp.data.column_files import reader_of_columns
from tfnlp.data.conll import read_conll, read_conllu
from tfnlp.data.files import (
    OnError,
    Record,
    Records,
    existing_file,
    lines_of,
    objects_of,
    of_several_files,
    unpacked_suffix,
)
from tfnlp.errors import ArgumentError, DataError
from tfnlp.paths import local_path

logger = logging.getLogger(__name__)

_FORMATS = {
    **dict.fromkeys((".conll", ".tsv", ".txt", ".iob", ".iob2", ".bio", ".bioes", ".bmes", ".annotated"), "conll"),
    ".conllu": "conllu",
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), "jsonl"),
    ".csv": "kaggle",
}
_KAGGLE = ("Sentence #", "Word", "Tag")


@of_several_files
def read_jsonl(
    path: str | Path,
    *,
    words: str = "words",
    labels: str = "labels",
    text: str = "text",
    label_names: Sequence[str] | None = None,
    encoding: str | None = None,
    on_error: OnError = "raise",
) -> Records:
    """Read JSON lines, or a JSON list: words and labels, or a text and character spans.

    The layouts of doccano, Label Studio (JSON and JSON-MIN), Prodigy, DataTurks, spaCy and CLUENER are told apart. Of
    Prodigy's records, those that were not accepted are left out, counted and reported.

    Args:
        path: the file; `.gz`, `.bz2` and `.xz` are unpacked while reading.
        words: the key of the list of words; `tokens` serves as well.
        labels: the key of the list of labels, as long as the words; `tags`, `ner_tags` and `pos_tags` serve as well.
        text: the key of the text; `content`, `data` and `sentence` serve as well. Its spans stand under `spans`,
            `entities`, `label`, `labels` or `annotations`, each `{"start": 0, "end": 5, "label": "PER"}` or
            `[0, 5, "PER"]`, in characters.
        label_names: the names of labels that are given as numbers from 0.
        encoding: of the file, by Python's names; None: UTF-8.
        on_error: whether a record that can't be used raises an error when the task reads it, or is left out (`skip`),
            counted and reported.

    Returns:
        Records with `words` and `labels`, or with `text` and `spans` (a list of `(start, end, label)`). Labels may be
        absent, for prediction.

    Raises:
        DataError: if the file is missing, is not UTF-8, is empty, or a line is no such object.
    """
    path = existing_file(path)

    def read() -> Iterator[Record]:
        num_rejected = 0
        for where, value in objects_of(path, encoding):
            record = _tagged_words(value, where, words, labels, label_names)
            if record is None:
                record = annotated_text(value, where, text, label_names)
            if record is None:
                num_rejected += 1
            else:
                yield record
        if num_rejected:
            logger.warning("%s: %d records that were not accepted are left out", path, num_rejected)

    return Records(path, read, on_error)


def _tagged_words(value: Any, where: str, words: str, labels: str, label_names: Sequence[str] | None) -> Record | None:
    """Make a record of words of an object; None: it holds none."""
    if not isinstance(value, Mapping):
        return None
    key = next((key for key in (words, "tokens") if _is_list_of_texts(value.get(key))), None)
    if key is None:
        return None
    of_labels = next((name for name in (labels, "labels", "tags", "ner_tags", "pos_tags") if name in value), None)
    if of_labels is None:
        return {"words": value[key]}
    given = value[of_labels]
    if isinstance(given, list):
        given = [named(label, label_names, where) for label in given]
    return {"words": value[key], "labels": given}


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


@of_several_files
def read_kaggle(path: str | Path, *, encoding: str | None = None, on_error: OnError = "raise") -> Records:
    """Read the layout of Kaggle's `ner_dataset.csv`: a word a line, its sentence named in the first word's line.

    Args:
        path: the file, with the columns `Sentence #`, `Word` and `Tag`.
        encoding: as for `read_jsonl`; that file is in `latin-1`.
        on_error: as for `read_jsonl`.

    Raises:
        DataError: if the file is missing, or has other columns.
    """
    path = existing_file(path)

    def read() -> Iterator[Record]:
        rows = csv.DictReader(line + "\n" for _, line in lines_of(path, encoding))
        if not set(_KAGGLE) <= set(rows.fieldnames or ()):
            raise DataError(
                f"{path}: a table of labelled words has the columns {', '.join(map(repr, _KAGGLE))}, as Kaggle's "
                f"`ner_dataset.csv`; found {rows.fieldnames}."
            )
        record: Record = {"words": [], "labels": []}
        for row in rows:
            if row["Sentence #"] and record["words"]:
                yield record
                record = {"words": [], "labels": []}
            record["words"].append(row["Word"])
            record["labels"].append(row["Tag"])
        if record["words"]:
            yield record

    return Records(path, read, on_error)


_READERS: dict[str, Callable[..., Records]] = {
    "conll": read_conll,
    "conllu": read_conllu,
    "jsonl": read_jsonl,
    "kaggle": read_kaggle,
    "brat": read_brat,
}


@of_several_files
def read_records(path: str | Path, *, format: str | None = None, **options: Any) -> Records:
    """Read a file in the format that its name tells: `.conll`, `.parquet`, `.jsonl` and their kin, or a folder of brat.

    Args:
        path: the file or folder.
        format: `conll`, `conllu`, `jsonl`, `kaggle` or `brat`, where the name does not tell.
        options: passed to the reader; of Parquet, Excel and TFRecord files, `rename` and `on_error`.

    Raises:
        ArgumentError: if neither the name nor `format` tells the format.
    """
    reader = reader_of_columns(path) if format is None else None
    if reader is not None:
        return reader(path, **options)
    by_name = "brat" if local_path(path).is_dir() else _FORMATS.get(unpacked_suffix(Path(path)), "")
    name = format or by_name
    if name not in _READERS:
        raise ArgumentError(
            f"{path}: can't tell the format from the name. Pass `format=` one of {sorted(_READERS)}, or name the file "
            f"with one of {sorted(_FORMATS)}, or as a Parquet, Excel or TFRecord file."
        )
    return _READERS[name](path, **options)
