"""The files of a checkpoint's weights: which there may be, and what is in them, by name."""

from __future__ import annotations

import json
from collections import ChainMap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401  (makes NumPy know bfloat16)
import numpy as np
from safetensors import SafetensorError, safe_open

from tfnlp.checkpoints.torch_files import open_torch_file
from tfnlp.errors import CheckpointError

# In the order of preference: the first that a checkpoint has is read.
SAFETENSORS, H5, PICKLED = "model.safetensors", "tf_model.h5", "pytorch_model.bin"
WEIGHT_FILES = (
    SAFETENSORS,
    f"{SAFETENSORS}.index.json",
    H5,
    f"{H5}.index.json",
    PICKLED,
    f"{PICKLED}.index.json",
)


class SafetensorsFile(Mapping[str, np.ndarray]):
    """The tensors of a safetensors file by name, each read when it is asked for."""

    def __init__(self, path: str | Path) -> None:
        try:
            self._file: Any = safe_open(str(path), framework="numpy")
            self._names = dict.fromkeys(self._file.keys())
        except (SafetensorError, OSError) as error:
            refuse_pointer(path)
            raise CheckpointError(
                f"{path}: the file is damaged or no safetensors file: {error}. Download or copy it again."
            ) from error
        self.written_by = (self._file.metadata() or {}).get("format", "pt")

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        return self._file.get_tensor(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def refuse_pointer(path: str | Path) -> None:
    """Raise `CheckpointError` if a file is what Git leaves in the place of a large one that was not fetched."""
    with open(path, "rb") as file:
        if file.read(40).startswith(b"version https://git-lfs"):
            raise CheckpointError(
                f"{path}: this is a pointer of Git LFS, not the file itself. Fetch it: `git lfs pull` in the "
                "checkpoint's directory."
            )


def open_weights(files: list[str]) -> Mapping[str, np.ndarray]:
    """Open one file, or all shards, of safetensors or pickled weights."""
    opened = [SafetensorsFile(file) if file.endswith(".safetensors") else open_torch_file(file) for file in files]
    return opened[0] if len(opened) == 1 else ChainMap(*opened)  # type: ignore[arg-type]


def shard_names(index: str | Path) -> list[str]:
    """Return the shards that an index file (`*.index.json`) names."""
    try:
        names = sorted(set(json.loads(Path(index).read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{index}: not an index of shards: {error!r}. Download it again.") from error
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or "\\" in name:
            raise CheckpointError(
                f"{index}: it names {name!r} as a shard, which is no file beside it. Don't use this checkpoint: files "
                "elsewhere on the machine are not read."
            )
    return names
