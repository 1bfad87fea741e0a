"""`Precision`: what products of matrices are computed in."""

from __future__ import annotations

from typing import Any, Literal, get_args

from tfnlp.errors import ArgumentError

Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


def check_precision(precision: Any) -> None:
    """Raise `ArgumentError` if there is no such precision."""
    if precision not in PRECISIONS:
        raise ArgumentError(f"`precision` must be one of {', '.join(PRECISIONS)}; it is {precision!r}.")
