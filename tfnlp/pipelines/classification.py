"""Pipelines that label: tokens and entities, texts, and texts by labels given with them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tfnlp.checkpoints.heads import position_limit
from tfnlp.data.pipeline import chunked
from tfnlp.errors import ArgumentError
from tfnlp.outputs import Entity
from tfnlp.pipelines.base import Pipeline
from tfnlp.tasks.text_classification.decoding import label_scores
from tfnlp.tasks.text_classification.records import MULTI, REGRESSION, SINGLE
from tfnlp.tasks.text_classification.zero_shot import ZeroShotClassifier
from tfnlp.tasks.token_classification.records import check_texts
from tfnlp.tasks.token_classification.task import FoundEntities, TokenClassifier

_TOGETHER = 2048  # texts sorted by length together
_FUNCTIONS = {"sigmoid": MULTI, "softmax": SINGLE, "none": REGRESSION}


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
        task = self.task if stride is None else _with_stride(self.task, stride)
        aggregation: Any = str(aggregation_strategy).lower().removeprefix("aggregationstrategy.")
        answers: list[list[dict[str, Any]]] = []
        for chunk in chunked(inputs, _TOGETHER):
            check_texts(chunk, len(answers))
            found = task.entities_of_tokens(chunk, aggregation, ignore_labels)
            words = _Words(self.tokenizer, found)
            for i, (text, entities) in enumerate(zip(chunk, found.entities, strict=True)):
                places = found.tokens[i].tolist()
                pairs = zip(entities, places, strict=True)
                answers.append([_answer(words, aggregation, text, entity, *tokens) for entity, tokens in pairs])
        return answers


def _with_stride(task: TokenClassifier, stride: int) -> TokenClassifier:
    """Return the same task, but for the stride."""
    task.tokenizer.check_window(task.settings.max_length, stride)
    _ = task.forward  # built once, for both
    other = copy.copy(task)
    other.settings = replace(task.settings, stride=stride)
    return other


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

    def __init__(self, hf: Any, found: FoundEntities) -> None:
        self.hf, self.encoded, self.is_subword = hf, found.encoded, found.is_subword

    def place(self, token: int) -> int:
        """Return a token's place in its row."""
        splits = self.encoded.splits
        return int(token - splits[np.searchsorted(splits, token, side="right") - 1])

    def token(self, text: str, token: int) -> str:
        """Return a token as the vocabulary has it, an unknown one as it stands in the text."""
        if self.encoded.input_ids[token] == self.hf.unk_token_id:
            return text[self.encoded.starts[token] : self.encoded.ends[token]]
        return self.hf.convert_ids_to_tokens(int(self.encoded.input_ids[token]))

    def joined(self, text: str, first: int, last: int, *, by_word: bool) -> str:
        """Return tokens as a string, or words of them as strings that are joined once more."""
        tokens = range(first, last + 1)
        if not by_word:
            return self.hf.convert_tokens_to_string([self.token(text, token) for token in tokens])
        groups: list[list[str]] = []
        for token in tokens:
            if not groups or not self.is_subword[token]:
                groups.append([])
            groups[-1].append(self.token(text, token))
        return self.hf.convert_tokens_to_string([self.hf.convert_tokens_to_string(group) for group in groups])


class TextClassificationPipeline(Pipeline):
    """`text-classification`, `sentiment-analysis`."""

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """Answer; one text without `top_k` of its own is answered with a list."""
        found = super().__call__(inputs, **options)
        return [found] if isinstance(inputs, str) and "top_k" not in options else found

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
        names = self.task.known_labels.names
        scores = label_scores(
            self._logits(inputs, self._rows_of(truncation, max_length)), self._problem_type(function_to_apply)
        )
        answers: list[Any] = []
        for found in scores:
            order = np.argsort(-found, kind="stable").tolist()
            labels = [{"label": names[i], "score": float(found[i])} for i in order]
            answers.append(labels[0] if isinstance(top_k, str) else labels[:top_k])
        return answers

    def _problem_type(self, function: str | None) -> str:
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
        limit = position_limit(self.task.config, self.task.tokenizer.max_length)
        length = self.task.settings.max_length if max_length is None else max_length
        if length > limit:
            raise ArgumentError(f"`max_length` must be at most {limit}, the network's limit; it is {length}.")
        self.task.tokenizer.check_window(length, 0)
        return {"max_length": length, "stride": 0, "windows": "first", "truncation": "longest_first"}

    def _logits(self, inputs: list[Any], settings: dict[str, Any]) -> np.ndarray:
        are_pairs = [isinstance(given, Mapping) and given.get("text_pair") is not None for given in inputs]
        logits = np.zeros((len(inputs), len(self.task.known_labels)), np.float32)
        _ = self.task.forward  # built once, for both
        for pairs in set(are_pairs):
            chosen = [i for i, is_pair in enumerate(are_pairs) if is_pair == pairs]
            task = copy.copy(self.task)
            task.settings = replace(task.settings, pairs=pairs, **settings)
            logits[chosen] = task.logits([inputs[i] for i in chosen])
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
        task = self.task
        if hypothesis_template is not None:
            task = ZeroShotClassifier(task.nli, hypothesis_template=hypothesis_template, multi_label=task.multi_label)
        found = task.predict(inputs, candidate_labels, multi_label=multi_label)
        return [
            {"sequence": text, "labels": [label.name for label in labels], "scores": [label.score for label in labels]}
            for text, labels in zip(inputs, found, strict=True)
        ]
