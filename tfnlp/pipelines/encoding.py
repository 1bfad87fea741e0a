"""Pipelines that give what a network says of tokens: words for masks, and vectors."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from tfnlp.data.batches import chunked
from tfnlp.errors import ArgumentError
from tfnlp.pipelines.base import Pipeline
from tfnlp.rows import as_numpy

logger = logging.getLogger(__name__)

_TOGETHER = 128  # texts sorted by length together


class FillMaskPipeline(Pipeline):
    """`fill-mask`."""

    def __call__(self, inputs: Any, **options: Any) -> Any:
        """Answer; a list of one text as the text alone."""
        answers = super().__call__(inputs, **options)
        return answers[0] if isinstance(inputs, list) and len(inputs) == 1 else answers

    def answers(self, inputs: list[str], *, top_k: int = 5, targets: Any = None) -> list[Any]:
        """Return for each text the likeliest tokens; a list of them for each mask, where there are several."""
        allowed = None if targets is None else self._target_ids(targets)
        found = self.task.predict(inputs, top_k=top_k, candidate_ids=allowed, several_masks=True)
        rows = as_numpy(self.task.tokenizer.rows(inputs))
        answers: list[Any] = []
        for i, masks in enumerate(found):
            ids = rows.values("input_ids")[slice(*rows.splits[i : i + 2])]
            places = np.flatnonzero(ids == self.tokenizer.mask_token_id)
            each = []
            for place, fills in zip(places.tolist(), masks, strict=True):
                each.append([self._proposition(fill, ids, place, single=len(masks) == 1) for fill in fills])
            answers.append(each[0] if len(each) == 1 else each)
        return answers

    def _proposition(self, fill: Any, ids: np.ndarray, place: int, *, single: bool) -> dict[str, Any]:
        filled = ids.copy()
        filled[place] = fill.token_id
        filled = filled[filled != self.tokenizer.pad_token_id]
        return {
            "score": fill.score,
            "token": fill.token_id,
            "token_str": self.tokenizer.decode([fill.token_id]),
            "sequence": self.tokenizer.decode(filled, skip_special_tokens=single),
        }

    def _target_ids(self, targets: Any) -> np.ndarray:
        """Return the tokens of targets: by the vocabulary, else the first token of each, with a warning."""
        ids, vocabulary = [], self.tokenizer.get_vocab()
        for target in [targets] if isinstance(targets, str) else targets:
            token_id = vocabulary.get(target)
            if token_id is None:
                pieces = self.tokenizer(target, add_special_tokens=False)["input_ids"]
                if not pieces:
                    logger.warning("the target %r is no token of the vocabulary, and is left out", target)
                    continue
                token_id = pieces[0]
                token = self.tokenizer.convert_ids_to_tokens(token_id)
                logger.warning("the target %r is no token of the vocabulary; %r stands for it", target, token)
            ids.append(token_id)
        if not ids:
            raise ArgumentError(f"`targets` hold no token of the vocabulary: {targets!r}.")
        return np.array(sorted(set(ids)))


class FeatureExtractionPipeline(Pipeline):
    """`feature-extraction`."""

    def answers(self, inputs: list[str], *, return_tensors: bool = False, truncation: bool = False) -> list[Any]:
        """Return for each text the vectors of its tokens, of shape `(1, tokens, hidden)`, as lists or as an array."""
        answers: list[Any] = []
        for chunk in chunked(inputs, _TOGETHER):
            found = self.task.features(chunk, truncation=truncation)
            lengths = np.minimum(as_numpy(self.task.tokenizer.rows(chunk)).lengths, found.shape[1])
            answers.extend(vectors[None, :length] for vectors, length in zip(found, lengths, strict=True))
        return answers if return_tensors else [vectors.tolist() for vectors in answers]
