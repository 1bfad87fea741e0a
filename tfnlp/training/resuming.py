"""Training that goes on where it stopped, keeps its best weights, and stops when none are better: a Keras callback."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.training.averaging import averaged, take_averages
from tfnlp.training.training_directory import BestWeights, Position, TrainingDirectory

logger = logging.getLogger(__name__)


class Watch(keras.callbacks.Callback):
    """Saves the state of a training, goes on from a saved one, keeps the best weights, and stops when none are better.

    It stands after all that puts numbers into the logs.
    """

    _supports_tf_logs = True  # else Keras makes NumPy arrays of the logs of every step

    def __init__(
        self,
        *,
        directory: TrainingDirectory | None,
        reseed: Callable[[int], None],
        save_every: int | None,
        metric: str | None,
        patience: int | None,
        keeps_best: bool,
    ) -> None:
        """Make the callback.

        Args:
            directory: to save to, whose newest state is gone on from; None: nothing is saved.
            reseed: called before each step with its number, from 0: the random numbers of a step depend on that alone,
                on every replica, so their state needs no saving.
            save_every: steps after which to save within an epoch; None: after epochs alone.
            metric: in the logs, that is watched; more is better. None: none is.
            patience: epochs without a better one after which training stops; None: it does not.
            keeps_best: whether the weights of the best epoch are those that stay.
        """
        super().__init__()
        self._directory, self._reseed, self._save_every = directory, reseed, save_every
        self._metric, self._patience = metric, patience
        self._best = BestWeights(directory) if keeps_best else None
        found = None if directory is None else directory.load()
        self.position, self._found = (Position(), {}) if found is None else found
        if directory is not None and found is not None:
            epoch, step = self.position.epoch, self.position.step
            logger.info("%s: going on after %d epochs and %d steps", directory.path, epoch, step)

    def maybe_load_initial_counters_from_ckpt(self, steps: Any, epoch: int, mode: Any = None) -> tuple[int, int]:
        """Tell Keras's `fit` at which epoch and step to begin; its own BackupAndRestore does it by this name."""
        del steps, epoch, mode
        return self.position.epoch, self.position.step

    def on_train_begin(self, logs: Any = None) -> None:
        """Give the model and its optimizer the state that was found, and let `fit` ask where to begin."""
        if self._found:
            self.model._training_state = self
            self._assign(_named(self.model))

    def _assign(self, variables: Mapping[str, tf.Variable]) -> None:
        for name, variable in variables.items():
            variable.assign(self._found[name])

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Give the trackers of losses what they held, after Keras has emptied them."""
        self.position.epoch = epoch
        if self.position.step and self._found:
            self._assign(_trackers(self.model))
        self._found = {}

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Choose the random numbers of the step."""
        self._reseed(self._number)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Save every so many steps; the last of an epoch is saved with the epoch."""
        self.position.step = batch + 1
        is_due = self._save_every is not None and self._number % self._save_every == 0
        if is_due and self.position.step < self.params["steps"]:
            self._save(with_trackers=True)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Watch the metric, and save."""
        logs, position = logs or {}, self.position
        if position.step < self.params["steps"]:  # another callback stopped it within the epoch
            self._save(with_trackers=True)
            return
        for name, value in logs.items():
            if np.ndim(value) == 0 and not isinstance(value, str):
                position.history.setdefault(name, []).append(float(value))
        if self._metric is not None:
            self._watch(logs[self._metric])
        has_ended = self.model.stop_training  # by this callback or another
        position.epoch, position.step = self.params["epochs"] if has_ended else epoch + 1, 0
        self._save(with_trackers=False)

    @property
    def _number(self) -> int:
        return self.position.epoch * self.params["steps"] + self.position.step

    def _watch(self, value: float) -> None:
        position = self.position
        if not math.isnan(value) and (position.best is None or value > position.best):
            position.best, position.waited = float(value), 0
            if self._best is not None:
                with averaged(self.model):
                    self._best.keep(self.model.weights)
            return
        position.waited += 1
        if self._patience is not None and position.waited >= self._patience:
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        """Take the best weights, or averages, if these are to stay."""
        if self._best is not None and self.position.best is not None:
            self._best.restore(self.model.weights)
        else:
            take_averages(self.model)

    def _save(self, *, with_trackers: bool) -> None:
        if self._directory is None:
            return
        variables = _named(self.model) | (_trackers(self.model) if with_trackers else {})
        tensors = {name: np.asarray(variable.numpy()) for name, variable in variables.items()}
        self._directory.save(self.position, tensors, self._number)


def _named(model: keras.Model) -> dict[str, tf.Variable]:
    optimizer = model.optimizer
    of_optimizer = optimizer.variables() if callable(optimizer.variables) else optimizer.variables
    groups = {"weight": model.weights, "optimizer": of_optimizer, "scale": _loss_scale(optimizer)}
    return {f"{group}.{i}": one for group, variables in groups.items() for i, one in enumerate(variables)}


def _loss_scale(optimizer: Any) -> list[tf.Variable]:
    """Return the variables of a loss scale, which the policy `mixed_float16` brings."""
    return list(getattr(getattr(optimizer, "_loss_scale", None), "_weights", {}).values())


def _trackers(model: keras.Model) -> dict[str, tf.Variable]:
    return {
        f"metric.{metric.name}.{i}": one
        for metric in model.compiled_loss.metrics
        for i, one in enumerate(metric.variables)
    }
