"""What can be wrong with a record: said in words, for messages."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from tfnlp.data.files import Record
from tfnlp.errors import DataError


def missing_fields(record: Record, *names: str) -> str:
    """Return what to say of a record that lacks one of these fields."""
    wanted, found = " and ".join(map(repr, names)), sorted(map(str, record))
    others = [name for name in found if name not in names]
    near = [(other, name) for name in names if name not in found for other in get_close_matches(name, others, n=1)]
    hint = "".join(
        f" Is {other!r} the {name!r}? Then name it so; readers of tables take `rename={{{other!r}: {name!r}}}`."
        for other, name in near
    )
    return f"expected {wanted}; found {found}.{hint}"


def text_problem(text: Any, name: str, *, may_be_empty: bool = False) -> str | None:
    """Return what is wrong with a text, or None."""
    if not isinstance(text, str):
        return f"`{name}` must be a string; found {text!r:.80}."
    if has_surrogate(text):
        return f"`{name}` holds a lone surrogate, which no UTF-8 holds."
    if not may_be_empty and not text.strip():
        return f"`{name}` is empty."
    return None


def as_text(given: Any, number: int, *, may_be_empty: bool = True) -> str:
    """Return the text of what `predict` takes: a text, or a dict of `text`.

    Raises:
        DataError: if it is neither, or empty where it may not be; `number` says which it is.
    """
    text: Any = given.get("text") if isinstance(given, Mapping) else given
    problem = text_problem(text, "text", may_be_empty=may_be_empty)
    if problem is not None:
        raise DataError(f"text {number}: {problem}")
    return text


def has_surrogate(text: str) -> bool:
    """Tell whether a text can't be written in UTF-8."""
    return not text.isascii() and any("\ud800" <= char <= "\udfff" for char in text)
