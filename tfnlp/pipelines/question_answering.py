"""The pipeline that answers questions, by transformers' rules: windows apart, answers of like letters added up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from tfnlp._backend import tf
from tfnlp.data.files import Record
from tfnlp.errors import ArgumentError
from tfnlp.pipelines.base import Pipeline
from tfnlp.rows import as_numpy
from tfnlp.tasks.question_answering.decoding import ContextTokens, candidate_spans
from tfnlp.tasks.question_answering.records import as_question

_LONGEST_ROW = 384


class QuestionAnsweringPipeline(Pipeline):
    """`question-answering`."""

    def __call__(self, inputs: Any = None, *, question: Any = None, context: Any = None, **options: Any) -> Any:
        """Answer: `question=` and `context=`, texts or lists of them; or dicts of the two."""
        if inputs is None:
            if question is None or context is None:
                raise ArgumentError("pass `question=` and `context=`, or a dict of the two.")
            if isinstance(question, str):
                inputs = {"question": question, "context": context}
            else:
                contexts: Iterable[str] = [context] * len(question) if isinstance(context, str) else context
                pairs = zip(question, contexts, strict=True)
                inputs = [{"question": asked, "context": text} for asked, text in pairs]
        answers = super().__call__(inputs, **options)
        return answers[0] if isinstance(inputs, list) and len(inputs) == 1 else answers

    def answers(
        self,
        inputs: list[Any],
        *,
        top_k: int = 1,
        doc_stride: int | None = None,
        max_answer_len: int = 15,
        max_seq_len: int | None = None,
        handle_impossible_answer: bool = False,
        align_to_words: bool = True,
    ) -> list[Any]:
        """Return for each question an answer, or a list where there are several."""
        if top_k < 1 or max_answer_len < 1:
            raise ArgumentError(f"`top_k` and `max_answer_len` must be at least 1: {top_k}, {max_answer_len}.")
        length = min(self.task.settings.max_length, _LONGEST_ROW) if max_seq_len is None else max_seq_len
        stride = min(length // 2, 128) if doc_stride is None else doc_stride
        limit = self.position_limit
        if length > limit:
            raise ArgumentError(f"`max_seq_len` must be at most {limit}, the network's limit; it is {length}.")
        count = 2 * top_k + 10 if align_to_words else top_k
        answers: list[Any] = []
        for number, given in enumerate(inputs, start=1):
            record = as_question(given, number)
            candidates, null_score = self._candidates(record, length, stride, max_answer_len, count, align_to_words)
            if handle_impossible_answer:
                candidates.append({"score": null_score, "start": 0, "end": 0, "answer": ""})
            ranked = sorted(candidates, key=lambda answer: -answer["score"])[:top_k]
            answers.append(ranked[0] if len(ranked) == 1 else ranked)
        return answers

    def _candidates(
        self, record: Record, max_length: int, stride: int, longest: int, count: int, align_to_words: bool
    ) -> tuple[list[dict[str, Any]], float]:
        """Return the best answers of all windows, those of the same letters added up, and the null score."""
        task = self.task
        window = {"max_length": max_length, "stride": stride}
        tensors = task.rows(task.tensors([record]), replace(task.settings, **window))
        outputs, rows = task.network.run(tensors), as_numpy(tensors)
        starts, ends = (outputs[name].values for name in task.output_names)
        inside = np.flatnonzero(rows.values("sequence_ids") == 1)
        columns = (
            starts,
            ends,
            *(rows.values(name) for name in ("starts", "ends", "word_ids")),
            rows.row_ids.astype(np.int32),
        )
        nulls = rows.splits[:-1] + rows.values("null_token")
        spans, log_nulls = candidate_spans(
            ContextTokens(*(tf.constant(column[inside]) for column in columns)),
            tf.constant(starts[nulls]),
            tf.constant(ends[nulls]),
            max_answer_length=longest,
            count=count,
            align_to_words=align_to_words,
        )
        answers: dict[str, dict[str, Any]] = {}
        for start, end, score in zip(*(column.numpy().tolist() for column in spans[:3]), strict=True):
            text = record["context"][start:end]
            answer = answers.setdefault(text.lower(), {"score": 0.0, "start": start, "end": end, "answer": text})
            answer["score"] += score
        return list(answers.values()), float(np.exp(log_nulls.numpy().min()))
