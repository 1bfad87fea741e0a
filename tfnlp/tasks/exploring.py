"""What to look at before and after training: learning rates and hard records. The functions are methods of `Task`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from tfnlp._backend import keras, tf
from tfnlp.data.batches import Batching, chunked, num_batches
from tfnlp.data.files import Record
from tfnlp.data.shares import share_of
from tfnlp.data.sources import Source
from tfnlp.errors import ArgumentError
from tfnlp.reports.exploring import LossReport, RateReport, RecordLoss
from tfnlp.running import Features
from tfnlp.tasks.fitting import batches_of_epochs, compiled, learned_from, with_balanced_weights
from tfnlp.tasks.prediction import PROGRESS_AFTER, alike
from tfnlp.training.recipe import Recipe
from tfnlp.training.schedules import ExponentialSchedule

_SMOOTHING = 0.9  # what the mean of earlier losses weighs beside the next one
_DIVERGED = 4.0  # times the least loss: from then on the rate is too high
_TOGETHER = 32  # records
_ELEMENTS = 8192  # of rows, padding included, in a pass of the network


def lr_find(
    task: Any,
    records: Any,
    *,
    lowest: float = 1e-7,
    highest: float = 1e-1,
    steps: int = 100,
    verbose: str | int = "auto",
    **recipe: Any,
) -> RateReport:
    """Raise the learning rate from step to step, to see where the loss falls fastest; the weights are put back.

    Args:
        records: as for `fit`; what `fit` learns of data before it trains, labels for example, is learned here too.
        lowest: rate, at the first step.
        highest: rate, at the last; it ends sooner where the loss becomes four times its least.
        steps: batches.
        verbose: as in `keras.Model.fit`.
        recipe: fields of `Recipe`, but for those of the learning rate and of epochs: `batch_size`, `seed` ...

    Returns:
        A report: print it, or call its `plot()`.

    Raises:
        ArgumentError: if the rates are no range, or there are less than three steps.
        DataError: if a record can't be used.
    """
    if not 0 < lowest < highest or not isinstance(steps, int) or steps < 3:
        raise ArgumentError(
            f"`lr_find` goes from a lower to a higher rate in at least 3 steps: {lowest}, {highest}, {steps}."
        )
    for name in ("epochs", "learning_rate", "schedule", "warmup", "optimizer", "patience", "keep", "accumulate", "ema"):
        if name in recipe:
            raise ArgumentError(f"`{name}` says nothing here: `lr_find` has a schedule of its own. Leave it out.")
    plan = Recipe.of(recipe)
    keras.utils.set_random_seed(plan.seed)
    source = task.source(records)
    rows, counts = learned_from(task, source, None)
    plan = with_balanced_weights(task, plan, rows)
    steps_per_epoch = num_batches(counts, plan.batch_size)
    schedule, watch = ExponentialSchedule(lowest, highest, steps), _RateWatch()
    with task.checkpoint.scope(), compiled(task, plan, steps_per_epoch, schedule) as model:
        before = model.get_weights()
        try:
            task.start_from(source, rows)
            task.checkpoint.generator.reset_from_seed(plan.seed)
            epochs = range(math.ceil(steps / steps_per_epoch))
            dataset = batches_of_epochs(task, plan, rows, counts, epochs)
            model.fit(dataset, steps_per_epoch=steps, callbacks=[watch], verbose=verbose)
        finally:
            model.set_weights(before)
    rates = tuple(float(schedule(step)) for step in range(len(watch.losses)))
    losses = _smoothed(np.array(watch.losses))
    return RateReport(rates, tuple(losses.tolist()), _steepest(rates, losses))


class _RateWatch(keras.callbacks.Callback):
    """Notes losses of batches, and stops when their mean becomes much greater than the least so far."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []
        self._least = math.inf

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Let the logs hold the loss of this batch alone."""
        self.model.compiled_loss.reset_state()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the loss."""
        loss = float((logs or {})["loss"])
        mean = _means(np.array([*self.losses, loss]))[-1]
        self._least = min(self._least, mean)
        if not math.isfinite(loss) or mean > _DIVERGED * self._least:
            self.model.stop_training = True
            return
        self.losses.append(loss)


def _means(losses: np.ndarray) -> np.ndarray:
    """Return the mean of each loss and those before it, of which nearer ones weigh more. Shape `(steps,)`."""
    means, mean = np.zeros(len(losses)), 0.0
    for step, loss in enumerate(losses):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        means[step] = mean / (1 - _SMOOTHING ** (step + 1))
    return means


def _smoothed(losses: np.ndarray) -> np.ndarray:
    """Return losses smoothed from both sides, so that they do not lag behind. Shape `(steps,)`."""
    return (_means(losses) + _means(losses[::-1])[::-1]) / 2


def _steepest(rates: Sequence[float], losses: np.ndarray) -> float | None:
    """Return the rate at which smoothed losses fall fastest, before they are least; None: they do not fall.

    The first tenth, whose means are of few losses, does not count.
    """
    start, end = len(losses) // 10, int(np.argmin(losses)) + 1 if len(losses) else 0
    if end - start < 3:
        return None
    return float(rates[start + int(np.argmin(np.gradient(losses[start:end])))])


def top_losses(task: Any, records: Any, count: int = 10) -> LossReport:
    """Return the records with the highest losses: the hardest, and often the wrongly labelled ones.

    Args:
        records: with labels, as for `fit`. The mean of its windows' losses is that of a long text.
        count: how many to return.

    Raises:
        ArgumentError: if `count` is less than 1, a record has no loss of its own, or records that can't be used are to
            be skipped, by which the others would lose their numbers.
        DataError: if a record can't be used.
    """
    if count < 1:
        raise ArgumentError(f"`count` must be at least 1; it is {count}.")
    if task.why_no_losses is not None:
        raise ArgumentError(f"`top_losses`: {task.why_no_losses}.")
    source = task.source(records)
    if source.on_error == "skip":
        raise ArgumentError("`top_losses` tells records by their numbers: read the file without `on_error='skip'`.")
    task.check_validation(source)
    found: list[tuple[float, int, Record]] = []
    parts = alike(chunked(({**record} for record in source), _TOGETHER))
    done = 0
    for part in tqdm(parts, desc="losses", unit=f"{_TOGETHER} records", delay=PROGRESS_AFTER):
        numbered = enumerate(zip(_losses(task, part, source), part, strict=True), start=done + 1)
        found += [(loss, number, record) for number, (loss, record) in numbered if not math.isnan(loss)]
        done += len(part)
    hardest = sorted(found, key=lambda one: (-one[0], one[1]))[:count]
    answers = [task.answer_to(record) for _, _, record in hardest]
    return LossReport(
        tuple(RecordLoss(n, loss, record, answer) for (loss, n, record), answer in zip(hardest, answers, strict=True)),
        float(np.mean([loss for loss, _, _ in found])),
        len(found),
    )


def _losses(task: Any, records: list[Record], source: Source) -> np.ndarray:
    """Return the loss of each record; NaN of one without rows, as `fit` leaves it out. Shape `(records,)`."""
    part = Source(source.name, lambda: iter(records), is_stream=False, known=source.known)
    rows = next(iter(task.training_rows(part)))  # records of the same fields, and few, are made rows of together
    if not rows.num_rows:
        return np.full(len(records), np.nan)
    batching = Batching(task.preprocessor, task.targets, len(records), task.settings.max_length)
    features, gold = batching.batch_of(rows)
    outputs = _outputs(task.training_model(), features)
    functions, weights = task.loss(Recipe()), task.loss_weights or {}
    num_groups = len(rows.group_splits) - 1
    losses = np.zeros(num_groups)
    for number in range(num_groups):
        own, right = share_of(outputs, gold, task.targets, number, num_groups)
        for name, function in functions.items():
            losses[number] += weights.get(name, 1.0) * float(tf.reduce_mean(function.call(right[name], own[name])))
    owners = np.arange(num_groups) if rows.groups is not None else rows.row_to_record
    counts = np.bincount(owners, minlength=len(records)).astype(float)
    counts[counts == 0] = np.nan
    return np.bincount(owners, losses, len(records)) / counts


def _outputs(model: keras.Model, features: Features) -> dict[str, tf.Tensor]:
    """Run a model over rows, so many at a time that a batch of long texts does not exhaust memory."""
    first = next(iter(features.values()))
    step = max(1, _ELEMENTS // max(1, int(np.prod(first.shape[1:]))))
    parts = [
        model({name: values[start : start + step] for name, values in features.items()}, training=False)
        for start in range(0, len(first), step)
    ]
    return {name: tf.concat([part[name] for part in parts], 0) for name in parts[0]}


def answer_to(task: Any, record: Record) -> Any:
    """Return what `predict` says of a record of training data."""
    parts = [record[name] for name in task.serving_inputs]
    return task.predict(tuple(parts) if len(parts) > 1 else parts[0])
