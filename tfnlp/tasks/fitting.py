"""How a task is trained. The functions are methods of `Task`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tfnlp._backend import check_one_replica, keras, tf
from tfnlp.data import batches
from tfnlp.data.batches import RowSource
from tfnlp.data.sources import Source
from tfnlp.training.callbacks import EpochReport, check_callbacks
from tfnlp.training.optimizer import prepare_first_step
from tfnlp.training.recipe import Recipe


def dataset(task: Any, records: Any, *, batch_size: int = 16, shuffle: bool = False, seed: int = 0) -> tf.data.Dataset:
    """Build the `tf.data.Dataset` that the `fit` of `task.training_model()` reads; of most tasks, that is `task.model`.

    Args:
        records: a file, a list of records, a table or a dataset, as for `fit`.
        batch_size: rows in a batch.
        shuffle: draw the rows in another order in every epoch.
        seed: of that order.

    Returns:
        Pairs of features, a dict of int32 tensors of shape `(batch, length)`, and a dict of targets by the network's
        outputs; of TAPAS one dict of both.
    """
    rows = _row_source(task, task.source(records))
    return _dataset(task, rows, None, batch_size=batch_size, shuffle=shuffle, seed=seed)


def _row_source(task: Any, source: Source) -> RowSource:
    return RowSource(lambda: task.training_rows(source), source.is_stream)


def _dataset(task: Any, rows: RowSource, num_groups: int | None, *, seed: int, **options: Any) -> tf.data.Dataset:
    dataset = batches.build_dataset(
        rows, task.preprocessor, task.targets, longest=task.settings.max_length, num_groups=num_groups, seed=seed,
        **options,
    )  # fmt: skip
    return task.augment(dataset, seed)


def fit(
    task: Any,
    records: Any,
    validation_data: Any = None,
    *,
    callbacks: Sequence[Any] = (),
    verbose: str | int = "auto",
    **recipe: Any,
) -> keras.callbacks.History:
    """Train.

    The records are read before: for labels, for what a new head starts from, and to count batches. The seeds of
    Python, NumPy and TensorFlow are set, so the same seed gives the same result.

    Args:
        records: a file, a list of records, a table or a dataset.
        validation_data: the same, evaluated after every epoch: the report's numbers are in the logs, as `val_f1`.
        callbacks: Keras callbacks; EarlyStopping and ModelCheckpoint can watch those numbers.
        verbose: as in `keras.Model.fit`.
        recipe: fields of `Recipe`: `epochs`, `batch_size`, `learning_rate`, `seed` ...

    Returns:
        Keras's history.

    Raises:
        DataError: if a record can't be used.
        LabelError: if a label is not one of the model's.
    """
    check_one_replica()
    plan = Recipe.of(recipe)
    check_callbacks(callbacks, has_schedule=plan.optimizer is None)
    source = task.source(records)
    validation = None if validation_data is None else task.source(validation_data)
    keras.utils.set_random_seed(plan.seed)
    rows, counts = _learned_from(task, source, validation)
    plan = _with_balanced_weights(task, plan, rows)
    steps = batches.num_batches(counts, plan.batch_size)
    dataset = _dataset(task, rows, int(counts.sum()), batch_size=plan.batch_size, shuffle=True, seed=plan.seed)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
    optimizer = plan.build_optimizer(steps)
    losses = task.loss(plan)
    model = task.training_model(plan.precision)
    model.compile(optimizer=optimizer, loss=losses or None, loss_weights=task.loss_weights)
    prepare_first_step(model)
    if validation is not None:
        callbacks = [EpochReport(lambda: task.evaluate(validation)), *callbacks]
    task.start_from(source)
    return model.fit(dataset, epochs=plan.epochs, callbacks=list(callbacks), verbose=verbose)


def _with_balanced_weights(task: Any, plan: Recipe, rows: RowSource) -> Recipe:
    """Weigh labels by how rare they are, if that is asked for: each label counts as much as every other, together."""
    output, target = next(iter(task.targets.items()))
    if plan.label_weights != "balanced" or task.labels is None or target.dtype != "int32":
        return plan  # a task without such labels refuses weights of any kind
    names = task.known_labels.names
    counts = np.zeros(len(names), np.int64)
    for chunk in rows:
        ids = chunk.targets[output].values
        counts += np.bincount(ids[ids >= 0], minlength=len(names))
    weights = counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return replace(plan, label_weights={name: float(w) for name, w, n in zip(names, weights, counts, strict=True) if n})


def _learned_from(task: Any, source: Source, validation: Source | None) -> tuple[RowSource, np.ndarray]:
    """Learn from records, and count their rows; if one can't be used, the task stays as it was."""
    before = task.learned
    task.learned = task.learn(source)
    try:
        rows = _row_source(task, source)
        counts = batches.count_groups(rows, task.settings.max_length)
        if validation is not None:
            task.check_validation(validation)
    except BaseException:
        task.learned = before
        raise
    return rows, counts
