"""What tasks of this package remember beside the network."""

from __future__ import annotations

from dataclasses import dataclass

from tfnlp.errors import ArgumentError
from tfnlp.tasks.settings import WindowSettings


@dataclass(frozen=True)
class QuestionAnswererSettings(WindowSettings):
    """What it remembers beside the network.

    Attributes:
        max_answer_length: the most tokens of an answer.
        align_to_words: whether answers begin and end where words do, as in transformers' pipeline. Where a tokenizer's
            words are long, as SentencePiece's are in Chinese, False is better.
        handle_impossible_answer: whether there may be no answer; training data tells.
        null_threshold: there is none where the log of the null score over the best answer's score is more.
        top_k: how many answers an exported model gives beside the best one, itself included.
    """

    max_answer_length: int = 30
    align_to_words: bool = True
    handle_impossible_answer: bool = False
    null_threshold: float = 0.0
    top_k: int = 5

    def __post_init__(self) -> None:
        for name in ("max_answer_length", "top_k"):
            if getattr(self, name) < 1:
                raise ArgumentError(f"`{name}` must be at least 1; it is {getattr(self, name)}.")
