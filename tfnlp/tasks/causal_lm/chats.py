"""Chats as text, by the tokenizer's own template."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfnlp.errors import ArgumentError, DataError
from tfnlp.tasks.causal_lm.records import Message


def rendered(hf: Any, messages: Sequence[Message], *, to_answer: bool) -> str:
    """Write messages as the text that the checkpoint was trained on, special tokens included.

    Args:
        hf: the Hugging Face tokenizer, whose template (Jinja, sandboxed) is used.
        messages: dicts of `role` and `content`.
        to_answer: whether the text goes on to where the assistant's answer begins.

    Raises:
        ArgumentError: if the tokenizer has no template.
        DataError: if the template refuses the messages.
    """
    if not hf.chat_template:
        raise ArgumentError(
            "the tokenizer has no chat template, so it can't be told how a chat is written. Take a checkpoint that was "
            "trained on chats, or set `task.tokenizer.hf.chat_template`."
        )
    from jinja2 import TemplateError

    try:
        return hf.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=to_answer)
    except TemplateError as error:
        raise DataError(f"the chat template refuses these messages: {error}") from error


def learned_spans(hf: Any, messages: Sequence[Message]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Write a chat to learn from.

    Args:
        hf: the Hugging Face tokenizer.
        messages: dicts of `role` and `content`.

    Returns:
        The text, and `[start, end)`, in characters, of what the assistant says, with what ends its turns.

    Raises:
        ArgumentError: if the tokenizer has no template.
        DataError: if the template refuses the messages, or writes earlier ones differently once others follow.
    """
    text = rendered(hf, messages, to_answer=False)
    spans = []
    for i, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = rendered(hf, messages[:i], to_answer=True)
        until = rendered(hf, messages[: i + 1], to_answer=False)
        if not text.startswith(until) or not until.startswith(before):
            raise DataError(
                f"the chat template writes message {i + 1} differently once others follow, so it can't be told which "
                "tokens are the assistant's. Learn from prompts and completions instead."
            )
        spans.append((len(before), len(until)))
    return text, tuple(spans)
