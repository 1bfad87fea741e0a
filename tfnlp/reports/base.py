"""`BaseReport`: something that prints, displays in a notebook and goes into files."""

from __future__ import annotations

import abc
import html
import json
import math
from dataclasses import asdict
from typing import Any

from tfnlp.errors import VersionError


class BaseReport(abc.ABC):
    """Something to look at as a table: in a terminal, in a notebook, or as JSON.

    Attributes:
        loss: the mean loss, or None where it is not known.
        num_records: how many records were evaluated.
    """

    loss: float | None
    num_records: int

    @property
    @abc.abstractmethod
    def header(self) -> tuple[str, ...]:
        """The names of the columns; the first is that of the rows' names, and may be empty."""

    @abc.abstractmethod
    def rows(self) -> list[tuple[str, ...]]:
        """Return the table's rows."""

    @property
    @abc.abstractmethod
    def caption(self) -> str:
        """What stands under the table."""

    @abc.abstractmethod
    def metrics(self) -> dict[str, float]:
        """Return the numbers to watch in training, by name."""

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data, ready for JSON."""
        return asdict(self)  # type: ignore[call-overload]

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps(_without_nan(self.to_dict()), indent=2, ensure_ascii=False)

    def __str__(self) -> str:
        table = [self.header, *self.rows()]
        width = max(len(row[0]) for row in table)
        widths = [max(11, len(name) + 2) for name in self.header[1:]]
        lines = [
            f"{row[0]:<{width}}" + "".join(f"{cell:>{size}}" for cell, size in zip(row[1:], widths, strict=True))
            for row in table
        ]
        return "\n".join([*lines, self.caption])

    def _repr_html_(self) -> str:
        header = "".join(f"<th>{html.escape(name)}</th>" for name in self.header)
        body = "".join("<tr>" + "".join(f"<td>{_in_lines(cell)}</td>" for cell in row) + "</tr>" for row in self.rows())
        return f"<table><tr>{header}</tr>{body}</table><p>{html.escape(self.caption)}</p>"


def _in_lines(cell: str) -> str:
    return html.escape(cell).replace("\n", "<br>")


def plotting() -> Any:
    """Return matplotlib's `pyplot`.

    Raises:
        VersionError: if matplotlib is not installed.
    """
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise VersionError(f"plots are drawn by matplotlib: `pip install matplotlib`. {error}") from error
    return pyplot


def _without_nan(value: Any) -> Any:
    """Return plain data with None for what is not a number, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
