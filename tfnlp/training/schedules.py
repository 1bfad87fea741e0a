"""Schedules of the learning rate: it rises linearly in a warm-up, and then falls, or stays."""

from __future__ import annotations

import math
from typing import Any

from tfnlp._backend import keras, tf


class _Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly from 0 to `peak` in `num_warmup_steps`; what comes then, a subclass says."""

    def __init__(self, peak: float, num_steps: int, num_warmup_steps: int = 0) -> None:
        self.peak = peak
        self.num_steps = num_steps
        self.num_warmup_steps = num_warmup_steps

    def after_warmup(self, share: tf.Tensor) -> tf.Tensor:
        """Return the share of the peak, when this share of the steps after the warm-up has gone by."""
        raise NotImplementedError

    def __call__(self, step: Any) -> tf.Tensor:
        """Return the learning rate at a step, counted from 0."""
        step = tf.cast(step, tf.float32)
        warmup = float(self.num_warmup_steps)
        rising = step / max(warmup, 1.0)
        share = (step - warmup) / max(self.num_steps - warmup, 1.0)
        return self.peak * tf.where(step < warmup, rising, self.after_warmup(tf.minimum(share, 1.0)))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {"peak": self.peak, "num_steps": self.num_steps, "num_warmup_steps": self.num_warmup_steps}


@keras.utils.register_keras_serializable("tfnlp")
class LinearSchedule(_Schedule):
    """Rises linearly from 0 to `peak`, then falls linearly to 0.

    >>> schedule = LinearSchedule(1.0, num_steps=10, num_warmup_steps=2)
    >>> [round(float(schedule(step)), 3) for step in (0, 1, 2, 6, 10)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    def after_warmup(self, share: tf.Tensor) -> tf.Tensor:
        """Fall in a line."""
        return 1.0 - share


@keras.utils.register_keras_serializable("tfnlp")
class CosineSchedule(_Schedule):
    """Rises linearly from 0 to `peak`, then falls to 0 as half a wave of the cosine.

    >>> schedule = CosineSchedule(1.0, num_steps=10, num_warmup_steps=2)
    >>> [round(float(schedule(step)), 3) for step in (0, 1, 2, 6, 10)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    def after_warmup(self, share: tf.Tensor) -> tf.Tensor:
        """Fall as a wave."""
        return 0.5 * (1.0 + tf.cos(math.pi * share))


@keras.utils.register_keras_serializable("tfnlp")
class ConstantSchedule(_Schedule):
    """Rises linearly from 0 to `peak`, and stays there.

    >>> schedule = ConstantSchedule(1.0, num_steps=10, num_warmup_steps=2)
    >>> [round(float(schedule(step)), 3) for step in (0, 1, 2, 10)]
    [0.0, 0.5, 1.0, 1.0]
    """

    def after_warmup(self, share: tf.Tensor) -> tf.Tensor:
        """Stay."""
        return tf.ones_like(share)


@keras.utils.register_keras_serializable("tfnlp")
class ExponentialSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Rises from `lowest` to `highest`, times the same number in each step.

    >>> schedule = ExponentialSchedule(0.001, 1.0, num_steps=4)
    >>> [round(float(schedule(step)), 3) for step in range(4)]
    [0.001, 0.01, 0.1, 1.0]
    """

    def __init__(self, lowest: float, highest: float, num_steps: int) -> None:
        self.lowest, self.highest, self.num_steps = lowest, highest, num_steps

    def __call__(self, step: Any) -> tf.Tensor:
        """Return the learning rate at a step, counted from 0."""
        share = tf.cast(step, tf.float32) / max(self.num_steps - 1, 1)
        return self.lowest * tf.pow(self.highest / self.lowest, share)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {"lowest": self.lowest, "highest": self.highest, "num_steps": self.num_steps}


SCHEDULES = {"linear": LinearSchedule, "cosine": CosineSchedule, "constant": ConstantSchedule}
