"""Callbacks of our own; any Keras callback can stand beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tfnlp._backend import keras
from tfnlp.errors import ArgumentError
from tfnlp.reports import BaseReport
from tfnlp.training.averaging import averaged


class EpochReport(keras.callbacks.Callback):
    """Evaluates after every epoch and puts what the report counts in Keras's logs, as `val_f1` and `val_loss`.

    It must stand before callbacks that read them (EarlyStopping, ModelCheckpoint); `fit` puts it first.

    Attributes:
        reports: the report of each epoch so far.
    """

    def __init__(self, evaluate: Callable[[Any], BaseReport], records: Any) -> None:
        super().__init__()
        self._evaluate, self._records = evaluate, records
        self.reports: list[BaseReport] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Evaluate and log."""
        with averaged(self.model):
            report = self._evaluate(self._records)
        self.reports.append(report)
        if logs is not None:
            if report.loss is not None:
                logs["val_loss"] = report.loss
            logs.update({f"val_{name}": value for name, value in report.metrics().items()})


_OF_WEIGHTS = (keras.callbacks.EarlyStopping, keras.callbacks.ModelCheckpoint)
_OF_LEARNING_RATES = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


def check_callbacks(callbacks: Sequence[Any], *, has_schedule: bool, has_averages: bool) -> None:
    """Refuse callbacks that are not tf_keras's, or can't do what they are for.

    Args:
        callbacks: as `fit` takes them.
        has_schedule: whether the optimizer's learning rate follows a schedule.
        has_averages: whether averages of weights are evaluated in the place of these.

    Raises:
        ArgumentError: if they are no list; naming one of Keras 3, which can't run in a tf_keras model; or one that sets
            the learning rate, where a schedule does; or one that saves the whole model or the state of training.
    """
    if not isinstance(callbacks, (list, tuple)):
        raise ArgumentError(f"`callbacks` must be a list; it is {type(callbacks).__name__}.")
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise ArgumentError(
                f"{type(callback).__module__}.{type(callback).__name__} is no tf_keras callback. transformers' heads "
                "are tf_keras models: import the callback from `tf_keras.callbacks`, not from `keras` or `tf.keras`."
            )
        if isinstance(callback, keras.callbacks.ModelCheckpoint) and not callback.save_weights_only:
            raise ArgumentError(
                "ModelCheckpoint can't save transformers' heads whole: the file could not be loaded. Pass "
                "`save_weights_only=True`, load the best by `task.model.load_weights(file)`, and save the task by "
                "`task.save(directory)`."
            )
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            raise ArgumentError(
                "BackupAndRestore does not keep the order of rows and the state of random numbers: pass "
                "`checkpoint_dir` to `fit`, which goes on to the bit."
            )
        if has_averages and isinstance(callback, _OF_WEIGHTS):
            raise ArgumentError(
                f"{type(callback).__name__} keeps weights, and with `ema` averages of them are evaluated: leave it "
                "out, and pass `keep='best'` or `patience`."
            )
        if has_schedule and isinstance(callback, _OF_LEARNING_RATES):
            raise ArgumentError(
                f"{type(callback).__name__} can't set the learning rate: it rises and falls by a schedule. Pass an "
                "`optimizer` with a fixed one, such as `tf_keras.optimizers.AdamW(5e-5)`."
            )
