"""What `evaluate` answers with: tables of scores that print, display and go into files."""

from __future__ import annotations

import abc
import html
import json
import math
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
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows()
        )
        return f"<table><tr>{header}</tr>{body}</table><p>{html.escape(self.caption)}</p>"


def _without_nan(value: Any) -> Any:
    """Return plain data with None for what is not a number, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


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


@dataclass(frozen=True)
class ConfusionMatrix:
    """How often each label was answered where another was right.

    Attributes:
        labels: their names.
        counts: by the right label, then by the one that was answered.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def plot(self, axes: Any = None) -> Any:
        """Draw the matrix, each row as shares of the right label. Returns matplotlib's axes.

        Args:
            axes: to draw in; None: those of a new figure.

        Raises:
            ImportError: if matplotlib is not installed; `pip install matplotlib` puts that right.
        """
        from matplotlib import pyplot

        axes = pyplot.subplots(figsize=(2 + 0.5 * len(self.labels),) * 2)[1] if axes is None else axes
        shares = [[count / max(sum(row), 1) for count in row] for row in self.counts]
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(self.labels)), self.labels, rotation=90)
        axes.set_yticks(range(len(self.labels)), self.labels)
        axes.set_xlabel("answered")
        axes.set_ylabel("right")
        for i, row in enumerate(self.counts):
            for j, count in enumerate(row):
                colour = "white" if shares[i][j] > 0.5 else "black"
                axes.text(j, i, count, ha="center", va="center", color=colour)
        return axes

    def __str__(self) -> str:
        width = max(map(len, self.labels))
        cell = max(width, max((len(str(count)) for row in self.counts for count in row), default=1)) + 2
        header = " " * width + "".join(f"{name:>{cell}}" for name in self.labels)
        rows = [
            f"{name:<{width}}" + "".join(f"{count:>{cell}}" for count in row)
            for name, row in zip(self.labels, self.counts, strict=True)
        ]
        return "\n".join([header, *rows])


@dataclass(frozen=True)
class ClassificationReport(Report):
    """An evaluation of the labels of texts.

    Attributes:
        matthews: Matthews' correlation coefficient, in [-1, 1]; None where a text may have several labels.
        confusion: which label was answered for which; None where a text may have several.
    """

    matthews: float | None = None
    confusion: ConfusionMatrix | None = None

    @property
    def caption(self) -> str:
        """The accuracy, Matthews' correlation, and over how many records."""
        matthews = "" if self.matthews is None else f", Matthews correlation {self.matthews:.4f}"
        return f"accuracy {self.accuracy:.4f}{matthews} over {self.num_records} records"

    def metrics(self) -> dict[str, float]:
        """Return the accuracy, both averages of F1, and Matthews' correlation."""
        found = {"accuracy": self.accuracy, "macro_f1": self.macro.f1, "micro_f1": self.micro.f1}
        return found if self.matthews is None else found | {"matthews": self.matthews}


@dataclass(frozen=True)
class RegressionReport(Table):
    """An evaluation of numbers.

    Attributes:
        pearson: the linear correlation of answers with right numbers, in [-1, 1].
        spearman: the correlation of their ranks, in [-1, 1].
        mean_squared_error: of the answers.
        num_records: how many records were evaluated.
        loss: the same as `mean_squared_error`.
    """

    pearson: float
    spearman: float
    mean_squared_error: float
    num_records: int
    loss: float | None = None

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns."""
        return ("pearson", "spearman", "mean squared error")

    def rows(self) -> list[tuple[str, ...]]:
        """Return one row of numbers."""
        return [(f"{self.pearson:.4f}", f"{self.spearman:.4f}", f"{self.mean_squared_error:.4f}")]

    @property
    def caption(self) -> str:
        """Over how many records."""
        return f"{self.num_records} records"

    def metrics(self) -> dict[str, float]:
        """Return both correlations and the error."""
        return {"pearson": self.pearson, "spearman": self.spearman, "mean_squared_error": self.mean_squared_error}


@dataclass(frozen=True, slots=True)
class AnswerScores:
    """The mean exact match and F1 of answers, each in [0, 1], and over how many questions."""

    exact_match: float
    f1: float
    num_records: int


@dataclass(frozen=True)
class AnswerReport(Table):
    """An evaluation of answers to questions.

    Attributes:
        overall: of all questions.
        has_answer: of those whose context holds an answer; None: there are none.
        no_answer: of those whose context holds none.
        language: `en`: counted as by SQuAD's official script; `zh`: as by CMRC's.
        num_records: how many questions there are.
        loss: not known.
    """

    overall: AnswerScores
    has_answer: AnswerScores | None
    no_answer: AnswerScores | None
    language: str
    num_records: int
    loss: float | None = None

    @property
    def exact_match(self) -> float:
        """The share of answers that are right to the letter, punctuation and articles aside."""
        return self.overall.exact_match

    @property
    def f1(self) -> float:
        """The mean F1 of the words of answers."""
        return self.overall.f1

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns."""
        return ("questions", "exact match", "f1", "number")

    def rows(self) -> list[tuple[str, ...]]:
        """Return a row for all questions, and for those with and without an answer."""
        named = {"with an answer": self.has_answer, "without": self.no_answer, "all": self.overall}
        return [
            (name, f"{found.exact_match:.4f}", f"{found.f1:.4f}", str(found.num_records))
            for name, found in named.items()
            if found is not None
        ]

    @property
    def caption(self) -> str:
        """By which official script the answers are counted."""
        return f"{self.num_records} questions, counted as by {'CMRC' if self.language == 'zh' else 'SQuAD'}'s script"

    def metrics(self) -> dict[str, float]:
        """Return exact match and F1 of all questions."""
        return {"exact_match": self.exact_match, "f1": self.f1}


@dataclass(frozen=True)
class AccuracyReport(Table):
    """An evaluation by the share of right answers.

    Attributes:
        accuracy: the share, in [0, 1].
        num_records: how many records were evaluated.
        loss: the mean loss of a record, in nats.
    """

    accuracy: float
    num_records: int
    loss: float | None = None

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns."""
        return ("accuracy", "loss")

    def rows(self) -> list[tuple[str, ...]]:
        """Return one row of numbers."""
        return [(f"{self.accuracy:.4f}", "" if self.loss is None else f"{self.loss:.4f}")]

    @property
    def caption(self) -> str:
        """Over how many records."""
        return f"{self.num_records} records"

    def metrics(self) -> dict[str, float]:
        """Return the accuracy."""
        return {"accuracy": self.accuracy}


@dataclass(frozen=True)
class PerplexityReport(Table):
    """An evaluation of a language model.

    Attributes:
        perplexity: e to the power of the mean loss; 1 is perfect.
        accuracy: the share of hidden tokens that are guessed, in [0, 1].
        num_tokens: how many were hidden.
        num_records: how many rows there are.
        loss: the mean loss of a hidden token, in nats.
    """

    perplexity: float
    accuracy: float
    num_tokens: int
    num_records: int
    loss: float

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns."""
        return ("perplexity", "accuracy", "loss")

    def rows(self) -> list[tuple[str, ...]]:
        """Return one row of numbers."""
        return [(f"{self.perplexity:.4f}", f"{self.accuracy:.4f}", f"{self.loss:.4f}")]

    @property
    def caption(self) -> str:
        """Over how many tokens."""
        return f"{self.num_tokens} hidden tokens of {self.num_records} rows"

    def metrics(self) -> dict[str, float]:
        """Return perplexity and accuracy."""
        return {"perplexity": self.perplexity, "accuracy": self.accuracy}
