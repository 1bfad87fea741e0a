"""What tasks of this package remember beside the network."""

from __future__ import annotations

from dataclasses import dataclass

from tfnlp.errors import ArgumentError
from tfnlp.tasks.settings import WindowSettings


@dataclass(frozen=True)
class MaskedLMSettings(WindowSettings):
    """What it remembers beside the network.

    Attributes:
        mask_probability: the share of tokens, or words, that are hidden in training, in (0, 1).
        whole_words: hide whole words, not tokens by themselves.
        line_by_line: each text is a row, or windows, of its own; else texts are joined and cut into rows of
            `max_length` tokens.
        top_k: how many fills an exported model gives for each mask.
    """

    mask_probability: float = 0.15
    whole_words: bool = False
    line_by_line: bool = False
    top_k: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.mask_probability < 1:
            raise ArgumentError(f"`mask_probability` must be in (0, 1); it is {self.mask_probability}.")
        if self.top_k < 1:
            raise ArgumentError(f"`top_k` must be at least 1; it is {self.top_k}.")
