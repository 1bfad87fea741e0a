"""`TextEncoder`: texts as vectors: of each token, or one of the whole text, to compare and search with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal, final

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.data.pipeline import CHUNK, RowChunk, Target, chunked
from tfnlp.data.readers import Record
from tfnlp.data.sources import Source, as_text
from tfnlp.errors import ArgumentError, DataError, UnsupportedModelError
from tfnlp.outputs import Predictions
from tfnlp.reports import AccuracyReport, RegressionReport
from tfnlp.tasks.network import all_token_outputs
from tfnlp.tasks.prediction import answers_for, records_of
from tfnlp.tasks.pretrained import Settings
from tfnlp.tasks.task import TaskModel
from tfnlp.tasks.text_encoding.pooling import POOLING_MODES, Pooling, PoolingMode
from tfnlp.tasks.text_encoding.records import LAYOUT, checked_pairs, has_scores
from tfnlp.tasks.text_encoding.sentence_transformers import read_pooling, write_pooling
from tfnlp.tasks.text_rows import TextRows, Windows
from tfnlp.training.losses import CosineError, RankingLoss
from tfnlp.training.recipe import Recipe
from tfnlp.training.regression import regression_report

_PREDICTED_TOGETHER = 2048  # texts sorted by length together
_COMPARED_TOGETHER = 1024  # texts with all others
_TOKENS, _TEXT = "last_hidden_state", "embedding"


@dataclass(frozen=True)
class TextEncoderSettings(Settings):
    """What it remembers beside the network.

    Attributes:
        pooling: how the vectors of tokens become one: `mean`, `cls` (the first token's) or `max`.
        normalize: whether a text's vector has length 1.
        windows: of a text longer than a row, whether the `mean` of its windows' vectors counts, or the `first`'s alone.
        objective: what pairs teach: their `cosine` is a score, or `ranking`: each text's own pair is nearer than those
            of the others in its batch. None: training data tells.
        highest_score: the score of pairs that mean the same.
    """

    pooling: PoolingMode = "mean"
    normalize: bool = False
    windows: Windows = "mean"
    objective: Literal["cosine", "ranking"] | None = None
    highest_score: float = 1.0

    def __post_init__(self) -> None:
        allowed = {
            "pooling": POOLING_MODES,
            "windows": ("mean", "first"),
            "objective": ("cosine", "ranking", None),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ArgumentError(f"`{name}` must be one of {values}; it is {getattr(self, name)!r}.")
        if self.highest_score <= 0:
            raise ArgumentError(f"`highest_score` must be more than 0; it is {self.highest_score}.")


@final
class TextEncoder(TaskModel):
    """Turns texts into vectors. Checkpoints of sentence-transformers bring their pooling along.

    Example:
        encoder = TextEncoder.from_pretrained("sentence-transformers/all-MiniLM-L6-v2")
        encoder.predict(["A cat sat.", "A dog ran."])  # an array of shape (2, 384)
        encoder.similarity(["A cat sat."], ["A dog ran.", "A kitten was sitting."])  # [[0.21, 0.72]]
    """

    auto_class: ClassVar[str] = "TFAutoModel"
    settings_class: ClassVar[type[Settings]] = TextEncoderSettings
    layout = LAYOUT
    output_names = (_TOKENS, _TEXT)
    settings: TextEncoderSettings

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        if self.config.is_encoder_decoder:
            raise UnsupportedModelError(
                f"{self.config.model_type!r} has an encoder and a decoder, and no one vector for a text: take a "
                "checkpoint that is an encoder (BERT, RoBERTa, MPNet ...)."
            )

    @classmethod
    def settings_beside(cls, name_or_path: str | Path, **location: Any) -> dict[str, Any]:
        """Return what a checkpoint of sentence-transformers tells of its pooling."""
        return read_pooling(name_or_path, **location)

    def write_beside(self, directory: Path) -> None:
        """Write what sentence-transformers reads."""
        settings = self.settings
        write_pooling(
            directory,
            hidden_size=self.config.hidden_size,
            pooling=settings.pooling,
            normalize=settings.normalize,
            max_length=settings.max_length,
        )

    # The network

    def call_head(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Run the network, and pool. Returns vectors of shape `(batch, length, hidden)` and `(batch, hidden)`."""
        for layer in self.head.submodules:
            if layer.name == "pooler":  # of next sentence prediction: not used here, and so not trained
                layer.trainable = False
        vectors = self.head(inputs).last_hidden_state
        return {_TOKENS: vectors, _TEXT: Pooling(self.settings.pooling)(vectors, inputs["attention_mask"])}

    @cached_property
    def _pooled(self) -> Any:
        """The network as a graph that gives the vectors of rows alone."""
        forward = self.forward
        signature = {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in self.tokenizer.input_names}

        @tf.function(input_signature=[signature])
        def pooled(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return {_TEXT: forward(features)[_TEXT]}

        return pooled

    # Training

    targets: ClassVar[dict[str, Target]] = {_TEXT: Target(with_group=True, dtype="float32", shape=(2,))}  # type: ignore[misc]

    def learn(self, records: Source) -> None:
        """Take from training data whether pairs have scores."""
        if self.settings.objective is None:
            self.settings = replace(self.settings, objective="cosine" if has_scores(records) else "ranking")

    def check_validation(self, records: Source) -> None:
        """Raise what `evaluate` would; other pairs may be held out than are trained on."""
        for _ in self._pairs(records, scored=has_scores(records)):
            pass

    def encode(self, records: Source) -> Iterator[RowChunk]:
        """Yield rows: of each text of a pair, which stay together."""
        self.learn(records)
        for chunk in chunked(self._pairs(records, scored=self.settings.objective == "cosine"), CHUNK):
            encoded = self._rows.encode([record[name] for record in chunk for name in ("text", "text_pair")])
            text = encoded.row_to_record
            scores = np.array([record["label"] for record in chunk], np.float32)
            yield RowChunk(
                encoded.features(self.tokenizer.input_names),
                encoded.splits,
                {_TEXT: np.stack([text % 2, scores[text // 2]], 1).astype(np.float32)},
                groups=np.searchsorted(text // 2, np.arange(len(chunk) + 1)),
            )

    def _pairs(self, records: Source, *, scored: bool) -> Iterator[Record]:
        """Yield pairs with their scores from -1 to 1; 1 where none are wanted."""
        highest = self.settings.highest_score if scored else 1.0
        for number, record in enumerate(checked_pairs(records, scored=scored), start=1):
            if abs(record["label"]) > highest:
                raise DataError(
                    f"{records.name}: record {number}: the score {record['label']:g} is more than {highest:g}. Pass "
                    "`highest_score=` to `from_pretrained`: the score of pairs that mean the same."
                )
            yield record | {"label": record["label"] / highest}

    @property
    def _rows(self) -> TextRows:
        return TextRows(self.tokenizer, self.settings.max_length, self.settings.stride, windows=self.settings.windows)

    def loss(self, recipe: Recipe) -> dict[str, keras.losses.Loss]:
        """Return the squared error of cosines, or the cross entropy of each text's own pair among those of a batch."""
        recipe.refuse("label_weights", "label_smoothing")
        if self.settings.objective == "ranking" and recipe.batch_size == 1:
            raise ArgumentError("a batch of one pair holds no other to tell it from: `batch_size` must be at least 2.")
        return {_TEXT: CosineError() if self.settings.objective == "cosine" else RankingLoss()}

    # Evaluation

    def evaluate(self, records: Any) -> RegressionReport | AccuracyReport:
        """Compare the similarity of pairs with their scores; without scores, look for each text's pair among all.

        Args:
            records: a file, a list of pairs, a table or a dataset.

        Raises:
            DataError: if a record can't be used.
        """
        source = self.source(records)
        scored = has_scores(source)
        pairs = list(self._pairs(source, scored=scored))
        first, second = (_unit(self._vectors([pair[name] for pair in pairs])) for name in ("text", "text_pair"))
        if scored:
            scores = np.array([pair["label"] for pair in pairs])
            return regression_report(scores, (first * second).sum(1).astype(np.float64))
        nearest = [
            (first[start : start + _COMPARED_TOGETHER] @ second.T).argmax(1)
            for start in range(0, len(pairs), _COMPARED_TOGETHER)
        ]
        return AccuracyReport(float(np.mean(np.concatenate(nearest) == np.arange(len(pairs)))), len(pairs))

    @property
    def main_metric(self) -> str:
        """The correlation of ranks with scores, or the share of pairs that are found."""
        return "accuracy" if self.settings.objective == "ranking" else "spearman"

    def metric_of(self, records: Source) -> str:
        """Return the number that evaluating these records gives."""
        return "spearman" if has_scores(records) else "accuracy"

    # Prediction

    def predict(self, texts: Any) -> Any:
        """Return the vectors of texts.

        Args:
            texts: a text, or a dict of `text`; a list of them; or an iterable, whose vectors come as a generator.

        Returns:
            For one text shape `(hidden,)`, for a list `(texts, hidden)`, float32.

        Raises:
            DataError: if a text is no string.
        """
        found = answers_for(texts, self._answers, is_one=isinstance(texts, (str, dict)))
        if not isinstance(found, Predictions):
            return found
        return np.stack(list(found)) if found else self._vectors([])

    def _answers(self, texts: Iterable[Any]) -> Iterator[np.ndarray]:
        for _, chunk in records_of(texts, _PREDICTED_TOGETHER, as_text):
            yield from self._vectors(chunk)

    def _vectors(self, texts: Sequence[str]) -> np.ndarray:
        if not texts:
            return np.zeros((0, self.config.hidden_size), np.float32)
        rows = self._rows
        vectors = rows.outputs(self._pooled, rows.encode(texts), len(texts))[_TEXT]
        return _unit(vectors) if self.settings.normalize else vectors

    def similarity(self, texts: Sequence[str], others: Sequence[str] | None = None) -> np.ndarray:
        """Return the cosines of texts with others, or with each other.

        Returns:
            In [-1, 1]. Shape `(texts, others)`, float32.

        Raises:
            ArgumentError: if one of them is a text, not a list.
        """
        if isinstance(texts, str) or isinstance(others, str):
            raise ArgumentError("`similarity` compares lists of texts: put a single text into a list.")
        first = _unit(self.predict(list(texts)))
        return first @ (first if others is None else _unit(self.predict(list(others)))).T

    def features(self, texts: str | Sequence[str], *, truncation: bool = False) -> np.ndarray:
        """Return the vector of each token of texts, special tokens included: the network's last hidden state.

        Args:
            texts: a text, or a list of them.
            truncation: cut what is longer than a row, and do not raise.

        Returns:
            Of one text, shape `(tokens, hidden)`; of a list, `(texts, most tokens, hidden)`, shorter texts filled up
            with 0. float32.

        Raises:
            DataError: if a text is no string.
            ArgumentError: if one is longer than a row.
        """
        given = [texts] if isinstance(texts, str) else texts
        records = [as_text(text, number) for number, text in enumerate(given, start=1)]
        encoded = self.tokenizer.encode(records, max_length=self.settings.max_length, stride=0)
        if not truncation and len(encoded.row_to_record) > len(records):
            number = int(np.bincount(encoded.row_to_record).argmax()) + 1
            raise ArgumentError(
                f"text {number} has more than {self.settings.max_length} tokens, a row's length. Raise `max_length` if "
                "the network allows it, cut the text, or pass `truncation=True`."
            )
        encoded = encoded.taken(encoded.first_rows)
        found = np.zeros((len(records), encoded.lengths.max(initial=0), self.config.hidden_size), np.float32)
        is_token = np.arange(found.shape[1]) < encoded.lengths[:, None]

        def forward(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return {_TOKENS: self.forward(features)[_TOKENS]}

        found[is_token] = all_token_outputs(forward, self.tokenizer, encoded)[_TOKENS]
        return found[0] if isinstance(texts, str) else found

    # Serving

    def serving_outputs(self, *, text: tf.Tensor) -> dict[str, tf.Tensor]:  # type: ignore[override]
        """Answer in the graph.

        Args:
            text: Shape `(batch,)`, string.

        Returns:
            `embedding`, float32, of shape `(batch, hidden)`.
        """
        vectors = self._rows.outputs_in_graph(self._pooled, text)[_TEXT]
        return {_TEXT: tf.math.l2_normalize(vectors, 1) if self.settings.normalize else vectors}

    def compare_answers(self, inputs: Sequence[Any], served: dict[str, np.ndarray]) -> list[str]:
        """Return how a SavedModel's answers differ from `predict`'s; empty if they don't."""
        differences = abs(self.predict(list(inputs)) - served[_TEXT]).max(1)
        return [
            f"{text!r:.80}: the vectors differ by {difference:.2g}"
            for text, difference in zip(inputs, differences, strict=True)
            if difference > 1e-5 * max(1.0, float(abs(served[_TEXT]).max()))
        ]


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Give vectors length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
