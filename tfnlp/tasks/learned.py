"""What a task knows beside its network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfnlp.tasks.head_labels import HeadLabels


@dataclass(frozen=True)
class Learned:
    """What training data tells a task before the network is trained.

    Attributes:
        settings: of the task.
        labels: of its head; None: it has none.
    """

    settings: Any
    labels: HeadLabels | None = None
