"""Files to records: CoNLL columns, CoNLL-U, JSON lines. Streams; knows no TensorFlow and no tokenizer."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tfnlp.errors import ArgumentError, DataError
from tfnlp.labels import are_tags, to_iob2

Record = dict[str, Any]

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_CONLLU_COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
_FORMATS = {
    ".conll": "conll",
    ".tsv": "conll",
    ".txt": "conll",
    ".iob": "conll",
    ".iob2": "conll",
    ".bio": "conll",
    ".bioes": "conll",
    ".bmes": "conll",
    ".annotated": "conll",
    ".conllu": "conllu",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


@dataclass(frozen=True)
class Records:
    """The records of a file, read anew at every iteration, so that a file larger than memory works.

    Attributes:
        path: the file.
        read: yields the file's records from the first.
    """

    path: Path
    read: Callable[[], Iterator[Record]]

    def __iter__(self) -> Iterator[Record]:
        return self.read()

    def __repr__(self) -> str:
        return f"Records({str(self.path)!r})"


def read_conll(
    path: str | Path,
    *,
    columns: Sequence[str | None] = ("word", "label"),
    separator: str | None = None,
    comment: str | None = None,
    iob2: bool = True,
) -> Records:
    """Read a file of one word a line, an empty line after each sentence, as in CoNLL 2003 and WNUT.

    Args:
        path: the file; `.gz`, `.bz2` and `.xz` are unpacked while reading.
        columns: what each column holds, in order. `word` and `label` are read, `id` marks rows to skip (`3-4`,
            `5.1`), any other name, or None, is passed over.
        separator: the text between columns. None: a TAB where the line has one, else runs of spaces.
        comment: lines that begin so are skipped. None: there are no comments, and `#tag` is a word.
        iob2: rewrite sentences tagged in IOB1, BIOES, BILOU or BMES as IOB2. Labels that are no tags stay.

    Returns:
        Records with `words` and `labels`, lists of str of the same length.

    Raises:
        ArgumentError: if `columns` lacks `word` or `label`.
        DataError: if the file is missing, is not UTF-8, holds no sentence, or has a line of another form.
    """
    path = existing_file(path)
    for name in ("word", "label"):
        if list(columns).count(name) != 1:
            raise ArgumentError(f"`columns` must name {name!r} exactly once; it is {tuple(columns)}.")
    names = [name or "-" for name in columns]

    def read() -> Iterator[Record]:
        found = False
        for rows in _sentences(path, names, separator, comment):
            found = True
            labels = [row["label"] for row in rows]
            yield {
                "words": [row["word"] for row in rows],
                "labels": to_iob2(labels) if iob2 and are_tags(labels) else labels,
            }
        if not found:
            raise DataError(f"{path}: the file holds no sentence.")

    return Records(path, read)


def read_conllu(path: str | Path, *, label: str = "upos") -> Records:
    """Read a CoNLL-U file (https://universaldependencies.org/format.html).

    Multiword ranges (`3-4`) and empty nodes (`5.1`) are skipped.

    Args:
        path: the file; `.gz`, `.bz2` and `.xz` are unpacked while reading.
        label: the column to use as the label: `upos`, `xpos`, `deprel`, `lemma`, `feats`, ...

    Raises:
        ArgumentError: if there is no such column.
        DataError: as `read_conll`.
    """
    if label not in _CONLLU_COLUMNS:
        raise ArgumentError(f"unknown CoNLL-U column {label!r}; the columns are {list(_CONLLU_COLUMNS)}.")
    columns = ["word" if name == "form" else "label" if name == label else name for name in _CONLLU_COLUMNS]
    return read_conll(path, columns=columns, separator="\t", comment="#", iob2=False)


def read_jsonl(path: str | Path, *, words: str = "words", labels: str = "labels", text: str = "text") -> Records:
    """Read one JSON object a line: words and labels, or a text and character spans.

    Args:
        path: the file; `.gz`, `.bz2` and `.xz` are unpacked while reading.
        words: the key of the list of words (`tokens` in many data sets).
        labels: the key of the list of labels, as long as the words.
        text: the key of the text. Its spans stand under `spans`, `entities` or `label`, each
            `{"start": 0, "end": 5, "label": "PER"}` or `[0, 5, "PER"]`, in characters.

    Returns:
        Records with `words` and `labels`, or with `text` and `spans` (a list of `(start, end, label)`). Labels may be
        absent, for prediction.

    Raises:
        DataError: if the file is missing, is not UTF-8, is empty, or a line is no such object.
    """
    path = existing_file(path)

    def read() -> Iterator[Record]:
        for where, found in objects_of(path):
            yield _json_record(found, where, words, labels, text)

    return Records(path, read)


def read_records(path: str | Path, *, format: str | None = None, **options: Any) -> Records:
    """Read a file in the format that its name tells: `.conll`, `.conllu`, `.jsonl` and their kin.

    Args:
        path: the file.
        format: `conll`, `conllu` or `jsonl`, where the name does not tell.
        options: passed to the reader.

    Raises:
        ArgumentError: if neither the name nor `format` tells the format.
    """
    readers: dict[str, Callable[..., Records]] = {"conll": read_conll, "conllu": read_conllu, "jsonl": read_jsonl}
    name = format or _FORMATS.get(unpacked_suffix(Path(path)), "")
    if name not in readers:
        raise ArgumentError(
            f"{path}: can't tell the format from the name. Pass `format=` one of {sorted(readers)}, or name the file "
            f"with one of {sorted(_FORMATS)}."
        )
    return readers[name](path, **options)


def read_lines(source: str | Path | BinaryIO, *, name: str | None = None) -> Iterator[str]:
    """Yield the lines of a text file, or of a binary stream, one by one.

    Args:
        source: the file; `.gz`, `.bz2` and `.xz` are unpacked while reading.
        name: what to call a stream in messages.

    Raises:
        DataError: if the file is missing, is not UTF-8, or has no line.
    """
    lines = (
        lines_of(existing_file(source)) if isinstance(source, (str, Path)) else _decoded(source, name or "the stream")
    )
    found = False
    for _, line in lines:
        found = True
        yield line
    if not found:
        raise DataError(f"{name or source}: the file is empty.")


def unpacked_suffix(path: Path) -> str:
    """Return the last ending of a file's name, in lower case, but for that of a packed file."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in _OPENERS]
    return suffixes[-1] if suffixes else ""


def existing_file(path: str | Path) -> Path:
    """Return a file's path, or raise `DataError` if there is no such file."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file." if not path.exists() else f"{path}: this is a directory.")
    return path


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file with their numbers, without their ends; packed files are unpacked."""
    opener = _OPENERS.get(path.suffix.lower(), open)
    with opener(path, "rb") as file:
        try:
            yield from _decoded(file, str(path))
        except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
            raise DataError(f"{path}: the packed file is cut short or damaged: {error}.") from error


def _decoded(file: BinaryIO, name: str) -> Iterator[tuple[int, str]]:
    for number, raw in enumerate(file, start=1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(
                f"{name}:{number}: byte 0x{raw[error.start]:02x} at position {error.start} is not UTF-8. "
                "Convert the file to UTF-8."
            ) from error
        yield number, line.rstrip("\r\n")


def _sentences(
    path: Path, names: list[str], separator: str | None, comment: str | None
) -> Iterator[list[dict[str, str]]]:
    rows: list[dict[str, str]] = []
    for number, line in lines_of(path):
        if not line.strip() or line.startswith("-DOCSTART-"):
            if rows:
                yield rows
                rows = []
        elif comment is None or not line.startswith(comment):
            row = _row(line, names, separator, f"{path}:{number}")
            if "-" not in row.get("id", "") and "." not in row.get("id", ""):
                rows.append(row)
    if rows:
        yield rows


def _row(line: str, names: list[str], separator: str | None, where: str) -> dict[str, str]:
    if separator is None:
        separator = "\t" if "\t" in line else None
    cells = line.split(separator) if separator else [cell for cell in line.split(" ") if cell]
    if len(cells) != len(names):
        shown = ", ".join(repr(cell) for cell in cells[:6]) + (", ..." if len(cells) > 6 else "")
        raise DataError(
            f"{where}: expected {len(names)} columns ({', '.join(names)}), found {len(cells)} ({shown}). "
            "Pass `columns=` to say what each column holds, `separator=` what stands between them, `comment=` how "
            "lines to skip begin."
        )
    row = dict(zip(names, cells, strict=True))
    for name in ("word", "label"):
        if not row[name].strip():
            raise DataError(f"{where}: the {name} is empty.")
    return row


def objects_of(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the JSON object of each line that is not empty, and where it stands.

    Raises:
        DataError: if a line is no object, or there is none.
    """
    is_empty = True
    for number, line in lines_of(path):
        if not line.strip():
            continue
        is_empty = False
        where = f"{path}:{number}"
        try:
            found = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{where}: not JSON: {error}.") from error
        if not isinstance(found, dict):
            raise DataError(f"{where}: expected a JSON object, found {type(found).__name__}.")
        yield where, found
    if is_empty:
        raise DataError(f"{path}: the file holds no record.")


def _json_record(found: dict[str, Any], where: str, words: str, labels: str, text: str) -> Record:
    if words in found:
        record = {"words": found[words]}
        return record | ({"labels": found[labels]} if labels in found else {})
    if text in found:
        spans = next((found[key] for key in ("spans", "entities", "label") if key in found), None)
        record = {"text": found[text]}
        return record | ({"spans": _spans(spans, where)} if spans is not None else {})
    raise DataError(
        f"{where}: expected {words!r} with {labels!r}, or {text!r} with 'spans'; found the keys {sorted(found)}. "
        "Pass `words=`, `labels=` or `text=` to name them."
    )


def _spans(spans: Iterable[Any], where: str) -> list[tuple[int, int, str]]:
    try:
        return [
            (span["start"], span["end"], span["label"]) if isinstance(span, dict) else (span[0], span[1], span[2])
            for span in spans
        ]
    except (KeyError, IndexError, TypeError) as error:
        raise DataError(
            f'{where}: a span must be {{"start": 0, "end": 5, "label": "PER"}} or [0, 5, "PER"]; found {spans!r}.'
        ) from error
