"""The moving average of weights that `AdamW(ema=...)` keeps, in the place of the weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tfnlp._backend import keras, tf
from tfnlp.training.optimizer import AVERAGE, AdamW


def take_averages(model: keras.Model) -> None:
    """Give weights that are trained the values of their averages, if the optimizer keeps some."""
    for variable, average in _averages(model):
        variable.assign(average)


@contextmanager
def averaged(model: keras.Model) -> Iterator[None]:
    """Give weights the values of their averages, for a while."""
    pairs = _averages(model)
    before = [variable.numpy() for variable, _ in pairs]
    take_averages(model)
    try:
        yield
    finally:
        for (variable, _), value in zip(pairs, before, strict=True):
            variable.assign(value)


def _averages(model: keras.Model) -> list[tuple[tf.Variable, tf.Variable]]:
    optimizer = model.optimizer
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of a loss scale
    if not isinstance(optimizer, AdamW) or optimizer.ema is None or not optimizer.iterations.numpy():
        return []
    return [(variable, optimizer.get_slot(variable, AVERAGE)) for variable in model.trainable_variables]
