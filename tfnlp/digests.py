"""Digests: a few letters that tell data from other data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any


def digest_of(parts: Iterable[bytes]) -> str:
    """Return a few letters that are others for other bytes."""
    found = hashlib.blake2b(digest_size=8)
    for part in parts:
        found.update(part)
    return found.hexdigest()


def written(record: Any) -> bytes:
    """Write plain data down; of what is none, as a picture in another column, its kind."""
    return json.dumps(record, default=lambda value: type(value).__name__, skipkeys=True).encode()
