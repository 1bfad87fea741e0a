"""`MaskedLM`: words in the place of masks, and further training on plain text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, final

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.data.pipeline import RowChunk, Target
from tfnlp.data.sources import Source, as_text
from tfnlp.errors import ArgumentError, DataError
from tfnlp.labels import IGNORE_ID
from tfnlp.outputs import Fills
from tfnlp.reports import PerplexityReport
from tfnlp.tasks.masked_lm.filling import Filler
from tfnlp.tasks.masked_lm.found_masks import FoundMasks, find_masks
from tfnlp.tasks.masked_lm.masking import Masking, repeatable_uniform
from tfnlp.tasks.masked_lm.records import LAYOUT, text_source
from tfnlp.tasks.masked_lm.rows import PlainRows
from tfnlp.tasks.network import TOKENS_PER_BATCH, features_in_graph, outputs_in_steps, row_batches
from tfnlp.tasks.prediction import answers_for, check_top_k, records_of
from tfnlp.tasks.pretrained import Settings
from tfnlp.tasks.task import TaskModel
from tfnlp.tasks.windows import answering_tokens
from tfnlp.training.losses import TokenCrossEntropy
from tfnlp.training.recipe import Recipe

_PREDICTED_TOGETHER = 512  # texts
_NOTHING_HIDDEN = "no token was hidden: there are too few. Evaluate on more text."


@dataclass(frozen=True)
class MaskedLMSettings(Settings):
    """What it remembers beside the network.

    Attributes:
        mask_probability: the share of tokens, or words, that are hidden in training, in (0, 1).
        whole_words: hide whole words, not tokens by themselves.
        line_by_line: each text is a row, or windows, of its own; else texts are joined and cut into rows of
            `max_length` tokens.
        top_k: how many fills an exported model gives for each mask.
    """

    mask_probability: float = 0.15
    whole_words: bool = False
    line_by_line: bool = False
    top_k: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.mask_probability < 1:
            raise ArgumentError(f"`mask_probability` must be in (0, 1); it is {self.mask_probability}.")
        if self.top_k < 1:
            raise ArgumentError(f"`top_k` must be at least 1; it is {self.top_k}.")


@final
class MaskedLM(TaskModel):
    """Fills masks, and learns from plain text by hiding a part of it.

    Example:
        lm = MaskedLM.from_pretrained("bert-base-cased")
        lm.fit("corpus.txt", validation_data="held-out.txt", epochs=3)
        lm.predict("Paris is the [MASK] of France.")  # [Fill('capital', ...), ...]
    """

    auto_class: ClassVar[str] = "TFAutoModelForMaskedLM"
    settings_class: ClassVar[type[Settings]] = MaskedLMSettings
    layout = LAYOUT
    settings: MaskedLMSettings

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        if self.tokenizer.hf.mask_token_id is None:
            raise ArgumentError(
                "the tokenizer has no mask token: masked language models have one, others (GPT-2 ...) can't fill masks."
            )
        if self.tokenizer.hf.truncation_side != "right":
            raise ArgumentError("windows of texts are cut from the right; set the tokenizer's `truncation_side` so.")

    # Training

    targets: ClassVar[dict[str, Target]] = {"logits": Target(per_token=True)}  # type: ignore[misc]

    def source(self, records: Any) -> Source:
        """Return texts that can be read again and again, whatever holds them."""
        return records if isinstance(records, Source) else text_source(records)

    def encode(self, records: Source) -> Iterator[RowChunk]:
        """Yield rows, and for each token the unit with which it is hidden: its word, or itself."""
        settings = self.settings
        rows = PlainRows(self.tokenizer, settings.max_length, settings.whole_words, settings.line_by_line)
        return rows.encode(records)

    def prepare(self, dataset: tf.data.Dataset, seed: int) -> tf.data.Dataset:
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
        losses, right, count, num_records = 0.0, 0, 0, 0
        for features, labels in self._hidden(records):
            loss, hits, found = self._guessed(features, labels)
            losses, right, count = losses + float(loss), right + int(hits), count + int(found)
            num_records += len(labels)
        if not count:
            raise DataError(_NOTHING_HIDDEN)
        return PerplexityReport(float(np.exp(losses / count)), right / count, count, num_records, losses / count)

    def check_validation(self, records: Source) -> None:
        """Raise what is wrong with texts that will be evaluated: now, and not after an epoch."""
        if not any((labels.numpy() != IGNORE_ID).any() for _, labels in self._hidden(records)):
            raise DataError(_NOTHING_HIDDEN)

    def _hidden(self, records: Any) -> Iterator[tuple[dict[str, Any], tf.Tensor]]:
        """Yield batches of rows with some tokens hidden, and which those were."""
        for chunk in self.rows(records):
            for rows, features in row_batches(chunk.columns, chunk.splits, self.tokenizer.pad_id):
                units = np.full_like(features["input_ids"], IGNORE_ID)
                for i, row in enumerate(rows):
                    start, end = chunk.splits[row : row + 2]
                    units[i, : end - start] = chunk.targets["logits"][start:end]
                uniform = repeatable_uniform(features["input_ids"], np.diff(chunk.splits)[rows])
                ids, labels = self._masking(*map(tf.constant, (features["input_ids"], units, uniform)))
                yield features | {"input_ids": ids}, labels

    @cached_property
    def _guessed(self) -> Any:
        """Return, for features and labels, the sum of losses, how many labels were guessed, and how many there are."""
        forward, num_tokens = self.forward, self._num_tokens

        @tf.function(reduce_retracing=True)
        def guessed(features: dict[str, tf.Tensor], labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            place = tf.where(tf.not_equal(labels, IGNORE_ID))
            logits = tf.gather_nd(forward(features)["logits"], place)
            gold = tf.gather_nd(labels, place)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(gold, logits)
            hits = tf.equal(tf.argmax(logits[:, :num_tokens], 1, tf.int32), gold)
            return tf.reduce_sum(losses), tf.reduce_sum(tf.cast(hits, tf.int32)), tf.size(gold)

        return guessed

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
    ) -> Any:
        """Fill masks.

        Args:
            texts: a text with a mask, as the tokenizer writes it (`[MASK]`, `<mask>`), or a dict of `text`; a list of
                them; or an iterable, whose answers then come as a generator.
            top_k: how many fills to give for each mask, the likeliest first; None: 5, or all candidates.
            candidates: the words to choose among, each a token of the vocabulary.
            candidate_ids: the same by their ids. Shape `(candidates,)`, integers.
            several_masks: whether a text may have several masks, each filled as if alone.

        Returns:
            For one text `Fills`, or with `several_masks` a list of those, one for each mask; for a list, `Predictions`.

        Raises:
            DataError: if a text has no mask, or several where one is expected.
            ArgumentError: if a candidate is not one token.
        """
        check_top_k(top_k)
        allowed = candidate_ids if candidates is None else self._filler.candidate_ids(candidates)
        count = (5 if allowed is None else len(allowed)) if top_k is None else top_k

        def answers(given: Iterable[Any]) -> Iterator[Any]:
            for fills in self._answers(given, count, allowed, several_masks):
                yield fills if several_masks else fills[0]

        return answers_for(texts, answers, is_one=isinstance(texts, (str, dict)))

    def _answers(
        self, texts: Iterable[Any], count: int, allowed: np.ndarray | None, several: bool
    ) -> Iterator[list[Fills]]:
        for start, chunk in records_of(texts, _PREDICTED_TOGETHER, as_text):
            masks = self._masks(chunk)
            masks.check(len(chunk), self.tokenizer.hf.mask_token, start, several=several)
            found: list[list[Fills]] = [[] for _ in chunk]
            for record, span, scores in zip(*masks, strict=True):
                ids = np.arange(len(scores)) if allowed is None else allowed
                order = ids[np.argsort(-scores[ids], kind="stable")[:count]]
                fills = (self._filler.fill(int(i), float(scores[i]), chunk[record], span) for i in order)
                found[record].append(Fills(fills))
            yield from found

    def _masks(self, texts: Sequence[str]) -> FoundMasks:
        window = {"max_length": self.settings.max_length, "stride": self.settings.stride}
        return find_masks(texts, self.tokenizer, self._probabilities, **window)

    @cached_property
    def _probabilities(self) -> Any:
        """Return, for features and places `(row, token)`, the probabilities of all tokens there."""
        forward, num_tokens = self.forward, self._num_tokens

        @tf.function(reduce_retracing=True)
        def probabilities(features: dict[str, tf.Tensor], places: tf.Tensor) -> tf.Tensor:
            return tf.nn.softmax(tf.gather_nd(forward(features)["logits"], places))[:, :num_tokens]

        return probabilities

    @cached_property
    def _filler(self) -> Filler:
        return Filler(self.tokenizer.hf, self._num_tokens)

    @property
    def _num_tokens(self) -> int:
        """How many tokens can fill a mask: the network's table is often longer, for speed, and all of it is scored."""
        return min(len(self.tokenizer.hf), self.config.vocab_size)

    # Serving

    def sample_inputs(self, texts: Sequence[str]) -> list[Any]:
        """Put a mask after each text's first word."""
        mask = self.tokenizer.hf.mask_token
        return [" ".join([*text.split()[:1], mask, *text.replace("[MASK]", "").split()[1:]]) for text in texts]

    def serving_outputs(self, *, text: tf.Tensor) -> dict[str, tf.Tensor]:  # type: ignore[override]
        """Answer in the graph.

        Args:
            text: Shape `(batch,)`, string.

        Returns:
            `tokens`, string, `token_ids`, int32, and `scores`, float32, of shape `(batch, masks, top_k)`, the likeliest
            first, filled up with `""` and 0; `num_masks`, int32, of shape `(batch,)`.
        """
        settings = self.settings
        rows = self.tokenizer.graph(text, max_length=settings.max_length, stride=settings.stride)
        ids, lengths = rows["input_ids"].values, rows["input_ids"].row_lengths()
        found = outputs_in_steps(self._best, features_in_graph(self.tokenizer, rows), budget=TOKENS_PER_BATCH)
        row = tf.cast(rows["input_ids"].value_rowids(), tf.int32)
        chosen = answering_tokens(rows["sequence_ids"].values, 0, row, rows["row_to_record"], settings.stride)
        masks = tf.boolean_mask(chosen, tf.equal(tf.gather(ids, chosen), self.tokenizer.hf.mask_token_id))
        flat = {
            name: tf.gather(tf.RaggedTensor.from_tensor(values, lengths).values, masks)
            for name, values in found.items()
        }
        records = tf.gather(rows["row_to_record"], tf.gather(row, masks))
        counts = tf.math.bincount(records, minlength=tf.size(text), maxlength=tf.size(text))
        flat["tokens"] = tf.gather(tf.constant([token.strip() for token in self._filler.tokens]), flat["token_ids"])
        return {
            name: tf.RaggedTensor.from_row_lengths(values, counts, validate=False).to_tensor()
            for name, values in flat.items()
        } | {"num_masks": counts}

    @cached_property
    def _best(self) -> Any:
        """The likeliest tokens at each place, as one graph for batches of every size."""
        forward, num_tokens = self.forward, self._num_tokens
        top_k = min(self.settings.top_k, num_tokens)
        signature = {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in self.tokenizer.input_names}

        @tf.function(input_signature=[signature])
        def best(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            logits = forward(features)["logits"]
            values, ids = tf.math.top_k(logits[..., :num_tokens], top_k)
            return {"scores": tf.exp(values - tf.reduce_logsumexp(logits, -1, keepdims=True)), "token_ids": ids}

        return best

    def compare_answers(self, inputs: Sequence[Any], served: dict[str, np.ndarray]) -> list[str]:
        """Return how a SavedModel's answers differ from `predict`'s; empty if they don't."""
        differences = []
        predicted = self.predict(list(inputs), top_k=self.settings.top_k, several_masks=True)
        for i, (text, masks) in enumerate(zip(inputs, predicted, strict=True)):
            same = served["num_masks"][i] == len(masks)
            for k, fills in enumerate(masks if same else []):
                scores = [fill.score for fill in fills]
                by_id = {fill.token_id: fill for fill in fills}
                same &= bool(np.allclose(served["scores"][i, k], scores, rtol=0, atol=1e-5))
                for token, token_id, score in zip(
                    *(served[n][i, k] for n in ("tokens", "token_ids", "scores")), strict=True
                ):
                    mine = by_id.get(int(token_id))  # of two with like scores, either may stand at the end
                    same &= abs(score - scores[-1]) <= 1e-5 if mine is None else token.decode() == mine.token
            if not same:
                differences.append(f"{text!r:.80}: served {served['tokens'][i].tolist()}, predicted {masks}")
        return differences
