"""What `evaluate` answers with: tables of scores that print, display and go into files."""

from tfnlp.reports.answers import AnswerReport, AnswerScores
from tfnlp.reports.confusion import ConfusionMatrix
from tfnlp.reports.labels import ClassificationReport, Report, Scores
from tfnlp.reports.scalars import AccuracyReport, PerplexityReport, RegressionReport
from tfnlp.reports.table import Table

__all__ = [
    "AccuracyReport",
    "AnswerReport",
    "AnswerScores",
    "ClassificationReport",
    "ConfusionMatrix",
    "PerplexityReport",
    "RegressionReport",
    "Report",
    "Scores",
    "Table",
]
