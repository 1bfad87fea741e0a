"""What every `predict` does with what it is given: one input, a list, or a stream; in numbered chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from tqdm.auto import tqdm

from tfnlp.data.pipeline import chunked
from tfnlp.errors import ArgumentError, DataError
from tfnlp.outputs import Predictions

S = TypeVar("S")
T = TypeVar("T")

PROGRESS_AFTER = 5.0  # seconds


def answers_for(inputs: Any, answers: Callable[[Iterable[Any]], Iterator[T]], *, is_one: bool) -> Any:
    """Answer for one input; for a list at once, with progress; for any other iterable one after the other.

    Args:
        inputs: one, or many.
        answers: what answers for many.
        is_one: which of the two it is.

    Returns:
        An answer, `Predictions`, or an iterator of answers.

    Raises:
        DataError: if it is neither one input nor many.
    """
    if is_one:
        return next(answers([inputs]))
    if hasattr(inputs, "iterrows"):
        raise DataError("expected inputs one after the other; found a table. Pass a list, such as one column.")
    if hasattr(inputs, "tolist"):  # arrays and columns
        inputs = inputs.tolist()
    if isinstance(inputs, (str, bytes)) or not isinstance(inputs, Iterable):
        raise DataError(f"expected one input or an iterable of them; found {inputs!r:.80}.")
    if not isinstance(inputs, (list, tuple)):
        return answers(inputs)
    return Predictions(tqdm(answers(inputs), total=len(inputs), desc="predict", unit="text", delay=PROGRESS_AFTER))


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


def records_of(inputs: Iterable[Any], size: int, as_record: Callable[[Any, int], T]) -> Iterator[tuple[int, list[T]]]:
    """Make records of inputs, chunk by chunk; `as_record` raises what is wrong with one, by its number."""
    for start, chunk in numbered(inputs, size):
        yield start, [as_record(given, number) for number, given in enumerate(chunk, start=start)]
