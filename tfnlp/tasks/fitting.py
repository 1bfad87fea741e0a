"""How a task is trained. The functions are methods of `Task`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.data import batches
from tfnlp.data.row_source import RowSource
from tfnlp.data.shares import in_shares
from tfnlp.data.sources import Source
from tfnlp.digests import digest_of, written
from tfnlp.errors import ArgumentError, CheckpointError
from tfnlp.paths import local_path
from tfnlp.replicas import all_together, is_chief, refuse_xla, workers
from tfnlp.tasks.settings import precision_of
from tfnlp.training.callbacks import EpochReport, check_callbacks
from tfnlp.training.choosing import frozen, rates_by_layer, weights_to_freeze
from tfnlp.training.optimizer import prepare_first_step
from tfnlp.training.recipe import Recipe
from tfnlp.training.resuming import Watch
from tfnlp.training.training_directory import DIGEST, TrainingDirectory


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

    Raises:
        ArgumentError: of a task whose network has several replicas: Keras would cut batches between rows that belong
            together.
    """
    if task.checkpoint.strategy.num_replicas_in_sync > 1:
        raise ArgumentError(
            "`dataset` yields whole batches, which Keras would split among the replicas without regard to what belongs "
            "together. Call `fit`."
        )
    dataset = batches.build_dataset(
        _row_source(task, task.source(records)), task.preprocessor, task.targets, longest=task.settings.max_length,
        batch_size=batch_size, shuffle=shuffle, seed=seed,
    )  # fmt: skip
    return task.augment(dataset, seed).map(task.model_inputs).prefetch(tf.data.AUTOTUNE)


def _row_source(task: Any, source: Source) -> RowSource:
    """Return the rows of records; workers make them together, and so once."""
    are_several = workers(task.checkpoint.strategy)[1] > 1
    return RowSource(lambda: task.training_rows(source), source.is_stream, keeps_stream=are_several)


def fit(
    task: Any,
    records: Any,
    validation_data: Any = None,
    *,
    callbacks: Sequence[Any] = (),
    checkpoint_dir: str | Path | None = None,
    save_every: int | None = None,
    verbose: str | int = "auto",
    **recipe: Any,
) -> keras.callbacks.History:
    """Train.

    The records are read before: for labels, for what a new head starts from, and to count batches. The seeds of
    Python, NumPy and TensorFlow are set, so the same seed gives the same result. A task that was made in the scope of a
    `MirroredStrategy` or `MultiWorkerMirroredStrategy` is trained by all of its replicas, which share each batch.

    Args:
        records: a file, a list of records, a table or a dataset.
        validation_data: the same, evaluated after every epoch: the report's numbers are in the logs, as `val_f1`.
        callbacks: Keras callbacks; EarlyStopping and ModelCheckpoint can watch those numbers. What they remember is
            not kept in `checkpoint_dir`.
        checkpoint_dir: a directory to keep the state of training in: weights, optimizer, place in the data.
            Of several workers, the chief writes there, and all must see it.
            Called again with the same arguments, in another process too, `fit` goes on where it stopped, and ends with
            the same weights to the bit.
        save_every: steps after which to write there within an epoch; None: after every epoch.
        verbose: as in `keras.Model.fit`.
        recipe: fields of `Recipe`: `epochs`, `batch_size`, `learning_rate`, `seed` ...

    Returns:
        Keras's history.

    Raises:
        DataError: if a record can't be used.
        LabelError: if a label is not one of the model's.
        CheckpointError: if `checkpoint_dir` holds another training, or other files.
    """
    plan = Recipe.of(recipe)
    check_callbacks(callbacks, has_schedule=plan.optimizer is None, has_averages=plan.ema is not None)
    _check_saving(plan, checkpoint_dir, save_every, has_validation=validation_data is not None)
    source = task.source(records)
    validation = None if validation_data is None else task.source(validation_data)
    keras.utils.set_random_seed(plan.seed)
    rows, counts = learned_from(task, source, validation)
    plan = with_balanced_weights(task, plan, rows)
    steps = batches.num_batches(counts, plan.batch_size)
    watch = Watch(
        directory=None if checkpoint_dir is None else _directory(task, plan, rows, validation, checkpoint_dir),
        reseed=lambda step: task.checkpoint.generator.reset([0, step, plan.seed]),
        save_every=save_every,
        metric=None if validation is None else f"val_{task.metric_of(validation)}",
        patience=plan.patience,
        keeps_best=plan.keeps == "best",
    )
    epochs = range(watch.position.epoch, plan.epochs)
    dataset = batches_of_epochs(task, plan, rows, counts, epochs, skipped=watch.position.step)
    reports = [] if validation is None else [EpochReport(all_together()(task.evaluate), validation)]
    with task.checkpoint.scope(), compiled(task, plan, steps) as model:
        task.start_from(source, rows)
        history = model.fit(
            dataset, epochs=plan.epochs, steps_per_epoch=steps, callbacks=[*reports, *callbacks, watch], verbose=verbose
        )
    if checkpoint_dir is not None:
        history.history = watch.position.history
        history.epoch = list(range(len(history.history.get("loss", ()))))
    return history


def batches_of_epochs(
    task: Any, plan: Recipe, rows: RowSource, counts: np.ndarray, epochs: range, *, skipped: int = 0
) -> Any:
    """Return what Keras reads: batches, or for each replica its share of them."""
    batching = batches.Batching(task.preprocessor, task.targets, plan.batch_size, task.settings.max_length)
    dataset = batches.build_epochs(
        rows, batching, counts, seed=plan.seed, augment=task.augment, epochs=epochs, skipped=skipped
    )
    strategy = task.checkpoint.strategy
    if strategy.num_replicas_in_sync == 1:
        return dataset.map(task.model_inputs).prefetch(tf.data.AUTOTUNE)

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        count = strategy.num_replicas_in_sync
        own = count // context.num_input_pipelines
        first = context.input_pipeline_id * own
        shares = in_shares(dataset, task.targets, range(first, first + own), count)
        return shares.map(task.model_inputs).prefetch(tf.data.AUTOTUNE)

    return strategy.distribute_datasets_from_function(of_worker)


def _check_saving(plan: Recipe, checkpoint_dir: Any, save_every: int | None, *, has_validation: bool) -> None:
    if save_every is not None and (not isinstance(save_every, int) or save_every < 1):
        raise ArgumentError(f"`save_every` must be a whole number, at least 1; it is {save_every!r}.")
    if save_every is not None and checkpoint_dir is None:
        raise ArgumentError("`save_every` is for `checkpoint_dir`: name a directory, or leave it out.")
    if checkpoint_dir is not None and local_path(checkpoint_dir).is_file():
        raise CheckpointError(f"{checkpoint_dir}: this is a file; name a directory to keep checkpoints in.")
    if plan.keeps == "best" and not has_validation:
        raise ArgumentError("`patience` and `keep='best'` watch what `validation_data` shows; there is none.")


@contextmanager
def compiled(task: Any, plan: Recipe, steps: int, schedule: Any = None) -> Iterator[keras.Model]:
    """Give the model that learns, ready for its first step, with weights frozen as the recipe says.

    Args:
        task: to train.
        plan: how.
        steps: batches in an epoch.
        schedule: of the learning rate; None: the recipe's.
    """
    if plan.jit_compile:
        refuse_xla("`jit_compile`", task.checkpoint.strategy.num_replicas_in_sync)
    optimizer = plan.build_optimizer(steps, rates_by_layer(task.head, plan.layer_decay), schedule)
    losses = task.loss(plan)
    model = task.training_model(plan.precision)
    with frozen(model, [] if plan.freeze is None else weights_to_freeze(task.head, plan.freeze)):
        model.compile(
            optimizer=optimizer, loss=losses or None, loss_weights=task.loss_weights, jit_compile=plan.jit_compile
        )
        prepare_first_step(model)
        try:
            yield model
        finally:
            model._training_state = None  # by which Keras's `fit` would go on another time


def _directory(
    task: Any, plan: Recipe, rows: RowSource, validation: Source | None, path: str | Path
) -> TrainingDirectory:
    """Open the directory that keeps the state of a training; of several workers, the chief writes to it."""
    facts = _facts(task, plan, rows, validation)
    return TrainingDirectory(path, facts, is_written=is_chief(task.checkpoint.strategy))


def _facts(task: Any, plan: Recipe, rows: RowSource, validation: Source | None) -> dict[str, Any]:
    """Return what must be the same for a training to go on."""
    of_validation = None if validation is None else digest_of(map(written, validation))
    optimizer = None if plan.optimizer is None else keras.optimizers.get(plan.optimizer).get_config()
    labels = None if task.labels is None else task.labels.names
    configuration = None if task.config is None else task.config.to_json_string()
    return {
        "task": type(task).__name__,
        "head": type(task.head).__name__,
        "labels": labels,
        **task.own_settings,
        **vars(plan),
        "keep": plan.keeps,
        "optimizer": optimizer,
        "precision": plan.precision or precision_of(task.settings),
        "network": "transformers" if task.checkpoint.runs_head else None,
        f"{DIGEST}configuration": digest_of([repr(configuration).encode()]),
        "checkpoint": task.checkpoint.origin,
        f"{DIGEST}training data": digest_of(
            _bytes_of(array) for chunk in rows for array in tf.nest.flatten(chunk) if array is not None
        ),
        f"{DIGEST}validation data": of_validation,
    }


def _bytes_of(array: np.ndarray) -> bytes:
    return np.ascontiguousarray(array).tobytes()


def with_balanced_weights(task: Any, plan: Recipe, rows: RowSource) -> Recipe:
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


@all_together()
def learned_from(task: Any, source: Source, validation: Source | None) -> tuple[RowSource, np.ndarray]:
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
