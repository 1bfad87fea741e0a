"""Records of plain texts, without labels: a line of a file each, JSON lines, lists. Knows no tokenizer."""

from __future__ import annotations

from collections.abc import Iterator

from tfnlp.data.files import Record
from tfnlp.data.plain_texts import read_texts
from tfnlp.data.problems import missing_fields, text_problem
from tfnlp.data.sources import Layout, Source, checked

LAYOUT = Layout(
    read=read_texts,
    synonyms={"sentence": "text", "content": "text"},
    classes="",
    pair=lambda first, second: {"text": first, "text_pair": second},
)


def checked_texts(source: Source) -> Iterator[str]:
    """Yield the texts of a source.

    Raises:
        DataError: naming the first records that are wrong, and why, or if there are none.
    """

    def problem(record: Record) -> str | None:
        if "text" not in record:
            return missing_fields(record, "text")
        return text_problem(record["text"], "text")

    return (record["text"] for record in checked(source, problem, lambda record: record))
