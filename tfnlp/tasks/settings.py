"""What every task remembers beside its network, and choices that several tasks offer. Knows no TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Windows = Literal["mean", "first"]
Truncation = Literal["only_second", "only_first", "longest_first"]


@dataclass(frozen=True)
class Settings:
    """What a task remembers beside the network: its part of `tfnlp.json`.

    Attributes:
        max_length: the most tokens in a row; longer texts become windows.
        stride: how many tokens of the text two neighbouring rows share.
    """

    max_length: int
    stride: int
