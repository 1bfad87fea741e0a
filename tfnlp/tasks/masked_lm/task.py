"""`MaskedLM`: words in the place of masks, and further training on plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, final

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.checkpoints.checkpoint import Checkpoint
from tfnlp.data.batches import Target, token_batches
from tfnlp.data.files import Record
from tfnlp.data.plain_texts import text_source
from tfnlp.data.problems import as_text
from tfnlp.data.sources import Source
from tfnlp.errors import ArgumentError, DataError
from tfnlp.export import ties
from tfnlp.labels import IGNORE_ID
from tfnlp.outputs import Fills
from tfnlp.padding import filled, size_of
from tfnlp.precision import Precision
from tfnlp.reports import PerplexityReport
from tfnlp.rows import Rows
from tfnlp.running import Features, Outputs
from tfnlp.tasks.answering import Tensors
from tfnlp.tasks.masked_lm.decoding import best_fills, probabilities_of_masks
from tfnlp.tasks.masked_lm.filling import Filler, filler_of
from tfnlp.tasks.masked_lm.masking import Masking, repeatable_uniform
from tfnlp.tasks.masked_lm.records import LAYOUT
from tfnlp.tasks.masked_lm.rows import PlainRows
from tfnlp.tasks.masked_lm.settings import MaskedLMSettings
from tfnlp.tasks.network import TOKENS_PER_BATCH
from tfnlp.tasks.perplexity import perplexity_of
from tfnlp.tasks.prediction import check_top_k
from tfnlp.tasks.settings import Settings
from tfnlp.tasks.task import Task
from tfnlp.tokenization.tokenizer import Tokenizer
from tfnlp.training.losses import TokenCrossEntropy
from tfnlp.training.recipe import Recipe

_NOTHING_HIDDEN = "no token was hidden: there are too few. Evaluate on more text."


@final
class MaskedLM(Task):
    """Fills masks, and learns from plain text by hiding a part of it.

    Example:
        lm = MaskedLM.from_pretrained("bert-base-cased")
        lm.fit("corpus.txt", validation_data="held-out.txt", epochs=3)
        lm.predict("Paris is the [MASK] of France.")  # [Fill('capital', ...), ...]
    """

    auto_class: ClassVar[str] = "TFAutoModelForMaskedLM"
    settings_class: ClassVar[type[Settings]] = MaskedLMSettings
    layout = LAYOUT
    why_no_losses = "other tokens are hidden each time, and lines are joined to rows"
    unserved = frozenset({"starts", "ends"})
    answered_together = 512

    @classmethod
    def prepare(cls, checkpoint: Checkpoint, preprocessor: Tokenizer) -> None:
        """Refuse a tokenizer that has no masks."""
        if preprocessor.hf.mask_token_id is None:
            raise ArgumentError(
                "the tokenizer has no mask token: masked language models have one, others (GPT-2 ...) can't fill masks."
            )
        if preprocessor.hf.truncation_side != "right":
            raise ArgumentError("windows of texts are cut from the right; set the tokenizer's `truncation_side` so.")

    # Training

    @property
    def targets(self) -> dict[str, Target]:
        """For each token, the unit with which it is hidden; `augment` makes labels of them."""
        return {"logits": Target(per_element=True)}

    def source(self, records: Any) -> Source:
        """Return texts that can be read again and again, whatever holds them."""
        return text_source(records, self.layout)

    def training_rows(self, records: Source) -> Iterator[Rows]:
        """Yield rows, and for each token the unit with which it is hidden: its word, or itself."""
        settings = self.settings
        rows = PlainRows(
            self.tokenizer, settings.max_length, settings.whole_words, settings.line_by_line, self.checkpoint.strategy
        )
        return rows.read(records)

    def augment(self, dataset: tf.data.Dataset, seed: int) -> tf.data.Dataset:
        """Hide tokens, others in every epoch."""
        seeds = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True).batch(2)

        def hide(batch: Any, seed: tf.Tensor) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
            features, units = batch
            shape = tf.concat([tf.shape(features["input_ids"]), [3]], 0)
            ids, labels = self._masking(
                features["input_ids"], units["logits"], tf.random.stateless_uniform(shape, seed)
            )
            return features | {"input_ids": ids}, {"logits": labels}

        return tf.data.Dataset.zip((dataset, seeds)).map(hide).prefetch(tf.data.AUTOTUNE)

    @property
    def _masking(self) -> Masking:
        return Masking(self.settings.mask_probability, self.tokenizer.hf.mask_token_id, len(self.tokenizer.hf))

    def loss(self, recipe: Recipe) -> dict[str, keras.losses.Loss]:
        """Return the cross entropy of the tokens that were chosen."""
        recipe.refuse("label_weights")
        return {"logits": TokenCrossEntropy(label_smoothing=recipe.label_smoothing)}

    # Evaluation

    def evaluate(self, records: Any) -> PerplexityReport:
        """Measure how well hidden tokens are guessed. Which are hidden depends on the rows alone: it is repeatable.

        Args:
            records: a file, a list of texts, a table or a dataset.

        Raises:
            DataError: if a record can't be used, or nothing was hidden, as in a few words.
        """
        hidden = self._hidden(records)
        return perplexity_of(self, hidden, num_tokens=self._num_tokens, nothing=_NOTHING_HIDDEN)

    def check_validation(self, records: Source) -> None:
        """Raise what is wrong with texts that will be evaluated: now, and not after an epoch."""
        if not any((labels.numpy() != IGNORE_ID).any() for _, labels in self._hidden(records)):
            raise DataError(_NOTHING_HIDDEN)

    def _hidden(self, records: Any) -> Iterator[tuple[dict[str, Any], tf.Tensor]]:
        """Yield batches of rows with some tokens hidden, and which those were."""
        side = self.tokenizer.padding_side
        for chunk in self.training_rows(self.source(records)):
            for batch in token_batches(chunk.lengths, TOKENS_PER_BATCH):
                rows = chunk.taken(batch)
                ids = rows.columns["input_ids"]
                uniform, size = repeatable_uniform(ids), size_of(ids)
                features = self.tokenizer.features(rows, size)
                units = filled(rows.targets["logits"], IGNORE_ID, size, side)
                hidden, labels = self._masking(features["input_ids"], units, filled(uniform, 1.0, size, side))
                yield features | {"input_ids": hidden}, labels

    @property
    def main_metric(self) -> str:
        """The share of hidden tokens that are guessed."""
        return "accuracy"

    # Prediction

    def predict(
        self,
        texts: Any,
        *,
        top_k: int | None = None,
        candidates: Sequence[str] | None = None,
        candidate_ids: np.ndarray | None = None,
        several_masks: bool = False,
        precision: Precision | None = None,
    ) -> Any:
        """Fill masks.

        Args:
            texts: a text with a mask, as the tokenizer writes it (`[MASK]`, `<mask>`), or a dict of `text`; a list of
                them; or an iterable, whose answers then come as a generator.
            top_k: how many fills to give for each mask, the likeliest first; None: 5, or all candidates.
            candidates: the words to choose among, each a token of the vocabulary.
            candidate_ids: the same by their ids. Shape `(candidates,)`, integers.
            several_masks: whether a text may have several masks, each filled as if alone.
            precision: that products of matrices are computed in, `float32` or `bfloat16`; None: as the settings say.

        Returns:
            For one text `Fills`, or with `several_masks` a list of those, one for each mask; for a list, `Predictions`.

        Raises:
            DataError: if a text has no mask, or several where one is expected.
            ArgumentError: if a candidate is not one token.
        """
        check_top_k(top_k)
        allowed = candidate_ids if candidates is None else self._filler.candidate_ids(candidates)
        count = (5 if allowed is None else len(allowed)) if top_k is None else top_k
        settings = replace(self.settings, top_k=min(count, self._num_tokens if allowed is None else len(allowed)))
        given = {} if allowed is None else {"candidate_ids": np.asarray(allowed, np.int32)}

        return self.predict_by(
            texts,
            settings=settings,
            precision=precision,
            is_one=isinstance(texts, (str, dict)),
            as_record=lambda text, number: self.as_record(text, number) | given,
            answers=self._every_mask if several_masks else None,
        )

    def as_record(self, given: Any, number: int) -> Record:
        """Check a text."""
        return {"text": as_text(given, number), "number": number}

    def tensors(self, records: Sequence[Record]) -> Tensors:
        """Return texts, string, shape `(batch,)`, and the candidates, if there are any: int32, `(candidates,)`."""
        ids = records[0].get("candidate_ids")
        return super().tensors(records) | ({} if ids is None else {"candidate_ids": tf.constant(ids)})

    def sample_inputs(self, texts: Sequence[str]) -> list[Any]:
        """Put a mask after each text's first word."""
        mask = self.tokenizer.hf.mask_token
        return [" ".join([*text.split()[:1], mask, *text.replace("[MASK]", "").split()[1:]]) for text in texts]

    def rows(self, inputs: Tensors, settings: MaskedLMSettings) -> Rows:
        """Make rows of texts."""
        return self.tokenizer.rows(inputs["text"], max_length=settings.max_length, stride=settings.stride)

    def kept(self, outputs: dict[str, tf.Tensor], features: Features, inside: tf.Tensor) -> Outputs:
        """Keep what is said of masks alone: vocabularies are large."""
        is_mask = inside & tf.equal(features["input_ids"], self.tokenizer.hf.mask_token_id)
        return {"logits": probabilities_of_masks(outputs["logits"], is_mask, self._num_tokens)}

    def decode(self, outputs: Outputs, rows: Rows, inputs: Tensors, settings: MaskedLMSettings) -> dict[str, tf.Tensor]:
        """Choose the likeliest tokens for each mask.

        Returns:
            `tokens`, string, `token_ids`, int32, and `scores`, float32, of shape `(batch, masks, top_k)`, the likeliest
            first, filled up with `""` and 0; `num_masks`, int32, of shape `(batch,)`. Beside these, which are served,
            where masks stand; see `best_fills`.
        """
        fills = best_fills(
            outputs["logits"].values, rows, tf.size(inputs["text"]), mask_id=self.tokenizer.hf.mask_token_id,
            stride=settings.stride, top_k=min(settings.top_k, self._num_tokens),
            candidate_ids=inputs.get("candidate_ids"),
        )  # fmt: skip
        tokens = tf.gather(tf.constant([token.strip() for token in self._filler.tokens]), fills["token_ids"])
        is_filled = tf.sequence_mask(fills["num_masks"], tf.shape(tokens)[1])[:, :, None]
        return fills | {"tokens": tf.where(is_filled, tokens, "")}

    def answers(self, decoded: dict[str, np.ndarray], records: Sequence[Record], settings: Any) -> list[Fills]:
        """Write down the fills of the one mask of each text."""
        for record, count in zip(records, decoded["num_masks"].tolist(), strict=True):
            if count > 1:
                raise DataError(
                    f"text {record['number']}: expected one {self.tokenizer.hf.mask_token}, found {count}. Pass "
                    "`several_masks=True` for the fills of each."
                )
        return [masks[0] for masks in self._every_mask(decoded, records, settings)]

    def _every_mask(
        self, decoded: dict[str, np.ndarray], records: Sequence[Record], settings: Any
    ) -> list[list[Fills]]:
        """Write down the fills of each mask of each text."""
        answers = []
        for i, (record, count) in enumerate(zip(records, decoded["num_masks"].tolist(), strict=True)):
            if not count:
                raise DataError(f"text {record['number']}: there is no {self.tokenizer.hf.mask_token} in it to fill.")
            columns = (decoded[name][i, :count].tolist() for name in ("token_ids", "scores", "starts", "ends"))
            masks = []
            for ids, scores, start, end in zip(*columns, strict=True):
                pairs = zip(ids, scores, strict=True)
                masks.append(Fills(self._filler.fill(*pair, record["text"], (start, end)) for pair in pairs))
            answers.append(masks)
        return answers

    def undecided(self, decoded: dict[str, np.ndarray], settings: Any) -> dict[str, np.ndarray]:
        """Tell where tokens have about the same score, or the last one that of others which are left out."""
        either = ties(decoded["scores"], cut=True)
        return {"tokens": either, "token_ids": either}

    @property
    def _filler(self) -> Filler:
        return filler_of(self.tokenizer.hf, self._num_tokens)

    @property
    def _num_tokens(self) -> int:
        """How many tokens can fill a mask: those that both the tokenizer and the network know."""
        return min(len(self.tokenizer.hf), self.config.vocab_size)
