"""CoNLL columns and CoNLL-U to records of words with labels. Streams; knows no TensorFlow and no tokenizer."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tfnlp.data.files import OnError, Record, Records, existing_file, lines_of, not_empty, of_several_files
from tfnlp.errors import ArgumentError, DataError
from tfnlp.labels import are_tags, to_iob2

logger = logging.getLogger(__name__)

_CONLLU_COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
_REMEDY = (
    "Pass `columns=` to say what each column holds, `separator=` what stands between them, `comment=` how "
    "lines to skip begin."
)


@of_several_files
def read_conll(
    path: str | Path,
    *,
    columns: Sequence[str | None] | None = None,
    separator: str | None = None,
    comment: str | None = None,
    iob2: bool = True,
    encoding: str | None = None,
    on_error: OnError = "raise",
) -> Records:
    """Read a file of one word a line, an empty line after each sentence, as in CoNLL 2003 and WNUT.

    Args:
        path: the file; `.gz`, `.bz2` and `.xz` are unpacked while reading.
        columns: what each column holds, in order. `word` and `label` are read, `id` marks rows to skip (`3-4`,
            `5.1`), any other name, or None, is passed over. None: the first holds the word and the last the label.
        separator: the text between columns. None: a TAB where the line has one, else runs of spaces.
        comment: lines that begin so are skipped. None: `#tag` is a word, and only a line before a sentence that begins
            with `#` and has another number of columns than the sentence is a comment.
        iob2: rewrite sentences tagged in IOB1, BIOES, BILOU or BMES as IOB2. Labels that are no tags stay.
        encoding: of the file, by Python's names (`gbk`, `cp1252` ...); None: UTF-8.
        on_error: whether a line whose word is blank raises an error, or is left out (`skip`), counted and reported.

    Returns:
        Records with `words` and `labels`, lists of str of the same length.

    Raises:
        ArgumentError: if `columns` lacks `word` or `label`.
        DataError: if the file is missing, is not of the encoding, holds no sentence, or has a line of another form.
    """
    path = existing_file(path)
    for name in ("word", "label"):
        if columns is not None and list(columns).count(name) != 1:
            raise ArgumentError(f"`columns` must name {name!r} exactly once; it is {tuple(columns)}.")
    names = None if columns is None else [name or "-" for name in columns]

    def read() -> Iterator[Record]:
        reader = _Reader(path, names, separator, comment, on_error)
        for rows in not_empty(reader.sentences(lines_of(path, encoding)), f"{path}: the file holds no sentence."):
            labels = [row["label"] for row in rows]
            yield {
                "words": [row["word"] for row in rows],
                "labels": to_iob2(labels) if iob2 and are_tags(labels) else labels,
            }
        reader.report()

    return Records(path, read, on_error)


@of_several_files
def read_conllu(
    path: str | Path, *, label: str = "upos", encoding: str | None = None, on_error: OnError = "raise"
) -> Records:
    """Read a CoNLL-U file (https://universaldependencies.org/format.html).

    Multiword ranges (`3-4`) and empty nodes (`5.1`) are skipped.

    Args:
        path: the file; `.gz`, `.bz2` and `.xz` are unpacked while reading.
        label: the column to use as the label: `upos`, `xpos`, `deprel`, `lemma`, `feats`, ...
        encoding: as for `read_conll`.
        on_error: as for `read_conll`.

    Raises:
        ArgumentError: if there is no such column.
        DataError: as `read_conll`.
    """
    if label not in _CONLLU_COLUMNS:
        raise ArgumentError(f"unknown CoNLL-U column {label!r}; the columns are {list(_CONLLU_COLUMNS)}.")
    columns = ["word" if name == "form" else "label" if name == label else name for name in _CONLLU_COLUMNS]
    options = {"encoding": encoding, "on_error": on_error}
    return read_conll(path, columns=columns, separator="\t", comment="#", iob2=False, **options)  # type: ignore[arg-type]


@dataclass
class _Reader:
    """Reads the lines of a file once.

    Attributes:
        path: for messages.
        names: of the columns; None: the first holds the word and the last the label.
        separator: between columns; None: the line tells.
        comment: how lines to skip begin; None: see `read_conll`.
        on_error: what to do with blank words.
        width: how many columns the lines have, once one is read.
        skipped: the places of lines that were left out.
    """

    path: Path
    names: list[str] | None
    separator: str | None
    comment: str | None
    on_error: OnError
    width: int | None = None
    skipped: list[str] = field(default_factory=list)

    def sentences(self, lines: Iterator[tuple[int, str]]) -> Iterator[list[dict[str, str]]]:
        """Yield the rows of each sentence."""
        rows: list[dict[str, str]] = []
        block: list[tuple[int, str]] = []
        for number, line in lines:
            if line.strip().strip("\ufeff") and not line.startswith("-DOCSTART-"):
                block.append((number, line))
                continue
            rows = self._rows(block)
            block = []
            if rows:
                yield rows
        rows = self._rows(block)
        if rows:
            yield rows

    def _rows(self, block: list[tuple[int, str]]) -> list[dict[str, str]]:
        rows = []
        for i, (number, line) in enumerate(block):
            where = f"{self.path}:{number}"
            if self.comment is not None and line.startswith(self.comment):
                continue
            cells = self._cells(line)
            if self._is_comment(line, cells, block[i + 1 :]):
                continue
            row = self._row(cells, where)
            if row is not None and "-" not in row.get("id", "") and "." not in row.get("id", ""):
                rows.append(row)
        if self.names is None and len(rows) > 1 and all(row["word"] == str(i) for i, row in enumerate(rows, start=1)):
            raise DataError(
                f"{self.path}:{block[-1][0]}: the first column counts the words of a sentence (1, 2, 3 ...). "
                "Pass `columns=` to say what each column holds: 'id', 'word', 'label', or '-' for what is of no use."
            )
        return rows

    def _cells(self, line: str) -> list[str]:
        if self.separator:
            return line.split(self.separator)
        cells = line.rstrip().split("\t") if "\t" in line.rstrip() else [cell for cell in line.split(" ") if cell]
        if len(cells) == 1 or (not cells[0].strip() and len(line.split()) > 2):
            cells = line.split()  # other white space stands between them
        return cells

    def _is_comment(self, line: str, cells: list[str], following: list[tuple[int, str]]) -> bool:
        """Tell whether a line before a sentence is none of its words, where nothing says how comments begin."""
        if self.comment is not None or self.names is not None or not line.startswith("#") or not following:
            return False
        others = {len(self._cells(other)) for _, other in following if not other.startswith("#")}
        return bool(others) and len(cells) not in others

    def _row(self, cells: list[str], where: str) -> dict[str, str] | None:
        names = self.names
        if names is None:
            names = self._first_and_last(cells, where)
        if len(cells) != len(names):
            raise DataError(
                f"{where}: expected {len(names)} columns ({', '.join(names)}), found {len(cells)} ({_shown(cells)}). "
                f"{_REMEDY}"
            )
        row = {name: cell.strip() if name == "label" else cell for name, cell in zip(names, cells, strict=True)}
        for name in ("word", "label"):
            if not row[name].strip():
                if self.on_error == "skip":
                    self.skipped.append(where)
                    return None
                raise DataError(f"{where}: the {name} is empty. Pass `on_error='skip'` to leave such lines out.")
        return row

    def _first_and_last(self, cells: list[str], where: str) -> list[str]:
        """Return names for the columns of a line: of the word, of others, and of the label."""
        if self.width is None:
            self.width = len(cells)
            if len(cells) > 2:
                logger.info(
                    "%s: of %d columns, the first is taken for the word and the last for the label",
                    self.path,
                    len(cells),
                )
        if len(cells) < 2 or len(cells) != self.width:
            wanted = max(2, self.width)
            raise DataError(
                f"{where}: expected {wanted} columns (the first the word, the last the label), found {len(cells)} "
                f"({_shown(cells)}). {_REMEDY}"
            )
        return ["word", *["-"] * (len(cells) - 2), "label"]

    def report(self) -> None:
        """Log how many lines were left out."""
        if self.skipped:
            logger.warning(
                "%s: %d lines without a word or a label are left out: %s%s", self.path, len(self.skipped),
                ", ".join(self.skipped[:3]), " ..." if len(self.skipped) > 3 else "",
            )  # fmt: skip


def _shown(cells: Sequence[str]) -> str:
    return ", ".join(repr(cell) for cell in cells[:6]) + (", ..." if len(cells) > 6 else "")
