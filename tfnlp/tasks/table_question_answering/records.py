"""Records of questions about tables: JSON lines, lists, pandas, `datasets`. Needs pandas, as TAPAS's tokenizer does."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tfnlp.data.files import Record
from tfnlp.data.problems import text_problem
from tfnlp.data.sources import Layout, Source, as_record, checked
from tfnlp.data.tables import read_objects
from tfnlp.errors import DataError

LAYOUT = Layout(
    read=read_objects,
    synonyms={
        "question": "query",
        "answer_text": "answers",
        "coordinates": "answer_coordinates",
        "aggregator": "aggregation_label",
    },
    classes="",
    pair=lambda inputs, answers: {**inputs, "answers": answers},
    options=frozenset({"encoding", "on_error"}),
)


@dataclass(frozen=True)
class Supervision:
    """What a TAPAS checkpoint learns from, as its configuration tells (Herzig et al. 2020).

    Attributes:
        aggregations: the names of what may be done with the cells, in the network's order; empty: nothing.
        by_answer: whether it learns which of them from the answer's number (WikiTableQuestions), not from its name.
    """

    aggregations: tuple[str, ...]
    by_answer: bool

    @property
    def by_name(self) -> bool:
        """Whether records must name what is done with the cells (WikiSQL)."""
        return bool(self.aggregations) and not self.by_answer


def as_table_question(given: Any, number: int) -> Record:
    """Make a record of what `predict` takes: a dict of `table` and `query`, or a tuple of the two.

    Returns:
        `table`, a `pandas.DataFrame` of texts, and `query`.

    Raises:
        DataError: if it is none of these; `number` says which it is.
    """
    record = _with_table(as_record(given, LAYOUT, ("table", "query"), f"question {number}"))
    problem = _question_problem(record)
    if problem is not None:
        raise DataError(f"question {number}: {problem}")
    return {"table": record["table"], "query": record["query"]}


def as_table(given: Any) -> Any:
    """Make a `pandas.DataFrame` of texts, names of columns included, which is what TAPAS's tokenizer knows.

    Args:
        given: a DataFrame, a dict of columns, or a dict of `header` and `rows` as WikiTableQuestions has it.

    Raises:
        ValueError: if it is none of these.
    """
    import pandas

    if isinstance(given, Mapping) and {"header", "rows"} <= set(given):
        given = pandas.DataFrame(given["rows"], columns=given["header"])
    table = pandas.DataFrame(given).astype(str).astype(object).reset_index(drop=True)
    return table.set_axis([str(name) for name in table.columns], axis=1)


def checked_table_questions(source: Source, supervision: Supervision, *, is_training: bool) -> Iterator[Record]:
    """Yield the records of a source, made uniform.

    Args:
        source: of dicts of `table`, `query`, and what is right: `answers`, a list of texts, or `answer_coordinates`,
            a list of row and column, both from 0; `aggregation_label`, a name or an index, where the checkpoint learns
            from names; `float_answer`, where it learns from numbers.
        supervision: what the checkpoint learns from.
        is_training: whether the places of the cells must be known. Without `answer_coordinates`, an answer is looked
            for in the table, where it must stand once. (An answer that aggregation gives need not stand there.)

    Yields:
        Dicts of `table`, a `pandas.DataFrame` of texts; `query`; `answers`; `answer_coordinates` (empty if they need
        not be known); `aggregation_label`, an index or None; `float_answer`, NaN if the answer is no number.

    Raises:
        DataError: naming the first records that are wrong, and why, or if there are none.
    """

    def problem(record: Record) -> str | None:
        reason = _question_problem(record) or _answer_problem(record, supervision, is_training)
        return reason or (_uniform(record, supervision)[1] if is_training else None)

    made = replace(source, read=lambda: map(_with_table, source))
    return checked(made, problem, lambda record: _uniform(record, supervision)[0])


def _with_table(record: Record) -> Record:
    """Return a record with its table as a `pandas.DataFrame`, or with what keeps it from being one."""
    if "table" not in record:
        return record
    try:
        return {**record, "table": as_table(record["table"])}
    except (ValueError, TypeError) as error:
        return {**record, "table": error}


def _question_problem(record: Record) -> str | None:
    if "table" not in record or "query" not in record:
        return f"expected 'table' and 'query'; found {sorted(map(str, record))}."
    table = record["table"]
    if isinstance(table, Exception):
        return f"`table` must be a table or a dict of columns of equal length: {table}"
    return text_problem(record["query"], "query") or ("`table` is empty." if table.empty else None)


def _answer_problem(record: Record, supervision: Supervision, is_training: bool) -> str | None:
    answers, places = record.get("answers"), record.get("answer_coordinates")
    if answers is None and places is None:
        return "`answers` is missing: the texts of the right cells, or `answer_coordinates`, their places."
    if answers is not None and (not isinstance(answers, (list, tuple)) or not answers):
        return f"`answers` must be a list of texts; found {answers!r:.80}."
    if places is not None:
        num_rows, num_columns = record["table"].shape
        wrong = [place for place in places if not _is_place(place, num_rows, num_columns)]
        if wrong:
            return (
                f"`answer_coordinates` {wrong[0]!r:.80} is no row and column of a table of {num_rows} by {num_columns}."
            )
    done = record.get("aggregation_label")
    is_needed = supervision.by_name and (is_training or done is not None)
    if is_needed and _aggregation(record, supervision.aggregations) is None:
        return f"`aggregation_label` must be one of {list(supervision.aggregations)}; found {done!r:.80}."
    number = record.get("float_answer")
    if number is not None and (isinstance(number, bool) or not isinstance(number, (int, float))):
        return f"`float_answer` must be a number; found {number!r:.80}."
    return None


def _is_place(place: Any, num_rows: int, num_columns: int) -> bool:
    if not isinstance(place, (list, tuple)) or len(place) != 2 or not all(isinstance(i, int) for i in place):
        return False
    return 0 <= place[0] < num_rows and 0 <= place[1] < num_columns


def _aggregation(record: Record, names: Sequence[str]) -> int | None:
    """Return the index of what is done with the cells; None: it is not told."""
    given: Any = record.get("aggregation_label")
    if given in names:
        return list(names).index(given)
    is_index = isinstance(given, int) and not isinstance(given, bool)
    return given if is_index and 0 <= given < len(names) else None


def _uniform(record: Record, supervision: Supervision) -> tuple[Record, str | None]:
    """Return a record made uniform, and what keeps it from training."""
    table: Any = record["table"]
    places: Any = record.get("answer_coordinates")
    answers: Any = record.get("answers")
    number = record.get("float_answer")
    answers = [table.iat[tuple(place)] for place in places] if answers is None else list(map(str, answers))
    if number is None:
        number = number_in(answers[0]) if len(answers) == 1 else None
    problem = None if places else "`answer_coordinates` is empty."
    if places is None:
        places, problem = _places_of(answers, table)
    if problem is not None and supervision.by_answer and number is not None:  # aggregation gives it
        places, problem = [], None
    uniform = {
        "table": table,
        "query": record["query"],
        "answers": answers,
        "answer_coordinates": [tuple(place) for place in places],
        "aggregation_label": _aggregation(record, supervision.aggregations),
        "float_answer": math.nan if number is None else float(number),
    }
    return uniform, problem


def _places_of(answers: Sequence[str], table: Any) -> tuple[list[tuple[int, int]], str | None]:
    """Return where answers stand in a table, and what keeps them from being found."""
    places = []
    for answer in answers:
        cells_with_it = [(row, column) for row, cells in enumerate(table.values) for column in range(len(cells))
                 if cells[column].strip() == answer.strip()]  # fmt: skip
        if len(cells_with_it) != 1:
            stands = f"stands in {len(cells_with_it)} cells" if cells_with_it else "stands in no cell of the table"
            return [], f"the answer {answer!r:.80} {stands}: say which are right with `answer_coordinates`."
        places += cells_with_it
    return places, None


def number_in(text: str) -> float | None:
    """Return the number that a cell holds, in which commas part thousands; None: it holds none."""
    try:
        number = float(text.replace(",", ""))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
