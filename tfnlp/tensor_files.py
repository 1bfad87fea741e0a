"""Safetensors files, written so that whoever may read other new files may read them, too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file


def write_tensors(tensors: Mapping[str, np.ndarray], path: str | Path, metadata: dict[str, str] | None = None) -> None:
    """Write tensors by name; the file has the mode of any new file, where safetensors lets its owner alone read it."""
    path = Path(path)
    path.touch()
    mode = path.stat().st_mode
    save_file(dict(tensors), path, metadata)
    path.chmod(mode)
