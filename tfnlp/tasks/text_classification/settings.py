"""What tasks of this package remember beside the network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

from tfnlp.errors import ArgumentError
from tfnlp.tasks.settings import Truncation, Windows, WindowSettings


@dataclass(frozen=True)
class SequenceClassifierSettings(WindowSettings):
    """What a classifier of texts remembers beside the network.

    Attributes:
        windows: of a text longer than a row, whether the `mean` of its windows' logits counts, or the `first`'s alone.
        pairs: whether it classifies pairs of texts; training data tells.
        truncation: which text of a pair that is too long becomes windows: `only_second`, `only_first`; or
            `longest_first`, by which a pair loses what is too long.
        thresholds: of each label, where a text may have several: the score from which it is given. One number serves
            for all.
    """

    windows: Windows = "mean"
    pairs: bool = False
    truncation: Truncation = "only_second"
    thresholds: tuple[float, ...] = (0.5,)

    def __post_init__(self) -> None:
        given: Any = self.thresholds
        thresholds = tuple(map(float, given)) if isinstance(given, Iterable) else (float(given),)
        object.__setattr__(self, "thresholds", thresholds)
        for name, type_ in (("windows", Windows), ("truncation", Truncation)):
            allowed = get_args(type_)
            if getattr(self, name) not in allowed:
                raise ArgumentError(f"`{name}` must be one of {allowed}; it is {getattr(self, name)!r}.")
        if not all(0 <= threshold <= 1 for threshold in self.thresholds):
            raise ArgumentError(f"`thresholds` must be in [0, 1]; they are {self.thresholds}.")


@dataclass(frozen=True)
class ZeroShotClassifierSettings(WindowSettings):
    """What it remembers beside the network.

    Attributes:
        hypothesis_template: the hypothesis, `{}` for the label.
        multi_label: whether each label is right or wrong by itself; else their scores add up to 1.
        windows: of a text longer than a row, whether the `mean` of its windows' logits counts, or the `first`'s alone.
    """

    hypothesis_template: str = "This example is {}."
    multi_label: bool = False
    windows: Windows = "mean"

    def __post_init__(self) -> None:
        if self.hypothesis_template.count("{}") != 1:
            raise ArgumentError(
                f"`hypothesis_template` needs one `{{}}` for the label; it is {self.hypothesis_template!r}."
            )
        if self.windows not in ("mean", "first"):
            raise ArgumentError(f"`windows` must be 'mean' or 'first'; it is {self.windows!r}.")
