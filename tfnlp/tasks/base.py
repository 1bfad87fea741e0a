"""`TaskModel`: what every task shares. It has a `keras.Model`; it is none, and overrides nothing of Keras."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.checkpoints.directories import SETTINGS_FILE, read_settings, write_settings, written_whole
from tfnlp.checkpoints.heads import LOCATION, AutoHead, find_file, load_config, position_limit
from tfnlp.checkpoints.vocabulary import with_vocabulary
from tfnlp.checkpoints.weights import SAFETENSORS, save_safetensors
from tfnlp.data import pipeline
from tfnlp.data.pipeline import RowChunk, RowSource, Target
from tfnlp.data.sources import Layout, Source, as_source
from tfnlp.errors import ArgumentError, LabelError
from tfnlp.reports import Table
from tfnlp.tokenization.tokenizer import Tokenizer
from tfnlp.training.callbacks import EpochReport, check_callbacks
from tfnlp.training.recipe import Recipe, create_training_variables

Self = TypeVar("Self", bound="TaskModel")


@dataclass(frozen=True)
class Settings:
    """What a task remembers beside the network: its part of `tfnlp.json`.

    Attributes:
        max_length: the most tokens in a row; longer texts become windows.
        stride: how many tokens of the text two neighbouring windows share.
    """

    max_length: int
    stride: int


class TaskModel(abc.ABC):
    """A Hugging Face head as a Keras model, with everything around it: from raw text to answers.

    Attributes:
        config: the Hugging Face configuration.
        tokenizer: the checkpoint's tokenizer.
        settings: what is kept beside the network.
    """

    auto_class: ClassVar[str]
    settings_class: ClassVar[type[Settings]]
    layout: ClassVar[Layout]  # of its records
    output_names: ClassVar[tuple[str, ...]] = ("logits",)  # of the head's outputs that the task reads
    loss_weights: ClassVar[dict[str, float] | None] = None  # of the outputs' losses; None: 1 each

    def __init__(self, source: str | Path | None, config: Any, tokenizer: Tokenizer, settings: Settings) -> None:
        """Make the task; `from_pretrained`, `from_config` and `tfnlp.load` are the ways to call this.

        Args:
            source: the checkpoint to read weights from; None: they are initialised anew.
            config: the Hugging Face configuration.
            tokenizer: the checkpoint's tokenizer.
            settings: of the task.
        """
        self.config = config
        self.tokenizer = tokenizer
        self.settings = settings
        self._source = source
        self._seed = 0
        self._fresh_head = False
        self._location: dict[str, Any] = {}

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

    def learn(self, records: Source) -> None:  # noqa: B027 -- a hook: most tasks have nothing to learn so
        """Take what the task must know before it is trained from training data: its labels, if it has any."""

    def start_from(self, records: Source) -> None:  # noqa: B027 -- a hook
        """Let the outputs of a new head start from what training data tells, before the first step."""

    def prepare(self, dataset: tf.data.Dataset, seed: int) -> tf.data.Dataset:
        """Change batches on their way into training, anew in every epoch: hide tokens, for example."""
        del seed
        return dataset

    @classmethod
    def settings_beside(cls, name_or_path: str | Path, **location: Any) -> dict[str, Any]:
        """Return the settings that files of other libraries tell of a checkpoint which tfnlp has not written."""
        del name_or_path, location
        return {}

    def write_beside(self, directory: Path) -> None:  # noqa: B027 -- a hook
        """Write, beside what `save` writes, what other libraries read."""

    @property
    def unknown(self) -> str | None:
        """Why the network can't be built yet, and what to do; None: it can."""
        return None

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

    @property
    def is_trained(self) -> bool:
        """Whether the checkpoint was trained for this task, as its configuration tells."""
        ending = self.auto_class.removeprefix("TFAutoModel")
        return any(name.endswith(ending) for name in self.config.architectures or ())

    # Making one

    @classmethod
    def from_pretrained(cls: type[Self], name_or_path: str | Path, *, seed: int = 0, **options: Any) -> Self:
        """Make the task from a checkpoint.

        Args:
            name_or_path: a directory or a Hub name. One that `save` wrote brings its settings along.
            seed: of weights that the checkpoint lacks, as a new task's head.
            options: fields of the task's settings (`max_length`, `stride` ...) and the task's own options; where to
                look (`revision`, `token`, `cache_dir` ...).

        Raises:
            CheckpointError: if the checkpoint is missing, incomplete or damaged.
            UnsupportedTokenizerError: if its tokenizer exists in Python only.
        """
        hub: dict[str, Any] = {key: options.pop(key) for key in LOCATION if key in options}
        config = load_config(name_or_path, **hub)
        tokenizer = Tokenizer.from_pretrained(name_or_path, **hub)
        file = find_file(name_or_path, SETTINGS_FILE, **hub)
        name, saved = read_settings(file) if file is not None else (None, {})
        if name != cls.__name__:
            saved = cls.settings_beside(name_or_path, **hub)
            if "max_length" in saved:
                saved["max_length"] = min(saved["max_length"], position_limit(config, tokenizer.max_length))
        elif options.get("max_length") is not None:
            saved.pop("stride", None)  # it was chosen for the saved length
        task = cls._make(name_or_path, config, tokenizer, {**saved, **options})
        task._seed, task._location = seed, hub
        if task.unknown is None:
            _ = task.head  # a damaged checkpoint shows now
        return task

    @classmethod
    def from_config(cls: type[Self], config: Any, tokenizer: Any, **options: Any) -> Self:
        """Make the task with weights initialised anew.

        Args:
            config: a Hugging Face configuration.
            tokenizer: a Hugging Face fast tokenizer.
            options: as in `from_pretrained`.
        """
        return cls._make(None, config, Tokenizer(tokenizer), options)

    @classmethod
    def _make(cls: type[Self], source: Any, config: Any, tokenizer: Tokenizer, options: dict[str, Any]) -> Self:
        limit = position_limit(config, tokenizer.max_length)
        max_length = options.pop("max_length", None)
        max_length = min(limit, 512) if max_length is None else max_length
        if not 0 < max_length <= limit:
            raise ArgumentError(f"`max_length` must be in [1, {limit}], the network's limit; it is {max_length}.")
        options.setdefault("stride", max_length // 4)
        task = cls(source, config, tokenizer, cls.settings_class(max_length=max_length, **options))
        tokenizer.check_window(max_length, task.settings.stride)
        return task

    # The network

    @cached_property
    def head(self) -> Any:
        """The Hugging Face TensorFlow head."""
        if self.unknown is not None:
            raise LabelError(self.unknown)
        if self._source is None:
            head = AutoHead(self.auto_class).from_config(self.config)
            head.build_in_name_scope()
        else:
            head = AutoHead(self.auto_class).from_pretrained(
                self._source, config=self.config, seed=self._seed, fresh_head=self._fresh_head, **self._location
            )
        return self._with_room(head)

    def _with_room(self, head: Any) -> Any:
        """Return a head with a row for each of the tokenizer's tokens."""
        num_tokens = len(self.tokenizer.hf)
        if num_tokens <= self.config.vocab_size:
            return head
        return with_vocabulary(head, self.auto_class, num_tokens, seed=self._seed)

    def add_tokens(self, tokens: Sequence[str], *, special: bool = False) -> int:
        """Add tokens to the tokenizer, and rows for them to the network, before it is trained.

        `save` and `export` keep them.

        Args:
            tokens: as they stand in texts.
            special: whether they are special tokens, which decoding leaves out and masking never hides.

        Returns:
            How many were not there before.

        Raises:
            ArgumentError: if a token is empty.
        """
        tokens = tokens if isinstance(tokens, str) else list(tokens)
        if isinstance(tokens, str) or not all(isinstance(token, str) and token.strip() for token in tokens):
            raise ArgumentError(f"`tokens` must be a list of texts that are not empty; it is {tokens!r:.80}.")
        before = len(self.tokenizer.hf)
        if special:
            named = {"additional_special_tokens": tokens}
            self.tokenizer.hf.add_special_tokens(named, replace_additional_special_tokens=False)
        else:
            self.tokenizer.hf.add_tokens(tokens)
        self.tokenizer = Tokenizer(self.tokenizer.hf)
        head = self.__dict__.get("head")
        for kind in type(self).__mro__:  # what was made of the old ones
            for name, value in vars(kind).items():
                if isinstance(value, cached_property):
                    self.__dict__.pop(name, None)
        if head is not None:
            self.head = self._with_room(head)
        return len(self.tokenizer.hf) - before

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

        The records are read once first: for labels, if they are unknown, and to count batches. The seeds of Python,
        NumPy and TensorFlow are set, so the same seed gives the same result.

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
        plan = Recipe(**recipe)
        check_callbacks(callbacks)
        source = self.source(records)
        self.learn(source)
        keras.utils.set_random_seed(plan.seed)
        self.start_from(source)
        rows = self.rows(source)
        counts = pipeline.count_groups(rows, self.settings.max_length)
        steps = pipeline.num_batches(counts, plan.batch_size)
        dataset = self._dataset(rows, int(counts.sum()), batch_size=plan.batch_size, shuffle=True, seed=plan.seed)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
        optimizer = plan.build_optimizer(steps)
        self.model.compile(optimizer=optimizer, loss=self.loss(plan), loss_weights=self.loss_weights)
        create_training_variables(self.model)
        if validation_data is not None:
            validation = self.source(validation_data)
            self.check_validation(validation)
            callbacks = [EpochReport(lambda: self.evaluate(validation)), *callbacks]
        return self.model.fit(dataset, epochs=plan.epochs, callbacks=list(callbacks), verbose=verbose)

    # Files

    def save(self, directory: str | Path) -> None:
        """Write configuration, tokenizer, settings and `model.safetensors`, as `transformers` on PyTorch reads them.

        Everything is written beside the target first and then renamed: a crash leaves an older directory whole.

        Raises:
            ArgumentError: if the directory holds something else than a checkpoint.
        """
        with written_whole(directory, marker="config.json") as target:
            self.config.architectures = [type(self.head).__name__.removeprefix("TF")]
            self.config.save_pretrained(str(target))
            self.tokenizer.save(target)
            save_safetensors(self.head, target / SAFETENSORS)
            write_settings(target, type(self).__name__, asdict(self.settings))
            self.write_beside(target)

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
        from tfnlp.export import export_saved_model

        export_saved_model(self, directory, samples=samples)

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in asdict(self.settings).items())
        return f"{type(self).__name__}({self.config.model_type}, {self._learned}{settings})"

    @property
    def _learned(self) -> str:
        """What `repr` tells of what was learned, with a comma after it."""
        return ""
