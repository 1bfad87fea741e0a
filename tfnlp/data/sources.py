"""Whatever holds examples to checked records: files, lists, pandas, `datasets`, `tf.data`. Knows no tokenizer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfnlp.data.readers import Record, Records, read_records
from tfnlp.errors import ArgumentError, DataError
from tfnlp.labels import Span

MAX_PROBLEMS = 5


@dataclass(frozen=True)
class Source:
    """Records that can be iterated again and again.

    Attributes:
        name: what to call it in messages.
        read: yields the records from the first.
        is_stream: whether they are read anew each time, and so are not to be kept in memory.
    """

    name: str
    read: Callable[[], Iterator[Record]]
    is_stream: bool

    def __iter__(self) -> Iterator[Record]:
        return self.read()


def as_source(data: Any) -> Source:
    """Make a source of a path, a reader's records, a list of records, a table, or a dataset.

    Records are dicts with `words` and `labels`, or `text` and `spans`; tables and datasets have such columns (`tokens`
    serves for `words`; `tags`, `ner_tags` and `pos_tags` for `labels`). A `tf.data.Dataset` may also hold pairs.

    Raises:
        ArgumentError: if it is none of these.
    """
    if isinstance(data, Source):
        return data
    if isinstance(data, (str, os.PathLike)):
        data = read_records(data)  # type: ignore[arg-type]
    if isinstance(data, Records):
        return Source(str(data.path), lambda: iter(data), is_stream=True)
    module = type(data).__module__.split(".")[0]
    if module == "pandas":
        return Source("the table", lambda: _renamed(data.to_dict("records")), is_stream=False)
    if module == "datasets":
        return Source("the dataset", lambda: _from_datasets(data), is_stream=True)
    if hasattr(data, "as_numpy_iterator"):
        return Source("the tf.data.Dataset", lambda: _from_tf_data(data), is_stream=True)
    if isinstance(data, Iterator):
        raise ArgumentError(
            "an iterator can be read only once, and training reads its data several times: pass a list, a file, or an "
            "object whose `__iter__` starts anew."
        )
    if isinstance(data, Iterable) and not isinstance(data, Mapping):
        return Source("the records", lambda: _renamed(data), is_stream=not isinstance(data, (list, tuple)))
    raise ArgumentError(f"can't read records from {type(data).__name__}: pass a file, a list of dicts, or a dataset.")


_SYNONYMS = {"tokens": "words", "tags": "labels", "ner_tags": "labels", "pos_tags": "labels", "entities": "spans"}


def _renamed(records: Iterable[Any]) -> Iterator[Record]:
    for record in records:
        if not isinstance(record, Mapping):
            raise DataError(f"a record must be a dict, as {{'words': [...], 'labels': [...]}}; found {record!r:.80}.")
        names = [_SYNONYMS.get(key, key) for key in record]
        for name in {"words", "labels", "spans"}.intersection(names):
            if names.count(name) > 1:
                both = [key for key in record if _SYNONYMS.get(key, key) == name]
                raise DataError(f"a record has {both}, which all mean {name!r}: keep one of them.")
        yield {name: _plain(value) for name, value in zip(names, record.values(), strict=True)}


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else value


def _from_datasets(data: Any) -> Iterator[Record]:
    names: dict[str, list[str]] = {}
    for column, feature in (data.features or {}).items():
        inner = getattr(feature, "feature", feature)
        if hasattr(inner, "names"):  # class labels come as integers
            names[_SYNONYMS.get(column, column)] = inner.names
    for record in _renamed(data):
        if "labels" in names and "labels" in record:
            record["labels"] = [names["labels"][label] for label in record["labels"]]
        yield record


def _from_tf_data(data: Any) -> Iterator[Record]:
    for element in data.as_numpy_iterator():
        if isinstance(element, tuple) and len(element) == 2:
            first, labels = map(_decoded, element)
            yield {"words": first, "labels": labels} if isinstance(first, list) else {"text": first, "spans": labels}
        elif isinstance(element, dict):
            yield from _renamed([{key: _decoded(value) for key, value in element.items()}])
        else:
            raise DataError(
                "an element of the tf.data.Dataset must be a dict, or a pair (words, labels) of string tensors."
            )


def _decoded(value: Any) -> Any:
    value = _plain(value)
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    return value.decode("utf-8") if isinstance(value, bytes) else value


def checked(source: Source, *, labelled: bool) -> Iterator[Record]:
    """Yield the records of a source, made uniform: `words` and `labels`, or `text` and `spans` of `Span`.

    Args:
        source: the records.
        labelled: whether labels must be there.

    Raises:
        DataError: naming the first records that are wrong, and why, or if there are none.
    """
    problems: list[str] = []
    count = 0
    for count, record in enumerate(source, start=1):
        problem = _problem(record, labelled)
        if problem:
            problems.append(f"{source.name}: record {count}: {problem}")
            if len(problems) == MAX_PROBLEMS:
                break
        elif not problems:
            yield _uniform(record)
    if problems:
        raise DataError("\n".join(problems))
    if not count:
        raise DataError(f"{source.name}: there are no records.")


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


def _problem(record: Record, labelled: bool) -> str | None:
    if "words" in record:
        return _words_problem(record, labelled)
    if "text" in record:
        return _text_problem(record, labelled)
    return f"expected 'words' and 'labels', or 'text' and 'spans'; found {sorted(map(str, record))}."


def _words_problem(record: Record, labelled: bool) -> str | None:
    words, labels = record["words"], record.get("labels")
    if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
        return f"`words` must be a list of strings; found {words!r:.80}."
    if any(map(_has_surrogate, words)):
        return "a word holds a lone surrogate, which no UTF-8 holds."
    if labels is None:
        return "`labels` are missing." if labelled else None
    if not isinstance(labels, (list, tuple)) or not all(isinstance(label, str) for label in labels):
        return f"`labels` must be a list of label names; found {labels!r:.80}."
    if len(words) != len(labels):
        return f"{len(words)} words but {len(labels)} labels."
    if labelled and not any(word.strip() for word in words):
        return "the text is empty."
    return None


def _text_problem(record: Record, labelled: bool) -> str | None:
    text, spans = record["text"], record.get("spans")
    if not isinstance(text, str):
        return f"`text` must be a string; found {text!r:.80}."
    if _has_surrogate(text):
        return "the text holds a lone surrogate, which no UTF-8 holds."
    if spans is None:
        return "`spans` are missing." if labelled else None
    if labelled and not text.strip():
        return "the text is empty."
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
        if any(map(_has_surrogate, words)):
            raise DataError(f"text {i}: it holds a lone surrogate, which no UTF-8 holds.")


def _has_surrogate(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)
