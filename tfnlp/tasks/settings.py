"""What every task remembers beside its network, and choices that several tasks offer. Knows no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Literal

from tfnlp.errors import ArgumentError, did_you_mean
from tfnlp.precision import Precision, check_precision

Windows = Literal["mean", "first"]
Truncation = Literal["only_second", "only_first", "longest_first"]


@dataclass(frozen=True)
class Settings:
    """What a task remembers beside the network: its part of `tfnlp.json`.

    Attributes:
        max_length: the most tokens in a row.
    """

    of_model: ClassVar[tuple[str, ...]] = ()  # fields that the Keras model is built by
    max_length: int


@dataclass(frozen=True)
class WindowSettings(Settings):
    """What a task remembers whose longer texts become windows.

    Attributes:
        stride: how many tokens of the text two neighbouring rows share.
        precision: that products of matrices are computed in; norms, softmax and weights are float32.
    """

    stride: int
    precision: Precision = field(default="float32", kw_only=True)


def changed(settings: Any, changes: Mapping[str, Any]) -> Any:
    """Return settings with other values of some fields; the rows of a task, `max_length` and `stride`, stay.

    Raises:
        ArgumentError: if there is no such setting, or its value is not allowed.
    """
    known = [field.name for field in fields(settings) if field.name not in ("max_length", "stride")]
    for name in changes:
        if name not in known:
            raise ArgumentError(
                f"`{name}` is no setting that can be changed here; these are {known}.{did_you_mean(name, known)}"
            )
    return replace(settings, **changes)


def precision_of(settings: Settings) -> Precision:
    """Return what products of matrices are computed in; of tasks that have no choice, float32."""
    return settings.precision if isinstance(settings, WindowSettings) else "float32"


def with_precision(settings: Any, precision: Precision | None) -> Any:
    """Return settings with another precision; None: with their own.

    Raises:
        ArgumentError: if there is no such precision, or the task knows only one.
    """
    if precision is None:
        return settings
    check_precision(precision)
    if not isinstance(settings, WindowSettings):
        raise ArgumentError("`precision`: this task answers in float32 only.")
    return replace(settings, precision=precision)
