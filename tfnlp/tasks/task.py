"""`Task`: from records to a trained network, and from inputs to answers. It holds a `keras.Model` but is not one."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.checkpoints.checkpoint import Checkpoint
from tfnlp.data.batches import Target
from tfnlp.data.files import Record
from tfnlp.data.sources import Layout, Source, as_source
from tfnlp.precision import Precision
from tfnlp.preprocessor import Preprocessor
from tfnlp.reports import BaseReport
from tfnlp.rows import Rows
from tfnlp.running import Features, Outputs, Runner
from tfnlp.tasks import answering, building, exploring, fitting, head_labels, pretrained, serving
from tfnlp.tasks.answering import Tensors
from tfnlp.tasks.head_labels import HeadLabels
from tfnlp.tasks.learned import Learned
from tfnlp.tasks.network import Network, per_row
from tfnlp.tasks.settings import WindowSettings, precision_of
from tfnlp.tokenization.tokenizer import Tokenizer
from tfnlp.training.recipe import Recipe


class Task(abc.ABC):
    """A Hugging Face head as a Keras model, with everything around it: from records to training, from text to answers.

    `predict` and an exported SavedModel run the same three steps: `rows`, the network, `decode`.
    """

    auto_class: ClassVar[str]
    checkpoint_class: ClassVar[type[Any]] = Checkpoint
    preprocessor_class: ClassVar[type[Any]] = Tokenizer
    settings_class: ClassVar[type[Any]] = WindowSettings
    own_options: ClassVar[tuple[str, ...]] = ()  # of `from_pretrained`, beside the fields of its settings
    layout: ClassVar[Layout]  # of its records
    output_names: ClassVar[tuple[str, ...]] = ("logits",)  # of the head's outputs that the task reads
    loss_weights: ClassVar[dict[str, float] | None] = None  # of the outputs' losses; None: 1 each
    unserved: ClassVar[frozenset[str]] = frozenset()  # of what `decode` gives, what a SavedModel does not
    why_no_losses: ClassVar[str | None] = None  # of single records; None: there are
    answered_together: ClassVar[int] = 2048  # inputs, whose rows are sorted by length together

    def __init__(self, checkpoint: Checkpoint, preprocessor: Preprocessor, learned: Learned) -> None:
        """Make the task; `from_pretrained`, `from_config` and `tfnlp.load` are the ways to call this."""
        self.checkpoint, self.preprocessor, self.learned = checkpoint, preprocessor, learned
        self.forget_graphs()

    def forget_graphs(self) -> None:
        """Build the network and all graphs anew when they are asked for: the tokenizer, or the head, is another."""
        self._networks: dict[str, Network] = {}
        self._graphs: dict[Any, Any] = {}

    # What a task defines

    @property
    @abc.abstractmethod
    def targets(self) -> dict[str, Target]:
        """What each output of the network learns; or each further input of `training_model`."""

    @abc.abstractmethod
    def training_rows(self, records: Source) -> Iterator[Rows]:
        """Yield rows of NumPy arrays, with targets."""

    @abc.abstractmethod
    def loss(self, recipe: Recipe) -> dict[str, keras.losses.Loss]:
        """Return the loss of each output of `training_model`; empty where that has its own."""

    @abc.abstractmethod
    def as_record(self, given: Any, number: int) -> Record:
        """Check one input of `predict`, and name its parts; `number` is for messages.

        Raises:
            DataError: if it can't be used.
        """

    def tensors(self, records: Sequence[Record]) -> Tensors:
        """Return inputs of the same fields as tensors, by the names of the exported signature's inputs."""
        return {name: tf.constant([record[name] for record in records], tf.string) for name in self.serving_inputs}

    @abc.abstractmethod
    def rows(self, inputs: Tensors, settings: Any) -> Rows:
        """Make the network's rows of inputs, with TensorFlow ops."""

    @abc.abstractmethod
    def decode(self, outputs: Outputs, rows: Rows, inputs: Tensors, settings: Any) -> dict[str, tf.Tensor]:
        """Make answers of what the network says of rows, with TensorFlow ops: the outputs of the exported signature."""

    @abc.abstractmethod
    def answers(self, decoded: dict[str, np.ndarray], records: Sequence[Record], settings: Any) -> Any:
        """Write down what `decode` gives as what `predict` returns for each record."""

    @abc.abstractmethod
    def evaluate(self, records: Any) -> BaseReport:
        """Compare the answers for records with their labels."""

    @abc.abstractmethod
    def predict(self, inputs: Any) -> Any:
        """Answer for inputs: texts, or whatever the task asks for."""

    # What a task may define

    @classmethod  # noqa: B027 -- a hook
    def prepare(cls, checkpoint: Checkpoint, preprocessor: Any) -> None:
        """Refuse a checkpoint that can't do the task; set what the task wants of its configuration."""

    @classmethod
    def settings_of_others(cls, checkpoint: Checkpoint) -> dict[str, Any]:
        """Return the settings that files of other libraries tell of a checkpoint; those of `tfnlp.json` come first."""
        return {}

    def write_beside(self, directory: Path) -> None:  # noqa: B027 -- a hook
        """Write, beside what `save` writes, what the head does not hold, and what other libraries read."""

    @classmethod
    def labels_at_first(cls, checkpoint: Checkpoint, **own_options: Any) -> HeadLabels | None:
        """Return the labels that the checkpoint or the user names; None: the task has none."""
        return None

    def learn(self, records: Source) -> Learned:
        """Return what training data tells beside what is known: labels, for example."""
        return self.learned

    def start_from(self, records: Source, rows: Iterable[Rows]) -> None:  # noqa: B027 -- a hook
        """Let the outputs of a new head start from what training data tells, before the first step.

        Args:
            records: that are trained on.
            rows: what `training_rows` made of them.
        """

    def training_model(self, precision: Precision | None = None) -> keras.Model:
        """Return the Keras model that learns from what `dataset` yields.

        Args:
            precision: that products are computed in; None: the settings' own.
        """
        return self.network_in(precision or precision_of(self.settings)).model

    def augment(self, dataset: tf.data.Dataset, seed: int) -> tf.data.Dataset:
        """Change batches on their way into training, anew in every epoch: hide tokens, for example."""
        return dataset

    def model_inputs(self, features: Features, targets: Features) -> Any:
        """Return what `training_model` reads of a batch: as Keras has it, a pair of features and targets."""
        return features, targets

    def call_head(self, run: Callable[..., Any], inputs: Features) -> dict[str, Any]:
        """Run the head, in building the Keras model.

        Args:
            run: what runs it; see `Checkpoint.network`.
            inputs: tensors of shape `(batch, length)`.

        Returns:
            Outputs by name.
        """
        outputs = run(inputs)
        return {name: outputs[name] for name in self.output_names}

    def kept(self, outputs: dict[str, tf.Tensor], features: Features, inside: tf.Tensor) -> Outputs:
        """Choose what is kept of the network's outputs for a batch; see `network.Kept`."""
        return per_row(outputs, features, inside)

    def num_owners(self, records: Sequence[Record]) -> int:
        """Return how many there are of what `row_to_record` of their rows counts."""
        return len(records)

    @property
    def main_metric(self) -> str:
        """The number of a report by which to choose among models; more is better."""
        return "f1"

    def metric_of(self, records: Source) -> str:
        """Return the number to watch where these records are evaluated."""
        return self.main_metric

    def check_validation(self, records: Source) -> None:
        """Raise what is wrong with records that will be evaluated: now, and not after an epoch."""
        for _ in self.training_rows(records):
            pass

    def sample_inputs(self, texts: Sequence[str]) -> list[Any]:
        """Make of texts the inputs with which an exported model is compared."""
        return list(texts)

    def undecided(self, decoded: dict[str, np.ndarray], settings: Any) -> dict[str, np.ndarray]:
        """Tell, by names of outputs, which entries that are no numbers rounding may change; bool, of their shapes."""
        return {}

    # Making and keeping one

    from_pretrained = classmethod(pretrained.from_pretrained)
    from_config = classmethod(pretrained.from_config)
    add_tokens = pretrained.add_tokens
    use_tokenizer = pretrained.use_tokenizer
    save = pretrained.save

    # What it is made of

    @property
    def config(self) -> Any:
        """The Hugging Face configuration."""
        return self.checkpoint.config

    @property
    def tokenizer(self) -> Any:
        """The preprocessor of texts: a `Tokenizer`, or TAPAS's `TableTokenizer`."""
        return self.preprocessor

    @property
    def settings(self) -> Any:
        """What is kept beside the network."""
        return self.learned.settings

    @settings.setter
    def settings(self, settings: Any) -> None:
        before = self.settings
        self.learned = Learned(settings, self.learned.labels)
        if any(getattr(before, name) != getattr(settings, name) for name in settings.of_model):
            self.forget_graphs()

    @property
    def own_settings(self) -> dict[str, Any]:
        """The settings that are kept in `tfnlp.json`; others have files of their own."""
        return asdict(self.settings)

    @property
    def labels(self) -> Any:
        """The labels in the order of their ids, a `LabelMap`; None: unknown yet, or the task has none."""
        return None if self.learned.labels is None else self.learned.labels.labels

    @property
    def known_labels(self) -> Any:
        """The labels in the order of their ids, a `LabelMap`.

        Raises:
            LabelError: if they are not known yet.
        """
        assert self.learned.labels is not None, "a task with labels"
        return self.learned.labels.known

    set_labels = head_labels.set_labels

    def answerer(self, settings: Any) -> Runner:
        """Return what runs over rows to answer, by settings: the network, or what asks it again and again."""
        return self.network_in(precision_of(settings))

    head: Any = property(building.head)
    network_in = building.network_in
    network = property(building.network)
    model = property(building.model)
    forward = property(building.forward)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.own_settings.items())
        labels = "" if self.learned.labels is None else f"{self.learned.labels}, "
        return f"{type(self).__name__}({self.config.model_type}, {labels}{settings})"

    # Training

    fit = fitting.fit
    dataset = fitting.dataset
    lr_find = exploring.lr_find
    top_losses = exploring.top_losses
    answer_to = exploring.answer_to

    def source(self, records: Any) -> Source:
        """Return records that can be read again and again."""
        return as_source(records, self.layout)

    # Answering

    ask = answering.ask
    as_records = answering.as_records
    rows_of = answering.rows_of
    predict_by = answering.predict_by
    serving_inputs = property(serving.serving_inputs)
    other_signatures = property(serving.other_signatures)
    settings_for = serving.settings_for
    optional_inputs = serving.optional_inputs
    serve = serving.serve
    served = serving.served
    export = serving.export
    to_serving_inputs = serving.to_serving_inputs
    compare_answers = serving.compare_answers
