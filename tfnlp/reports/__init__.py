"""What `evaluate` answers with: tables of scores that print, display and go into files."""

from tfnlp.reports.answers import AnswerReport, AnswerScores
from tfnlp.reports.base import BaseReport
from tfnlp.reports.confusion import ConfusionMatrix
from tfnlp.reports.exploring import LossReport, RateReport, RecordLoss
from tfnlp.reports.labels import ClassificationReport, Report, Scores
from tfnlp.reports.scalars import AccuracyReport, PerplexityReport, RegressionReport, TextReport

__all__ = [
    "AccuracyReport",
    "AnswerReport",
    "AnswerScores",
    "BaseReport",
    "ClassificationReport",
    "ConfusionMatrix",
    "LossReport",
    "PerplexityReport",
    "RateReport",
    "RecordLoss",
    "RegressionReport",
    "Report",
    "Scores",
    "TextReport",
]
