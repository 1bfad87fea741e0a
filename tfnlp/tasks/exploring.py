"""What to look at before and after training: learning rates and hard records. The functions are methods of `Task`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from tfnlp._backend import keras
from tfnlp.data.batches import Batching, build_epochs, chunked, num_batches
from tfnlp.data.files import Record
from tfnlp.data.shares import share_of
from tfnlp.data.sources import Source
from tfnlp.errors import ArgumentError
from tfnlp.reports.exploring import LossReport, RateReport, RecordLoss
from tfnlp.tasks.fitting import compiled, for_replicas, learned_from
from tfnlp.tasks.prediction import PROGRESS_AFTER, alike
from tfnlp.training.optimizer import AdamW
from tfnlp.training.recipe import Recipe
from tfnlp.training.schedules import ExponentialSchedule

_SMOOTHING = 0.9  # what the mean of earlier losses weighs beside the next one
_DIVERGED = 4.0  # times the least loss: from then on the rate is too high
_TOGETHER = 32  # records


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
    clipping: dict[str, Any] = {"global_clipnorm": plan.max_gradient_norm} if plan.max_gradient_norm else {}
    optimizer = AdamW(ExponentialSchedule(lowest, highest, steps), weight_decay=plan.weight_decay, **clipping)
    keras.utils.set_random_seed(plan.seed)
    source = task.source(records)
    rows, counts = learned_from(task, source, None)
    steps_per_epoch = num_batches(counts, plan.batch_size)
    watch = _RateWatch(steps)
    with task.checkpoint.scope(), compiled(task, plan, optimizer) as model:
        before = model.get_weights()
        try:
            task.start_from(source, rows)
            task.checkpoint.generator.reset_from_seed(plan.seed)
            batching = Batching(task.preprocessor, task.targets, plan.batch_size, task.settings.max_length)
            epochs = range(math.ceil(steps / steps_per_epoch))
            dataset = build_epochs(
                rows, batching, counts, seed=plan.seed, epochs=epochs, skipped=0, augment=task.augment
            )
            model.fit(for_replicas(task, dataset), steps_per_epoch=steps, callbacks=[watch], verbose=verbose)
        finally:
            model.set_weights(before)
    rates = tuple(float(optimizer.learning_rate(step)) for step in range(len(watch.losses)))
    return RateReport(rates, tuple(watch.losses), _steepest(rates, watch.losses))


class _RateWatch(keras.callbacks.Callback):
    """Notes smoothed losses of batches, and stops when they become much greater than the least."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.losses: list[float] = []
        self._mean, self._steps = 0.0, steps

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Let the logs hold the loss of this batch alone."""
        self.model.compiled_loss.reset_state()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the loss."""
        self._mean = _SMOOTHING * self._mean + (1 - _SMOOTHING) * float((logs or {})["loss"])
        smoothed = self._mean / (1 - _SMOOTHING ** (len(self.losses) + 1))
        if not math.isfinite(smoothed) or smoothed > _DIVERGED * min([smoothed, *self.losses]):
            self.model.stop_training = True
            return
        self.losses.append(smoothed)


def _steepest(rates: tuple[float, ...], losses: list[float]) -> float:
    """Return the rate at which the loss falls fastest, before it is least."""
    if len(losses) < 3:
        raise ArgumentError(f"the loss grew at once: begin with a lower rate than {rates[0] if rates else 'this'}.")
    end = max(3, int(np.argmin(losses)) + 1)
    return float(rates[int(np.argmin(np.gradient(losses[:end])))])


def top_losses(task: Any, records: Any, count: int = 10) -> LossReport:
    """Return the records with the highest losses: the hardest, and often the wrongly labelled ones.

    Args:
        records: with labels, as for `fit`. The mean of its windows' losses is that of a long text.
        count: how many to return.

    Raises:
        ArgumentError: if `count` is less than 1, or a record has no loss of its own.
        DataError: if a record can't be used, also where its file is read with `on_error="skip"`.
    """
    if count < 1:
        raise ArgumentError(f"`count` must be at least 1; it is {count}.")
    if task.why_no_losses is not None:
        raise ArgumentError(f"`top_losses`: {task.why_no_losses}.")
    source = task.source(records)
    task.check_validation(source)
    found: list[tuple[float, int, Record]] = []
    parts = alike(chunked(({**record} for record in source), _TOGETHER))
    for part in tqdm(parts, desc="losses", unit=f"{_TOGETHER} records", delay=PROGRESS_AFTER):
        losses = _losses(task, part, source)
        found += [(loss, len(found) + i, record) for i, (loss, record) in enumerate(zip(losses, part, strict=True), 1)]
    hardest = sorted(found, key=lambda one: (-one[0], one[1]))[:count]
    answers = [task.answer_to(record) for _, _, record in hardest]
    return LossReport(
        tuple(RecordLoss(n, loss, record, answer) for (loss, n, record), answer in zip(hardest, answers, strict=True)),
        float(np.mean([loss for loss, _, _ in found])),
        len(found),
    )


def _losses(task: Any, records: list[Record], source: Source) -> np.ndarray:
    """Return the loss of each record. Shape `(records,)`."""
    part = Source(source.name, lambda: iter(records), is_stream=False, known=source.known)
    (rows,) = task.training_rows(part)
    batching = Batching(task.preprocessor, task.targets, len(records), task.settings.max_length)
    features, gold = batching.batch_of(rows)
    outputs = task.training_model()(features, training=False)
    functions, weights = task.loss(Recipe()), task.loss_weights or {}
    num_groups = len(rows.group_splits) - 1
    losses = []
    for number in range(num_groups):
        own, right = share_of(outputs, gold, task.targets, number, num_groups)
        losses.append(
            sum(weights.get(name, 1.0) * float(one(right[name], own[name])) for name, one in functions.items())
        )
    owners = np.arange(num_groups) if rows.groups is not None else rows.row_to_record
    return np.bincount(owners, losses, len(records)) / np.maximum(np.bincount(owners, minlength=len(records)), 1)


def answer_to(task: Any, record: Record) -> Any:
    """Return what `predict` says of a record of training data."""
    parts = [record[name] for name in task.serving_inputs]
    return task.predict(tuple(parts) if len(parts) > 1 else parts[0])
