"""`SequenceClassifier`: sentiment, topics, intents, similarity: a label, several, or a number for a text or a pair."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final, get_args

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.checkpoints.last_token import prepare_padding
from tfnlp.checkpoints.weights import output_bias
from tfnlp.data.pipeline import CHUNK, RowChunk, Target
from tfnlp.data.readers import Record
from tfnlp.data.sources import Source
from tfnlp.errors import ArgumentError, DataError
from tfnlp.labels import LabelMap
from tfnlp.outputs import Label, Labels
from tfnlp.reports import ClassificationReport, RegressionReport
from tfnlp.tasks.labelled import LabelledTask
from tfnlp.tasks.prediction import answers_for, check_top_k, numbered, records_of
from tfnlp.tasks.pretrained import Settings
from tfnlp.tasks.text_classification.decoding import ranked_labels
from tfnlp.tasks.text_classification.kinds import NUMBER, TEXT_PROBLEMS, TextProblem
from tfnlp.tasks.text_classification.metrics import best_thresholds
from tfnlp.tasks.text_classification.records import (
    LAYOUT,
    MULTI,
    PROBLEM_TYPES,
    REGRESSION,
    SINGLE,
    ProblemType,
    as_example,
    checked_examples,
    inferred_problem_type,
)
from tfnlp.tasks.text_rows import TextRows, Truncation, Windows
from tfnlp.tokenization.encoded import Encoded
from tfnlp.tokenization.tokenizer import Tokenizer
from tfnlp.training.recipe import Recipe

logger = logging.getLogger(__name__)

_PREDICTED_TOGETHER = 2048  # texts sorted by length together


@dataclass(frozen=True)
class SequenceClassifierSettings(Settings):
    """What a classifier of texts remembers beside the network.

    Attributes:
        windows: of a text longer than a row, whether the `mean` of its windows' logits counts, or the `first`'s alone.
        pairs: whether it classifies pairs of texts; training data tells.
        truncation: which text of a pair that is too long becomes windows: `only_second`, `only_first`; or
            `longest_first`, by which a pair loses what is too long.
        thresholds: of each label, where a text may have several: the score from which it is given. One number serves
            for all.
    """

    windows: Windows = "mean"
    pairs: bool = False
    truncation: Truncation = "only_second"
    thresholds: tuple[float, ...] = (0.5,)

    def __post_init__(self) -> None:
        object.__setattr__(self, "thresholds", tuple(map(float, np.ravel(self.thresholds))))
        for name, type_ in (("windows", Windows), ("truncation", Truncation)):
            allowed = get_args(type_)
            if getattr(self, name) not in allowed:
                raise ArgumentError(f"`{name}` must be one of {allowed}; it is {getattr(self, name)!r}.")
        if not all(0 <= threshold <= 1 for threshold in self.thresholds):
            raise ArgumentError(f"`thresholds` must be in [0, 1]; they are {self.thresholds}.")


@final
class SequenceClassifier(LabelledTask):
    """Labels whole texts, or pairs of texts.

    Example:
        classifier = SequenceClassifier.from_pretrained("bert-base-cased")
        classifier.fit("train.csv", validation_data="dev.csv", epochs=3)
        classifier.predict("What a film!")  # Label(name='positive', score=0.98)
    """

    auto_class: ClassVar[str] = "TFAutoModelForSequenceClassification"
    settings_class: ClassVar[type[Settings]] = SequenceClassifierSettings
    own_options: ClassVar[tuple[str, ...]] = ("labels", "problem_type")
    layout = LAYOUT
    settings: SequenceClassifierSettings

    @classmethod
    def _make(cls, source: Any, config: Any, tokenizer: Tokenizer, options: dict[str, Any]) -> SequenceClassifier:
        problem_type = options.pop("problem_type", None)
        if problem_type is not None and problem_type not in PROBLEM_TYPES:
            raise ArgumentError(f"`problem_type` must be one of {PROBLEM_TYPES}; it is {problem_type!r}.")
        prepare_padding(config, tokenizer.hf.pad_token_id)
        if problem_type is not None:
            config.problem_type = problem_type
        if problem_type == REGRESSION and len(config.id2label) != 1:
            options.setdefault("labels", [NUMBER])
        task = super()._make(source, config, tokenizer, options)
        if problem_type is None and task._fresh_head:
            task.config.problem_type = None  # that of the labels which the new ones replace
        return task

    @property
    def problem_type(self) -> ProblemType | None:
        """One label, several, or a number, by transformers' names; None while it is unknown.

        Where the configuration of a trained checkpoint is silent, the number of labels tells, as in transformers'
        training; `config.problem_type` stays silent then, for what reads the saved checkpoint.
        """
        if self.config.problem_type is not None or not self.is_trained or self._fresh_head:
            return self.config.problem_type
        return REGRESSION if self.config.num_labels == 1 else SINGLE

    # Training

    def learn(self, records: Source) -> None:
        """Take the type of the problem, the labels, and whether texts are pairs from training data."""
        problem_type = self.problem_type or inferred_problem_type(records)
        labels = TEXT_PROBLEMS[problem_type].labels_of(records)
        is_pair = next(checked_examples(records, problem_type))["text_pair"] is not None
        if len(labels) == 1 and problem_type == SINGLE:
            logger.warning("%s: all texts have the label %r: nothing can be learned", records.name, labels.names[0])
        self.config.problem_type = problem_type
        if is_pair:
            self.settings = replace(self.settings, pairs=True)
        if self.labels is None:
            logger.info("%s: %s, %d labels: %s", records.name, problem_type, len(labels), ", ".join(labels.names[:50]))
            self.set_labels(labels.names)

    def start_from(self, records: Source) -> None:
        """Let a new head answer the labels' base rates, or the numbers' mean, until it has learned better.

        From zeros, the first steps make the vectors of all texts alike, as that changes the logits fastest, which
        takes long to undo where most of many labels are rare (measured in docs/text_classification.md). RetinaNet
        starts from a prior, though one for all labels, for stability (https://arxiv.org/abs/1708.02002, 3.3).
        """
        bias = output_bias(self.head, len(self.known_labels))
        if bias is None or bias.numpy().any():  # a new one is zero
            return
        prior = self.problem.prior_logits(gold for *_, gold in self._checked(records))
        if prior is not None:
            bias.assign(prior)

    @property
    def _type(self) -> ProblemType:
        return self.problem_type or SINGLE

    def labels_of(self, records: Source) -> LabelMap:
        """Return the labels that training data holds, in alphabetical order, or that of numbers."""
        return TEXT_PROBLEMS[self._type].labels_of(records)

    @property
    def problem(self) -> TextProblem:
        """What texts are asked for: one label, several, or a number.

        Raises:
            LabelError: if the labels are not known yet.
        """
        return TEXT_PROBLEMS[self._type](self.known_labels, self.settings.thresholds)

    @property
    def targets(self) -> dict[str, Target]:
        """A label id, a number for each label (1: the text has it), or a number."""
        return {"logits": self.problem.target}

    def encode(self, records: Source) -> Iterator[RowChunk]:
        """Yield labelled rows; each window of a long text has its text's label."""
        for encoded, gold in self._labelled(records):
            columns = encoded.features(self.tokenizer.input_names)
            yield RowChunk(columns, encoded.splits, {"logits": gold[encoded.row_to_record]})

    def _labelled(self, records: Source) -> Iterator[tuple[Encoded, np.ndarray]]:
        """Yield chunks of records encoded, and what is right for each record."""
        for start, chunk, gold in self._checked(records):
            yield self._encoded(chunk, f"{records.name}: record", start), gold

    def _checked(self, records: Source) -> Iterator[tuple[int, list[Record], np.ndarray]]:
        """Yield chunks of records: the number of the first, the records, and what is right for each."""
        problem = self.problem
        for start, chunk in numbered(checked_examples(records, self._type), CHUNK):
            yield start, chunk, problem.checked_gold(chunk, f"{records.name}: record", start)

    def _encoded(self, records: Sequence[Record], where: str, start: int) -> Encoded:
        pairs = [record["text_pair"] for record in records]
        for number, pair in enumerate(pairs, start):
            if (pair is not None) != self.settings.pairs:
                expected = "a pair of texts; found one" if self.settings.pairs else "one text; found two"
                raise DataError(f"{where} {number}: expected {expected}. `pairs=True` is for pairs, `pairs=False` not.")
        texts = [record["text"] for record in records]
        return self._rows.encode(texts, pairs if self.settings.pairs else None)

    @property
    def _rows(self) -> TextRows:
        settings = self.settings
        return TextRows(
            self.tokenizer, settings.max_length, settings.stride, settings.truncation, windows=settings.windows
        )

    def loss(self, recipe: Recipe) -> dict[str, keras.losses.Loss]:
        """Return the cross entropy, that of each label by itself, or the squared error."""
        return {"logits": self.problem.loss(recipe)}

    # Evaluation

    def evaluate(self, records: Any) -> ClassificationReport | RegressionReport:
        """Compare answers with labels.

        Args:
            records: a file, a list of records, a table or a dataset, with labels.

        Returns:
            A report: print it for a table, `to_json()` for a file, `confusion.plot()` for a picture.

        Raises:
            DataError: if a record can't be used.
            LabelError: if a label is not one of the model's.
        """
        return self.problem.report(*self._compared(records))

    @property
    def main_metric(self) -> str:
        """The mean F1 of the labels, or the correlation of ranks."""
        return TEXT_PROBLEMS[self._type].main_metric

    def tune_thresholds(self, records: Any) -> tuple[float, ...]:
        """Choose the threshold of each label by its F1 on records that were not trained on, and keep it.

        Args:
            records: as for `evaluate`.

        Returns:
            The thresholds, in the order of the labels.

        Raises:
            ArgumentError: unless texts may have several labels.
        """
        if self._type != MULTI:
            raise ArgumentError("thresholds are for texts with several labels each (`multi_label_classification`).")
        gold, logits = self._compared(records)
        thresholds = best_thresholds(gold > 0, self.problem.scores(logits))
        self.settings = replace(self.settings, thresholds=thresholds)
        return thresholds

    def _compared(self, records: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return what is right, and the logits, of all records."""
        found = [(gold, self._logits(encoded, len(gold))) for encoded, gold in self._labelled(self.source(records))]
        gold, logits = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return gold, logits

    def _logits(self, encoded: Encoded, num_records: int) -> np.ndarray:
        """Return the logits of each record: the mean of those of its rows. Shape `(records, labels)`, float32."""
        return self._rows.outputs(self.forward, encoded, num_records)["logits"]

    # Prediction

    def predict(self, inputs: Any, *, top_k: int | None = None) -> Any:
        """Label texts.

        Args:
            inputs: a text; a pair of texts, as a tuple or a dict of `text` and `text_pair`; a list of either; or an
                iterable, whose answers then come as a generator that reads 2,048 texts at a time.
            top_k: how many labels to give, the likeliest first; more than there are gives all.

        Returns:
            For one text a `Label`; with `top_k`, or where a text may have several labels, `Labels`: those that reach
            their thresholds. For a list, `Predictions`: a sequence of those, in its order.

        Raises:
            DataError: if an input is none of these, or a pair where texts stand alone.
            LabelError: if the labels are not known yet.
        """
        check_top_k(top_k)
        is_one = isinstance(inputs, (str, tuple, dict))
        return answers_for(inputs, lambda given: self._answers(given, top_k), is_one=is_one)

    def _answers(self, inputs: Iterable[Any], top_k: int | None) -> Iterator[Label | Labels]:
        problem = self.problem
        for start, records in records_of(inputs, _PREDICTED_TOGETHER, as_example):
            logits = self._logits(self._encoded(records, "text", start), len(records))
            for scores in problem.scores(logits):
                if top_k is None:
                    yield problem.answer(scores)
                else:
                    yield ranked_labels(problem.labels.names, scores)[:top_k]

    def logits(self, inputs: Sequence[Any]) -> np.ndarray:
        """Run the network on texts, or pairs of texts.

        Args:
            inputs: as `predict` takes them.

        Returns:
            Of a long text, the mean of its windows' logits, or the first's. Shape `(inputs, labels)`, float32.
        """
        records = [as_example(given, number) for number, given in enumerate(inputs, start=1)]
        return self._logits(self._encoded(records, "text", 1), len(records))

    # Serving

    @property
    def serving_inputs(self) -> dict[str, tf.TensorSpec]:
        """A text, and the second of a pair."""
        names = ("text", "text_pair") if self.settings.pairs else ("text",)
        return {name: tf.TensorSpec([None], tf.string, name=name) for name in names}

    def to_serving_inputs(self, inputs: Sequence[Any]) -> dict[str, list[Any]]:
        """Return texts, and the second ones of pairs."""
        records = [as_example(given, number) for number, given in enumerate(inputs, start=1)]
        return {name: [record[name] for record in records] for name in self.serving_inputs}

    def sample_inputs(self, texts: Sequence[str]) -> list[Any]:
        """Pair each text's first words with it where the task wants pairs."""
        return [(" ".join(text.split()[:2]), text) if self.settings.pairs else text for text in texts]

    def serving_outputs(self, *, text: tf.Tensor, text_pair: tf.Tensor | None = None) -> dict[str, tf.Tensor]:  # type: ignore[override]
        """Answer in the graph.

        Args:
            text: Shape `(batch,)`, string.
            text_pair: the second text of each pair. Shape `(batch,)`, string.

        Returns:
            `label`, string, and `score`, float32, of shape `(batch,)`: the best label; `labels` and `scores`, of shape
            `(batch, labels)`: all of them, the likeliest first; and where a text may have several, `is_chosen`, bool:
            which reach their thresholds. Of a regression, `score` alone.
        """
        return self.problem.serve(self.logits_in_graph(text, text_pair))

    def logits_in_graph(self, text: tf.Tensor, text_pair: tf.Tensor | None = None) -> tf.Tensor:
        """Do what `logits` does with TensorFlow ops.

        Args:
            text: Shape `(batch,)`, string.
            text_pair: Shape `(batch,)`, string.

        Returns:
            Shape `(batch, labels)`, float32.
        """
        return self._rows.outputs_in_graph(self.forward, text, text_pair)["logits"]

    def compare_answers(self, inputs: Sequence[Any], served: dict[str, np.ndarray]) -> list[str]:
        """Return how a SavedModel's answers differ from `predict`'s; empty if they don't."""
        problem = self.problem
        predicted = self.predict(list(inputs), top_k=len(problem.labels))
        return [
            f"{given!r:.80}: served {problem.read(served, i)}, predicted {answer}"
            for i, (given, answer) in enumerate(zip(inputs, predicted, strict=True))
            if not problem.served_alike(served, i, answer)
        ]
