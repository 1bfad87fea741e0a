"""Reports of answers to questions: exact match and F1."""

from __future__ import annotations

from dataclasses import dataclass

from tfnlp.reports.base import BaseReport


@dataclass(frozen=True, slots=True)
class AnswerScores:
    """The mean exact match and F1 of answers, each in [0, 1], and over how many questions."""

    exact_match: float
    f1: float
    num_records: int


@dataclass(frozen=True)
class AnswerReport(BaseReport):
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
            (name, f"{scores.exact_match:.4f}", f"{scores.f1:.4f}", str(scores.num_records))
            for name, scores in named.items()
            if scores is not None
        ]

    @property
    def caption(self) -> str:
        """By which official script the answers are counted."""
        return f"{self.num_records} questions, counted as by {'CMRC' if self.language == 'zh' else 'SQuAD'}'s script"

    def metrics(self) -> dict[str, float]:
        """Return exact match and F1 of all questions."""
        return {"exact_match": self.exact_match, "f1": self.f1}
