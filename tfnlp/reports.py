"""What `evaluate` answers with: tables of scores that print, display and go into files."""

from __future__ import annotations

import abc
import html
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


class Table(abc.ABC):
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
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def __str__(self) -> str:
        table = [self.header, *self.rows()]
        width = max(len(row[0]) for row in table)
        lines = [f"{row[0]:<{width}}" + "".join(f"{cell:>11}" for cell in row[1:]) for row in table]
        return "\n".join([*lines, self.caption])

    def _repr_html_(self) -> str:
        header = "".join(f"<th>{html.escape(name)}</th>" for name in self.header)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows()
        )
        return f"<table><tr>{header}</tr>{body}</table><p>{html.escape(self.caption)}</p>"


@dataclass(frozen=True, slots=True)
class Scores:
    """Precision, recall and F1 of one label, each in [0, 1], and how often the label occurs in the gold data."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Report(Table):
    """An evaluation of labels: scores of each and their averages.

    Attributes:
        labels: the scores of each entity type, or of each label where labels are not tags of entities.
        micro: over all together; where each word or text has one label, its F1 is the accuracy.
        macro: the plain mean over `labels`.
        accuracy: the share of words, or texts, whose label is right, in [0, 1].
        num_records: how many records were evaluated.
        loss: the mean loss of a labelled token, or of a text, in nats.
    """

    labels: Mapping[str, Scores]
    micro: Scores
    macro: Scores
    accuracy: float
    num_records: int
    loss: float | None = None

    @property
    def f1(self) -> float:
        """The micro-averaged F1."""
        return self.micro.f1

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns."""
        return ("", "precision", "recall", "f1", "support")

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table's rows, `(label, precision, recall, f1, support)`, averages last."""
        named = [*self.labels.items(), ("micro avg", self.micro), ("macro avg", self.macro)]
        return [(name, f"{s.precision:.4f}", f"{s.recall:.4f}", f"{s.f1:.4f}", str(s.support)) for name, s in named]

    @property
    def caption(self) -> str:
        """The accuracy, and over how many records."""
        return f"accuracy {self.accuracy:.4f} over {self.num_records} records"

    def metrics(self) -> dict[str, float]:
        """Return precision, recall and F1 over all labels, and the accuracy."""
        return {
            "precision": self.micro.precision,
            "recall": self.micro.recall,
            "f1": self.micro.f1,
            "accuracy": self.accuracy,
        }
