"""The frequencies of rotary positions, as configurations of Llama's kin tell them. NumPy only."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def inverse_frequencies(config: Any) -> np.ndarray | None:
    """Return the angle that each pair of a head turns by from one position to the next.

    Args:
        config: a Hugging Face configuration with `rope_theta` and `rope_scaling`.

    Returns:
        Shape `(head size / 2,)`, float32; None: its `rope_type` is none of `default`, `linear` and `llama3`.
    """
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    scaling = rotary_options(config)
    frequencies = plain_frequencies(size, scaling["rope_theta"])
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    if kind == "linear":
        frequencies = frequencies / scaling["factor"]
    elif kind == "llama3":
        frequencies = _of_long_texts(frequencies, scaling)
    elif kind != "default":
        return None
    return frequencies.astype(np.float32)


def rotary_options(config: Any, kind: str | None = None) -> dict[str, Any]:
    """Return what a configuration says of rotary positions: `rope_theta`, and how it is changed for longer texts.

    Args:
        config: of transformers 4, which has two fields for it, or of version 5, which has one.
        kind: of layers, where they differ (ModernBERT): `full_attention` or `sliding_attention`.
    """
    together = getattr(config, "rope_parameters", None)
    if together is not None:
        return dict(together if kind is None else together[kind])
    scaling = getattr(config, "rope_scaling", None) or {}
    if kind is None:
        return {"rope_theta": config.rope_theta, **scaling}
    own = config.local_rope_theta if kind == "sliding_attention" else None
    return {"rope_theta": config.global_rope_theta if own is None else own, **scaling}


def plain_frequencies(size: int, theta: float) -> np.ndarray:
    """Return the angles of a head of so many values (Su et al. 2021). Shape `(size / 2,)`, float64."""
    return 1.0 / theta ** (np.arange(0, size, 2) / size)


def _of_long_texts(frequencies: np.ndarray, scaling: dict[str, Any]) -> np.ndarray:
    """Slow down what turns less than once in an original context, as Llama 3.1 does."""
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    turns = scaling["original_max_position_embeddings"] * frequencies / (2 * math.pi)
    slow = frequencies / scaling["factor"]
    share = np.clip((turns - low) / (high - low), 0, 1)
    return (1 - share) * slow + share * frequencies
