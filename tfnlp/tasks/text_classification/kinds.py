"""The kinds of labels that texts may have, a class each: one label, several labels, or a number."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from typing import Any, ClassVar

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.data.batches import Target
from tfnlp.data.files import Record
from tfnlp.data.sources import Source
from tfnlp.errors import ArgumentError, LabelError
from tfnlp.export import TOLERANCE, ties
from tfnlp.labels import LabelMap
from tfnlp.outputs import Label, Labels
from tfnlp.reports import ClassificationReport, RegressionReport
from tfnlp.tasks.prediction import numbered
from tfnlp.tasks.text_classification.decoding import in_order_of_ids, ranked_labels
from tfnlp.tasks.text_classification.metrics import multi_label_report, single_label_report
from tfnlp.tasks.text_classification.records import MULTI, NUMBER, REGRESSION, SINGLE, ProblemType, checked_examples
from tfnlp.training.losses import LabelCrossEntropy, SquaredError, cross_entropy
from tfnlp.training.recipe import Recipe
from tfnlp.training.regression import regression_report


@dataclass(frozen=True)
class Kind(abc.ABC):
    """What the labels of texts are, and all that depends on it.

    Attributes:
        labels: in the order of their ids; of a regression, one.
        thresholds: the score from which each label is given, where a text may have several; one serves for all.
    """

    labels: LabelMap
    thresholds: tuple[float, ...] = (0.5,)

    type: ClassVar[ProblemType]  # by transformers' names
    main_metric: ClassVar[str] = "macro_f1"

    def __post_init__(self) -> None:
        count = len(self.labels)
        if len(self.thresholds) not in (1, count):
            raise ArgumentError(
                f"`thresholds` must be one number or {count}, one for each label; they are {self.thresholds}."
            )

    @property
    @abc.abstractmethod
    def target(self) -> Target:
        """What the network learns of a text."""

    @staticmethod
    @abc.abstractmethod
    def names_in(record: Record) -> list[str]:
        """Return the names of a record's labels."""

    @classmethod
    def labels_of(cls, records: Source) -> LabelMap:
        """Return the labels of all records, in alphabetical order; numbers in theirs."""
        names = {name for record in checked_examples(records, cls.type) for name in cls.names_in(record)}
        are_numbers = all(name.isdecimal() for name in names)
        return LabelMap(tuple(sorted(names, key=lambda name: (int(name) if are_numbers else 0, name))))

    @abc.abstractmethod
    def gold(self, records: Sequence[Record]) -> np.ndarray:
        """Return what is right for each record. Shape `(records,)` or `(records, labels)`."""

    def checked(
        self, records: Source, together: int, check: Callable[[Record, str], Any]
    ) -> Iterator[tuple[list[Record], np.ndarray]]:
        """Yield records, many at a time, and what is right for each.

        Args:
            records: to read.
            together: how many at a time.
            check: raises what is wrong with a record's texts; it is told which record that is.

        Raises:
            DataError: if a record can't be used.
            LabelError: if one has a label that is not among `labels`.
        """
        for start, chunk in numbered(checked_examples(records, self.type), together):
            for number, record in enumerate(chunk, start):
                where = f"{records.name}: record {number}"
                check(record, where)
                wrong = next((name for name in self.names_in(record) if name not in self.labels.ids), None)
                if wrong is not None:
                    raise LabelError(f"{where}: {self.labels.unknown_message(wrong)}")
            yield chunk, self.gold(chunk)

    def prior_logits(self, gold: Iterable[np.ndarray]) -> np.ndarray | None:
        """Return the logits that a new head gives all texts: about those that fit best so; None: zeros serve.

        Args:
            gold: what is right for records, chunk by chunk.

        Returns:
            Shape `(labels,)`, float64.
        """
        del gold
        return None

    @abc.abstractmethod
    def loss(self, recipe: Recipe) -> keras.losses.Loss:
        """Return the loss of logits of shape `(batch, labels)`."""

    @abc.abstractmethod
    def decode(self, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return answers for logits of shape `(batch, labels)`, with TensorFlow ops.

        Returns:
            What an exported model gives; and beside it `logits`, and `order`: label ids, the likeliest first, int32, of
            shape `(batch, labels)`.
        """

    @abc.abstractmethod
    def report(self, gold: np.ndarray, decoded: dict[str, np.ndarray]) -> ClassificationReport | RegressionReport:
        """Compare answers, as `decode` gives them, with what is right."""

    def ranked(self, decoded: dict[str, np.ndarray]) -> list[Labels]:
        """Return for each text all labels with their scores, the likeliest first."""
        names = self.labels.names
        pairs = zip(decoded["order"].tolist(), decoded["scores"].tolist(), strict=True)
        return [Labels(Label(names[i], score) for i, score in zip(*one, strict=True)) for one in pairs]

    def answers(self, decoded: dict[str, np.ndarray]) -> Sequence[Label | Labels]:
        """Return what to answer for each text."""
        return [labels[0] for labels in self.ranked(decoded)]

    def undecided(self, decoded: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Tell where rounding may change what is no number; see `Task.undecided`."""
        either = ties(decoded["scores"])
        return {"labels": either, "label": either[:, 0]}


@dataclass(frozen=True)
class SingleLabel(Kind):
    """Each text has one label."""

    type = SINGLE

    @property
    def target(self) -> Target:
        """A label id."""
        return Target()

    @staticmethod
    def names_in(record: Record) -> list[str]:
        """Return the one label."""
        return [record["label"]]

    def gold(self, records: Sequence[Record]) -> np.ndarray:
        """Return label ids. Shape `(records,)`, int32."""
        return np.array([self.labels.ids[record["label"]] for record in records], np.int32)

    def loss(self, recipe: Recipe) -> keras.losses.Loss:
        """Return the cross entropy."""
        return cross_entropy(self.labels, recipe.label_weights, recipe.label_smoothing)

    def decode(self, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the best label and all, the likeliest first."""
        return ranked_labels(self.labels, tf.nn.softmax(logits)) | {"logits": logits}

    def report(self, gold: np.ndarray, decoded: dict[str, np.ndarray]) -> ClassificationReport:
        """Compare the likeliest labels with the right ones."""
        loss = float(self.loss(Recipe())(gold, decoded["logits"]).numpy())
        return single_label_report(self.labels.names, gold, decoded["order"][:, 0], loss=loss)


@dataclass(frozen=True)
class MultiLabel(Kind):
    """Each text may have several labels, or none."""

    type = MULTI

    @property
    def target(self) -> Target:
        """A number for each label: 1 if the text has it."""
        return Target(dtype="float32", shape=(len(self.labels),))

    @cached_property
    def least(self) -> np.ndarray:
        """The threshold of each label. Shape `(labels,)`, float32."""
        return np.broadcast_to(np.array(self.thresholds, np.float32), (len(self.labels),))

    @staticmethod
    def names_in(record: Record) -> list[str]:
        """Return the labels."""
        return record["label"]

    def gold(self, records: Sequence[Record]) -> np.ndarray:
        """Return which labels the records have. Shape `(records, labels)`, float32."""
        return np.array([[name in record["label"] for name in self.labels.names] for record in records], np.float32)

    def prior_logits(self, gold: Iterable[np.ndarray]) -> np.ndarray:
        """Return the log odds of the labels' base rates; one more text with each and one without keep them finite."""
        total, count = _summed(gold)
        return np.log(total + 1) - np.log(count - total + 1)

    def loss(self, recipe: Recipe) -> keras.losses.Loss:
        """Return the cross entropy of each label by itself."""
        _refuse_weights(recipe)
        return LabelCrossEntropy(label_smoothing=recipe.label_smoothing)

    def decode(self, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return all labels, the likeliest first, and which of them reach their thresholds."""
        ranked = ranked_labels(self.labels, tf.math.sigmoid(logits))
        return ranked | {"logits": logits, "is_chosen": ranked["scores"] >= tf.gather(self.least, ranked["order"])}

    def report(self, gold: np.ndarray, decoded: dict[str, np.ndarray]) -> ClassificationReport:
        """Compare the labels that reach their thresholds with the right ones."""
        loss = float(self.loss(Recipe())(gold, decoded["logits"]).numpy())
        chosen = in_order_of_ids(decoded["is_chosen"], decoded["order"])
        return multi_label_report(self.labels.names, gold > 0, chosen, loss=loss)

    def answers(self, decoded: dict[str, np.ndarray]) -> list[Labels]:
        """Return the labels that reach their thresholds, which come first unless thresholds differ."""
        chosen = zip(self.ranked(decoded), decoded["is_chosen"], strict=True)
        return [Labels(compress(labels, is_chosen)) for labels, is_chosen in chosen]

    def undecided(self, decoded: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Tell also where a score is about its threshold."""
        either = super().undecided(decoded)
        is_near = np.abs(decoded["scores"] - self.least[decoded["order"]]) <= TOLERANCE
        return either | {"is_chosen": is_near | either["labels"]}


@dataclass(frozen=True)
class Regression(Kind):
    """Each text has a number."""

    type = REGRESSION
    main_metric = "spearman"

    @property
    def target(self) -> Target:
        """A number."""
        return Target(dtype="float32", shape=(1,))

    @staticmethod
    def names_in(record: Record) -> list[str]:
        """Return nothing: a number has no name."""
        del record
        return []

    @classmethod
    def labels_of(cls, records: Source) -> LabelMap:
        """Return the name that stands for the number, once each record has one."""
        for _ in checked_examples(records, cls.type):
            pass
        return LabelMap((NUMBER,))

    def gold(self, records: Sequence[Record]) -> np.ndarray:
        """Return the numbers. Shape `(records, 1)`, float32."""
        return np.array([[record["label"]] for record in records], np.float32)

    def prior_logits(self, gold: Iterable[np.ndarray]) -> np.ndarray:
        """Return the mean."""
        total, count = _summed(gold)
        return total / count

    def loss(self, recipe: Recipe) -> keras.losses.Loss:
        """Return the squared error."""
        _refuse_weights(recipe)
        if recipe.label_smoothing:
            raise ArgumentError("`label_smoothing` is for labels, not for numbers.")
        return SquaredError()

    def decode(self, logits: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the numbers: of `scores` there is one a text."""
        return {"score": logits[:, 0], "scores": logits, "order": tf.zeros_like(logits, tf.int32), "logits": logits}

    def report(self, gold: np.ndarray, decoded: dict[str, np.ndarray]) -> RegressionReport:
        """Compare numbers."""
        return regression_report(gold[:, 0].astype(np.float64), decoded["score"].astype(np.float64))

    def undecided(self, decoded: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return nothing: all is numbers."""
        return {}


def _summed(gold: Iterable[np.ndarray]) -> tuple[np.ndarray, int]:
    """Return the sum over all records, of shape `(labels,)`, and how many they are."""
    sums, counts = zip(*((chunk.sum(0, np.float64), len(chunk)) for chunk in gold), strict=True)
    return np.sum(sums, 0), sum(counts)


def _refuse_weights(recipe: Recipe) -> None:
    if recipe.label_weights is not None:
        raise ArgumentError("`label_weights` are for texts with one label each.")


KINDS: dict[ProblemType, type[Kind]] = {kind.type: kind for kind in (SingleLabel, MultiLabel, Regression)}
