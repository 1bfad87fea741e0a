"""`NextSentencePrediction`: does the second of two texts follow the first?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, final

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.data.pipeline import CHUNK, RowChunk, Target
from tfnlp.data.readers import Record
from tfnlp.data.sources import Source
from tfnlp.errors import DataError
from tfnlp.labels import LabelMap
from tfnlp.outputs import Labels
from tfnlp.reports import ClassificationReport
from tfnlp.tasks.prediction import answers_for, numbered, records_of
from tfnlp.tasks.pretrained import Settings
from tfnlp.tasks.task import TaskModel
from tfnlp.tasks.text_classification.decoding import ranked_labels
from tfnlp.tasks.text_classification.kinds import SingleLabel
from tfnlp.tasks.text_classification.records import LAYOUT, SINGLE, as_example, checked_examples
from tfnlp.tasks.text_rows import TextRows
from tfnlp.tokenization.encoded import Encoded
from tfnlp.training.recipe import Recipe

LABELS = LabelMap(("IsNext", "NotNext"))  # in the order of the head's logits
_PROBLEM = SingleLabel(LABELS)
_PREDICTED_TOGETHER = 2048  # pairs


@final
class NextSentencePrediction(TaskModel):
    """Tells whether a text follows another (Devlin et al. 2019); BERT's and MobileBERT's head.

    Records are pairs, `text` and `text_pair`, with `IsNext` or `NotNext` as `label`. A second text that is too long
    becomes windows, whose logits are averaged.

    Example:
        follows = NextSentencePrediction.from_pretrained("bert-base-cased")
        follows.predict(("Ada opened the door.", "Behind it stood a cat."))  # Label(name='IsNext', score=0.99)
    """

    auto_class: ClassVar[str] = "TFAutoModelForNextSentencePrediction"
    settings_class: ClassVar[type[Settings]] = Settings
    layout = LAYOUT

    # Training

    targets: ClassVar[dict[str, Target]] = {"logits": _PROBLEM.target}  # type: ignore[misc]

    def encode(self, records: Source) -> Iterator[RowChunk]:
        """Yield labelled rows; each window of a pair has its label."""
        for encoded, gold in self._labelled(records):
            columns = encoded.features(self.tokenizer.input_names)
            yield RowChunk(columns, encoded.splits, {"logits": gold[encoded.row_to_record]})

    def _labelled(self, records: Source) -> Iterator[tuple[Encoded, np.ndarray]]:
        for start, chunk in numbered(checked_examples(records, SINGLE), CHUNK):
            for number, record in enumerate(chunk, start=start):
                _check_pair(record, f"{records.name}: record {number}")
            gold = _PROBLEM.checked_gold(chunk, f"{records.name}: record", start)
            yield self._encoded(chunk), gold

    def _encoded(self, records: Sequence[Record]) -> Encoded:
        return self._rows.encode(*([record[name] for record in records] for name in ("text", "text_pair")))

    @property
    def _rows(self) -> TextRows:
        return TextRows(self.tokenizer, self.settings.max_length, self.settings.stride)

    def loss(self, recipe: Recipe) -> dict[str, keras.losses.Loss]:
        """Return the cross entropy."""
        return {"logits": _PROBLEM.loss(recipe)}

    # Evaluation

    def evaluate(self, records: Any) -> ClassificationReport:
        """Compare answers with labels.

        Args:
            records: a file, a list of records, a table or a dataset, with labels.

        Raises:
            DataError: if a record can't be used.
            LabelError: if a label is neither of the two.
        """
        found = [(gold, self._logits(encoded, len(gold))) for encoded, gold in self._labelled(self.source(records))]
        gold, logits = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return _PROBLEM.report(gold, logits)

    @property
    def main_metric(self) -> str:
        """The share of right answers."""
        return "accuracy"

    def _logits(self, encoded: Encoded, num_records: int) -> np.ndarray:
        return self._rows.outputs(self.forward, encoded, num_records)["logits"]

    # Prediction

    def predict(self, inputs: Any) -> Any:
        """Tell whether texts follow others.

        Args:
            inputs: a pair of texts, as a tuple or a dict of `text` and `text_pair`; a list of pairs; or an iterable,
                whose answers then come as a generator.

        Returns:
            For one pair a `Label`, `IsNext` or `NotNext`; for a list, `Predictions`: a sequence of those.

        Raises:
            DataError: if an input is no pair.
        """
        is_one = isinstance(inputs, (str, tuple, dict))
        return answers_for(inputs, lambda given: (labels[0] for labels in self._ranked(given)), is_one=is_one)

    def _ranked(self, inputs: Iterable[Any]) -> Iterator[Labels]:
        for _, records in records_of(inputs, _PREDICTED_TOGETHER, _as_pair):
            for scores in _PROBLEM.scores(self._logits(self._encoded(records), len(records))):
                yield ranked_labels(LABELS.names, scores)

    # Serving

    @property
    def serving_inputs(self) -> dict[str, tf.TensorSpec]:
        """The two texts."""
        return {name: tf.TensorSpec([None], tf.string, name=name) for name in ("text", "text_pair")}

    def to_serving_inputs(self, inputs: Sequence[Any]) -> dict[str, list[Any]]:
        """Return first and second texts."""
        records = [_as_pair(given, number) for number, given in enumerate(inputs, start=1)]
        return {name: [record[name] for record in records] for name in self.serving_inputs}

    def sample_inputs(self, texts: Sequence[str]) -> list[Any]:
        """Put each text after its first letters."""
        return [(text.strip()[:6], text) for text in texts]

    def serving_outputs(self, *, text: tf.Tensor, text_pair: tf.Tensor) -> dict[str, tf.Tensor]:  # type: ignore[override]
        """Answer in the graph.

        Args:
            text: Shape `(batch,)`, string.
            text_pair: Shape `(batch,)`, string.

        Returns:
            `label`, string, and `score`, float32, of shape `(batch,)`; `labels` and `scores`, of shape `(batch, 2)`:
            both, the likelier first.
        """
        return _PROBLEM.serve(self._rows.outputs_in_graph(self.forward, text, text_pair)["logits"])

    def compare_answers(self, inputs: Sequence[Any], served: dict[str, np.ndarray]) -> list[str]:
        """Return how a SavedModel's answers differ from `predict`'s; empty if they don't."""
        return [
            f"{given!r:.80}: served {_PROBLEM.read(served, i)}, predicted {labels}"
            for i, (given, labels) in enumerate(zip(inputs, self._ranked(inputs), strict=True))
            if not _PROBLEM.served_alike(served, i, labels)
        ]


def _check_pair(record: Record, where: str) -> None:
    if record["text_pair"] is None:
        raise DataError(f"{where}: expected a pair of texts; found one.")


def _as_pair(given: Any, number: int) -> Record:
    """Make a record of what `predict` takes."""
    record = as_example(given, number)
    _check_pair(record, f"text {number}")
    return record
