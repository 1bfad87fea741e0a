"""Heads that read the last token of a row: what they take for padding must be padding."""

from __future__ import annotations

from typing import Any

from tfnlp.errors import ArgumentError
from tfnlp.padding import Side

_READ_BEFORE_PADDING = ("ctrl", "gpt2", "gptj", "gpt-sw3", "mistral", "openai-gpt")
_READ_LAST_PLACE = ("xlnet",)


def prepare_padding(config: Any, pad_token_id: int | None, padding_side: Side) -> None:
    """Let a classifier of whole rows find their last token, if it is one that reads it.

    Args:
        config: of the checkpoint; its `pad_token_id` becomes the tokenizer's.
        pad_token_id: of the tokenizer.
        padding_side: of the tokenizer.

    Raises:
        ArgumentError: if it reads the last place of a row, where the tokenizer puts padding; or if the tokenizer has no
            padding token.
    """
    if config.model_type in _READ_LAST_PLACE and padding_side == "right":
        raise ArgumentError(
            f"the classifier of {config.model_type!r} reads the last place of a row, where its tokenizer puts padding. "
            'Change that, and save it: `tokenizer.padding_side = "left"`.'
        )
    if config.model_type not in _READ_BEFORE_PADDING:
        return
    if pad_token_id is None:
        raise ArgumentError(
            f"the classifier of {config.model_type!r} reads the last token of a row, and its tokenizer has no padding "
            "token by which to find it. Give it one, and save it: `tokenizer.pad_token = tokenizer.eos_token`."
        )
    config.pad_token_id = pad_token_id
