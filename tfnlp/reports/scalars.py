"""Reports of a few numbers over all records."""

from __future__ import annotations

from dataclasses import dataclass

from tfnlp.reports.base import BaseReport


@dataclass(frozen=True)
class AccuracyReport(BaseReport):
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
class RegressionReport(BaseReport):
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


@dataclass(frozen=True)
class PerplexityReport(BaseReport):
    """An evaluation of a language model.

    Attributes:
        perplexity: e to the power of the mean loss; 1 is perfect.
        accuracy: the share of tokens that are guessed, in [0, 1].
        num_tokens: how many were to be guessed: hidden ones, or those that follow others.
        num_records: how many rows there are.
        loss: the mean loss of such a token, in nats.
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
        return f"{self.num_tokens} tokens of {self.num_records} rows"

    def metrics(self) -> dict[str, float]:
        """Return perplexity and accuracy."""
        return {"perplexity": self.perplexity, "accuracy": self.accuracy}


@dataclass(frozen=True)
class TextReport(BaseReport):
    """An evaluation of texts that are made.

    Attributes:
        perplexity: of the targets' tokens; 1 is perfect.
        accuracy: the share of the targets' tokens that are guessed, in [0, 1].
        num_records: how many records were evaluated.
        loss: the mean loss of a token, in nats.
        scores: how like the targets the texts are that were made, by name: `exact_match` and `rouge1`, `rouge2`,
            `rougeL` in [0, 1]; `bleu` and `chrf` in [0, 100]. Empty where none was asked for.
    """

    perplexity: float
    accuracy: float
    num_records: int
    loss: float
    scores: dict[str, float]

    @property
    def header(self) -> tuple[str, ...]:
        """The names of the columns."""
        return ("perplexity", "accuracy", "loss", *self.scores)

    def rows(self) -> list[tuple[str, ...]]:
        """Return one row of numbers."""
        return [tuple(f"{value:.4f}" for value in (self.perplexity, self.accuracy, self.loss, *self.scores.values()))]

    @property
    def caption(self) -> str:
        """Over how many records."""
        return f"{self.num_records} records"

    def metrics(self) -> dict[str, float]:
        """Return perplexity, accuracy and the scores."""
        return {"perplexity": self.perplexity, "accuracy": self.accuracy, **self.scores}
