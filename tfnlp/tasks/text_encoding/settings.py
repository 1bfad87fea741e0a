"""What tasks of this package remember beside the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from tfnlp.errors import ArgumentError
from tfnlp.tasks.settings import Windows, WindowSettings

PoolingMode = Literal["mean", "cls", "max"]
POOLING_MODES: tuple[str, ...] = get_args(PoolingMode)


@dataclass(frozen=True)
class TextEncoderSettings(WindowSettings):
    """What it remembers beside the network.

    Attributes:
        pooling: how the vectors of tokens become one: `mean`, `cls` (the first token's) or `max`.
        normalize: whether a text's vector has length 1.
        windows: of a text longer than a row, whether the `mean` of its windows' vectors counts, or the `first`'s alone.
        objective: what pairs teach: their `cosine` is a score, or `ranking`: each text's own pair is nearer than those
            of the others in its batch. None: training data tells.
        highest_score: the score of pairs that mean the same.
    """

    of_model: ClassVar[tuple[str, ...]] = ("pooling",)
    pooling: PoolingMode = "mean"
    normalize: bool = False
    windows: Windows = "mean"
    objective: Literal["cosine", "ranking"] | None = None
    highest_score: float = 1.0

    def __post_init__(self) -> None:
        allowed = {
            "pooling": POOLING_MODES,
            "windows": ("mean", "first"),
            "objective": ("cosine", "ranking", None),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise ArgumentError(f"`{name}` must be one of {values}; it is {getattr(self, name)!r}.")
        if self.highest_score <= 0:
            raise ArgumentError(f"`highest_score` must be more than 0; it is {self.highest_score}.")
