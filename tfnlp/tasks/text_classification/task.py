"""`SequenceClassifier`: sentiment, topics, intents, similarity: a label, several, or a number for a text or a pair."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, final

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.checkpoints.checkpoint import Checkpoint
from tfnlp.checkpoints.last_token import prepare_padding
from tfnlp.checkpoints.weights import output_bias
from tfnlp.data.batches import CHUNK, Target
from tfnlp.data.files import Record
from tfnlp.data.sources import Source
from tfnlp.errors import ArgumentError
from tfnlp.outputs import Label, Labels
from tfnlp.precision import Precision
from tfnlp.reports import ClassificationReport, RegressionReport
from tfnlp.rows import Rows
from tfnlp.running import Outputs
from tfnlp.tasks.answering import Tensors
from tfnlp.tasks.head_labels import HeadLabels
from tfnlp.tasks.learned import Learned
from tfnlp.tasks.prediction import check_top_k, compared
from tfnlp.tasks.settings import Settings
from tfnlp.tasks.task import Task
from tfnlp.tasks.text_classification.decoding import in_order_of_ids
from tfnlp.tasks.text_classification.kinds import KINDS, Kind
from tfnlp.tasks.text_classification.metrics import best_thresholds
from tfnlp.tasks.text_classification.records import (
    LAYOUT,
    MULTI,
    NUMBER,
    PROBLEM_TYPES,
    REGRESSION,
    SINGLE,
    ProblemType,
    as_example,
    check_pair,
    checked_examples,
    inferred_problem_type,
)
from tfnlp.tasks.text_classification.settings import SequenceClassifierSettings
from tfnlp.tasks.text_rows import mean_of_rows, text_rows, with_target
from tfnlp.tokenization.tokenizer import Tokenizer
from tfnlp.training.recipe import Recipe

logger = logging.getLogger(__name__)


@final
class SequenceClassifier(Task):
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

    @classmethod
    def prepare(cls, checkpoint: Checkpoint, preprocessor: Tokenizer) -> None:
        """Let heads that read the last token of a row find it."""
        prepare_padding(checkpoint.config, preprocessor.hf.pad_token_id, preprocessor.padding_side)

    @classmethod
    def labels_at_first(cls, checkpoint: Checkpoint, **own_options: Any) -> HeadLabels:
        """Return the checkpoint's labels, or those that the user names."""
        names, problem_type = own_options.get("labels"), own_options.get("problem_type")
        if problem_type is not None and problem_type not in PROBLEM_TYPES:
            raise ArgumentError(f"`problem_type` must be one of {PROBLEM_TYPES}; it is {problem_type!r}.")
        if problem_type == REGRESSION and names is None and len(checkpoint.config.id2label) != 1:
            names = [NUMBER]
        labels = HeadLabels.of(checkpoint, names)
        if problem_type is None and not labels.is_fresh:
            return labels
        return replace(labels, problem_type=problem_type)  # a configuration's is that of labels which were replaced

    @property
    def problem_type(self) -> ProblemType | None:
        """One label, several, or a number, by transformers' names; None while it is unknown.

        Where a trained checkpoint's configuration is silent, the number of labels tells, as in transformers' training.
        """
        labels: Any = self.learned.labels
        if labels.problem_type is not None or not self.checkpoint.is_trained or labels.is_fresh:
            return labels.problem_type
        return REGRESSION if self.config.num_labels == 1 else SINGLE

    @property
    def kind(self) -> Kind:
        """What texts are asked for: one label, several, or a number.

        Raises:
            LabelError: if the labels are not known yet.
        """
        return self._kind(self.settings)

    def _kind(self, settings: SequenceClassifierSettings) -> Kind:
        return KINDS[self.problem_type or SINGLE](self.known_labels, settings.thresholds)

    # Training

    def learn(self, records: Source) -> Learned:
        """Take the type of the problem, the labels, and whether texts are pairs from training data."""
        problem_type = self.problem_type or inferred_problem_type(records)
        labels = KINDS[problem_type].labels_of(records)
        is_pair = next(checked_examples(records, problem_type))["text_pair"] is not None
        if len(labels) == 1 and problem_type == SINGLE:
            logger.warning("%s: all texts have the label %r: nothing can be learned", records.name, labels.names[0])
        found: Any = self.learned.labels
        if found.labels is None:
            logger.info("%s: %s, %d labels: %s", records.name, problem_type, len(labels), ", ".join(labels.names[:50]))
            found = found.named(labels.names, self.checkpoint)
        settings = replace(self.settings, pairs=True) if is_pair else self.settings
        return Learned(settings, replace(found, problem_type=problem_type))

    def start_from(self, records: Source, rows: Iterable[Rows]) -> None:
        """Let a new head answer the labels' base rates, or the numbers' mean, until it has learned better.

        From zeros, a network first learns to make all texts alike, and takes long to undo it where most of many labels
        are rare (docs/text_classification.md). RetinaNet starts from a prior too (https://arxiv.org/abs/1708.02002).
        """
        bias = output_bias(self.head, len(self.known_labels))
        if bias is None or bias.numpy().any():  # a new one is zero
            return
        prior = self.kind.prior_logits(gold for _, gold in self._checked(records, CHUNK))
        if prior is not None:
            bias.assign(prior)

    @property
    def targets(self) -> dict[str, Target]:
        """A label id, a number for each label (1: the text has it), or a number."""
        return {"logits": self.kind.target}

    def training_rows(self, records: Source) -> Iterator[Rows]:
        """Yield labelled rows; each window of a long text has its text's label."""
        for chunk, gold in self._checked(records, CHUNK):
            yield with_target(self.rows_of(chunk), gold)

    def _checked(self, records: Source, together: int) -> Iterator[tuple[list[Record], np.ndarray]]:
        return self.kind.checked(records, together, partial(check_pair, pairs=self.settings.pairs))

    def loss(self, recipe: Recipe) -> dict[str, keras.losses.Loss]:
        """Return the cross entropy, that of each label by itself, or the squared error."""
        return {"logits": self.kind.loss(recipe)}

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
        return self.kind.report(*self._compared(records))

    @property
    def main_metric(self) -> str:
        """The mean F1 of the labels, or the correlation of ranks."""
        return KINDS[self.problem_type or SINGLE].main_metric

    def tune_thresholds(self, records: Any) -> tuple[float, ...]:
        """Choose the threshold of each label by its F1 on records that were not trained on, and keep it.

        Args:
            records: as for `evaluate`.

        Returns:
            The thresholds, in the order of the labels.

        Raises:
            ArgumentError: unless texts may have several labels.
        """
        if self.problem_type != MULTI:
            raise ArgumentError("thresholds are for texts with several labels each (`multi_label_classification`).")
        gold, decoded = self._compared(records)
        thresholds = best_thresholds(gold > 0, in_order_of_ids(decoded["scores"], decoded["order"]))
        self.settings = replace(self.settings, thresholds=thresholds)
        return thresholds

    def _compared(self, records: Any) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return what is right for all records, and what is answered."""
        return compared(self.ask, self._checked(self.source(records), self.answered_together))

    # Prediction

    def predict(self, inputs: Any, *, top_k: int | None = None, precision: Precision | None = None) -> Any:
        """Label texts.

        Args:
            inputs: a text; a pair of texts, as a tuple or a dict of `text` and `text_pair`; a list of either; or an
                iterable, whose answers then come as a generator that reads 2,048 texts at a time.
            top_k: how many labels to give, the likeliest first; more than there are gives all.
            precision: that products of matrices are computed in, `float32` or `bfloat16`; None: as the settings say.

        Returns:
            For one text a `Label`; with `top_k`, or where a text may have several labels, `Labels`: those that reach
            their thresholds. For a list, `Predictions`: a sequence of those, in its order.

        Raises:
            DataError: if an input is none of these, or a pair where texts stand alone.
            LabelError: if the labels are not known yet.
        """
        check_top_k(top_k)
        _ = self.known_labels
        is_one = isinstance(inputs, (str, tuple, dict))
        if top_k is None:
            return self.predict_by(inputs, precision=precision, is_one=is_one)

        def answers(decoded: dict[str, np.ndarray], *_: Any) -> list[Labels]:
            return [labels[:top_k] for labels in self.kind.ranked(decoded)]

        return self.predict_by(inputs, precision=precision, is_one=is_one, answers=answers)

    def as_record(self, given: Any, number: int) -> Record:
        """Check a text, or a pair of them."""
        return check_pair(as_example(given, number), f"text {number}", pairs=self.settings.pairs)

    @property
    def serving_inputs(self) -> dict[str, tf.TensorSpec]:
        """A text, and the second of a pair."""
        names = ("text", "text_pair") if self.settings.pairs else ("text",)
        return {name: tf.TensorSpec([None], tf.string, name=name) for name in names}

    def tensors(self, records: Sequence[Record]) -> Tensors:
        """Return texts, and the second ones of pairs; strings of shape `(batch,)`."""
        names = [name for name in ("text", "text_pair") if records[0][name] is not None]
        return {name: tf.constant([record[name] for record in records], tf.string) for name in names}

    def sample_inputs(self, texts: Sequence[str]) -> list[Any]:
        """Pair each text's first words with it where the task wants pairs."""
        return [(" ".join(text.split()[:2]), text) if self.settings.pairs else text for text in texts]

    def rows(self, inputs: Tensors, settings: SequenceClassifierSettings) -> Rows:
        """Make rows of texts, or of pairs."""
        return text_rows(
            self.tokenizer, inputs["text"], inputs.get("text_pair"), max_length=settings.max_length,
            stride=settings.stride, truncation=settings.truncation, windows=settings.windows,
        )  # fmt: skip

    def decode(
        self, outputs: Outputs, rows: Rows, inputs: Tensors, settings: SequenceClassifierSettings
    ) -> dict[str, tf.Tensor]:
        """Rank the labels of texts.

        Returns:
            `label`, string, and `score`, float32, of shape `(batch,)`: the best label; `labels` and `scores`, of shape
            `(batch, labels)`: all of them, the likeliest first; and where a text may have several, `is_chosen`, bool:
            which reach their thresholds. Of a regression, `score` alone. Beside these, which are served, see
            `Kind.decode`.
        """
        logits = mean_of_rows(outputs["logits"], rows, tf.size(inputs["text"]))
        return self._kind(settings).decode(logits)

    @property
    def unserved(self) -> frozenset[str]:  # type: ignore[override]
        """The order of labels and the logits; of numbers, the scores, which are the numbers again."""
        return frozenset({"order", "logits", "scores"} if self.problem_type == REGRESSION else {"order", "logits"})

    def answers(
        self, decoded: dict[str, np.ndarray], records: Sequence[Record], settings: SequenceClassifierSettings
    ) -> Sequence[Label | Labels]:
        """Write labels down."""
        return self._kind(settings).answers(decoded)

    def undecided(self, decoded: dict[str, np.ndarray], settings: Any) -> dict[str, np.ndarray]:
        """Tell where labels have about the same score, or a score is about its threshold."""
        return self._kind(settings).undecided(decoded)

    def logits(self, inputs: Sequence[Any]) -> np.ndarray:
        """Run the network on inputs as `predict` takes them.

        Returns:
            Of a long text, the mean of its windows' logits. Shape `(inputs, labels)`, float32.
        """
        return self.ask(self.as_records(inputs)).answers["logits"]
