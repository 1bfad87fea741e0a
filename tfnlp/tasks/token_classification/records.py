"""Records of labelled words, or of texts with spans: what a token classifier reads. Knows no tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tfnlp.data.readers import Record, read_records
from tfnlp.data.sources import Layout, Source, checked, has_surrogate, text_problem
from tfnlp.errors import DataError
from tfnlp.labels import Span


def _pair(first: Any, second: Any) -> Record:
    return {"words": first, "labels": second} if isinstance(first, list) else {"text": first, "spans": second}


LAYOUT = Layout(
    read=read_records,
    synonyms={"tokens": "words", "tags": "labels", "ner_tags": "labels", "pos_tags": "labels", "entities": "spans"},
    classes="labels",
    pair=_pair,
    options=frozenset({"columns", "format"}),
)


def checked_tokens(source: Source) -> Iterator[Record]:
    """Yield the records of a source, made uniform: `words` and `labels`, or `text` and `spans` of `Span`.

    Raises:
        DataError: naming the first records that are wrong, and why, or if there are none.
    """
    return checked(source, _problem, _uniform)


def _uniform(record: Record) -> Record:
    if "words" in record:
        return {key: list(record[key]) for key in ("words", "labels") if key in record}
    spans = {"spans": [_span(span) for span in record["spans"]]} if "spans" in record else {}
    return {"text": record["text"], **spans}


def _span(span: Any) -> Span:
    if isinstance(span, Mapping):
        return Span(span["label"], span["start"], span["end"])
    if isinstance(span, Span):
        return span
    start, end, label = span
    return Span(label, start, end)


def _problem(record: Record) -> str | None:
    if "words" in record:
        return _words_problem(record)
    if "text" in record:
        return _spans_problem(record)
    return f"expected 'words' and 'labels', or 'text' and 'spans'; found {sorted(map(str, record))}."


def _words_problem(record: Record) -> str | None:
    words, labels = record["words"], record.get("labels")
    if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
        return f"`words` must be a list of strings; found {words!r:.80}."
    if any(map(has_surrogate, words)):
        return "a word holds a lone surrogate, which no UTF-8 holds."
    if labels is None:
        return "`labels` are missing."
    if not isinstance(labels, (list, tuple)) or not all(isinstance(label, str) for label in labels):
        return f"`labels` must be a list of label names; found {labels!r:.80}."
    if len(words) != len(labels):
        return f"{len(words)} words but {len(labels)} labels."
    if not any(word.strip() for word in words):
        return "the text is empty."
    return None


def _spans_problem(record: Record) -> str | None:
    text, spans = record["text"], record.get("spans")
    problem = text_problem(text, "text")
    if problem:
        return problem
    if spans is None:
        return "`spans` are missing."
    for given in spans:
        try:
            label, start, end = _span(given)
        except (KeyError, TypeError, ValueError):
            return f"a span must be (start, end, label); found {given!r:.80}."
        if not (isinstance(start, int) and isinstance(end, int) and isinstance(label, str)):
            return f"a span must be (int, int, str); found {given!r:.80}."
        if not 0 <= start < end <= len(text):
            return f"the span [{start}, {end}) {label!r} does not lie within the text of {len(text)} characters."
    return None


def texts_of(texts: Iterable[Any]) -> Iterator[Any]:
    """Yield the text, or the words, of texts or of records.

    Raises:
        DataError: if it is a single record, or a table.
    """
    if isinstance(texts, Mapping) or hasattr(texts, "iterrows"):
        raise DataError(f"expected texts; found a {type(texts).__name__}. Pass a list of texts, such as one column.")
    for text in texts:
        yield text.get("words", text.get("text")) if isinstance(text, Mapping) else text


def check_texts(texts: Sequence[Any], number: int) -> None:
    """Raise `DataError` if a text is neither a string nor a list of strings; `number` texts came before."""
    for i, text in enumerate(texts, start=number + 1):
        words = [text] if isinstance(text, str) else text
        if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
            raise DataError(f"text {i}: expected a string or a list of words; found {text!r:.80}.")
        if any(map(has_surrogate, words)):
            raise DataError(f"text {i}: it holds a lone surrogate, which no UTF-8 holds.")
