"""`generation_config.json`: how a checkpoint's text is made, as transformers reads and writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tfnlp.checkpoints.checkpoint import Checkpoint
from tfnlp.checkpoints.heads import find_file
from tfnlp.errors import CheckpointError

_FILE = "generation_config.json"


def read_generation_config(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return what a checkpoint says of how its text is made: that file, or without one, as of old, `config.json`.

    The checkpoint keeps it, to be written again.

    Raises:
        CheckpointError: if the file is damaged.
    """
    from transformers import GenerationConfig

    directory = checkpoint.name_or_path
    file = None if directory is None else find_file(directory, _FILE, **checkpoint.location)
    if file is None:
        options = GenerationConfig.from_model_config(checkpoint.config).to_diff_dict()
        checkpoint.generation_config = {name: value for name, value in options.items() if name != "_from_model_config"}
        return checkpoint.generation_config
    try:
        options = json.loads(Path(file).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file}: this is no JSON: {error}. Download it again.") from error
    if not isinstance(options, dict):
        raise CheckpointError(f"{file}: expected an object; found {options!r:.80}. Download it again.")
    checkpoint.generation_config = options
    return options


def write_generation_config(options: dict[str, Any], directory: Path) -> None:
    """Write how text is made."""
    from transformers import GenerationConfig

    GenerationConfig(**options).to_json_file(directory / _FILE)
