"""`TextEncoder`: texts as vectors: of each token, or one of the whole text, to compare and search with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.checkpoints.checkpoint import Checkpoint
from tfnlp.data.batches import CHUNK, Target, chunked
from tfnlp.data.files import Record
from tfnlp.data.problems import as_text
from tfnlp.data.sources import Source
from tfnlp.errors import ArgumentError, DataError, UnsupportedModelError
from tfnlp.outputs import Predictions
from tfnlp.padding import flattened
from tfnlp.precision import Precision
from tfnlp.reports import AccuracyReport, RegressionReport
from tfnlp.rows import Column, Rows, as_numpy
from tfnlp.running import Features, Outputs
from tfnlp.tasks.answering import Tensors
from tfnlp.tasks.learned import Learned
from tfnlp.tasks.settings import Settings
from tfnlp.tasks.task import Task
from tfnlp.tasks.text_encoding.pooling import Pooling
from tfnlp.tasks.text_encoding.records import LAYOUT, checked_pairs, has_scores
from tfnlp.tasks.text_encoding.sentence_transformers import read_pooling, write_pooling
from tfnlp.tasks.text_encoding.settings import TextEncoderSettings
from tfnlp.tasks.text_rows import mean_of_rows, text_rows
from tfnlp.tokenization.tokenizer import Tokenizer
from tfnlp.training.losses import CosineError, RankingLoss
from tfnlp.training.recipe import Recipe
from tfnlp.training.regression import regression_report

_COMPARED_TOGETHER = 1024  # texts with all others
_TOKENS, _TEXT = "last_hidden_state", "embedding"


@final
class TextEncoder(Task):
    """Turns texts into vectors. Checkpoints of sentence-transformers bring their pooling along.

    Example:
        encoder = TextEncoder.from_pretrained("sentence-transformers/all-MiniLM-L6-v2")
        encoder.predict(["A cat sat.", "A dog ran."])  # an array of shape (2, 384)
        encoder.similarity(["A cat sat."], ["A dog ran.", "A kitten was sitting."])  # [[0.21, 0.72]]
    """

    auto_class: ClassVar[str] = "TFAutoModel"
    settings_class: ClassVar[type[Settings]] = TextEncoderSettings
    layout = LAYOUT
    why_no_losses = "the loss of a pair depends on the pairs beside it"
    output_names = (_TOKENS, _TEXT)

    @classmethod
    def prepare(cls, checkpoint: Checkpoint, preprocessor: Tokenizer) -> None:
        """Refuse networks that have no one vector for a text."""
        if checkpoint.config.is_encoder_decoder:
            raise UnsupportedModelError(
                f"{checkpoint.config.model_type!r} has an encoder and a decoder, and no one vector for a text: take a "
                "checkpoint that is an encoder (BERT, RoBERTa, MPNet ...)."
            )

    @classmethod
    def settings_of_others(cls, checkpoint: Checkpoint) -> dict[str, Any]:
        """Return what a checkpoint of sentence-transformers tells of its pooling."""
        directory = checkpoint.name_or_path
        return {} if directory is None else read_pooling(directory, **checkpoint.location)

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

    def call_head(self, run: Callable[..., Any], inputs: dict[str, Any]) -> dict[str, Any]:
        """Run the network, and pool. Returns vectors of shape `(batch, length, hidden)` and `(batch, hidden)`."""
        for layer in self.head.submodules:
            if layer.name == "pooler":  # of next sentence prediction: not used here, and so not trained
                layer.trainable = False
        vectors = run(inputs)["last_hidden_state"]
        return {_TOKENS: vectors, _TEXT: Pooling(self.settings.pooling)(vectors, inputs["attention_mask"])}

    def kept(self, outputs: dict[str, tf.Tensor], features: Features, inside: tf.Tensor) -> Outputs:
        """Keep the vectors of rows."""
        return {_TEXT: Column(outputs[_TEXT])}

    # Training

    @property
    def targets(self) -> dict[str, Target]:
        """Which text of a pair a row is of, and the pair's score, beside the pair's number."""
        return {_TEXT: Target(with_group=True, dtype="float32", shape=(2,))}

    def learn(self, records: Source) -> Learned:
        """Take from training data whether pairs have scores."""
        if self.settings.objective is not None:
            return self.learned
        return Learned(replace(self.settings, objective="cosine" if has_scores(records) else "ranking"))

    def check_validation(self, records: Source) -> None:
        """Raise what `evaluate` would; other pairs may be held out than are trained on."""
        for _ in self._pairs(records, scored=has_scores(records)):
            pass

    def training_rows(self, records: Source) -> Iterator[Rows]:
        """Yield rows: of each text of a pair, which stay together."""
        objective = self.learn(records).settings.objective
        for chunk in chunked(self._pairs(records, scored=objective == "cosine"), CHUNK):
            texts = [{"text": record[name]} for record in chunk for name in ("text", "text_pair")]
            rows = self.rows_of(texts)
            text = rows.row_to_record
            scores = np.array([record["label"] for record in chunk], np.float32)
            target = np.stack([text % 2, scores[text // 2]], 1).astype(np.float32)
            groups = np.searchsorted(text // 2, np.arange(len(chunk) + 1))
            yield rows._replace(targets={_TEXT: Column(target)}, groups=groups)

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
        first, second = (_unit(self.predict([pair[name] for pair in pairs])) for name in ("text", "text_pair"))
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

    def predict(self, texts: Any, *, precision: Precision | None = None) -> Any:
        """Return the vectors of texts.

        Args:
            texts: a text, or a dict of `text`; a list of them; or an iterable, whose vectors come as a generator.
            precision: that products of matrices are computed in, `float32` or `bfloat16`; None: as the settings say.

        Returns:
            For one text shape `(hidden,)`, for a list `(texts, hidden)`, float32.

        Raises:
            DataError: if a text is no string.
        """
        vectors = self.predict_by(texts, precision=precision, is_one=isinstance(texts, (str, dict)))
        if not isinstance(vectors, Predictions):
            return vectors
        return np.stack(list(vectors)) if vectors else np.zeros((0, self.config.hidden_size), np.float32)

    def as_record(self, given: Any, number: int) -> Record:
        """Check a text."""
        return {"text": as_text(given, number)}

    def rows(self, inputs: Tensors, settings: TextEncoderSettings) -> Rows:
        """Make rows of texts."""
        window: dict[str, Any] = {"max_length": settings.max_length, "stride": settings.stride}
        return text_rows(self.tokenizer, inputs["text"], windows=settings.windows, **window)

    def decode(
        self, outputs: Outputs, rows: Rows, inputs: Tensors, settings: TextEncoderSettings
    ) -> dict[str, tf.Tensor]:
        """Make one vector of those of a text's rows.

        Returns:
            `embedding`, float32, of shape `(batch, hidden)`.
        """
        vectors = mean_of_rows(outputs[_TEXT], rows, tf.size(inputs["text"]))
        return {_TEXT: tf.math.l2_normalize(vectors, 1) if settings.normalize else vectors}

    def answers(self, decoded: dict[str, np.ndarray], records: Sequence[Record], settings: Any) -> np.ndarray:
        """Return vectors as they are."""
        return decoded[_TEXT]

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
        rows = self.tokenizer.rows(records, max_length=self.settings.max_length)
        plain = as_numpy(rows)
        if not truncation and plain.num_rows > len(records):
            number = int(np.bincount(plain.row_to_record).argmax()) + 1
            raise ArgumentError(
                f"text {number} has more than {self.settings.max_length} tokens, a row's length. Raise `max_length` if "
                "the network allows it, cut the text, or pass `truncation=True`."
            )
        vectors = self.network.keeping(_vectors_of_tokens).run(plain.taken(plain.first_rows))[_TOKENS]
        lengths = np.diff(vectors.splits)
        found = np.zeros((len(records), lengths.max(initial=0), self.config.hidden_size), np.float32)
        found[np.arange(found.shape[1]) < lengths[:, None]] = vectors.values
        return found[0] if isinstance(texts, str) else found


def _vectors_of_tokens(outputs: dict[str, tf.Tensor], features: Features, inside: tf.Tensor) -> Outputs:
    del features
    return {_TOKENS: flattened(outputs[_TOKENS], inside)}


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Give vectors length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
