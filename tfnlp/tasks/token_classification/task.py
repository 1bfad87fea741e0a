"""`TokenClassifier`: named entities, parts of speech, slots: a label for every word of a text."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.checkpoints.checkpoint import Checkpoint
from tfnlp.data.batches import Target
from tfnlp.data.files import Record
from tfnlp.data.sources import Source
from tfnlp.networks.crf import Transitions, TransitionScores
from tfnlp.outputs import Entities, Entity
from tfnlp.precision import Precision
from tfnlp.rows import Rows
from tfnlp.running import Features, Outputs
from tfnlp.tasks.answering import Tensors
from tfnlp.tasks.head_labels import HeadLabels
from tfnlp.tasks.network import per_element
from tfnlp.tasks.task import Task
from tfnlp.tasks.token_classification import evaluation, learning
from tfnlp.tasks.token_classification.decoding import (
    Choose,
    EntityDecoder,
    choose_each,
    named_entities,
    with_width,
)
from tfnlp.tasks.token_classification.records import LAYOUT, as_text_or_words, is_one_text
from tfnlp.tasks.token_classification.rows import text_of, token_rows
from tfnlp.tasks.token_classification.sequences import choose_together, constrained, joined
from tfnlp.tasks.token_classification.settings import Aggregation, Decoding, TokenClassifierSettings
from tfnlp.tasks.token_classification.transitions import counted, load_transitions, save_transitions
from tfnlp.tasks.token_classification.units import token_scores
from tfnlp.training.losses import cross_entropy
from tfnlp.training.path_loss import PathLoss
from tfnlp.training.recipe import Recipe

logger = logging.getLogger(__name__)


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

    learn = learning.learn

    @property
    def targets(self) -> dict[str, Target]:
        """A label id for each token."""
        return {"logits": Target(per_element=True)}

    training_rows = learning.training_rows

    @property
    def head(self) -> Any:
        """The Hugging Face TensorFlow head; with `decoding="crf"`, the transitions are read with it."""
        head = super().head
        if self.settings.decoding == "crf":
            _ = self.crf
        return head

    @cached_property
    def crf(self) -> TransitionScores:
        """The scores of labels that follow each other, of `decoding="crf"`: the checkpoint's, or zeros."""
        with self.checkpoint.scope():
            layer, labels = TransitionScores(len(self.known_labels)), self.learned.labels
        if labels is None or labels.is_fresh or not load_transitions(layer, self.checkpoint):
            logger.warning("%s: no transitions between labels are there yet; `fit` learns them", type(self).__name__)
        return layer

    def call_head(self, run: Callable[..., Any], inputs: Features) -> dict[str, Any]:
        """Run the head; with `decoding="crf"`, its logits carry the transitions along."""
        outputs = super().call_head(run, inputs)
        return {"logits": self.crf(outputs["logits"])} if self.settings.decoding == "crf" else outputs

    def start_from(self, records: Source, rows: Iterable[Rows]) -> None:
        """Let new transitions start from how often labels follow each other."""
        if self.settings.decoding != "crf" or any(weight.any() for weight in self.crf.get_weights()):
            return
        columns = (some.targets["logits"] for some in rows)
        paths = (path for column in columns for path in np.split(column.values, column.splits[1:-1]))
        self.crf.set_weights(counted(paths, len(self.known_labels)))

    def write_beside(self, directory: Path) -> None:
        """Write the transitions, in a file that PyTorch does not read."""
        if self.settings.decoding == "crf":
            save_transitions(self.crf, directory)

    def loss(self, recipe: Recipe) -> dict[str, keras.losses.Loss]:
        """Return the cross entropy of labelled tokens, or with `decoding="crf"` that of each row's labels together."""
        if self.settings.decoding == "crf":
            reason = "is of single labels, and `decoding='crf'` scores those of a text together"
            recipe.refuse("label_weights", "label_smoothing", reason=reason)
            return {"logits": PathLoss(self.crf)}
        return {"logits": cross_entropy(self.known_labels, recipe.label_weights, recipe.label_smoothing)}

    # Evaluation

    evaluate = evaluation.evaluate

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

    def answer_to(self, record: Record) -> Entities:
        """Return the entities of a record of training data."""
        answer: Entities = self.predict([record["words"] if "words" in record else record["text"]])[0]
        return answer

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
        tokens, place = token_scores(outputs["logits"].values, rows)
        choose: Choose = choose_each
        if settings.decoding != "argmax":
            tokens, kept = joined(tokens, settings.stride)
            place = tf.gather(place, kept)
            choose = partial(choose_together, transitions=self._transitions(settings.decoding))
        decoder = EntityDecoder(
            self.known_labels.names, settings.aggregation, settings.ignore_labels,
            keep_blanks=settings.grouping == "pipeline", choose=choose,
        )  # fmt: skip
        return named_entities(decoder(tokens), decoder.names, text_of(inputs), place)

    def _transitions(self, decoding: Decoding) -> Transitions:
        learning.check_decoding(decoding, self.known_labels)
        return constrained(self.known_labels, self.crf.scores if decoding == "crf" else None)

    def served(self, decoded: dict[str, Any], settings: TokenClassifierSettings) -> dict[str, Any]:
        """Return entities, of as many columns as the settings say."""
        found = super().served(decoded, settings)
        return found if settings.max_entities is None else with_width(found, settings.max_entities)

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
