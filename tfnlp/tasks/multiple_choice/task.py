"""`MultipleChoice`: which of some texts goes with a prompt; their number may differ from prompt to prompt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, final

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.data.pipeline import CHUNK, RowChunk, Target, chunked
from tfnlp.data.readers import Record
from tfnlp.data.sources import Source
from tfnlp.outputs import Choice, Choices
from tfnlp.reports import AccuracyReport
from tfnlp.tasks.multiple_choice.records import LAYOUT, as_choices, checked_choices
from tfnlp.tasks.prediction import answers_for, check_top_k, is_record, records_of
from tfnlp.tasks.pretrained import Settings
from tfnlp.tasks.task import TaskModel
from tfnlp.tasks.text_rows import TextRows, Truncation
from tfnlp.tokenization.encoded import Encoded
from tfnlp.training.losses import ChoiceCrossEntropy
from tfnlp.training.recipe import Recipe

_PREDICTED_TOGETHER = 512  # prompts
_CUT: Truncation = "only_first"  # a long prompt becomes windows, each with the whole choice


@final
class MultipleChoice(TaskModel):
    """Chooses among texts by a prompt: answers to a question, endings of a story.

    A prompt with its choice that is longer than a row becomes windows, whose logits are averaged.

    Example:
        chooser = MultipleChoice.from_pretrained("bert-base-cased")
        chooser.fit("train_rand_split.jsonl", validation_data="dev_rand_split.jsonl", epochs=3)
        chooser.predict({"prompt": "Where does one keep milk?", "choices": ["fridge", "shoe"]})
    """

    auto_class: ClassVar[str] = "TFAutoModelForMultipleChoice"
    settings_class: ClassVar[type[Settings]] = Settings
    layout = LAYOUT

    # Training

    targets: ClassVar[dict[str, Target]] = {"logits": Target(with_group=True, shape=(2,))}  # type: ignore[misc]

    def call_head(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Run the head on rows as prompts of one choice each. Returns logits of shape `(rows, 1)`."""
        return super().call_head({name: tf.expand_dims(values, 1) for name, values in inputs.items()})

    def encode(self, records: Source) -> Iterator[RowChunk]:
        """Yield rows, one or more for each choice; those of a prompt stay together."""
        for chunk in chunked(checked_choices(records), CHUNK):
            encoded = self._encoded(chunk)
            sizes = [len(record["choices"]) for record in chunk]
            record = np.repeat(np.arange(len(chunk)), sizes)  # of each choice
            is_right = np.concatenate([np.arange(len(r["choices"])) == r["label"] for r in chunk])
            choice = encoded.row_to_record  # of each row
            yield RowChunk(
                encoded.features(self.tokenizer.input_names),
                encoded.splits,
                {"logits": np.stack([choice, is_right[choice]], 1).astype(np.int32)},
                groups=np.searchsorted(record[choice], np.arange(len(chunk) + 1)),
            )

    def _encoded(self, records: Sequence[Record]) -> Encoded:
        """Encode each prompt with each of its choices."""
        return self._rows.encode(
            [record["prompt"] for record in records for _ in record["choices"]],
            [choice for record in records for choice in record["choices"]],
        )

    @property
    def _rows(self) -> TextRows:
        return TextRows(self.tokenizer, self.settings.max_length, self.settings.stride, _CUT)

    def loss(self, recipe: Recipe) -> dict[str, keras.losses.Loss]:
        """Return the cross entropy over the choices of each prompt."""
        recipe.refuse("label_weights", "label_smoothing")
        return {"logits": ChoiceCrossEntropy()}

    # Evaluation

    def evaluate(self, records: Any) -> AccuracyReport:
        """Count how often the right choice is the likeliest.

        Args:
            records: a file, a list of records, a table or a dataset, with labels.

        Raises:
            DataError: if a record can't be used.
        """
        right, losses = [], []
        for chunk in chunked(checked_choices(self.source(records)), _PREDICTED_TOGETHER):
            for record, scores in zip(chunk, self._scores(chunk), strict=True):
                right.append(int(scores.argmax()) == record["label"])
                losses.append(-np.log(max(scores[record["label"]], np.finfo(np.float32).tiny)))
        return AccuracyReport(float(np.mean(right)), len(right), float(np.mean(losses)))

    @property
    def main_metric(self) -> str:
        """The share of right answers."""
        return "accuracy"

    # Prediction

    def predict(self, inputs: Any, *, top_k: int | None = None) -> Any:
        """Choose.

        Args:
            inputs: a dict of `prompt` and `choices`; a tuple of the two; a list of either; or an iterable, whose
                answers then come as a generator.
            top_k: how many choices to give, the likeliest first; more than there are gives all.

        Returns:
            For one prompt a `Choice`, with `top_k` `Choices`; for a list, `Predictions`: a sequence of those.

        Raises:
            DataError: if an input is none of these, a text is empty, or there are less than two choices.
            ArgumentError: if a choice leaves no room for its prompt.
        """
        check_top_k(top_k)
        return answers_for(inputs, lambda given: self._answers(given, top_k), is_one=is_record(inputs))

    def _answers(self, inputs: Iterable[Any], top_k: int | None) -> Iterator[Choice | Choices]:
        for _, records in records_of(inputs, _PREDICTED_TOGETHER, as_choices):
            for record, scores in zip(records, self._scores(records), strict=True):
                order = np.argsort(-scores, kind="stable").tolist()
                ranked = Choices(Choice(i, record["choices"][i], float(scores[i])) for i in order)
                yield ranked[0] if top_k is None else ranked[:top_k]

    def _scores(self, records: Sequence[Record]) -> list[np.ndarray]:
        """Return the probabilities of each record's choices."""
        sizes = [len(record["choices"]) for record in records]
        outputs = self._rows.outputs(self.forward, self._encoded(records), sum(sizes))
        logits = np.split(outputs["logits"][:, 0], np.cumsum(sizes)[:-1])
        powers = [np.exp(found - found.max()) for found in logits]
        return [power / power.sum() for power in powers]

    # Serving

    @property
    def serving_inputs(self) -> dict[str, tf.TensorSpec]:
        """Prompts and their choices."""
        return {
            "prompt": tf.TensorSpec([None], tf.string, name="prompt"),
            "choices": tf.TensorSpec([None, None], tf.string, name="choices"),
        }

    def to_serving_inputs(self, inputs: Sequence[Any]) -> dict[str, list[Any]]:
        """Return prompts, and choices filled up with `""`."""
        records = [as_choices(given, number) for number, given in enumerate(inputs, start=1)]
        most = max(len(record["choices"]) for record in records)
        choices = [[*record["choices"], *[""] * (most - len(record["choices"]))] for record in records]
        return {"prompt": [record["prompt"] for record in records], "choices": choices}

    def sample_inputs(self, texts: Sequence[str]) -> list[Any]:
        """Let each text choose among some letters of it."""
        return [(text, [text.strip()[:4], "1", "to"][: 2 + i % 2]) for i, text in enumerate(texts) if text.strip()]

    def serving_outputs(self, *, prompt: tf.Tensor, choices: tf.Tensor) -> dict[str, tf.Tensor]:  # type: ignore[override]
        """Answer in the graph.

        Args:
            prompt: Shape `(batch,)`, string.
            choices: filled up with `""` where a prompt has fewer. Shape `(batch, choices)`, string.

        Returns:
            `choice`, the index of the likeliest, int32, of shape `(batch,)`; `scores`, float32, of shape
            `(batch, choices)`, 0 for `""`.
        """
        shape = tf.shape(choices)
        prompts = tf.repeat(prompt, shape[1])
        outputs = self._rows.outputs_in_graph(self.forward, prompts, tf.reshape(choices, [-1]))
        logits = tf.reshape(outputs["logits"], shape)
        logits = tf.where(tf.equal(choices, ""), logits.dtype.min, logits)
        return {"choice": tf.argmax(logits, 1, tf.int32), "scores": tf.nn.softmax(logits)}

    def compare_answers(self, inputs: Sequence[Any], served: dict[str, np.ndarray]) -> list[str]:
        """Return how a SavedModel's answers differ from `predict`'s; empty if they don't."""
        differences = []
        for i, choices in enumerate(self.predict(list(inputs), top_k=1 << 30)):
            scores = served["scores"][i]
            ours = np.zeros_like(scores)
            ours[[choice.index for choice in choices]] = [choice.score for choice in choices]
            if abs(ours - scores).max() > 1e-5 or scores[served["choice"][i]] < scores.max():
                differences.append(f"{inputs[i]!r:.80}: served {scores.tolist()}, predicted {choices}")
        return differences
