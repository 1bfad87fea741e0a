"""Reports of labels: of words, of entities, of texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tfnlp.reports.base import BaseReport
from tfnlp.reports.confusion import ConfusionMatrix


@dataclass(frozen=True, slots=True)
class Scores:
    """Precision, recall and F1 of one label, each in [0, 1], and how often the label occurs in the gold data."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Report(BaseReport):
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
        metrics = {"accuracy": self.accuracy, "macro_f1": self.macro.f1, "micro_f1": self.micro.f1}
        return metrics if self.matthews is None else metrics | {"matthews": self.matthews}
