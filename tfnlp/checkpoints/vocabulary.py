"""More tokens: in the tokenizer, and a head with room for them, the same weights and rows for the new ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfnlp.checkpoints.heads import AutoHead
from tfnlp.checkpoints.weights import assign_weights, pytorch_weights
from tfnlp.errors import ArgumentError

_SPREAD = 1e-3  # of new rows about the mean, in standard deviations of the old ones: they can be told apart


def extend_tokenizer(hf: Any, tokens: Sequence[str], *, special: bool) -> int:
    """Add tokens to a Hugging Face tokenizer.

    Args:
        hf: the tokenizer; changed in place.
        tokens: as they stand in texts.
        special: whether they are special tokens.

    Returns:
        How many were not there before.

    Raises:
        ArgumentError: if a token is empty.
    """
    tokens = tokens if isinstance(tokens, str) else list(tokens)
    if isinstance(tokens, str) or not all(isinstance(token, str) and token.strip() for token in tokens):
        raise ArgumentError(f"`tokens` must be a list of texts that are not empty; it is {tokens!r:.80}.")
    before = len(hf)
    if special:
        hf.add_special_tokens({"additional_special_tokens": tokens}, replace_additional_special_tokens=False)
    else:
        hf.add_tokens(tokens)
    return len(hf) - before


def with_vocabulary(head: Any, auto_class: str, num_tokens: int, *, seed: int) -> Any:
    """Build a head anew for a larger vocabulary.

    The rows of new tokens, in embeddings and in a language model's output, begin near the mean of the old ones (Hewitt
    2021, "Initializing New Word Embeddings for Pretrained Language Models").

    Args:
        head: a built Hugging Face TensorFlow head; its configuration is changed.
        auto_class: of the head.
        num_tokens: of the new vocabulary.
        seed: of the new rows.
    """
    config, before = head.config, head.config.vocab_size
    weights = pytorch_weights(head)
    config.vocab_size = num_tokens
    larger = AutoHead(auto_class).from_config(config)
    generator = np.random.default_rng(seed)
    for name, wanted in pytorch_weights(larger).items():
        if name in weights and weights[name].shape != wanted.shape:
            weights[name] = _longer(weights[name], wanted.shape, before, generator)
    report = assign_weights(larger, weights)
    if report.fresh:
        raise AssertionError(f"weights without a place in the larger head: {report.fresh}")
    return larger


def _longer(array: np.ndarray, shape: tuple[int, ...], before: int, generator: np.random.Generator) -> np.ndarray:
    """Add rows to the one axis that counts tokens."""
    (axis,) = (i for i, (old, new) in enumerate(zip(array.shape, shape, strict=True)) if old != new)
    assert array.shape[axis] == before, "the axis counts tokens"
    size = [*shape]
    size[axis] -= before
    mean, deviation = array.mean(axis, keepdims=True), array.std(axis, keepdims=True)
    rows = mean + _SPREAD * deviation * generator.standard_normal(size)
    return np.concatenate([array, rows.astype(array.dtype)], axis)
