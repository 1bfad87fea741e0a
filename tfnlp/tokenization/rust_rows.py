"""Rows of texts by the Rust tokenizer, where it can't be compiled into the graph."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import tokenizers

from tfnlp._backend import tf
from tfnlp.rows import Column, Rows


def spaced_before(hf: Any) -> Any:
    """Return a tokenizer for texts that come as words: one of bytes must put the space before each itself."""
    if getattr(hf, "add_prefix_space", True):
        return hf
    spec = json.loads(hf.backend_tokenizer.to_str())
    pre_tokenizer, post_processor = spec["pre_tokenizer"], spec["post_processor"] or {}
    parts = [
        *pre_tokenizer.get("pretokenizers", [pre_tokenizer]),
        *post_processor.get("processors", [post_processor]),
    ]
    for part in parts:
        if "add_prefix_space" in part:
            part["add_prefix_space"] = True
    spaced = copy.deepcopy(hf)
    spaced.add_prefix_space = True
    spaced._tokenizer = tokenizers.Tokenizer.from_str(json.dumps(spec))
    return spaced


def rows_by_rust(
    hf: Any,
    texts: list[Any],
    text_pairs: list[str] | None,
    *,
    are_words: bool,
    max_length: int | None,
    stride: int,
    truncation: str | None,
    add_special_tokens: bool,
) -> Rows:
    """Do what `Tokenizer.rows` does; arguments as there. Returns rows of tensors."""
    is_cut = max_length is not None
    cut = "only_first" if text_pairs is None else truncation or "only_second"
    encoded = hf(
        texts,
        text_pairs,
        is_split_into_words=are_words,
        truncation=cut if is_cut else False,
        max_length=max_length,
        stride=stride,
        return_overflowing_tokens=is_cut and cut != "longest_first",
        add_special_tokens=add_special_tokens,
        verbose=False,
    )
    rows = encoded.encodings
    splits = np.cumsum([0, *(len(row.ids) for row in rows)])
    offsets = _joined([row.offsets for row in rows]).reshape(-1, 2)
    flat = {
        "input_ids": _joined([row.ids for row in rows]),
        "token_type_ids": _joined([row.type_ids for row in rows]),
        "word_ids": _joined([[-1 if word is None else word for word in row.word_ids] for row in rows]),
        "special_tokens_mask": _joined([row.special_tokens_mask for row in rows]),
        "sequence_ids": _joined([[-1 if text is None else text for text in row.sequence_ids] for row in rows]),
        "starts": offsets[:, 0],
        "ends": offsets[:, 1],
    }
    record = tf.constant(np.asarray(encoded.get("overflow_to_sample_mapping", range(len(rows))), np.int32))
    columns = {name: Column(tf.constant(values), tf.constant(splits)) for name, values in flat.items()}
    return Rows(columns, record)


def as_lists(batch: Any) -> list[Any]:
    """Return a batch of texts, tensors among them, as a list of strings or of lists of strings."""
    if not tf.is_tensor(batch):
        return list(batch)
    values = batch.to_list() if isinstance(batch, tf.RaggedTensor) else batch.numpy().tolist()
    return [_decoded(text) for text in values]


def _joined(rows: Sequence[Sequence[Any]]) -> np.ndarray:
    return np.array([value for row in rows for value in row], np.int32)


def _decoded(text: Any) -> Any:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else [_decoded(word) for word in text]
