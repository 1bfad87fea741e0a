"""`Encoded`: rows of tokens as NumPy arrays, whichever tokenizer made them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Encoded:
    """The rows of a batch of records, flat: all rows' tokens, one after the other.

    Attributes:
        splits: where each row begins, and the end of the last. Shape `(rows + 1,)`, int64.
        row_to_record: the record that each row is part of. Shape `(rows,)`, int32.
        input_ids: Shape `(tokens,)`, int32, as all that follow.
        token_type_ids: the type ids of the checkpoint's template.
        word_ids: index of each token's word in its text, -1 for special tokens.
        starts: the first character of each token in its text; in its word, where texts come as words.
        ends: the character after the last.
        special_tokens_mask: 1 for tokens of the template.
        sequence_ids: 0 for tokens of the text, 1 for those of its pair, -1 for tokens of the template.
    """

    splits: np.ndarray
    row_to_record: np.ndarray
    input_ids: np.ndarray
    token_type_ids: np.ndarray
    word_ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    special_tokens_mask: np.ndarray
    sequence_ids: np.ndarray

    @property
    def num_rows(self) -> int:
        """How many rows there are."""
        return len(self.splits) - 1

    @property
    def lengths(self) -> np.ndarray:
        """The tokens of each row. Shape `(rows,)`, int64."""
        return np.diff(self.splits)

    @property
    def rows(self) -> np.ndarray:
        """The row of each token. Shape `(tokens,)`, int64."""
        return np.repeat(np.arange(self.num_rows), self.lengths)

    @property
    def records(self) -> np.ndarray:
        """The record of each token. Shape `(tokens,)`, int32."""
        return np.repeat(self.row_to_record, self.lengths)

    @property
    def first_rows(self) -> np.ndarray:
        """The first row of each record, as an index. Shape `(records with a row,)`, int64."""
        return np.flatnonzero(np.diff(self.row_to_record, prepend=-1))

    def taken(self, rows: np.ndarray) -> Encoded:
        """Return some of the rows, given as ascending indices."""
        kept = np.isin(self.rows, rows)
        columns = {
            field.name: getattr(self, field.name)[kept]
            for field in fields(self)
            if field.name not in ("splits", "row_to_record")
        }
        return Encoded(np.cumsum([0, *self.lengths[rows]]), self.row_to_record[rows], **columns)

    def features(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the flat inputs of a network, by Hugging Face's names."""
        return {
            name: np.ones_like(self.input_ids) if name == "attention_mask" else getattr(self, name) for name in names
        }
