"""Pipelines that label: tokens and entities, texts, and texts by labels given with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tfnlp._backend import tf
from tfnlp.data.batches import chunked
from tfnlp.errors import ArgumentError
from tfnlp.outputs import Entity
from tfnlp.pipelines.base import Pipeline
from tfnlp.rows import Rows, as_numpy
from tfnlp.tasks.text_classification.kinds import KINDS
from tfnlp.tasks.text_classification.records import MULTI, REGRESSION, SINGLE, ProblemType, as_example
from tfnlp.tasks.token_classification.records import as_text_or_words

_FUNCTIONS: dict[str, ProblemType] = {"sigmoid": MULTI, "softmax": SINGLE, "none": REGRESSION}


class TokenClassificationPipeline(Pipeline):
    """`token-classification`, `ner`. Long texts are read to their end, in windows."""

    def answers(
        self,
        inputs: list[str],
        *,
        aggregation_strategy: str = "none",
        ignore_labels: Sequence[str] = ("O",),
        stride: int | None = None,
    ) -> list[list[dict[str, Any]]]:
        """Return for each text its tokens with labels, or its entities."""
        if "O" not in ignore_labels:
            raise ArgumentError(f"`ignore_labels` must hold 'O', for words outside of entities; it is {ignore_labels}.")
        aggregation: Any = str(aggregation_strategy).lower().removeprefix("aggregationstrategy.")
        window = {} if stride is None else {"stride": stride}
        settings = replace(
            self.task.settings, aggregation=aggregation, grouping="pipeline", ignore_labels=ignore_labels, **window
        )
        self.task.tokenizer.check_window(settings.max_length, settings.stride)
        answers: list[list[dict[str, Any]]] = []
        for chunk in chunked(inputs, self.task.answered_together):
            records = [as_text_or_words(text, number) for number, text in enumerate(chunk, len(answers) + 1)]
            asked = self.task.ask(records, settings)
            words = _Words(self.tokenizer, as_numpy(asked.rows))
            found = self.task.answers(asked.answers, records, settings)
            places = zip(asked.answers["first_token"].tolist(), asked.answers["last_token"].tolist(), strict=True)
            for text, entities, (first, last) in zip(chunk, found, places, strict=True):
                pairs = zip(entities, first, last, strict=False)  # places are filled up
                answers.append([_answer(words, aggregation, text, *pair) for pair in pairs])
        return answers


def _answer(words: _Words, aggregation: str, text: str, entity: Entity, first: int, last: int) -> dict[str, Any]:
    """Describe an entity, or a token, as transformers' pipeline does."""
    place = {"start": entity.start, "end": entity.end}
    if aggregation != "none":
        word = words.joined(text, first, last, by_word=aggregation != "simple")
        return {"entity_group": entity.label, "score": entity.score, "word": word, **place}
    word, index = words.token(text, first), words.place(first)
    return {"entity": entity.label, "score": entity.score, "index": index, "word": word, **place}


class _Words:
    """Writes tokens as transformers' pipeline does: from the vocabulary, not from the text."""

    def __init__(self, hf: Any, rows: Rows) -> None:
        self.hf, self.rows = hf, rows

    def place(self, token: int) -> int:
        """Return a token's place in its row."""
        splits = self.rows.splits
        return int(token - splits[np.searchsorted(splits, token, side="right") - 1])

    def token(self, text: str, token: int) -> str:
        """Return a token as the vocabulary has it, an unknown one as it stands in the text."""
        token_id = int(self.rows.values("input_ids")[token])
        if token_id == self.hf.unk_token_id:
            return text[self.rows.values("starts")[token] : self.rows.values("ends")[token]]
        return self.hf.convert_ids_to_tokens(token_id)

    def joined(self, text: str, first: int, last: int, *, by_word: bool) -> str:
        """Return tokens as a string, or words of them as strings that are joined once more."""
        tokens = range(first, last + 1)
        if not by_word:
            return self.hf.convert_tokens_to_string([self.token(text, token) for token in tokens])
        groups: list[list[str]] = []
        for token in tokens:
            if not groups or not self.rows.values("is_subword")[token]:
                groups.append([])
            groups[-1].append(self.token(text, token))
        return self.hf.convert_tokens_to_string([self.hf.convert_tokens_to_string(group) for group in groups])


class TextClassificationPipeline(Pipeline):
    """`text-classification`, `sentiment-analysis`."""

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """Answer; one text without `top_k` of its own is answered with a list."""
        answers = super().__call__(inputs, **options)
        return [answers] if isinstance(inputs, str) and "top_k" not in options else answers

    def answers(
        self,
        inputs: list[Any],
        *,
        top_k: int | str | None = "",
        function_to_apply: str | None = None,
        truncation: bool = False,
        max_length: int | None = None,
    ) -> list[Any]:
        """Return for each text its label, or with `top_k` a list of labels."""
        if function_to_apply is not None and function_to_apply.lower() not in _FUNCTIONS:
            raise ArgumentError(
                f"`function_to_apply` must be one of {sorted(_FUNCTIONS)}; it is {function_to_apply!r}."
            )
        logits = self._logits(inputs, self._rows_of(truncation, max_length))
        kind = KINDS[self._problem_type(function_to_apply)](self.task.known_labels)
        decoded = as_numpy(kind.decode(tf.constant(logits)))
        if kind.type == REGRESSION:  # the logits as they are, of however many labels
            order = np.argsort(-logits, kind="stable")
            decoded |= {"order": order, "scores": np.take_along_axis(logits, order, 1)}
        answers: list[Any] = []
        for ranked in kind.ranked(decoded):
            labels = [{"label": label.name, "score": label.score} for label in ranked]
            answers.append(labels[0] if isinstance(top_k, str) else labels[:top_k])
        return answers

    def _problem_type(self, function: str | None) -> ProblemType:
        if function is not None:
            return _FUNCTIONS[function.lower()]
        if len(self.task.known_labels) == 1 and self.task.config.problem_type != REGRESSION:
            return MULTI
        return self.task.problem_type or SINGLE

    def _rows_of(self, truncation: bool, max_length: int | None) -> dict[str, Any]:
        """Return the settings by which texts become rows: cut to one, as transformers cuts them, or windows."""
        if not truncation:
            if max_length is not None:
                raise ArgumentError("`max_length` is the length to cut texts to: pass `truncation=True` with it.")
            return {}
        limit = self.position_limit
        length = self.task.settings.max_length if max_length is None else max_length
        if length > limit:
            raise ArgumentError(f"`max_length` must be at most {limit}, the network's limit; it is {length}.")
        self.task.tokenizer.check_window(length, 0)
        return {"max_length": length, "stride": 0, "windows": "first", "truncation": "longest_first"}

    def _logits(self, inputs: list[Any], settings: dict[str, Any]) -> np.ndarray:
        records = [as_example(given, number) for number, given in enumerate(inputs, start=1)]
        logits = np.zeros((len(inputs), len(self.task.known_labels)), np.float32)
        are_pairs = [record["text_pair"] is not None for record in records]
        for pairs in set(are_pairs):
            chosen = [i for i, is_pair in enumerate(are_pairs) if is_pair == pairs]
            asked = self.task.ask([records[i] for i in chosen], replace(self.task.settings, pairs=pairs, **settings))
            logits[chosen] = asked.answers["logits"]
        return logits


class ZeroShotClassificationPipeline(Pipeline):
    """`zero-shot-classification`."""

    def __call__(
        self, inputs: Any = None, candidate_labels: Any = None, *, sequences: Any = None, **options: Any
    ) -> Any:
        """Answer; `candidate_labels` are a list, or a string with commas between them; `sequences` are the inputs."""
        given = {} if candidate_labels is None else {"candidate_labels": candidate_labels}
        return super().__call__(sequences if inputs is None else inputs, **given, **options)

    def answers(
        self,
        inputs: list[str],
        *,
        candidate_labels: Any = None,
        hypothesis_template: str | None = None,
        multi_label: bool | None = None,
    ) -> list[dict[str, Any]]:
        """Return for each text all labels with their scores, the likeliest first."""
        if not candidate_labels:
            raise ArgumentError("pass `candidate_labels`: the labels to choose among.")
        if isinstance(candidate_labels, str):
            candidate_labels = [label.strip() for label in candidate_labels.split(",") if label.strip()]
        given = {"hypothesis_template": hypothesis_template, "multi_label": multi_label}
        settings = {name: value for name, value in given.items() if value is not None}
        ranked = self.task.predict(inputs, candidate_labels, **settings)
        return [
            {"sequence": text, "labels": [label.name for label in labels], "scores": [label.score for label in labels]}
            for text, labels in zip(inputs, ranked, strict=True)
        ]
