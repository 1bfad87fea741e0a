"""`TokenClassifier`: named entities, parts of speech, slots: a label for every word of a text."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple, final

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.checkpoints.checkpoint import Checkpoint
from tfnlp.data.batches import CHUNK, Target, chunked
from tfnlp.data.files import Record
from tfnlp.data.sources import Source
from tfnlp.labels import OUTSIDE, LabelMap, Span
from tfnlp.outputs import Entities, Entity
from tfnlp.precision import Precision
from tfnlp.reports import Report
from tfnlp.rows import Column, Rows, as_numpy
from tfnlp.running import Features, Outputs
from tfnlp.tasks.answering import Tensors
from tfnlp.tasks.head_labels import HeadLabels
from tfnlp.tasks.learned import Learned
from tfnlp.tasks.network import per_element
from tfnlp.tasks.prediction import alike
from tfnlp.tasks.task import Task
from tfnlp.tasks.token_classification.decoding import EntityDecoder, named_entities, token_scores
from tfnlp.tasks.token_classification.metrics import TaggingScores, token_losses
from tfnlp.tasks.token_classification.records import LAYOUT, as_text_or_words, checked_tokens, is_one_text
from tfnlp.tasks.token_classification.rows import WordTags, label_ids, text_of, token_rows, word_tags
from tfnlp.tasks.token_classification.settings import Aggregation, Grouping, TokenClassifierSettings
from tfnlp.tokenization import alignment
from tfnlp.training.losses import cross_entropy
from tfnlp.training.recipe import Recipe

logger = logging.getLogger(__name__)

_MISPLACED = 0.05  # of all spans: from then on, spans do not follow words, and each token is labelled by itself


class Labelled(NamedTuple):
    """Some records with the labels of their words.

    Attributes:
        records: all of words, or all of running text.
        tags: of their words.
        label_ids: of their words, -100 where a span covers a word in part.
    """

    records: list[Record]
    tags: WordTags
    label_ids: list[list[int]]


@final
class TokenClassifier(Task):
    """Labels the words of texts.

    Example:
        ner = TokenClassifier.from_pretrained("bert-base-cased", labels=["O", "B-PER", "I-PER"])
        ner.fit("train.conll", validation_data="dev.conll", epochs=3)
        ner.predict("Ada lives in Paris.")
    """

    auto_class: ClassVar[str] = "TFAutoModelForTokenClassification"
    settings_class: ClassVar[type[Any]] = TokenClassifierSettings
    own_options: ClassVar[tuple[str, ...]] = ("labels",)
    unserved = frozenset({"first_token", "last_token", "begins"})
    layout = LAYOUT

    @classmethod
    def labels_at_first(cls, checkpoint: Checkpoint, **own_options: Any) -> HeadLabels:
        """Return the checkpoint's labels, or those that the user names."""
        return HeadLabels.of(checkpoint, own_options.get("labels"))

    # Training

    def learn(self, records: Source) -> Learned:
        """Take the labels from training data, if they are unknown, and whether spans follow words."""
        labels, settings = self.learned.labels, self.settings
        assert labels is not None, "a task with labels"
        if labels.labels is None:
            labels = labels.named(_labels_of(records).names, self.checkpoint)
        if settings.grouping is None:
            settings = replace(settings, grouping=self._grouping_of(records))
        return Learned(settings, labels)

    def _grouping_of(self, records: Source) -> Grouping:
        """Return whether spans begin and end where words do, or only where tokens do."""
        misplaced, num_spans = self._misplaced(records, "words")
        allowed = _MISPLACED * num_spans
        if misplaced <= allowed or misplaced - self._misplaced(records, "tokens")[0] <= allowed:
            return "words"
        logger.info(
            "%s: %d of %d spans begin or end within words, so each token is labelled by itself",
            records.name, misplaced, num_spans,
        )  # fmt: skip
        return "tokens"

    def _misplaced(self, records: Source, grouping: Grouping) -> tuple[int, int]:
        """Count the spans that words of a grouping don't show, and all spans."""
        settings = replace(self.settings, grouping=grouping)
        misplaced = num_spans = 0
        for chunk in chunked((r for r in checked_tokens(records) if r.get("spans")), CHUNK):
            misplaced += len(word_tags(chunk, self.rows_of(chunk, settings)).unaligned)
            num_spans += sum(len(record["spans"]) for record in chunk)
        return misplaced, num_spans

    @property
    def targets(self) -> dict[str, Target]:
        """A label id for each token."""
        return {"logits": Target(per_element=True)}

    def training_rows(self, records: Source) -> Iterator[Rows]:
        """Yield labelled rows; spans that can't be aligned are left unlabelled, counted and reported."""
        unaligned: list[Span] = []  # the first few
        num_unaligned = 0
        for start, part in _parts(records, CHUNK):
            rows = self.rows_of(part)
            labelled = self._labelled(part, rows, f"{records.name}: record", start)
            num_unaligned += len(labelled.tags.unaligned)
            unaligned = [*unaligned, *labelled.tags.unaligned][:3]
            yield rows._replace(targets={"logits": Column(self._token_labels(rows, labelled), rows.splits)})
        if unaligned:
            logger.warning(
                "%s: %d spans do not begin and end where %s do; what they touch is left out of training. The first: %s",
                records.name, num_unaligned, self.settings.grouping or "words", unaligned,
            )  # fmt: skip

    def _labelled(self, records: list[Record], rows: Rows, where: str, start: int) -> Labelled:
        tags = word_tags(records, rows)
        return Labelled(records, tags, label_ids(tags.names, self.known_labels, where, start))

    def _token_labels(self, rows: Rows, labelled: Labelled) -> np.ndarray:
        return alignment.token_labels(rows, labelled.label_ids, all_tokens=self.settings.label_all_tokens)

    def loss(self, recipe: Recipe) -> dict[str, keras.losses.Loss]:
        """Return the cross entropy of labelled tokens."""
        return {"logits": cross_entropy(self.known_labels, recipe.label_weights, recipe.label_smoothing)}

    # Evaluation

    def evaluate(self, records: Any, *, mode: str = "default") -> Report:
        """Compare what `predict` answers with gold labels, entity by entity and word by word.

        Args:
            records: a file, a list of records, a table or a dataset, with labels.
            mode: `default` reads entities as conlleval does, `strict` only well-formed ones; both as in seqeval.

        Returns:
            A report: print it for a table, `to_json()` for a file.

        Raises:
            DataError: if a record can't be used.
            LabelError: if a label is not one of the model's.
        """
        source = self.source(records)
        scores = TaggingScores(entities=self.known_labels.are_tags, mode=mode)
        for start, part in _parts(source, self.answered_together):
            asked = self.ask(part)
            rows = as_numpy(asked.rows)
            labelled = self._labelled(part, rows, f"{source.name}: record", start)
            for i, record in enumerate(part):
                entities = _found(asked.answers, i, only_begun=mode == "strict")
                self._score(scores, record, labelled.tags.bounds[i], labelled.tags.names[i], entities)
            scores.add_losses(token_losses(asked.outputs["logits"].values, self._token_labels(rows, labelled)))
        return scores.report()

    def _score(
        self,
        scores: TaggingScores,
        record: Record,
        bounds: np.ndarray,
        gold: Sequence[str | None],
        predicted: list[Span],
    ) -> None:
        """Count what is right in a record: `gold` are its words' labels, `predicted` its entities in characters."""
        answer = alignment.tag_words(bounds, predicted).tags
        if not self.known_labels.are_tags or self.settings.aggregation == "none":
            default = OUTSIDE if OUTSIDE in self.known_labels.ids else self.known_labels.names[0]
            answer = [default] * len(bounds)
            # Entities are named as in transformers' pipeline, which takes what stands before a hyphen for a prefix.
            label_of = {name.split("-", 1)[-1]: name for name in self.known_labels.names}
            for span in predicted:
                for word in np.flatnonzero((bounds[:, 0] < span.end) & (bounds[:, 1] > span.start)).tolist():
                    answer[word] = span.label if span.label in self.known_labels.ids else label_of[span.label]
        known = [i for i, name in enumerate(gold) if name is not None]
        gold_labels, answers = [str(gold[i]) for i in known], [answer[i] or OUTSIDE for i in known]
        if "spans" in record and self.settings.aggregation != "none":
            scores.update_spans(record["spans"], predicted, gold_labels, answers)
        else:
            scores.update(gold_labels, answers)

    # Prediction

    def predict(self, texts: Any, *, aggregation: Aggregation | None = None, precision: Precision | None = None) -> Any:
        """Find the entities of texts.

        Args:
            texts: a text; the words of one (a list of str inside a list); a list of either; or an iterable, whose
                answers then come as a generator, so that it may be endless; it reads 2,048 texts at a time.
            aggregation: another than the settings' one.
            precision: that products of matrices are computed in, `float32` or `bfloat16`; None: as the settings say.

        Returns:
            `Entities` for one text, else `Predictions`: a sequence of `Entities`, one for each text, in its order.
            For words, offsets count in the words joined by one space.

        Raises:
            DataError: if a text is neither a string nor a list of strings.
            LabelError: if the labels are not known yet.
            ArgumentError: if there is no such aggregation.
        """
        _ = self.known_labels
        settings = self.settings if aggregation is None else replace(self.settings, aggregation=aggregation)
        return self.predict_by(texts, settings=settings, precision=precision, is_one=is_one_text(texts))

    def as_record(self, given: Any, number: int) -> Record:
        """Check a text, or the words of one."""
        return as_text_or_words(given, number)

    def tensors(self, records: Sequence[Record]) -> Tensors:
        """Return texts, shape `(batch,)`, or words, ragged of shape `(batch, words)`; strings."""
        if "words" in records[0]:
            return {"words": tf.ragged.constant([record["words"] for record in records], tf.string, ragged_rank=1)}
        return super().tensors(records)

    def rows(self, inputs: Tensors, settings: TokenClassifierSettings) -> Rows:
        """Make rows of texts, or of their words."""
        return token_rows(
            inputs, self.tokenizer, max_length=settings.max_length, stride=settings.stride,
            grouping=settings.grouping or "words",
        )  # fmt: skip

    def kept(self, outputs: dict[str, tf.Tensor], features: Features, inside: tf.Tensor) -> Outputs:
        """Keep the logits of tokens."""
        return per_element(outputs, features, inside)

    def decode(
        self, outputs: Outputs, rows: Rows, inputs: Tensors, settings: TokenClassifierSettings
    ) -> dict[str, tf.Tensor]:
        """Find entities.

        Returns:
            `entity_label`, `entity_text` (string), `entity_start`, `entity_end` (int32, Unicode characters) and
            `entity_score` (float32), each of shape `(batch, max_entities)`, filled up with `""` and 0; and
            `num_entities`, of shape `(batch,)`, int32. Beside these, which are served, see `named_entities`.
        """
        as_pipeline = settings.grouping == "pipeline"
        decoder = EntityDecoder(
            self.known_labels.names, settings.aggregation, settings.ignore_labels, keep_blanks=as_pipeline
        )
        tokens, place = token_scores(outputs["logits"].values, rows)
        return named_entities(decoder(tokens), decoder.names, text_of(inputs), place)

    def answers(
        self, decoded: dict[str, np.ndarray], records: Sequence[Record], settings: TokenClassifierSettings
    ) -> list[Entities]:
        """Write entities down."""
        answers = []
        columns = [decoded[f"entity_{name}"].tolist() for name in ("label", "start", "end", "score")]
        for i, (record, count) in enumerate(zip(records, decoded["num_entities"].tolist(), strict=True)):
            text = record["text"] if "text" in record else " ".join(record["words"])
            parts = zip(*(column[i][:count] for column in columns), strict=True)
            entities = (Entity(label.decode(), a, b, text[a:b], score) for label, a, b, score in parts)
            answers.append(Entities(text, entities))
        return answers


def _parts(records: Source, together: int) -> Iterator[tuple[int, list[Record]]]:
    """Yield records, many of one kind at a time, after the number of the first."""
    number = 1
    for part in alike(chunked(checked_tokens(records), together)):
        yield number, part
        number += len(part)


def _labels_of(records: Source) -> LabelMap:
    """Return the labels that training data holds: those of words, or the types of spans as IOB2 tags."""
    names: set[str] = set()
    for record in checked_tokens(records):
        names.update(record.get("labels", ()))
        for span in record.get("spans", ()):
            names.update(("O", f"B-{span.label}", f"I-{span.label}"))
    labels = LabelMap.from_tags(names)
    logger.info("labels of %s: %s", records.name, ", ".join(labels.names))
    return labels


def _found(answers: dict[str, np.ndarray], i: int, *, only_begun: bool) -> list[Span]:
    """Return the entities of record `i`; `only_begun`: those whose first label says that they begin."""
    count = answers["num_entities"][i]
    columns = (answers[name][i, :count].tolist() for name in ("entity_label", "entity_start", "entity_end", "begins"))
    return [
        Span(label.decode(), start, end)
        for label, start, end, begins in zip(*columns, strict=True)
        if begins or not only_begun
    ]
