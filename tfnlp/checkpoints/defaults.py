"""The checkpoints that transformers' pipelines take where none is named."""

from __future__ import annotations

from typing import Any


def default_model(task: str) -> tuple[str, str]:
    """Return the Hub name and revision that `transformers.pipeline` takes for a task where none is named."""
    from transformers.pipelines import SUPPORTED_TASKS

    supported: dict[str, Any] = SUPPORTED_TASKS
    model = supported[task]["default"]["model"]
    return model if isinstance(model, tuple) else model.get("tf", model.get("pt"))  # a tuple in version 5
