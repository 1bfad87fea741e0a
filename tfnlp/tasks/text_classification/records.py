"""Records of texts, or pairs of texts, with a label, several, or a number. Knows no tokenizer."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

from tfnlp.data.files import Record
from tfnlp.data.problems import missing_fields, text_problem
from tfnlp.data.sources import Layout, Source, checked
from tfnlp.data.tables import read_examples
from tfnlp.errors import DataError

ProblemType = Literal["single_label_classification", "multi_label_classification", "regression"]
SINGLE: Final = "single_label_classification"
MULTI: Final = "multi_label_classification"
REGRESSION: Final = "regression"
NUMBER: Final = "score"  # the name of a regression's one label
PROBLEM_TYPES = (SINGLE, MULTI, REGRESSION)

_FRACTION = re.compile(r"[-+]?\d*\.\d*[1-9]\d*")
_WHOLE = re.compile(r"[-+]?\d+\.0+")
_LIST = re.compile(r"\[.*\]")
_COMMA = re.compile(r"[-+]?\d+,\d+")

LAYOUT = Layout(
    read=read_examples,
    synonyms={
        "sentence": "text", "sentence1": "text", "premise": "text",
        "sentence2": "text_pair", "hypothesis": "text_pair",
        "labels": "label", "score": "label",
    },
    classes="label",
    pair=lambda first, second: {"text": first, "label": second},
    options=frozenset({"columns", "separator", "label_separator", "label_names", "rename", "encoding", "on_error"}),
)  # fmt: skip


def checked_examples(source: Source, problem_type: str) -> Iterator[Record]:
    """Yield the records of a source, made uniform: `text`, `text_pair` or None, and `label`.

    The label is a string, a list of strings, or a float, as the type of the problem wants it.

    Raises:
        DataError: naming the first records that are wrong, and why, or if there are none.
    """
    to_label = _TO_LABEL[problem_type]

    def problem(record: Record) -> str | None:
        return example_problem(record) or _label_problem(record, problem_type)

    def uniform(record: Record) -> Record:
        return {"text": record["text"], "text_pair": record.get("text_pair"), "label": to_label(record["label"])}

    return checked(source, problem, uniform)


def example_problem(record: Record, *, may_be_empty: bool = False) -> str | None:
    """Return what is wrong with a record's texts, or None."""
    if "question" in record:
        return "it has a 'question': name the two texts of a pair `text` and `text_pair`."
    if "text" not in record:
        return missing_fields(record, "text", "label")
    problem = text_problem(record["text"], "text", may_be_empty=may_be_empty)
    if problem is None and record.get("text_pair") is not None:
        problem = text_problem(record["text_pair"], "text_pair", may_be_empty=may_be_empty)
    return problem


def _label_problem(record: Record, problem_type: str) -> str | None:
    label = record.get("label")
    if label is None or (isinstance(label, float) and math.isnan(label)):
        return "`label` is missing."
    if problem_type == REGRESSION:
        try:
            value = float(label)
        except (TypeError, ValueError):
            return f"`label` must be a number; found {label!r:.80}."
        return None if math.isfinite(value) else f"`label` must be a finite number; found {label!r:.80}."
    if problem_type == MULTI:
        if not isinstance(label, (list, tuple)) or not all(isinstance(name, str) for name in label):
            return f"`label` must be a list of label names; found {label!r:.80}."
        return None
    is_name = isinstance(label, (str, int)) or (isinstance(label, float) and label.is_integer())
    if not is_name or not str(label).strip():
        return f"`label` must be the name of a label; found {label!r:.80}."
    return _suspicion(str(label).strip())


def _suspicion(label: str) -> str | None:
    """Return why the name of a label is likely something else, or None."""
    if _LIST.fullmatch(label):
        return (
            f"`label` {label!r:.80} looks like a list written as text. Give lists, or pass `label_separator=` for a "
            "file whose texts have several labels."
        )
    if _COMMA.fullmatch(label):
        return (
            f"`label` {label!r} is neither a name nor a number: write decimal fractions with a point, or pass "
            "`label_separator=','` if these are several labels."
        )
    return None


def _name(label: Any) -> str:
    name = str(label).strip()
    return name.split(".")[0] if _WHOLE.fullmatch(name) else name  # 1.0 was 1 before a table had gaps


def _names(labels: Any) -> list[str]:
    return [str(label).strip() for label in labels]


_TO_LABEL: dict[str, Callable[[Any], Any]] = {SINGLE: _name, MULTI: _names, REGRESSION: float}


def inferred_problem_type(source: Source) -> ProblemType:
    """Tell the type of a problem from its labels: a list of names, a decimal fraction, or names and whole numbers."""
    for record in source:
        label = record.get("label")
        if isinstance(label, (list, tuple)):
            return MULTI
        is_fraction = isinstance(label, float) and math.isfinite(label) and not label.is_integer()
        if is_fraction or (isinstance(label, str) and _FRACTION.fullmatch(label)):
            return REGRESSION
    return SINGLE


def as_example(given: Any, number: int) -> Record:
    """Make a record of what `predict` takes: a text, a pair of texts as a tuple, or a dict of `text` and `text_pair`.

    Raises:
        DataError: if it is none of these; `number` says which it is.
    """
    if isinstance(given, str):
        record: Record = {"text": given}
    elif isinstance(given, tuple) and len(given) == 2:
        record = {"text": given[0], "text_pair": given[1]}
    elif isinstance(given, Mapping):
        record = {LAYOUT.synonyms.get(name, name): value for name, value in given.items()}
    else:
        raise DataError(
            f"text {number}: expected a string, a pair of them, or a dict with 'text'; found {given!r:.80}."
        )
    problem = example_problem(record, may_be_empty=True)
    if problem is not None:
        raise DataError(f"text {number}: {problem}")
    return {"text": record["text"], "text_pair": record.get("text_pair")}


def check_pair(record: Record, where: str, *, pairs: bool) -> Record:
    """Return a record, which must be a pair of texts if the task classifies pairs, and else one text.

    Raises:
        DataError: if it is the other; `where` says which record it is.
    """
    if (record["text_pair"] is not None) != pairs:
        expected = "a pair of texts; found one" if pairs else "one text; found two"
        raise DataError(f"{where}: expected {expected}. `pairs=True` is for pairs, `pairs=False` not.")
    return record
