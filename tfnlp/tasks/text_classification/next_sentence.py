"""`NextSentencePrediction`: does the second of two texts follow the first?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, final

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.data.batches import CHUNK, Target
from tfnlp.data.files import Record
from tfnlp.data.sources import Source
from tfnlp.errors import DataError
from tfnlp.labels import LabelMap
from tfnlp.outputs import Label
from tfnlp.precision import Precision
from tfnlp.reports import ClassificationReport
from tfnlp.rows import Rows
from tfnlp.running import Outputs
from tfnlp.tasks.answering import Tensors
from tfnlp.tasks.prediction import compared
from tfnlp.tasks.settings import WindowSettings
from tfnlp.tasks.task import Task
from tfnlp.tasks.text_classification.kinds import SingleLabel
from tfnlp.tasks.text_classification.records import LAYOUT, as_example
from tfnlp.tasks.text_rows import mean_of_rows, text_rows, with_target
from tfnlp.training.recipe import Recipe

_KIND = SingleLabel(LabelMap(("IsNext", "NotNext")))  # in the order of the head's logits


@final
class NextSentencePrediction(Task):
    """Tells whether a text follows another (Devlin et al. 2019); BERT's and MobileBERT's head.

    Records are pairs, `text` and `text_pair`, with `IsNext` or `NotNext` as `label`. A second text that is too long
    becomes windows, whose logits are averaged.

    Example:
        follows = NextSentencePrediction.from_pretrained("bert-base-cased")
        follows.predict(("Ada opened the door.", "Behind it stood a cat."))  # Label(name='IsNext', score=0.99)
    """

    auto_class: ClassVar[str] = "TFAutoModelForNextSentencePrediction"
    unserved = frozenset({"order", "logits"})
    layout = LAYOUT

    # Training

    @property
    def targets(self) -> dict[str, Target]:
        """A label id."""
        return {"logits": _KIND.target}

    def training_rows(self, records: Source) -> Iterator[Rows]:
        """Yield labelled rows; each window of a pair has its label."""
        for chunk, gold in _KIND.checked(records, CHUNK, _check_pair):
            yield with_target(self.rows_of(chunk), gold)

    def loss(self, recipe: Recipe) -> dict[str, keras.losses.Loss]:
        """Return the cross entropy."""
        return {"logits": _KIND.loss(recipe)}

    # Evaluation

    def evaluate(self, records: Any) -> ClassificationReport:
        """Compare answers with labels.

        Args:
            records: a file, a list of records, a table or a dataset, with labels.

        Raises:
            DataError: if a record can't be used.
            LabelError: if a label is neither of the two.
        """
        checked = _KIND.checked(self.source(records), self.answered_together, _check_pair)
        return _KIND.report(*compared(self.ask, checked))

    @property
    def main_metric(self) -> str:
        """The share of right answers."""
        return "accuracy"

    # Prediction

    def predict(self, inputs: Any, *, precision: Precision | None = None) -> Any:
        """Tell whether texts follow others.

        Args:
            inputs: a pair of texts, as a tuple or a dict of `text` and `text_pair`; a list of pairs; or an iterable,
                whose answers then come as a generator.
            precision: that products of matrices are computed in, `float32` or `bfloat16`; None: as the settings say.

        Returns:
            For one pair a `Label`, `IsNext` or `NotNext`; for a list, `Predictions`: a sequence of those.

        Raises:
            DataError: if an input is no pair.
        """
        return self.predict_by(inputs, precision=precision, is_one=isinstance(inputs, (str, tuple, dict)))

    def as_record(self, given: Any, number: int) -> Record:
        """Check a pair of texts."""
        return _check_pair(as_example(given, number), f"text {number}")

    @property
    def serving_inputs(self) -> dict[str, tf.TensorSpec]:
        """The two texts."""
        return {name: tf.TensorSpec([None], tf.string, name=name) for name in ("text", "text_pair")}

    def sample_inputs(self, texts: Sequence[str]) -> list[Any]:
        """Put each text after its first letters."""
        return [(text.strip()[:6], text) for text in texts]

    def rows(self, inputs: Tensors, settings: WindowSettings) -> Rows:
        """Make rows of pairs."""
        window: dict[str, Any] = {"max_length": settings.max_length, "stride": settings.stride}
        return text_rows(self.tokenizer, inputs["text"], inputs["text_pair"], **window)

    def decode(self, outputs: Outputs, rows: Rows, inputs: Tensors, settings: WindowSettings) -> dict[str, tf.Tensor]:
        """Rank the two labels.

        Returns:
            `label`, string, and `score`, float32, of shape `(batch,)`; `labels` and `scores`, of shape `(batch, 2)`:
            both, the likelier first. Beside these, which are served, see `Kind.decode`.
        """
        return _KIND.decode(mean_of_rows(outputs["logits"], rows, tf.size(inputs["text"])))

    def answers(
        self, decoded: dict[str, np.ndarray], records: Sequence[Record], settings: WindowSettings
    ) -> Sequence[Label]:
        """Write the likelier label down."""
        return [labels[0] for labels in _KIND.ranked(decoded)]

    def undecided(self, decoded: dict[str, np.ndarray], settings: Any) -> dict[str, np.ndarray]:
        """Tell where both labels have about the same score."""
        return _KIND.undecided(decoded)


def _check_pair(record: Record, where: str) -> Record:
    if record["text_pair"] is None:
        raise DataError(f"{where}: expected a pair of texts; found one.")
    return record
