"""`QuestionAnswerer`: answers to questions, as stretches of the texts that hold them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, final

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.checkpoints.checkpoint import Checkpoint
from tfnlp.data.batches import CHUNK, Target, chunked
from tfnlp.data.files import Record
from tfnlp.data.sources import Source
from tfnlp.errors import ArgumentError, DataError
from tfnlp.export import ties
from tfnlp.outputs import Answer, Answers
from tfnlp.padding import row_ids
from tfnlp.precision import Precision
from tfnlp.reports import AnswerReport
from tfnlp.rows import Column, Rows
from tfnlp.running import Features, Outputs
from tfnlp.tasks.answering import Tensors
from tfnlp.tasks.learned import Learned
from tfnlp.tasks.network import per_element
from tfnlp.tasks.prediction import check_top_k, is_record
from tfnlp.tasks.question_answering.decoding import RowTokens, Rules, best_answers, named_answers
from tfnlp.tasks.question_answering.metrics import Language, answer_report, best_null_threshold
from tfnlp.tasks.question_answering.records import LAYOUT, as_question, checked_questions, located
from tfnlp.tasks.question_answering.rows import question_rows
from tfnlp.tasks.question_answering.settings import QuestionAnswererSettings
from tfnlp.tasks.settings import Settings
from tfnlp.tasks.task import Task
from tfnlp.tokenization.alignment import answer_tokens
from tfnlp.tokenization.tokenizer import Tokenizer
from tfnlp.training.losses import TokenCrossEntropy
from tfnlp.training.recipe import Recipe

logger = logging.getLogger(__name__)

_STARTS, _ENDS = "start_logits", "end_logits"


@final
class QuestionAnswerer(Task):
    """Answers questions with stretches of a context.

    Example:
        answerer = QuestionAnswerer.from_pretrained("bert-base-cased")
        answerer.fit("train-v2.0.json", validation_data="dev-v2.0.json", epochs=2)
        answerer.predict({"question": "Where did Ada live?", "context": "Ada lived in London."})
    """

    auto_class: ClassVar[str] = "TFAutoModelForQuestionAnswering"
    settings_class: ClassVar[type[Settings]] = QuestionAnswererSettings
    unserved = frozenset({"num_answers"})
    answered_together = 512  # questions, whose spans are sorted together
    layout = LAYOUT
    output_names = (_STARTS, _ENDS)
    loss_weights: ClassVar[dict[str, float]] = {_STARTS: 0.5, _ENDS: 0.5}  # type: ignore[misc]

    @classmethod
    def prepare(cls, checkpoint: Checkpoint, preprocessor: Tokenizer) -> None:
        """Give the head a start and an end, whatever the checkpoint was trained for before."""
        checkpoint.config.num_labels = 2
        if preprocessor.hf.truncation_side != "right":
            raise ArgumentError("windows of contexts are cut from the right; set the tokenizer's `truncation_side` so.")

    # Training

    @property
    def targets(self) -> dict[str, Target]:
        """The places of the answer's first and last token in the row."""
        return {_STARTS: Target(), _ENDS: Target()}

    def learn(self, records: Source) -> Learned:
        """Take from training data whether there may be no answer."""
        if any(not record["answers"] for record in checked_questions(records)):
            return Learned(replace(self.settings, handle_impossible_answer=True))
        return self.learned

    def training_rows(self, records: Source) -> Iterator[Rows]:
        """Yield labelled rows; a window without the whole answer has its first token for start and end."""
        num_lost = num_rows = 0
        for chunk in chunked(checked_questions(records), CHUNK):
            rows = self.rows_of(chunk)
            first, last, is_lost = answer_tokens(rows, [located(record) for record in chunk], rows.values("null_token"))
            num_lost += int(is_lost.sum())
            kept = np.flatnonzero(~is_lost[rows.row_to_record])
            num_rows += len(kept)
            yield rows._replace(targets={_STARTS: Column(first), _ENDS: Column(last)}).taken(kept)
        if not num_rows:
            raise DataError(f"{records.name}: the tokenizer drops the whole answer of each question.")
        if num_lost:
            logger.warning("%s: the tokenizer drops the whole answer of %d questions; left out", records.name, num_lost)

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
        predicted, gold, _ = self._compared(records, self.settings)
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
        always = replace(self.settings, null_threshold=float("inf"))  # the best answer that is one
        threshold = best_null_threshold(*self._compared(records, always), language)
        self.settings = replace(self.settings, null_threshold=threshold)
        return threshold

    def _compared(
        self, records: Any, settings: QuestionAnswererSettings
    ) -> tuple[list[str], list[list[str]], np.ndarray]:
        """Return the answer to each question, the right ones, and the logs of null scores over the answers' scores."""
        predicted, gold, margins = [], [], []
        tiny = np.finfo(np.float32).tiny
        for chunk in chunked(checked_questions(self.source(records)), self.answered_together):
            for record, (answer, *_) in zip(chunk, self._all_answers(self.ask(chunk, settings).answers), strict=True):
                predicted.append(answer.text)
                gold.append([text for text, _ in record["answers"]])
                margins.append(np.log(max(answer.null_score, tiny)) - np.log(max(answer.score, tiny)))
        return predicted, gold, np.array(margins)

    # Prediction

    def predict(self, inputs: Any, *, top_k: int | None = None, precision: Precision | None = None) -> Any:
        """Answer questions.

        Args:
            inputs: a dict of `question` and `context`; a tuple of the two; a list of either; or an iterable, whose
                answers then come as a generator.
            top_k: how many answers to give, the likeliest first, as far as there are so many. Up to the settings'
                `top_k`, the same spans of tokens are looked at; with more, a score may grow by those of further ones.
            precision: that products of matrices are computed in, `float32` or `bfloat16`; None: as the settings say.

        Returns:
            For one question an `Answer`, with `top_k` `Answers`; for a list, `Predictions`: a sequence of those.

        Raises:
            DataError: if an input is none of these, or a question or context is empty.
            ArgumentError: if a question leaves no room for its context.
        """
        check_top_k(top_k)
        if top_k is None:
            return self.predict_by(inputs, precision=precision, is_one=is_record(inputs))
        settings = replace(self.settings, top_k=max(top_k, self.settings.top_k))

        def answers(decoded: dict[str, np.ndarray], *_: Any) -> list[Answers]:
            return [ranked[:top_k] for ranked in self._all_answers(decoded)]

        return self.predict_by(
            inputs, settings=settings, precision=precision, is_one=is_record(inputs), answers=answers
        )

    def as_record(self, given: Any, number: int) -> Record:
        """Check a question with its context."""
        return as_question(given, number)

    @property
    def serving_inputs(self) -> dict[str, tf.TensorSpec]:
        """Questions and their contexts."""
        return {name: tf.TensorSpec([None], tf.string, name=name) for name in ("question", "context")}

    def sample_inputs(self, texts: Sequence[str]) -> list[Any]:
        """Ask for each text's first letters."""
        return [(text.strip()[:6], text) for text in texts if text.strip()]

    def rows(self, inputs: Tensors, settings: QuestionAnswererSettings) -> Rows:
        """Make rows of questions with their contexts."""
        window = {"max_length": settings.max_length, "stride": settings.stride}
        return question_rows(inputs["question"], inputs["context"], self.tokenizer, **window)

    def kept(self, outputs: dict[str, tf.Tensor], features: Features, inside: tf.Tensor) -> Outputs:
        """Keep the logits of tokens."""
        return per_element(outputs, features, inside)

    def decode(
        self, outputs: Outputs, rows: Rows, inputs: Tensors, settings: QuestionAnswererSettings
    ) -> dict[str, tf.Tensor]:
        """Find the best answers.

        Returns:
            `answer`, string, `start` and `end`, int32, in Unicode characters, `score` and `null_score`, float32, of
            shape `(batch,)`; and `answers`, `starts`, `ends` and `scores`, of shape `(batch, top_k)`, the best first,
            filled up with `""` and 0. Beside these, which are served, `num_answers`.
        """
        columns = (rows.values(name) for name in ("starts", "ends", "word_ids", "sequence_ids"))
        spans, null_scores = best_answers(
            RowTokens(outputs[_STARTS].values, outputs[_ENDS].values, *columns, rows=row_ids(rows.first)),
            rows.row_to_record,
            tf.cast(rows.splits[:-1], tf.int32) + rows.values("null_token"),
            inputs["context"],
            Rules(
                settings.max_answer_length,
                settings.top_k,
                2 * settings.top_k + 10,  # some fall together when they are aligned to words
                settings.align_to_words,
                settings.null_threshold if settings.handle_impossible_answer else None,
                stride=settings.stride,
            ),
        )
        answers = named_answers(spans, inputs["context"], settings.top_k)
        best = {"answer": "answers", "start": "starts", "end": "ends", "score": "scores"}
        return {**{one: answers[several][:, 0] for one, several in best.items()}, **answers, "null_score": null_scores}

    def answers(self, decoded: dict[str, np.ndarray], records: Sequence[Record], settings: Any) -> list[Answer]:
        """Write the best answers down."""
        return [ranked[0] for ranked in self._all_answers(decoded)]

    def _all_answers(self, decoded: dict[str, np.ndarray]) -> list[Answers]:
        """Write all answers to each question down; none, where the tokenizer drops the whole context, is one."""
        answers = []
        names = ("answers", "starts", "ends", "scores", "null_score", "num_answers")
        for *columns, null_score, count in zip(*(decoded[name].tolist() for name in names), strict=True):
            ranked = [
                Answer(text.decode(), start, end, score, null_score)
                for text, start, end, score in zip(*(column[: max(count, 1)] for column in columns), strict=True)
            ]
            answers.append(Answers(ranked))
        return answers

    def undecided(self, decoded: dict[str, np.ndarray], settings: Any) -> dict[str, np.ndarray]:
        """Tell where answers have about the same score, or the last one that of others which are left out."""
        either = ties(decoded["scores"], cut=True)
        first = dict.fromkeys(("answer", "start", "end"), either[:, 0])
        return {"answers": either, "starts": either, "ends": either} | first
