"""Paths of this machine, told from addresses elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

from tfnlp.errors import ArgumentError


def local_path(path: str | Path) -> Path:
    """Return a path of this machine.

    Raises:
        ArgumentError: if it is an address (`gs://...`), which would be taken for a local name.
    """
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", str(path))
    if scheme:
        raise ArgumentError(
            f"{path}: files are read from and written to this machine alone, not to {scheme[1]}://. Copy them with "
            "your storage's own tool."
        )
    return Path(path)
