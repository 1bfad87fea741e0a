"""Records of labelled words, or of texts with spans: what a token classifier reads. Knows no tokenizer."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

from tfnlp.data.files import Record
from tfnlp.data.problems import has_surrogate, text_problem
from tfnlp.data.readers import read_records
from tfnlp.data.sources import Layout, Source, checked
from tfnlp.errors import DataError, LabelError
from tfnlp.labels import Span, are_tags, tags_to_spans, to_iob2
from tfnlp.tag_spellings import tag_spelling
from tfnlp.tokenization.word_breaks import is_unspaced


def _pair(first: Any, second: Any) -> Record:
    return {"words": first, "labels": second} if isinstance(first, list) else {"text": first, "spans": second}


LAYOUT = Layout(
    read=read_records,
    synonyms={"tokens": "words", "tags": "labels", "ner_tags": "labels", "pos_tags": "labels", "entities": "spans"},
    classes="labels",
    pair=_pair,
    options=frozenset({"columns", "format", "label_names", "encoding", "on_error"}),
)


def checked_tokens(source: Source) -> Iterator[Record]:
    """Yield the records of a source, made uniform: `words` and `labels`, or `text` and `spans` of `Span`.

    Raises:
        DataError: naming the first records that are wrong, and why, or if there are none.
    """
    spelling = _spelling(source)
    return checked(source, _problem, lambda record: _uniform(record, spelling))


def _spelling(source: Source) -> Mapping[str, str] | None:
    """Return how the tags of a source are spelt, and say so; None: as usual, or its labels are no tags.

    Raises:
        LabelError: if some labels are tags and some are not, or they can be read in two ways.
    """
    if "spelling" not in source.known:
        names: set[str] = set()
        for record in source:
            labels = record.get("labels") if "words" in record else None
            if isinstance(labels, (list, tuple)):
                names.update(label.strip() for label in labels if isinstance(label, str))
        try:
            spelling = tag_spelling(names)
        except LabelError as error:
            raise LabelError(f"{source.name}: {error}") from None
        source.known["spelling"] = spelling
        if spelling is not None:
            shown = ", ".join(f"{name!r} as {tag!r}" for name, tag in list(spelling.items())[:6] if name != tag)
            source.report(logging.WARNING, f"labels are read as tags of entities: {shown}")
    return source.known["spelling"]


def _uniform(record: Record, spelling: Mapping[str, str] | None) -> Record:
    if "words" in record:
        words, labels = list(record["words"]), [label.strip() for label in record["labels"]]
        if spelling is not None:
            labels = to_iob2([spelling[label] for label in labels])
        return _as_running_text(words, labels) or {"words": words, "labels": labels}
    return {"text": record["text"], "spans": [_trimmed(_span(span), record["text"]) for span in record["spans"]]}


def _trimmed(span: Span, text: str) -> Span:
    """Leave white space at a span's ends out."""
    covered = text[span.start : span.end]
    if not covered.strip():
        return span
    start = span.start + len(covered) - len(covered.lstrip())
    return Span(span.label, start, start + len(covered.strip()))


def _as_running_text(words: Sequence[str], labels: Sequence[str]) -> Record | None:
    """Write tagged words of a script without spaces as the text that they make, with spans; None: they are apart.

    As text, tokenizers see them as they will see the texts of users. A space stands between two words of letters or
    digits that are of scripts with spaces, unless each word is one character, as in a file of one character a line.
    """
    touching = [(one[-1:], other[:1]) for one, other in pairwise(words)]
    if not are_tags(labels) or not any(a and b and is_unspaced(a) and is_unspaced(b) for a, b in touching):
        return None
    are_characters = all(len(word) == 1 for word in words)
    gaps = [
        " " if not are_characters and all(char.isalnum() and not is_unspaced(char) for char in pair) else ""
        for pair in touching
    ]
    pieces = [word + gap for word, gap in zip(words, [*gaps, ""], strict=True)]
    ends = list(accumulate(map(len, pieces)))
    starts = [0, *ends]
    spans = [
        Span(span.label, starts[span.start], starts[span.end - 1] + len(words[span.end - 1]))
        for span in tags_to_spans(labels)
    ]
    return {"text": "".join(pieces), "spans": spans}


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


def is_one_text(texts: Any) -> bool:
    """Tell whether what `predict` takes is one text.

    Raises:
        DataError: if it is a single record, or a table.
    """
    if isinstance(texts, Mapping) or hasattr(texts, "iterrows"):
        raise DataError(f"expected texts; found a {type(texts).__name__}. Pass a list of texts, such as one column.")
    return isinstance(texts, str)


def as_text_or_words(given: Any, number: int) -> Record:
    """Make a record of what `predict` takes: a text, a list of words, or a dict of `text` or `words`.

    Raises:
        DataError: if it is none of these; `number` says which it is.
    """
    if isinstance(given, Mapping):
        given = given.get("words", given.get("text"))
    words = [given] if isinstance(given, str) else given
    if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
        raise DataError(f"text {number}: expected a string or a list of words; found {given!r:.80}.")
    if any(map(has_surrogate, words)):
        raise DataError(f"text {number}: it holds a lone surrogate, which no UTF-8 holds.")
    return {"text": given} if isinstance(given, str) else {"words": list(given)}
