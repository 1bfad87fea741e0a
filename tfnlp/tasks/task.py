"""`TaskModel`: what every task shares. It has a `keras.Model`; it is none, and overrides nothing of Keras."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.data import pipeline
from tfnlp.data.pipeline import RowChunk, RowSource, Target
from tfnlp.data.sources import Layout, Source, as_source
from tfnlp.export import export_saved_model
from tfnlp.reports import Table
from tfnlp.tasks.pretrained import PretrainedTask
from tfnlp.training.callbacks import EpochReport, check_callbacks
from tfnlp.training.recipe import Recipe, create_training_variables


class TaskModel(PretrainedTask):
    """A Hugging Face head as a Keras model, with everything around it: from raw text to answers."""

    layout: ClassVar[Layout]  # of its records
    output_names: ClassVar[tuple[str, ...]] = ("logits",)  # of the head's outputs that the task reads
    loss_weights: ClassVar[dict[str, float] | None] = None  # of the outputs' losses; None: 1 each

    # What a task defines

    @property
    @abc.abstractmethod
    def targets(self) -> dict[str, Target]:
        """What each output of the network learns."""

    @abc.abstractmethod
    def encode(self, records: Source) -> Iterator[RowChunk]:
        """Yield labelled rows: the network's inputs and its targets."""

    @abc.abstractmethod
    def loss(self, recipe: Recipe) -> dict[str, keras.losses.Loss]:
        """Return the loss of each output of the network."""

    @abc.abstractmethod
    def evaluate(self, records: Any) -> Table:
        """Compare the answers for records with their labels."""

    @abc.abstractmethod
    def predict(self, inputs: Any) -> Any:
        """Answer for inputs: texts, or whatever the task asks for."""

    @abc.abstractmethod
    def serving_outputs(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Answer in the graph: the exported signature's inputs to its outputs."""

    @abc.abstractmethod
    def compare_answers(self, inputs: Sequence[Any], served: dict[str, np.ndarray]) -> list[str]:
        """Return how a SavedModel's answers for inputs differ from `predict`'s; empty if they don't."""

    # What a task may define

    def learn(self, records: Source) -> None:
        """Take what the task must know before it is trained from training data: its labels, if it has any."""

    def start_from(self, records: Source) -> None:
        """Let the outputs of a new head start from what training data tells, before the first step."""

    def prepare(self, dataset: tf.data.Dataset, seed: int) -> tf.data.Dataset:
        """Change batches on their way into training, anew in every epoch: hide tokens, for example."""
        del seed
        return dataset

    @property
    def main_metric(self) -> str:
        """The number of a report by which to choose among models; more is better."""
        return "f1"

    def metric_of(self, records: Source) -> str:
        """Return the number to watch where these records are evaluated."""
        del records
        return self.main_metric

    def watched_metric(self, records: Source, validation: Source) -> str:
        """Return the number to watch while training on records and evaluating on others; learns from the first."""
        self.learn(records)
        return self.metric_of(validation)

    def check_validation(self, records: Source) -> None:
        """Raise what is wrong with records that will be evaluated: now, and not after an epoch."""
        for _ in self.encode(records):
            pass

    @property
    def serving_inputs(self) -> dict[str, tf.TensorSpec]:
        """The inputs of the exported signature."""
        return {"text": tf.TensorSpec([None], tf.string, name="text")}

    def to_serving_inputs(self, inputs: Sequence[Any]) -> dict[str, list[Any]]:
        """Return inputs as `predict` takes them by the names of the exported signature's."""
        return {"text": list(inputs)}

    def sample_inputs(self, texts: Sequence[str]) -> list[Any]:
        """Make of texts the inputs with which an exported model is compared."""
        return list(texts)

    def call_head(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Run the head, in building the Keras model: int32 tensors of shape `(batch, length)` in, outputs by name."""
        found = self.head(inputs)
        return {name: getattr(found, name) for name in self.output_names}

    @cached_property
    def model(self) -> keras.Model:
        """The plain Keras model: a dict of int32 tensors of shape `(batch, length)` in, a dict of tensors out."""
        names = self.tokenizer.input_names
        inputs = {name: keras.Input([None], dtype=tf.int32, name=name) for name in names}
        outputs = {
            name: keras.layers.Activation("linear", dtype="float32", name=name)(values)  # also if mixed
            for name, values in self.call_head(inputs).items()
        }
        return keras.Model(inputs, outputs, name=type(self).__name__.lower())

    @cached_property
    def forward(self) -> Callable[..., dict[str, tf.Tensor]]:
        """The network as one graph for batches of every size: features in, a dict of outputs out."""
        names = self.tokenizer.input_names
        signature = {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in names}
        model = self.model

        @tf.function(input_signature=[signature])  # some heads (DeBERTa) need AutoGraph
        def forward(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return model(features, training=False)

        return forward

    # Training

    def source(self, records: Any) -> Source:
        """Return records that can be read again and again, whatever holds them."""
        return as_source(records, self.layout)

    def rows(self, records: Any) -> RowSource:
        """Return labelled rows that can be read again and again."""
        source = self.source(records)
        return RowSource(lambda: self.encode(source), source.is_stream)

    def dataset(self, records: Any, *, batch_size: int = 16, shuffle: bool = False, seed: int = 0) -> tf.data.Dataset:
        """Build the `tf.data.Dataset` that `task.model.fit` reads.

        Args:
            records: a file, a list of records, a table or a dataset, as for `fit`.
            batch_size: rows in a batch.
            shuffle: draw the rows in another order in every epoch.
            seed: of that order.

        Returns:
            Pairs of features, a dict of int32 tensors of shape `(batch, length)`, and a dict of
            targets by the network's outputs.
        """
        return self._dataset(self.rows(records), None, batch_size=batch_size, shuffle=shuffle, seed=seed)

    def _dataset(self, rows: RowSource, num_groups: int | None, *, seed: int, **options: Any) -> tf.data.Dataset:
        dataset = pipeline.build_dataset(
            rows,
            self.tokenizer.input_names,
            self.targets,
            max_length=self.settings.max_length,
            pad_id=self.tokenizer.pad_id,
            num_groups=num_groups,
            seed=seed,
            **options,
        )
        return self.prepare(dataset, seed)

    def fit(
        self,
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
        plan = Recipe.of(recipe)
        check_callbacks(callbacks, has_schedule=plan.optimizer is None)
        source = self.source(records)
        validation = None if validation_data is None else self.source(validation_data)
        keras.utils.set_random_seed(plan.seed)
        with self._unchanged_by_failure():
            self.learn(source)
            rows = self.rows(source)
            counts = pipeline.count_groups(rows, self.settings.max_length)
            if validation is not None:
                self.check_validation(validation)
        steps = pipeline.num_batches(counts, plan.batch_size)
        dataset = self._dataset(rows, int(counts.sum()), batch_size=plan.batch_size, shuffle=True, seed=plan.seed)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
        optimizer = plan.build_optimizer(steps)
        self.model.compile(optimizer=optimizer, loss=self.loss(plan), loss_weights=self.loss_weights)
        create_training_variables(self.model)
        if validation is not None:
            callbacks = [EpochReport(lambda: self.evaluate(validation)), *callbacks]
        self.start_from(source)
        return self.model.fit(dataset, epochs=plan.epochs, callbacks=list(callbacks), verbose=verbose)

    @contextmanager
    def _unchanged_by_failure(self) -> Iterator[None]:
        """Forget what was learned of data that can't be used."""
        before, config = dict(vars(self)), dict(vars(self.config))
        try:
            yield
        except BaseException:
            for attributes, values in ((vars(self), before), (vars(self.config), config)):
                attributes.clear()
                attributes.update(values)
            raise

    # Serving

    def export(self, directory: str | Path, *, samples: Sequence[Any] = ()) -> None:
        """Write a SavedModel that takes strings and answers as `predict` does; see `tfnlp.export`.

        Args:
            directory: where to write.
            samples: inputs of your own, as `predict` takes them, to compare the two with.

        Raises:
            ExportError: if an answer differs; nothing is left in the directory then.
            UnsupportedTokenizerError: if the tokenizer can't be compiled into the graph.
            ArgumentError: if the directory holds something else than a SavedModel.
        """
        export_saved_model(self, directory, samples=samples)
