"""Records of a text and the text to make of it. Knows no tokenizer."""

from __future__ import annotations

from collections.abc import Iterator

from tfnlp.data.files import Record
from tfnlp.data.problems import missing_fields, text_problem
from tfnlp.data.sources import Layout, Source, checked
from tfnlp.data.tables import read_examples

LAYOUT = Layout(
    read=read_examples,
    synonyms={
        "source": "text", "input": "text", "document": "text", "article": "text", "dialogue": "text",
        "question": "text",
        "output": "target", "summary": "target", "highlights": "target", "answer": "target", "label": "target",
        "text_pair": "target",
    },
    classes="",
    pair=lambda first, second: {"text": first, "target": second},
    options=frozenset({"columns", "separator", "rename", "encoding", "on_error"}),
)  # fmt: skip


def checked_pairs(source: Source, *, source_lang: str = "") -> Iterator[Record]:
    """Yield records of a `text` and a `target`.

    Args:
        source: the records. A `translation`, a dict of two texts by language, is one as well.
        source_lang: the language of its text (`en_XX` for `en`); empty: that which stands first.

    Raises:
        DataError: naming the first records that are wrong, and why, or if there are none.
    """

    def problem(record: Record) -> str | None:
        record = uniform(record)
        for name in ("text", "target"):
            if name not in record:
                return missing_fields(record, "text", "target")
            reason = text_problem(record[name], name)
            if reason is not None:
                return reason
        return None

    def uniform(record: Record) -> Record:
        return _of_languages(record, source_lang)

    return checked(source, problem, uniform)


def _of_languages(record: Record, source_lang: str) -> Record:
    languages = record.get("translation")
    if isinstance(languages, dict) and len(languages) == 2:
        first, second = languages
        if source_lang.split("_", maxsplit=1)[0] == second:
            first, second = second, first
        return {"text": languages[first], "target": languages[second]}
    return record
