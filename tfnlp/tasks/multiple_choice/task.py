"""`MultipleChoice`: which of some texts goes with a prompt; their number may differ from prompt to prompt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, final

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.data.batches import CHUNK, Target, chunked
from tfnlp.data.files import Record
from tfnlp.data.sources import Source
from tfnlp.export import TOLERANCE
from tfnlp.outputs import Choice, Choices
from tfnlp.precision import Precision
from tfnlp.reports import AccuracyReport
from tfnlp.rows import Column, Rows
from tfnlp.running import Outputs
from tfnlp.tasks.answering import Tensors
from tfnlp.tasks.multiple_choice.records import LAYOUT, as_choices, checked_choices
from tfnlp.tasks.prediction import check_top_k, is_record
from tfnlp.tasks.settings import WindowSettings
from tfnlp.tasks.task import Task
from tfnlp.tasks.text_rows import mean_of_rows, text_rows
from tfnlp.training.losses import ChoiceCrossEntropy
from tfnlp.training.recipe import Recipe


@final
class MultipleChoice(Task):
    """Chooses among texts by a prompt: answers to a question, endings of a story.

    A prompt with its choice that is longer than a row becomes windows, whose logits are averaged.

    Example:
        chooser = MultipleChoice.from_pretrained("bert-base-cased")
        chooser.fit("train_rand_split.jsonl", validation_data="dev_rand_split.jsonl", epochs=3)
        chooser.predict({"prompt": "Where does one keep milk?", "choices": ["fridge", "shoe"]})
    """

    auto_class: ClassVar[str] = "TFAutoModelForMultipleChoice"
    answered_together = 512  # prompts
    layout = LAYOUT

    def call_head(self, run: Callable[..., Any], inputs: dict[str, Any]) -> dict[str, Any]:
        """Run the head on rows as prompts of one choice each. Returns logits of shape `(rows, 1)`."""
        return super().call_head(run, {name: tf.expand_dims(values, 1) for name, values in inputs.items()})

    # Training

    @property
    def targets(self) -> dict[str, Target]:
        """The number of the choice among those of a chunk, and whether it is the right one, beside the prompt's."""
        return {"logits": Target(with_group=True, shape=(2,))}

    def training_rows(self, records: Source) -> Iterator[Rows]:
        """Yield rows, one or more for each choice; those of a prompt stay together."""
        for chunk in chunked(checked_choices(records), CHUNK):
            rows = self.rows_of(chunk)
            sizes = [len(record["choices"]) for record in chunk]
            record = np.repeat(np.arange(len(chunk)), sizes)  # of each choice
            is_right = np.concatenate([np.arange(len(r["choices"])) == r["label"] for r in chunk])
            choice = rows.row_to_record  # of each row
            target = np.stack([choice, is_right[choice]], 1).astype(np.int32)
            groups = np.searchsorted(record[choice], np.arange(len(chunk) + 1))
            yield rows._replace(targets={"logits": Column(target)}, groups=groups)

    def num_owners(self, records: Sequence[Record]) -> int:
        """Return how many choices there are, each of which has rows of its own."""
        return sum(len(record["choices"]) for record in records)

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
        for chunk in chunked(checked_choices(self.source(records)), self.answered_together):
            answers = self.ask(chunk).answers
            for record, choice, scores in zip(chunk, answers["choice"], answers["scores"], strict=True):
                right.append(int(choice) == record["label"])
                losses.append(-np.log(max(scores[record["label"]], np.finfo(np.float32).tiny)))
        return AccuracyReport(float(np.mean(right)), len(right), float(np.mean(losses)))

    @property
    def main_metric(self) -> str:
        """The share of right answers."""
        return "accuracy"

    # Prediction

    def predict(self, inputs: Any, *, top_k: int | None = None, precision: Precision | None = None) -> Any:
        """Choose.

        Args:
            inputs: a dict of `prompt` and `choices`; a tuple of the two; a list of either; or an iterable, whose
                answers then come as a generator.
            top_k: how many choices to give, the likeliest first; more than there are gives all.
            precision: that products of matrices are computed in, `float32` or `bfloat16`; None: as the settings say.

        Returns:
            For one prompt a `Choice`, with `top_k` `Choices`; for a list, `Predictions`: a sequence of those.

        Raises:
            DataError: if an input is none of these, a text is empty, or there are less than two choices.
            ArgumentError: if a choice leaves no room for its prompt.
        """
        check_top_k(top_k)
        if top_k is None:
            return self.predict_by(inputs, precision=precision, is_one=is_record(inputs))

        def answers(decoded: dict[str, np.ndarray], records: Sequence[Record], _: Any) -> list[Choices]:
            return [ranked[:top_k] for ranked in _ranked(decoded, records)]

        return self.predict_by(inputs, precision=precision, is_one=is_record(inputs), answers=answers)

    def as_record(self, given: Any, number: int) -> Record:
        """Check a prompt and its choices."""
        return as_choices(given, number)

    @property
    def serving_inputs(self) -> dict[str, tf.TensorSpec]:
        """Prompts and their choices."""
        return {
            "prompt": tf.TensorSpec([None], tf.string, name="prompt"),
            "choices": tf.TensorSpec([None, None], tf.string, name="choices"),
        }

    def tensors(self, records: Sequence[Record]) -> Tensors:
        """Return prompts, shape `(batch,)`, and choices, `(batch, most choices)`, filled up with `""`; strings."""
        most = max(len(record["choices"]) for record in records)
        choices = [[*record["choices"], *[""] * (most - len(record["choices"]))] for record in records]
        return {"prompt": tf.constant([record["prompt"] for record in records]), "choices": tf.constant(choices)}

    def sample_inputs(self, texts: Sequence[str]) -> list[Any]:
        """Let each text choose among some letters of it."""
        return [(text, [text.strip()[:4], "1", "to"][: 2 + i % 2]) for i, text in enumerate(texts) if text.strip()]

    def rows(self, inputs: Tensors, settings: WindowSettings) -> Rows:
        """Make rows of each prompt with each of its choices; a long prompt becomes windows, each with the choice."""
        place = tf.where(tf.not_equal(inputs["choices"], ""))
        prompts, choices = tf.gather(inputs["prompt"], place[:, 0]), tf.gather_nd(inputs["choices"], place)
        window: dict[str, Any] = {"max_length": settings.max_length, "stride": settings.stride}
        return text_rows(self.tokenizer, prompts, choices, truncation="only_first", **window)

    def decode(self, outputs: Outputs, rows: Rows, inputs: Tensors, settings: WindowSettings) -> dict[str, tf.Tensor]:
        """Choose.

        Returns:
            `choice`, the index of the likeliest, int32, of shape `(batch,)`; `scores`, float32, of shape
            `(batch, choices)`, 0 for `""`.
        """
        choices = inputs["choices"]
        place = tf.where(tf.not_equal(choices, ""))
        logits_of_choices = mean_of_rows(outputs["logits"], rows, tf.shape(place)[0])[:, 0]
        nothing = tf.fill(tf.shape(choices), logits_of_choices.dtype.min)
        logits = tf.tensor_scatter_nd_update(nothing, place, logits_of_choices)
        return {"choice": tf.argmax(logits, 1, tf.int32), "scores": tf.nn.softmax(logits)}

    def answers(self, decoded: dict[str, np.ndarray], records: Sequence[Record], settings: Any) -> list[Choice]:
        """Write the likeliest choices down."""
        return [ranked[0] for ranked in _ranked(decoded, records)]

    def undecided(self, decoded: dict[str, np.ndarray], settings: Any) -> dict[str, np.ndarray]:
        """Tell where two choices have about the same score."""
        best = -np.sort(-decoded["scores"], axis=1)
        return {"choice": best[:, 0] - best[:, 1] <= TOLERANCE}


def _ranked(decoded: dict[str, np.ndarray], records: Sequence[Record]) -> list[Choices]:
    """Return the choices of each record, the likeliest first."""
    ranked = []
    for record, scores in zip(records, decoded["scores"], strict=True):
        order = np.argsort(-scores[: len(record["choices"])], kind="stable").tolist()
        ranked.append(Choices(Choice(i, record["choices"][i], float(scores[i])) for i in order))
    return ranked
