"""What a look at data and learning rates before and after training gives: `RateReport` and `LossReport`."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from textwrap import indent
from typing import Any

from tfnlp.reports.base import BaseReport, plotting

_SHOWN = 160  # characters of a field of a record


@dataclass(frozen=True)
class RateReport:
    """Losses of batches while the learning rate rises (Smith 2017, https://arxiv.org/abs/1506.01186).

    Attributes:
        rates: of each step.
        losses: of its batch, smoothed over those around it, of which nearer ones weigh more.
        suggested: the rate at which the loss falls fastest, by the logarithm of the rate; None: it does not fall.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggested: float | None

    def plot(self, axes: Any = None) -> Any:
        """Draw losses by rate. Returns matplotlib's axes.

        Args:
            axes: to draw in; None: those of a new figure.

        Raises:
            VersionError: if matplotlib is not installed.
        """
        pyplot = plotting()
        axes = pyplot.subplots()[1] if axes is None else axes
        axes.plot(self.rates, self.losses)
        if self.suggested is not None:
            axes.axvline(self.suggested, linestyle="--", color="grey", label=f"{self.suggested:.1e}")
            axes.legend()
        axes.set_xscale("log")
        axes.set_xlabel("learning rate")
        axes.set_ylabel("loss")
        return axes

    def __str__(self) -> str:
        if not self.losses:
            return "the loss was no number in the first step"
        said = f"{len(self.rates)} steps from {self.rates[0]:.1e} to {self.rates[-1]:.1e}: "
        if self.suggested is None:
            return f"{said}the loss did not fall; try other rates, or more steps"
        least = min(self.losses)
        at = self.rates[self.losses.index(least)]
        return f"{said}the loss fell fastest at {self.suggested:.1e}, and was least, {least:.3f}, at {at:.1e}"


@dataclass(frozen=True)
class RecordLoss:
    """A record with its loss.

    Attributes:
        number: of the record, from 1.
        loss: of the record alone.
        record: as training data has it.
        answer: what the task says of it.
    """

    number: int
    loss: float
    record: dict[str, Any]
    answer: Any


@dataclass(frozen=True)
class LossReport(BaseReport):
    """The records that a task finds hardest, the hardest first.

    Attributes:
        records: these.
        loss: the mean of all records' losses.
        num_records: how many records were looked at.
    """

    records: tuple[RecordLoss, ...]
    loss: float
    num_records: int

    @property
    def header(self) -> tuple[str, ...]:
        """Number, loss, record and answer."""
        return ("record", "loss", "as it is", "answered")

    def rows(self) -> list[tuple[str, ...]]:
        """Return a row for each record."""
        return [
            (str(one.number), f"{one.loss:.3f}", "\n".join(_written(one.record)), _answered(one.answer))
            for one in self.records
        ]

    @property
    def caption(self) -> str:
        """How many there are in all."""
        return f"the {len(self.records)} highest losses of {self.num_records} records, whose mean is {self.loss:.3f}"

    def metrics(self) -> dict[str, float]:
        """Return the mean loss."""
        return {"loss": self.loss}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, answers as texts."""
        records = [{**vars(one), "answer": str(one.answer)} for one in self.records]
        return {"loss": self.loss, "num_records": self.num_records, "records": records}

    def __str__(self) -> str:
        lines = [
            f"{number:>8} {loss:>9}\n{indent(record, '    ')}\n    -> {answer}"
            for number, loss, record, answer in self.rows()
        ]
        return "\n".join([f"{'record':>8} {'loss':>9}", *lines, self.caption])


def _written(record: dict[str, Any]) -> list[str]:
    """Write down the fields of a record, a line each; a list of texts as one text."""
    fields = {name: value for name, value in record.items() if value is not None}
    return [_short(f"{name}: {_plain(value)}") for name, value in fields.items()]


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)) and value and all(isinstance(item, str) for item in value):
        return " ".join(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def _answered(answer: Any) -> str:
    """Write down an answer, its scores with three digits."""
    return _short(re.sub(r"(\b0\.\d{3})\d+", r"\1", str(answer)))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
