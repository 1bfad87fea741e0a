"""`ZeroShotClassifier`: labels that nobody trained: does the text entail that it is about each of them?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar, final

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.checkpoints.checkpoint import Checkpoint
from tfnlp.data.batches import CHUNK, Target
from tfnlp.data.files import Record
from tfnlp.data.problems import as_text
from tfnlp.data.sources import Source
from tfnlp.errors import ArgumentError, DataError, LabelError
from tfnlp.export import ties
from tfnlp.labels import LabelMap
from tfnlp.outputs import Label, Labels
from tfnlp.precision import Precision
from tfnlp.reports import ClassificationReport
from tfnlp.rows import Rows, as_numpy
from tfnlp.running import Outputs
from tfnlp.tasks.answering import Tensors
from tfnlp.tasks.head_labels import HeadLabels
from tfnlp.tasks.learned import Learned
from tfnlp.tasks.settings import Settings, WindowSettings
from tfnlp.tasks.task import Task
from tfnlp.tasks.text_classification.decoding import in_order_of_ids
from tfnlp.tasks.text_classification.kinds import KINDS, Kind, SingleLabel
from tfnlp.tasks.text_classification.metrics import multi_label_report, single_label_report
from tfnlp.tasks.text_classification.records import LAYOUT, MULTI, SINGLE
from tfnlp.tasks.text_classification.settings import ZeroShotClassifierSettings
from tfnlp.tasks.text_classification.task import SequenceClassifier
from tfnlp.tasks.text_rows import mean_of_rows, text_rows, with_target
from tfnlp.tokenization.tokenizer import Tokenizer
from tfnlp.training.recipe import Recipe

_SAMPLE_LABELS = ("science", "travel", "food")  # by which an exported model is compared


@final
class ZeroShotClassifier(Task):
    """Classifies texts by labels that are given with them, by a network of natural language inference.

    Yin, Hay and Roth, "Benchmarking zero-shot text classification" (2019); answers as transformers' pipeline. It is
    trained on pairs of a text and a hypothesis, labelled `entailment`, `neutral` or `contradiction`, and evaluated on
    texts with labels of their own.

    Example:
        zero_shot = ZeroShotClassifier.from_pretrained("roberta-large-mnli")
        zero_shot.predict("The cat sat on the mat.", ["pets", "politics"])  # [Label(name='pets', ...), ...]
    """

    auto_class: ClassVar[str] = SequenceClassifier.auto_class
    settings_class: ClassVar[type[Settings]] = ZeroShotClassifierSettings
    own_options: ClassVar[tuple[str, ...]] = ("labels",)
    unserved = frozenset({"order"})
    answered_together = 512  # texts, each beside every label
    layout = LAYOUT
    why_no_losses = "a text has a loss for each label that it is compared with"

    @classmethod
    def from_classifier(cls, classifier: SequenceClassifier, **settings: Any) -> ZeroShotClassifier:
        """Make one of a classifier of pairs whose labels say whether a text entails a hypothesis; they share weights.

        Args:
            classifier: a trained one; it stays as it is.
            settings: `hypothesis_template`, `multi_label`; others are the classifier's.

        Raises:
            LabelError: if no label of it is `entailment`.
        """
        shared = {field.name: getattr(classifier.settings, field.name) for field in fields(WindowSettings)}
        chosen = ZeroShotClassifierSettings(**{**shared, "windows": classifier.settings.windows, **settings})
        _ = classifier.head  # built once, for both
        return cls(
            classifier.checkpoint, classifier.tokenizer, Learned(chosen, _checked_labels(classifier.learned.labels))
        )

    @classmethod
    def prepare(cls, checkpoint: Checkpoint, preprocessor: Tokenizer) -> None:
        """Let heads that read the last token of a row find it."""
        SequenceClassifier.prepare(checkpoint, preprocessor)

    @classmethod
    def labels_at_first(cls, checkpoint: Checkpoint, **own_options: Any) -> HeadLabels:
        """Return the labels of inference that the checkpoint has."""
        return _checked_labels(SequenceClassifier.labels_at_first(checkpoint, **own_options))

    # Training

    def learn(self, records: Source) -> Learned:
        """Take the labels of inference from training data, if they are unknown."""
        labels: Any = self.learned.labels
        if labels.labels is None:
            labels = labels.named(SingleLabel.labels_of(records).names, self.checkpoint)
        return Learned(self.settings, _checked_labels(replace(labels, problem_type=SINGLE)))

    @property
    def targets(self) -> dict[str, Target]:
        """A label id."""
        return {"logits": SingleLabel(self.known_labels).target}

    def training_rows(self, records: Source) -> Iterator[Rows]:
        """Yield rows of pairs of a text and a hypothesis; each window of a long text has its text's label."""
        for chunk, gold in SingleLabel(self.known_labels).checked(records, CHUNK, _check_hypothesis):
            texts, hypotheses = ([record[name] for record in chunk] for name in ("text", "text_pair"))
            rows = as_numpy(self._pair_rows(texts, hypotheses, self.settings))
            yield with_target(rows, gold)

    def loss(self, recipe: Recipe) -> dict[str, keras.losses.Loss]:
        """Return the cross entropy of inference."""
        return {"logits": SingleLabel(self.known_labels).loss(recipe)}

    # Evaluation

    def check_validation(self, records: Source) -> None:
        """Raise what is wrong with texts and their labels."""
        for _ in self._kind_of(records).checked(records, CHUNK, _check_text):
            pass

    def _kind_of(self, records: Source, labels: Sequence[str] | None = None) -> Kind:
        """Return what the labels of records are; `labels` to choose among, else all that the records have."""
        kind = KINDS[MULTI if self.settings.multi_label else SINGLE]
        return kind(kind.labels_of(records) if labels is None else LabelMap(tuple(labels)))

    def evaluate(self, records: Any, *, labels: Sequence[str] | None = None) -> ClassificationReport:
        """Compare answers with labels; where `multi_label`, those with a score of 0.5 or more are the answer.

        Args:
            records: a file, a list of records, a table or a dataset, with texts and their labels.
            labels: to choose among; None: all that the records have.

        Raises:
            DataError: if a record can't be used.
            LabelError: if a record's label is not among the labels.
        """
        source = self.source(records)
        kind = self._kind_of(source, labels)
        gold, scores = [], []
        for chunk, right in kind.checked(source, CHUNK, _check_text):
            gold.append(right)
            answers = self.ask([{"text": record["text"], "labels": kind.labels.names} for record in chunk]).answers
            scores.append(in_order_of_ids(answers["scores"], answers["order"]))
        expected, score = np.concatenate(gold), np.concatenate(scores)
        if self.settings.multi_label:
            return multi_label_report(kind.labels.names, expected > 0, score >= 0.5)
        return single_label_report(kind.labels.names, expected, score.argmax(1))

    @property
    def main_metric(self) -> str:
        """The mean F1 of the labels."""
        return SingleLabel.main_metric

    # Prediction

    def predict(  # type: ignore[override]
        self,
        texts: Any,
        labels: Sequence[str],
        *,
        multi_label: bool | None = None,
        hypothesis_template: str | None = None,
        precision: Precision | None = None,
    ) -> Any:
        """Score labels for texts.

        Args:
            texts: a text, or a dict of `text`; a list of them; or an iterable, whose answers then come as a generator.
            labels: to choose among; all are scored.
            multi_label: another than the classifier's own.
            hypothesis_template: another than the classifier's own.
            precision: that products of matrices are computed in, `float32` or `bfloat16`; None: as the settings say.

        Returns:
            `Labels` for one text, the likeliest first, else `Predictions`: a sequence of those.

        Raises:
            ArgumentError: if there is no label, or one twice.
            DataError: if a text is no string.
        """
        if isinstance(labels, str) or not labels or len(set(labels)) < len(labels) or "" in labels:
            raise ArgumentError(f"`labels` must be a list of different labels, at least one; it is {labels!r}.")
        names = tuple(labels)
        given = {"multi_label": multi_label, "hypothesis_template": hypothesis_template}
        settings = replace(self.settings, **{name: value for name, value in given.items() if value is not None})
        is_one = isinstance(texts, (str, dict))

        def as_record(given: Any, number: int) -> Record:
            return {"text": as_text(given, number), "labels": names}

        return self.predict_by(texts, settings=settings, precision=precision, is_one=is_one, as_record=as_record)

    def as_record(self, given: Any, number: int) -> Record:
        """Check a text, and put labels beside it by which an exported model is compared."""
        return {"text": as_text(given, number), "labels": _SAMPLE_LABELS}

    @property
    def serving_inputs(self) -> dict[str, tf.TensorSpec]:
        """Texts, and the labels to choose among for each."""
        return {
            "text": tf.TensorSpec([None], tf.string, name="text"),
            "labels": tf.TensorSpec([None, None], tf.string, name="labels"),
        }

    def rows(self, inputs: Tensors, settings: ZeroShotClassifierSettings) -> Rows:
        """Make rows of each text with the hypothesis of each of its labels."""
        before, after = settings.hypothesis_template.split("{}")
        labels = inputs["labels"]
        hypotheses = tf.reshape(tf.strings.join([before, labels, after]), [-1])
        return self._pair_rows(tf.repeat(inputs["text"], tf.shape(labels)[1]), hypotheses, settings)

    def _pair_rows(self, texts: Any, hypotheses: Any, settings: ZeroShotClassifierSettings) -> Rows:
        return text_rows(
            self.tokenizer, texts, hypotheses, max_length=settings.max_length, stride=settings.stride,
            truncation="only_first", windows=settings.windows,
        )  # fmt: skip

    def decode(
        self, outputs: Outputs, rows: Rows, inputs: Tensors, settings: ZeroShotClassifierSettings
    ) -> dict[str, tf.Tensor]:
        """Rank labels by how far each text entails their hypotheses; a label of no letters fills up, and has no score.

        Returns:
            `labels`, string, and `scores`, float32, of shape `(batch, labels)`, the likeliest first; and beside these,
            which are served, `order`, int32: their places among the labels that were given.
        """
        labels = inputs["labels"]
        shape = tf.shape(labels)
        logits = mean_of_rows(outputs["logits"], rows, tf.size(labels))
        logits = tf.reshape(logits, [shape[0], shape[1], len(self.known_labels)])
        entails, contradicts = _places(self.known_labels)
        is_label = tf.not_equal(labels, "")
        entailment = tf.where(is_label, logits[..., entails], logits.dtype.min)
        apart = tf.where(is_label, tf.math.sigmoid(entailment - logits[..., contradicts]), 0.0)
        is_alone = tf.equal(tf.math.count_nonzero(is_label, 1, keepdims=True), 1)
        scores = apart if settings.multi_label else tf.where(is_alone, apart, tf.nn.softmax(entailment))
        order = tf.argsort(tf.where(is_label, scores, -1.0), direction="DESCENDING", stable=True)
        return {
            "labels": tf.gather(labels, order, batch_dims=1),
            "scores": tf.gather(scores, order, batch_dims=1),
            "order": order,
        }

    def answers(
        self, decoded: dict[str, np.ndarray], records: Sequence[Record], settings: ZeroShotClassifierSettings
    ) -> list[Labels]:
        """Write labels down."""
        ranked = zip(records, decoded["order"].tolist(), decoded["scores"].tolist(), strict=True)
        return [
            Labels(Label(record["labels"][i], score) for i, score in zip(order, scores, strict=True))
            for record, order, scores in ranked
        ]

    def undecided(self, decoded: dict[str, np.ndarray], settings: Any) -> dict[str, np.ndarray]:
        """Tell where labels have about the same score."""
        return {"labels": ties(decoded["scores"])}


def _check_hypothesis(record: Record, where: str) -> None:
    if record["text_pair"] is None:
        raise DataError(
            f"{where}: expected a text and a hypothesis (`text`, `text_pair`); found one text. Zero-shot classifiers "
            "are trained on natural language inference."
        )


def _check_text(record: Record, where: str) -> None:
    if record["text_pair"] is not None:
        raise DataError(f"{where}: expected one text in each record; found pairs.")


def _checked_labels(labels: HeadLabels | None) -> Any:
    """Return the labels of a head, if one of them is of entailment.

    Raises:
        LabelError: if none is.
    """
    if labels is None or labels.labels is None:
        return labels
    names = [name.lower() for name in labels.labels.names]
    if labels.problem_type not in (SINGLE, None) or not any(name.startswith("entail") for name in names):
        raise LabelError(
            f"a classifier of natural language inference has a label 'entailment'; this one's are {names}. Use a "
            "checkpoint that was trained on MNLI or the like."
        )
    return labels


def _places(labels: LabelMap) -> tuple[int, int]:
    """Return the ids of entailment and contradiction; where no name tells the latter, it is at the other end."""
    names = [name.lower() for name in labels.names]
    entails = next(i for i, name in enumerate(names) if name.startswith("entail"))
    by_place = len(names) - 1 if entails == 0 else 0
    return entails, next((i for i, name in enumerate(names) if name.startswith("contra")), by_place)
