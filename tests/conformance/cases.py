"""The table of tasks: every property of this folder is tested for each line of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.tiny import LONG_TEXT, RECORDS, TEXTS, build_learner
from tfnlp import TokenClassifier


@dataclass(frozen=True)
class Case:
    """A task, how to make a small one that learns, its records, and texts to ask."""

    task: type
    build: Callable[[Path], Any]
    records: list[dict[str, Any]]
    texts: list[str]


CASES = [
    Case(
        TokenClassifier,
        lambda directory: build_learner("bert", directory),
        RECORDS,
        [*TEXTS, LONG_TEXT, "", " ", "Ada\u0301 in\u3000Paris 我 [MASK] Bob"],
    ),
]
