"""Callbacks of our own; any Keras callback can stand beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfnlp._backend import keras
from tfnlp.outputs import Report


class EpochReport(keras.callbacks.Callback):
    """Evaluates after every epoch and puts `val_f1`, `val_precision`, `val_recall`, `val_accuracy` and `val_loss` in the logs.

    It must stand before callbacks that read them (EarlyStopping, ModelCheckpoint); `fit` puts it first.

    Attributes:
        reports: the report of each epoch so far.
    """

    def __init__(self, evaluate: Callable[[], Report]) -> None:
        super().__init__()
        self._evaluate = evaluate
        self.reports: list[Report] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Evaluate and log."""
        report = self._evaluate()
        self.reports.append(report)
        if logs is not None:
            if report.loss is not None:
                logs["val_loss"] = report.loss
            logs["val_precision"] = report.micro.precision
            logs["val_recall"] = report.micro.recall
            logs["val_f1"] = report.micro.f1
            logs["val_accuracy"] = report.accuracy
