"""Records of questions about a context: SQuAD's and CMRC's files, JSON lines, lists. Knows no tokenizer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tfnlp.data.files import OnError, Record, Records, existing_file, lines_of, of_several_files, unpacked_suffix
from tfnlp.data.problems import text_problem
from tfnlp.data.sources import Layout, Source, as_record, checked
from tfnlp.data.tables import read_objects
from tfnlp.errors import ArgumentError, DataError

_MOST_OFF = 2  # characters by which the place of an answer may be wrong, where its text stands several times
_SYNONYMS = {"query": "question", "query_text": "question", "context_text": "context", "passage": "context"}


@of_several_files
def read_questions(path: str | Path, *, encoding: str | None = None, on_error: OnError = "raise") -> Records:
    """Read questions with their contexts and answers.

    A `.json` file is one of SQuAD (1.1 or 2.0, https://rajpurkar.github.io/SQuAD-explorer) or of CMRC 2018 in either of
    its forms (https://github.com/ymcui/cmrc2018), or the flat form of transformers' examples: `data`, of `question`,
    `context` and `answers`. A `.jsonl` file holds an object with these three a line. Packed files (`.gz`, `.bz2`,
    `.xz`) are unpacked while reading.

    Args:
        path: the file.
        encoding: of the file, by Python's names; None: UTF-8.
        on_error: whether a question that can't be used raises an error when the task reads it, or is left out (`skip`),
            counted and reported.

    Returns:
        Records with `id`, `question`, `context` and `answers`, as the file has them.

    Raises:
        ArgumentError: if the file's name tells neither.
        DataError: if the file is missing, damaged, or of another form.
    """
    suffix = unpacked_suffix(Path(path))
    if suffix in (".jsonl", ".ndjson"):
        return read_objects(path, encoding=encoding, on_error=on_error)
    if suffix == ".json":
        return Records(existing_file(path), lambda: _questions_of(Path(path), encoding), on_error)
    raise ArgumentError(
        f"{path}: can't tell the format from the name. Questions come as `.json` (SQuAD, CMRC) or `.jsonl`."
    )


def _questions_of(path: Path, encoding: str | None) -> Iterator[Record]:
    try:
        value = json.loads("\n".join(line for _, line in lines_of(path, encoding)))
    except json.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON: {error}.") from error
    articles: Any = value.get("data") if isinstance(value, dict) else value
    try:
        for article in articles:
            if "qas" not in article and {"question", "context"} <= set(article):
                yield _question(article, article["context"])
                continue
            for paragraph in article.get("paragraphs", [article]):
                context = paragraph["context_text" if "context_text" in paragraph else "context"]
                for question in paragraph["qas"]:
                    yield _question(question, context)
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: expected SQuAD's form (`data`, of `paragraphs`, of `context` and `qas`) or CMRC's; "
            f"{error!r} on the way."
        ) from error


def _question(item: Mapping[str, Any], context: str) -> Record:
    is_cmrc = "query_text" in item
    record = {
        "id": item.get("query_id" if is_cmrc else "id"),
        "question": item["query_text" if is_cmrc else "question"],
        "context": context,
    }
    if str(item.get("is_impossible", "")).lower() in ("true", "1"):  # files that spreadsheets wrote have it as text
        return record | {"answers": []}
    return record | ({"answers": item["answers"]} if "answers" in item else {})


def _pair(inputs: Any, answers: Any) -> Record:
    return {**inputs, "answers": answers}


LAYOUT = Layout(
    read=read_questions,
    synonyms=_SYNONYMS | {"answer": "answers"},
    classes="",
    pair=_pair,
    options=frozenset({"encoding", "on_error"}),
)


def checked_questions(source: Source) -> Iterator[Record]:
    """Yield the records of a source, made uniform: `question`, `context` and `answers`.

    An answer is its text and where it begins, in characters, or None where the record does not tell. One at least is in
    the context: beside it, CMRC has some in words of their own. A question without an answer has none.

    Raises:
        DataError: naming the first records that are wrong, and why, or if there are none.
    """
    return checked(source, _problem, lambda record: record | {"answers": _answers(record["answers"])})


def located(record: Record) -> tuple[int, int] | None:
    """Return `[start, end)`, in characters, of a checked record's first answer whose place is known or found.

    Returns:
        None: there is no answer.
    """
    for text, place in record["answers"]:
        if text in record["context"]:
            start = _nearest(record["context"], text, place or 0)
            return start, start + len(text)
    return None


def _nearest(context: str, text: str, place: int) -> int:
    """Return where a text stands in a context, nearest to a place; it stands there."""
    starts = [match.start() for match in re.finditer(f"(?={re.escape(text)})", context)]
    return min(starts, key=lambda start: (abs(start - place), start))


def as_question(given: Any, number: int) -> Record:
    """Make a record of what `predict` takes: a dict of `question` and `context`, or a tuple of the two.

    Raises:
        DataError: if it is none of these; `number` says which it is.
    """
    return as_record(given, LAYOUT, ("question", "context"), f"question {number}", problem=_text_problem)


def _text_problem(record: Record) -> str | None:
    for name in ("question", "context"):
        if name not in record:
            return f"expected 'question' and 'context'; found {sorted(map(str, record))}."
        problem = text_problem(record[name], name)
        if problem is not None:
            return problem
    return None


def _problem(record: Record) -> str | None:
    problem = _text_problem(record)
    if problem is not None:
        return problem
    if record.get("answers") is None:
        return "`answers` is missing: a list of answers, empty where the context holds none."
    try:
        answers = _answers(record["answers"])
    except (KeyError, TypeError, ValueError):
        return (
            "`answers` must be a list of texts, or of dicts of 'text' and 'answer_start', or a dict of two such "
            f"lists; found {record['answers']!r:.80}."
        )
    context = record["context"]
    if answers and not any(text in context for text, _ in answers):
        return f"the answer {answers[0][0]!r:.80} is not in its context."
    for text, start in answers:
        # CMRC's places are often one or two off; where the text stands but once, there is no doubt.
        if start is None or context.count(text) < 2:
            continue
        if abs(_nearest(context, text, start) - start) > _MOST_OFF:
            stands = context[start : start + len(text)]
            return f"the answer {text!r:.80} is not in its context at {start}, where {stands!r:.80} stands."
    return None


def _answers(given: Any) -> list[tuple[str, int | None]]:
    """Return the answers of a record, whichever way it tells them."""
    if isinstance(given, str):
        given = [given]
    elif isinstance(given, Mapping) and isinstance(given["text"], list):
        starts = given.get("answer_start") or [None] * len(given["text"])
        given = [{"text": text, "answer_start": start} for text, start in zip(given["text"], starts, strict=True)]
    elif isinstance(given, Mapping):
        given = [given]
    answers = []
    for answer in given:
        is_bare = isinstance(answer, (str, int, float))  # CMRC has numbers, which its script reads as text
        text, start = (str(answer), None) if is_bare else (answer["text"], answer.get("answer_start"))
        if not isinstance(text, str) or not isinstance(start, (int, type(None))):
            raise TypeError(answer)
        if text:  # CMRC gives -1 to what its annotators wrote in words of their own
            answers.append((text, None if start == -1 else start))
    return answers
