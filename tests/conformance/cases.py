"""The table of tasks: every property of this folder is tested for each line of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance import echo
from tests.tiny import (
    EXAMPLES,
    FOLLOWING,
    LONG_TEXT,
    PAIRS,
    PROMPTS,
    QUESTIONS,
    QUICK,
    RECORDS,
    TEXTS,
    UNNAMED,
    build_learner,
    build_task,
)
from tfnlp import (
    CausalLM,
    MaskedLM,
    MultipleChoice,
    NextSentencePrediction,
    QuestionAnswerer,
    Seq2SeqLM,
    SequenceClassifier,
    TextEncoder,
    TokenClassifier,
)

_DIFFICULT_TEXTS = [*TEXTS, LONG_TEXT, "", " ", "Ada\u0301 in\u3000Paris 我 [MASK] Bob"]


@dataclass(frozen=True)
class Case:
    """A task, how to make a small one that learns, its records, and what to ask it."""

    task: type
    build: Callable[[Path], Any]
    records: list[dict[str, Any]]
    inputs: list[Any]
    asking: dict[str, Any] = field(default_factory=dict)  # how `predict` is to answer


_MASKED = [
    text.replace("[MASK]", "").replace("Bob", "[MASK]").replace("Ada", "[MASK]", 1)
    for text in _DIFFICULT_TEXTS
    if "Bob" in text or "Ada" in text
]

CASES = [
    Case(
        TokenClassifier,
        lambda directory: build_learner("bert", directory),
        RECORDS,
        _DIFFICULT_TEXTS,
    ),
    Case(
        SequenceClassifier,
        lambda directory: build_task(SequenceClassifier, "bert", directory, UNNAMED | QUICK),
        EXAMPLES,
        _DIFFICULT_TEXTS,
    ),
    Case(
        QuestionAnswerer,
        lambda directory: build_task(QuestionAnswerer, "bert", directory, UNNAMED | QUICK),
        QUESTIONS,
        [("who lives", text) for text in _DIFFICULT_TEXTS if text.strip()],
    ),
    Case(
        MultipleChoice,
        lambda directory: build_task(MultipleChoice, "bert", directory, UNNAMED | QUICK),
        PROMPTS,
        [(text, ["Ada", "the cat", "paris !"][: 2 + i % 2]) for i, text in enumerate(_DIFFICULT_TEXTS) if text.strip()],
    ),
    Case(
        MaskedLM,
        lambda directory: build_task(MaskedLM, "bert", directory, UNNAMED | QUICK, line_by_line=True),
        [{"text": text} for text in ("ada ada ada ada ada ada", "bob " * 7, "paris " * 5)],
        _MASKED,
        {"several_masks": True},
    ),
    Case(
        CausalLM,
        lambda directory: build_task(
            CausalLM, "gpt2", directory, {"initializer_range": 0.3, "eos_token_id": 2}, max_length=60
        ),
        [{"prompt": text, "completion": f" {text.split()[0]}"} for text in TEXTS],
        [text for text in _DIFFICULT_TEXTS if text.strip() and text != LONG_TEXT],
        {"max_new_tokens": 5},
    ),
    Case(
        Seq2SeqLM,
        lambda directory: build_task(
            Seq2SeqLM, "t5", directory, {"pad_token_id": 133, "eos_token_id": 2}, max_length=62
        ),
        [{"text": text, "target": text.split()[0]} for text in TEXTS],
        [text for text in _DIFFICULT_TEXTS if text.strip() and text != LONG_TEXT],
        {"max_new_tokens": 5},
    ),
    Case(
        TextEncoder,
        lambda directory: build_task(TextEncoder, "bert", directory, UNNAMED | QUICK),
        PAIRS,
        _DIFFICULT_TEXTS,
    ),
    Case(
        echo.Echo,
        echo.build,
        [{"samples": [0, 1, 2], "text": "zeonto"}, {"samples": [2] * 9 + [0], "text": "to" * 9 + "ze"}],
        [{"samples": [1, 1]}, {"samples": [0]}, {"samples": [2, 0, 1] * 9}],
    ),
    Case(
        NextSentencePrediction,
        lambda directory: build_task(NextSentencePrediction, "bert", directory, UNNAMED | QUICK),
        FOLLOWING,
        [("who lives", text) for text in _DIFFICULT_TEXTS],
    ),
]
