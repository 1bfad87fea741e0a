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
        max_length: the most elements in a row.
    """

    max_length: int


@dataclass(frozen=True)
class WindowSettings(Settings):
    """What a task remembers whose longer texts become windows.

    Attributes:
        stride: how many tokens of the text two neighbouring rows share.
    """

    stride: int
