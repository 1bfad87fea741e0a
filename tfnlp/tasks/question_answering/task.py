"""`QuestionAnswerer`: answers to questions, as stretches of the texts that hold them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.data.pipeline import CHUNK, RowChunk, Target, chunked
from tfnlp.data.readers import Record
from tfnlp.data.sources import Source
from tfnlp.errors import ArgumentError, DataError
from tfnlp.outputs import Answer, Answers
from tfnlp.reports import AnswerReport
from tfnlp.tasks.network import all_token_outputs, features_in_graph, outputs_in_steps
from tfnlp.tasks.prediction import answers_for, check_top_k, is_record, records_of
from tfnlp.tasks.pretrained import Settings
from tfnlp.tasks.question_answering.decoding import RowTokens, Rules, best_answers, to_serving_tensors
from tfnlp.tasks.question_answering.metrics import Language, answer_report, best_null_threshold
from tfnlp.tasks.question_answering.records import LAYOUT, as_question, checked_questions, located
from tfnlp.tasks.question_answering.rows import QuestionRows
from tfnlp.tasks.task import TaskModel
from tfnlp.tokenization.alignment import answer_tokens
from tfnlp.training.losses import TokenCrossEntropy
from tfnlp.training.recipe import Recipe

logger = logging.getLogger(__name__)

_PREDICTED_TOGETHER = 512  # questions; their spans are sorted together
_STARTS, _ENDS = "start_logits", "end_logits"


@dataclass(frozen=True)
class QuestionAnswererSettings(Settings):
    """What it remembers beside the network.

    Attributes:
        max_answer_length: the most tokens of an answer.
        align_to_words: whether answers begin and end where words do, as in transformers' pipeline. Where a tokenizer's
            words are long, as SentencePiece's are in Chinese, False is better.
        handle_impossible_answer: whether there may be no answer; training data tells.
        null_threshold: there is none where the log of the null score over the best answer's score is more.
        top_k: how many answers an exported model gives beside the best one, itself included.
    """

    max_answer_length: int = 30
    align_to_words: bool = True
    handle_impossible_answer: bool = False
    null_threshold: float = 0.0
    top_k: int = 5

    def __post_init__(self) -> None:
        for name in ("max_answer_length", "top_k"):
            if getattr(self, name) < 1:
                raise ArgumentError(f"`{name}` must be at least 1; it is {getattr(self, name)}.")


@final
class QuestionAnswerer(TaskModel):
    """Answers questions with stretches of a context.

    Example:
        answerer = QuestionAnswerer.from_pretrained("bert-base-cased")
        answerer.fit("train-v2.0.json", validation_data="dev-v2.0.json", epochs=2)
        answerer.predict({"question": "Where did Ada live?", "context": "Ada lived in London."})
    """

    auto_class: ClassVar[str] = "TFAutoModelForQuestionAnswering"
    settings_class: ClassVar[type[Settings]] = QuestionAnswererSettings
    layout = LAYOUT
    output_names = (_STARTS, _ENDS)
    settings: QuestionAnswererSettings

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.config.num_labels = 2  # a start and an end, whatever the checkpoint was trained for before
        if self.tokenizer.hf.truncation_side != "right":
            raise ArgumentError("windows of contexts are cut from the right; set the tokenizer's `truncation_side` so.")

    # Training

    targets: ClassVar[dict[str, Target]] = {_STARTS: Target(), _ENDS: Target()}  # type: ignore[misc]
    loss_weights: ClassVar[dict[str, float]] = {_STARTS: 0.5, _ENDS: 0.5}  # type: ignore[misc]

    def learn(self, records: Source) -> None:
        """Take from training data whether there may be no answer."""
        if sum(not record["answers"] for record in checked_questions(records)):
            self.settings = replace(self.settings, handle_impossible_answer=True)

    def encode(self, records: Source) -> Iterator[RowChunk]:
        """Yield labelled rows; a window without the whole answer has its first token for start and end."""
        num_lost = num_rows = 0
        for chunk in chunked(checked_questions(records), CHUNK):
            encoded = self.question_rows.encode(chunk)
            nulls = self.question_rows.null_places(encoded)
            first, last, is_lost = answer_tokens(encoded, [located(record) for record in chunk], nulls)
            num_lost += int(is_lost.sum())
            kept = np.flatnonzero(~is_lost[encoded.row_to_record])
            num_rows += len(kept)
            rows = encoded.taken(kept)
            yield RowChunk(
                rows.features(self.tokenizer.input_names), rows.splits, {_STARTS: first[kept], _ENDS: last[kept]}
            )
        if not num_rows:
            raise DataError(f"{records.name}: the tokenizer drops the whole answer of each question.")
        if num_lost:
            logger.warning("%s: the tokenizer drops the whole answer of %d questions; left out", records.name, num_lost)

    @property
    def question_rows(self) -> QuestionRows:
        """How questions and contexts become rows."""
        return QuestionRows(self.tokenizer, self.settings.max_length, self.settings.stride)

    def loss(self, recipe: Recipe) -> dict[str, keras.losses.Loss]:
        """Return the cross entropies of the answer's first and last tokens, whose mean counts."""
        recipe.refuse("label_weights")
        return {name: TokenCrossEntropy(label_smoothing=recipe.label_smoothing) for name in self.output_names}

    # Evaluation

    def evaluate(self, records: Any, *, language: Language | None = None) -> AnswerReport:
        """Compare answers with the right ones.

        Args:
            records: a file, a list of records, a table or a dataset, with answers.
            language: `en` counts as SQuAD's official script, `zh` as CMRC 2018's; None: the right answers tell.

        Returns:
            A report: print it for a table, `to_json()` for a file.

        Raises:
            DataError: if a record can't be used.
        """
        predicted, gold, _ = self._compared(records)
        return answer_report(predicted, gold, language)

    def tune_threshold(self, records: Any, *, language: Language | None = None) -> float:
        """Choose the null threshold with the best F1 on records that were not trained on, and keep it.

        Args:
            records: as for `evaluate`; some without an answer.
            language: as for `evaluate`.

        Raises:
            ArgumentError: if the model always answers.
        """
        if not self.settings.handle_impossible_answer:
            raise ArgumentError("this model always answers; `handle_impossible_answer=True` lets it not to.")
        chosen = self.settings
        self.settings = replace(chosen, null_threshold=float("inf"))  # the best answer that is one
        try:
            predicted, gold, margins = self._compared(records)
        finally:
            self.settings = chosen
        threshold = best_null_threshold(predicted, gold, margins, language)
        self.settings = replace(chosen, null_threshold=threshold)
        return threshold

    def _compared(self, records: Any) -> tuple[list[str], list[list[str]], np.ndarray]:
        """Return the answer to each question, the right ones, and the logs of null scores over the answers' scores."""
        predicted, gold, margins = [], [], []
        for chunk in chunked(checked_questions(self.source(records)), _PREDICTED_TOGETHER):
            for record, (answer,) in zip(chunk, self._decoded(chunk, 1), strict=True):
                predicted.append(answer.text)
                gold.append([text for text, _ in record["answers"]])
                tiny = np.finfo(np.float32).tiny
                margins.append(np.log(max(answer.null_score, tiny)) - np.log(max(answer.score, tiny)))
        return predicted, gold, np.array(margins)

    # Prediction

    def predict(self, inputs: Any, *, top_k: int | None = None) -> Any:
        """Answer questions.

        Args:
            inputs: a dict of `question` and `context`; a tuple of the two; a list of either; or an iterable, whose
                answers then come as a generator.
            top_k: how many answers to give, the likeliest first, as far as there are so many. Up to the settings'
                `top_k`, the same spans of tokens are looked at; with more, a score may grow by those of further ones.

        Returns:
            For one question an `Answer`, with `top_k` `Answers`; for a list, `Predictions`: a sequence of those.

        Raises:
            DataError: if an input is none of these, or a question or context is empty.
            ArgumentError: if a question leaves no room for its context.
        """
        check_top_k(top_k)
        return answers_for(inputs, lambda given: self._answers(given, top_k), is_one=is_record(inputs))

    def _answers(self, inputs: Iterable[Any], top_k: int | None) -> Iterator[Answer | Answers]:
        for _, records in records_of(inputs, _PREDICTED_TOGETHER, as_question):
            for answers in self._decoded(records, top_k or 1):
                yield answers if top_k is not None else answers[0]

    def _decoded(self, records: Sequence[Record], num_answers: int) -> Iterator[Answers]:
        encoded = self.question_rows.encode(records)
        logits = all_token_outputs(self.forward, self.tokenizer, encoded)
        columns = (
            logits[_STARTS], logits[_ENDS], encoded.starts, encoded.ends, encoded.word_ids, encoded.sequence_ids,
            encoded.rows.astype(np.int32),
        )  # fmt: skip
        spans, null_scores = best_answers(
            RowTokens(*map(tf.constant, columns)),
            encoded.row_to_record,
            encoded.splits[:-1].astype(np.int32) + self.question_rows.null_places(encoded),
            tf.constant([record["context"] for record in records]),
            self._rules(num_answers),
        )
        starts, ends, scores, places = (column.numpy().tolist() for column in spans)
        bounds = np.searchsorted(places, np.arange(len(records) + 1))
        for i, (record, null_score) in enumerate(zip(records, null_scores.numpy().tolist(), strict=True)):
            found = Answers(
                Answer(record["context"][starts[k] : ends[k]], starts[k], ends[k], scores[k], null_score)
                for k in range(bounds[i], bounds[i + 1])
            )
            yield found or Answers([Answer("", 0, 0, 0.0, null_score)])  # the tokenizer drops the whole context

    def _rules(self, num_answers: int) -> Rules:
        settings = self.settings
        threshold = settings.null_threshold if settings.handle_impossible_answer else None
        return Rules(
            settings.max_answer_length,
            num_answers,
            2 * max(num_answers, settings.top_k) + 10,  # some fall together when they are aligned to words
            settings.align_to_words,
            threshold,
            stride=settings.stride,
        )

    # Serving

    @property
    def serving_inputs(self) -> dict[str, tf.TensorSpec]:
        """Questions and their contexts."""
        return {name: tf.TensorSpec([None], tf.string, name=name) for name in ("question", "context")}

    def to_serving_inputs(self, inputs: Sequence[Any]) -> dict[str, list[Any]]:
        """Return questions and contexts."""
        records = [as_question(given, number) for number, given in enumerate(inputs, start=1)]
        return {name: [record[name] for record in records] for name in self.serving_inputs}

    def sample_inputs(self, texts: Sequence[str]) -> list[Any]:
        """Ask for each text's first letters."""
        return [(text.strip()[:6], text) for text in texts if text.strip()]

    def serving_outputs(self, *, question: tf.Tensor, context: tf.Tensor) -> dict[str, tf.Tensor]:  # type: ignore[override]
        """Answer in the graph.

        Args:
            question: Shape `(batch,)`, string.
            context: Shape `(batch,)`, string.

        Returns:
            `answer`, string, `start` and `end`, int32, in Unicode characters, `score` and `null_score`, float32, of
            shape `(batch,)`; and `answers`, `starts`, `ends` and `scores`, of shape `(batch, top_k)`, the best first,
            filled up with `""` and 0.
        """
        settings, batch = self.settings, tf.size(context)
        rows = self.question_rows.encode_in_graph(question, context)
        lengths = rows["input_ids"].row_lengths()
        outputs = outputs_in_steps(self.forward, features_in_graph(self.tokenizer, rows))
        starts, ends = (tf.RaggedTensor.from_tensor(outputs[name], lengths).values for name in self.output_names)
        row = tf.cast(rows["input_ids"].value_rowids(), tf.int32)
        first, last = tf.unstack(rows["offsets"].values, axis=1)
        spans, null_scores = best_answers(
            RowTokens(starts, ends, first, last, rows["word_ids"].values, rows["sequence_ids"].values, row),
            rows["row_to_record"],
            self.question_rows.nulls_in_graph(rows),
            context,
            self._rules(settings.top_k),
        )
        found = to_serving_tensors(spans, context, batch, settings.top_k)
        best = {"answer": "answers", "start": "starts", "end": "ends", "score": "scores"}
        return {**{one: found[all_][:, 0] for one, all_ in best.items()}, **found, "null_score": null_scores}

    def compare_answers(self, inputs: Sequence[Any], served: dict[str, np.ndarray]) -> list[str]:
        """Return how a SavedModel's answers differ from `predict`'s; empty if they don't.

        Of answers whose scores differ in rounding alone, the one may stand where the other does.
        """
        differences = []
        records = [as_question(given, number) for number, given in enumerate(inputs, start=1)]
        predicted = self.predict(list(inputs), top_k=self.settings.top_k)
        for i, best in enumerate(self.predict(list(inputs))):
            if abs(best.score - served["score"][i]) > 1e-5:
                differences.append(
                    f"{records[i]['question']!r:.80}: served a score of {served['score'][i]}, not {best}"
                )
        for i, (record, answers) in enumerate(zip(records, predicted, strict=True)):
            columns = (served[name][i].tolist() for name in ("answers", "starts", "ends", "scores"))
            theirs = [
                Answer(text.decode(), start, end, score, float(served["null_score"][i]))
                for text, start, end, score in zip(*columns, strict=True)
            ]
            if not _are_alike(theirs, list(answers), record["context"]):
                differences.append(f"{record['question']!r:.80}: served {theirs}, predicted {answers}")
        return differences


def _are_alike(served: list[Answer], predicted: list[Answer], context: str) -> bool:
    ours = {(answer.start, answer.end): answer.score for answer in predicted}
    least = predicted[-1].score
    for theirs, mine in zip(served, predicted, strict=False):
        place = (theirs.start, theirs.end)
        is_near = abs(theirs.score - mine.score) <= 1e-5 and abs(theirs.null_score - mine.null_score) <= 1e-5
        is_known = place in ours or abs(theirs.score - least) <= 1e-5
        if not is_near or not is_known or theirs.text != context[theirs.start : theirs.end]:
            return False
        if place in ours and abs(ours[place] - theirs.score) > 1e-5:
            return False
    return all(not answer.text for answer in served[len(predicted) :])
