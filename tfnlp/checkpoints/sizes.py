"""What a configuration says of sizes: how long a row may be, and whether its weights can be so large."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tfnlp.errors import CheckpointError

# Their first position is the pad id plus one, an inheritance from fairseq, so their tables hold fewer than they say.
OFFSET_POSITIONS = ("camembert", "esm", "longformer", "mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta")
_NO_LIMIT = 1_000_000  # positions are relative
_LARGE = 1 << 30  # weights, of which memory holds many


def position_limit(config: Any, tokenizer_limit: int | None) -> int:
    """Return the longest row that a network takes, from its table of positions and its tokenizer's own limit."""
    positions = getattr(config, "max_position_embeddings", None) or 0
    if config.model_type in OFFSET_POSITIONS:
        positions -= (config.pad_token_id or 0) + 1
    limits = [limit for limit in (positions, tokenizer_limit or 0) if limit > 0]
    return min(limits, default=_NO_LIMIT)


def check_sizes(config: Any, files: list[str]) -> None:
    """Refuse a configuration that asks for larger weights than files hold: building them would exhaust memory.

    Raises:
        CheckpointError: naming the field.
    """
    num_bytes = sum(os.path.getsize(file) for file in files)
    for field, power in (("hidden_size", 2), ("vocab_size", 1), ("intermediate_size", 1), ("num_hidden_layers", 1)):
        size = getattr(config, field, None)
        if isinstance(size, int) and size**power > max(num_bytes, _LARGE):
            raise CheckpointError(
                f"{Path(files[0]).parent}: `config.json` says `{field}` {size:,}, and all weights together have "
                f"{num_bytes:,} bytes: the two do not belong together. Download the checkpoint again."
            )
