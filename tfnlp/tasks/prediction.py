"""What every `predict` does with its inputs: one, a list, or a stream; checked first, then answered many at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Protocol, TypeVar

import numpy as np
from tqdm.auto import tqdm

from tfnlp.data.batches import chunked
from tfnlp.data.files import Record
from tfnlp.errors import ArgumentError, DataError
from tfnlp.outputs import Predictions

S = TypeVar("S")
T = TypeVar("T")

PROGRESS_AFTER = 5.0  # seconds


class Answer(Protocol):
    """Answers records, and tells as it goes how many rows it has run of how many."""

    def __call__(self, records: list[Record], progress: Callable[[int, int], Any] | None = None) -> Sequence[Any]: ...  # noqa: D102


def predicted(
    inputs: Any, answer: Answer, as_record: Callable[[Any, int], Record], *, is_one: bool, together: int
) -> Any:
    """Answer for one input; for a list at once, with progress; for any other iterable one after the other.

    Args:
        inputs: one, or many.
        answer: answers a list of records of the same fields.
        as_record: makes a record of an input, or raises what is wrong with it, by its number.
        is_one: whether there is one input, or many.
        together: how many are answered together.

    Returns:
        An answer, `Predictions`, or an iterator of answers.

    Raises:
        DataError: if it is neither one input nor many.
    """
    if is_one:
        return answer([as_record(inputs, 1)])[0]
    if hasattr(inputs, "iterrows"):
        raise DataError("expected inputs one after the other; found a table. Pass a list, such as one column.")
    if hasattr(inputs, "tolist"):  # arrays and columns
        inputs = inputs.tolist()
    if isinstance(inputs, (str, bytes)) or not isinstance(inputs, Iterable):
        raise DataError(f"expected one input or an iterable of them; found {inputs!r:.80}.")
    if not isinstance(inputs, (list, tuple)):
        return _stream(inputs, answer, as_record, together)
    answers: list[Any] = []
    with tqdm(total=len(inputs), desc="predict", unit="text", delay=PROGRESS_AFTER) as bar:
        for records in alike(records_of(inputs, as_record, together)):
            answers.extend(answer(records, _Shown(bar, len(records))))
    return Predictions(answers)


def _stream(
    inputs: Iterable[Any], answer: Answer, as_record: Callable[[Any, int], Record], together: int
) -> Iterator[Any]:
    for records in alike(records_of(inputs, as_record, together)):
        yield from answer(records)


class _Shown:
    """Moves a progress bar by records as rows are run."""

    def __init__(self, bar: tqdm, num_records: int) -> None:
        self._bar, self._num_records, self._shown = bar, num_records, 0

    def __call__(self, done: int, num_rows: int) -> None:
        now = self._num_records * done // num_rows
        self._bar.update(now - self._shown)
        self._shown = now


def records_of(inputs: Iterable[Any], as_record: Callable[[Any, int], Record], together: int) -> Iterator[list[Record]]:
    """Make records of inputs, many at a time; `as_record` raises what is wrong with one, by its number from 1."""
    for start, chunk in numbered(inputs, together):
        yield [as_record(given, number) for number, given in enumerate(chunk, start)]


def alike(chunks: Iterable[list[Record]]) -> Iterator[list[Record]]:
    """Cut lists of records where the fields that are set change, so that each list makes tensors."""

    def fields(record: Record) -> list[str]:
        return [name for name, value in record.items() if value is not None]

    for chunk in chunks:
        for _, group in groupby(chunk, key=fields):
            yield list(group)


def compared(
    ask: Callable[[list[Record]], Any], parts: Iterable[tuple[list[Record], np.ndarray]]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Ask for records, part by part.

    Args:
        ask: of a task.
        parts: records, and what is right for each.

    Returns:
        What is right for all records, and what is answered, by the names of the exported signature.
    """
    gold, decoded = zip(*((gold, ask(chunk).answers) for chunk, gold in parts), strict=True)
    return np.concatenate(gold), {name: np.concatenate([part[name] for part in decoded]) for name in decoded[0]}


def is_record(inputs: Any) -> bool:
    """Tell whether something is one input of two parts: a dict, or a tuple that begins with a text."""
    return isinstance(inputs, dict) or (isinstance(inputs, tuple) and isinstance(next(iter(inputs), None), str))


def check_top_k(top_k: int | None) -> None:
    """Raise `ArgumentError` if a number of answers is none."""
    if top_k is not None and top_k < 1:
        raise ArgumentError(f"`top_k` must be at least 1; it is {top_k}.")


def numbered(items: Iterable[S], size: int) -> Iterator[tuple[int, list[S]]]:
    """Cut an iterable into lists of a size, the last one shorter; yield each after the number of its first, from 1."""
    number = 1
    for chunk in chunked(items, size):
        yield number, chunk
        number += len(chunk)
