"""Texts joined and cut into rows of one length, as language models are trained on. NumPy only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tfnlp.labels import IGNORE_ID


class TokenRows(NamedTuple):
    """Rows of tokens, flat: their ids, the units with which they are hidden, and where each row begins."""

    ids: np.ndarray
    units: np.ndarray
    splits: np.ndarray

    @classmethod
    def empty(cls) -> TokenRows:
        """Return no token."""
        return cls(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(1, np.int64))

    def joined(self, other: TokenRows) -> TokenRows:
        """Put other tokens after these, their units renumbered to stay apart."""
        shift = max(self.units.max(initial=-1) + 1, 0)
        units = np.where(other.units == IGNORE_ID, IGNORE_ID, other.units + shift)
        return TokenRows(np.concatenate([self.ids, other.ids]), np.concatenate([self.units, units]), self.splits)

    def cut(self, start: int, end: int, length: int) -> TokenRows:
        """Take a part, in rows of a length."""
        units = self.units[start:end]
        low = units[units != IGNORE_ID].min(initial=np.iinfo(np.int32).max)
        units = np.where(units == IGNORE_ID, IGNORE_ID, units - low).astype(np.int32)
        return TokenRows(self.ids[start:end], units, np.unique([*range(0, end - start, length), end - start]))
