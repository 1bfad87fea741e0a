"""`TokenClassifier`: named entities, parts of speech, slots: a label for every word of a text."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import Any, ClassVar, NamedTuple, final

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.data.pipeline import RowChunk, Target, chunked
from tfnlp.data.sources import Source
from tfnlp.errors import ArgumentError
from tfnlp.labels import IGNORE_ID, OUTSIDE, LabelMap
from tfnlp.outputs import Entities, Entity
from tfnlp.reports import Report
from tfnlp.tasks.labelled import LabelledTask
from tfnlp.tasks.network import all_token_outputs, features_in_graph, outputs_in_steps
from tfnlp.tasks.prediction import answers_for
from tfnlp.tasks.pretrained import Settings
from tfnlp.tasks.token_classification.decoding import (
    AGGREGATIONS,
    Aggregation,
    EntityDecoder,
    TokenScores,
    to_serving_tensors,
)
from tfnlp.tasks.token_classification.metrics import TaggingScores, token_losses
from tfnlp.tasks.token_classification.records import LAYOUT, check_texts, checked_tokens, texts_of
from tfnlp.tasks.token_classification.rows import WordLabels, read_word_labels
from tfnlp.tokenization import alignment
from tfnlp.tokenization.encoded import Encoded
from tfnlp.training.losses import cross_entropy
from tfnlp.training.recipe import Recipe

logger = logging.getLogger(__name__)

_PREDICTED_TOGETHER = 2048  # texts sorted by length together: enough for full batches, little to hold


_Decode = tuple[Callable[..., tuple[tf.Tensor, ...]], tuple[str, ...]]  # the graph, and what its labels index


@dataclass(frozen=True)
class TokenClassifierSettings(Settings):
    """What a token classifier remembers beside the network.

    Attributes:
        aggregation: how tokens become entities, as in transformers' pipeline: `none`, `simple`, `first`, `average`,
            `max`. Training labels the first token of a word, so `first` is the default.
        label_all_tokens: train on every token of a word, not on its first alone.
    """

    aggregation: Aggregation = "first"
    label_all_tokens: bool = False

    def __post_init__(self) -> None:
        if self.aggregation not in AGGREGATIONS:
            raise ArgumentError(f"`aggregation` must be one of {AGGREGATIONS}; it is {self.aggregation!r}.")


class FoundEntities(NamedTuple):
    """The entities of some texts, and their tokens.

    Attributes:
        entities: of each text.
        tokens: for each text, the first and last token of each of its entities. Shape `(entities, 2)`, int64.
        encoded: the rows of the texts, which `tokens` index.
        is_subword: whether each token continues a word. Shape `(tokens,)`, bool.
    """

    entities: list[Entities]
    tokens: list[np.ndarray]
    encoded: Encoded
    is_subword: np.ndarray


@final
class TokenClassifier(LabelledTask):
    """Labels the words of texts.

    Example:
        ner = TokenClassifier.from_pretrained("bert-base-cased", labels=["O", "B-PER", "I-PER"])
        ner.fit("train.conll", validation_data="dev.conll", epochs=3)
        ner.predict("Ada lives in Paris.")
    """

    auto_class: ClassVar[str] = "TFAutoModelForTokenClassification"
    settings_class: ClassVar[type[Settings]] = TokenClassifierSettings
    layout = LAYOUT
    settings: TokenClassifierSettings

    # Training

    def labels_of(self, records: Source) -> LabelMap:
        """Return the labels that training data holds: those of words, or the types of spans as IOB2 tags."""
        names: set[str] = set()
        for record in checked_tokens(records):
            names.update(record.get("labels", ()))
            for span in record.get("spans", ()):
                names.update(("O", f"B-{span.label}", f"I-{span.label}"))
        labels = LabelMap.from_tags(names)
        logger.info("labels of %s: %s", records.name, ", ".join(labels.names))
        return labels

    @property
    def targets(self) -> dict[str, Target]:
        """A label id for each token."""
        return {"logits": Target(per_token=True)}

    def encode(self, records: Source) -> Iterator[RowChunk]:
        """Yield labelled rows; spans that can't be aligned with words are left unlabelled, counted and reported."""
        for labelled in self._labelled(records):
            encoded = labelled.encoded
            columns = encoded.features(self.tokenizer.input_names)
            yield RowChunk(columns, encoded.splits, {"logits": self._token_labels(labelled)})

    def _token_labels(self, labelled: WordLabels) -> np.ndarray:
        return alignment.token_labels(labelled.encoded, labelled.label_ids, all_tokens=self.settings.label_all_tokens)

    def loss(self, recipe: Recipe) -> dict[str, keras.losses.Loss]:
        """Return the cross entropy of labelled tokens."""
        return {"logits": cross_entropy(self.known_labels, recipe.label_weights, recipe.label_smoothing)}

    def _labelled(self, records: Source) -> Iterator[WordLabels]:
        return read_word_labels(records, self.known_labels, self._encoded)

    def _encoded(self, texts: Sequence[Any]) -> Encoded:
        return self.tokenizer.encode(texts, max_length=self.settings.max_length, stride=self.settings.stride)

    # Evaluation

    def evaluate(self, records: Any, *, mode: str = "default") -> Report:
        """Compare predicted with gold labels, word by word and entity by entity.

        Args:
            records: a file, a list of records, a table or a dataset, with labels.
            mode: `default` reads entities as conlleval does, `strict` only well-formed ones; both as in seqeval.

        Returns:
            A report: print it for a table, `to_json()` for a file.

        Raises:
            DataError: if a record can't be used.
            LabelError: if a label is not one of the model's.
        """
        names = np.array(self.known_labels.names)
        scores = TaggingScores(entities=self.known_labels.are_tags, mode=mode)
        for labelled in self._labelled(self.source(records)):
            logits = self._token_logits(labelled.encoded)
            for label_ids, answer in zip(labelled.label_ids, self._word_labels(labelled, logits), strict=True):
                truth = np.array(label_ids, np.int64)
                is_known = truth != IGNORE_ID
                scores.update(names[truth[is_known]].tolist(), names[answer[is_known]].tolist())
            scores.add_losses(token_losses(logits, self._token_labels(labelled)))
        return scores.report()

    def _word_labels(self, labelled: WordLabels, logits: np.ndarray) -> list[np.ndarray]:
        """Choose each word's label; a word that the tokenizer drops whole is outside, or the first label."""
        sizes = [len(labels) for labels in labelled.label_ids]
        tokens, words = alignment.answering_tokens(labelled.encoded)
        counts = alignment.num_words(labelled.encoded)
        record = np.repeat(np.arange(len(counts)), counts)[words]
        inner = words - (np.cumsum(counts) - counts)[record]
        flat = np.full(sum(sizes), self.known_labels.ids.get("O", 0))
        flat[(np.cumsum([0, *sizes])[:-1])[record] + inner] = logits[tokens].argmax(-1)
        return np.split(flat, np.cumsum(sizes)[:-1])

    def _token_logits(self, encoded: Encoded) -> np.ndarray:
        """Return the logits of all tokens, in their order. Shape `(tokens, labels)`, float32."""
        return all_token_outputs(self.forward, self.tokenizer, encoded)["logits"]

    # Prediction

    def predict(self, texts: Any, *, aggregation: Aggregation | None = None) -> Any:
        """Find the entities of texts.

        Args:
            texts: a text; the words of one (a list of str inside a list); a list of either; or an iterable, whose
                answers then come as a generator, so that it may be endless; it reads 2,048 texts at a time.
            aggregation: another than the settings' one.

        Returns:
            `Entities` for one text, else `Predictions`: a sequence of `Entities`, one for each text, in its order.
            For words, offsets count in the words joined by one space.

        Raises:
            DataError: if a text is neither a string nor a list of strings.
            LabelError: if the labels are not known yet.
            ArgumentError: if there is no such aggregation.
        """
        decoder = self._decoder(aggregation or self.settings.aggregation)
        is_one = isinstance(texts, str)
        inputs = texts if is_one else texts_of(texts)
        inputs = list(inputs) if isinstance(texts, (list, tuple)) else inputs
        return answers_for(inputs, lambda given: self._answers(given, decoder), is_one=is_one)

    @cached_property
    def _decoders(self) -> dict[tuple[Aggregation, frozenset[str]], _Decode]:
        return {}

    def _decoder(self, aggregation: Aggregation, ignored: Collection[str] = (OUTSIDE,)) -> _Decode:
        """Return what decodes tokens, built once for each aggregation and set of labels to leave out."""
        key = aggregation, frozenset(ignored)
        if key not in self._decoders:
            self._decoders[key] = self._build_decoder(*key)
        return self._decoders[key]

    def _build_decoder(self, aggregation: Aggregation, ignored: Collection[str]) -> _Decode:
        replace(self.settings, aggregation=aggregation)  # refuses one that there is not
        decoder = EntityDecoder(self.known_labels.names, aggregation, ignored)
        vector = tf.TensorSpec([None], tf.int32)
        scores = tf.TensorSpec([None, None], tf.float32)

        @tf.function(
            input_signature=[scores, vector, vector, vector, vector, tf.TensorSpec([None], tf.bool)], autograph=False
        )
        def decode(*columns: tf.Tensor) -> tuple[tf.Tensor, ...]:
            found = decoder(TokenScores(tf.nn.softmax(columns[0]), *columns[1:]))
            columns = (found.labels, found.scores, found.starts, found.ends, found.records)
            return *columns, found.first_tokens, found.last_tokens

        return decode, decoder.names

    def _answers(self, texts: Iterable[Any], decoder: _Decode) -> Iterator[Entities]:
        number = 0
        for chunk in chunked(texts, _PREDICTED_TOGETHER):
            for is_words, group in groupby(chunk, key=lambda text: not isinstance(text, str)):
                found = list(group)
                check_texts(found, number)
                number += len(found)
                yield from self._decoded(found, is_words, decoder)

    def _decoded(self, texts: list[Any], is_words: bool, decoder: _Decode) -> Iterator[Entities]:
        return iter(self._found(texts, is_words, decoder).entities)

    def entities_of_tokens(
        self, texts: list[str], aggregation: Aggregation, ignored: Collection[str] = (OUTSIDE,)
    ) -> FoundEntities:
        """Find the entities of texts but those of ignored labels, and the tokens that each is made of."""
        return self._found(texts, False, self._decoder(aggregation, ignored))

    def _found(self, texts: list[Any], is_words: bool, decoder: _Decode) -> FoundEntities:
        decode, names = decoder
        encoded = self._encoded(texts)
        logits = self._token_logits(encoded)
        starts, ends = encoded.starts, encoded.ends
        if is_words:
            shift = alignment.word_shifts(texts, encoded)
            starts, ends = starts + shift, ends + shift
            texts = [" ".join(words) for words in texts]
        is_subword = self.tokenizer.is_subword(texts, encoded, starts, ends)
        kept = np.flatnonzero(encoded.special_tokens_mask == 0)
        columns = (starts, ends, encoded.rows.astype(np.int32), encoded.records)
        found = decode(logits[kept], *(column[kept].astype(np.int32) for column in columns), is_subword[kept])
        labels, scores, first, last, records = (column.numpy().tolist() for column in found[:5])
        bounds = np.searchsorted(records, np.arange(len(texts) + 1))
        entities = [
            Entities(
                text,
                [
                    Entity(names[labels[k]], first[k], last[k], text[first[k] : last[k]], scores[k])
                    for k in range(bounds[i], bounds[i + 1])
                ],
            )
            for i, text in enumerate(texts)
        ]
        tokens = np.stack([kept[column.numpy()] for column in found[5:]], 1)
        return FoundEntities(entities, np.split(tokens, bounds[1:-1]), encoded, is_subword)

    # Serving

    def serving_outputs(self, *, text: tf.Tensor) -> dict[str, tf.Tensor]:  # type: ignore[override]
        """Answer in the graph.

        Args:
            text: Shape `(batch,)`, string.

        Returns:
            `entity_label`, `entity_text` (string), `entity_start`, `entity_end` (int32, Unicode characters) and
            `entity_score` (float32), each of shape `(batch, max_entities)`, filled up with `""` and 0; and
            `num_entities`, of shape `(batch,)`, int32.
        """
        rows = self.tokenizer.graph(text, max_length=self.settings.max_length, stride=self.settings.stride)
        logits = outputs_in_steps(self.forward, features_in_graph(self.tokenizer, rows))["logits"]
        logits = tf.RaggedTensor.from_tensor(logits, rows["input_ids"].row_lengths()).values  # (tokens, labels)
        decoder = EntityDecoder(self.known_labels.names, self.settings.aggregation)
        found = decoder(self._token_scores(text, rows, logits))
        return to_serving_tensors(found, decoder.names, text)

    def _token_scores(self, text: tf.Tensor, rows: dict[str, tf.Tensor], logits: tf.Tensor) -> TokenScores:
        ids = rows["input_ids"].values
        starts, ends = tf.unstack(rows["offsets"].values, axis=1)
        row = tf.cast(rows["input_ids"].value_rowids(), tf.int32)
        record = tf.gather(rows["row_to_record"], row)
        is_subword = self.tokenizer.is_subword_in_graph(text, record, ids, starts, ends)
        kept = tf.where(tf.equal(rows["special_tokens_mask"].values, 0))[:, 0]
        columns = (tf.nn.softmax(logits), starts, ends, row, record, is_subword)
        return TokenScores(*(tf.gather(column, kept) for column in columns))

    def compare_answers(self, inputs: Sequence[Any], served: dict[str, np.ndarray]) -> list[str]:
        """Return how a SavedModel's answers for texts differ from `predict`'s; empty if they don't."""
        differences = []
        for i, (text, entities) in enumerate(zip(inputs, self.predict(list(inputs)), strict=True)):
            names = ("label", "start", "end", "text", "score")
            columns = [served[f"entity_{name}"][i, : served["num_entities"][i]] for name in names]
            answers = [
                Entity(label.decode(), int(start), int(end), found.decode(), float(score))
                for label, start, end, found, score in zip(*columns, strict=True)
            ]
            same = len(answers) == len(entities) and all(
                replace(a, score=0.0) == replace(b, score=0.0) and abs(a.score - b.score) <= 1e-5
                for a, b in zip(answers, entities, strict=True)
            )
            if not same:
                differences.append(f"{text[:80]!r}: served {answers}, predicted {list(entities)}")
        return differences
