"""`PlainRows`: plain text as rows to train a language model on, and which of their tokens are hidden together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfnlp.data.batches import CHUNK, chunked
from tfnlp.data.sources import Source
from tfnlp.labels import IGNORE_ID
from tfnlp.replicas import shared_rows
from tfnlp.rows import Column, Rows
from tfnlp.tasks.masked_lm.joining import TokenRows
from tfnlp.tasks.masked_lm.records import checked_texts
from tfnlp.tokenization.alignment import word_index
from tfnlp.tokenization.tokenizer import Tokenizer


@dataclass(frozen=True)
class PlainRows:
    """Makes rows of texts.

    Attributes:
        tokenizer: encodes the texts.
        max_length: the most tokens in a row.
        whole_words: hide whole words, not tokens by themselves.
        line_by_line: each text is a row, or windows, of its own; else texts are joined and cut into rows of
            `max_length` tokens.
        strategy: whose workers share the texts.
    """

    tokenizer: Tokenizer
    max_length: int
    whole_words: bool
    line_by_line: bool
    strategy: Any

    def read(self, records: Source) -> Iterator[Rows]:
        """Yield rows of NumPy arrays, and for each token the unit with which it is hidden: its word, or itself."""
        left = TokenRows.empty()
        for chunk in chunked(checked_texts(records), CHUNK):
            rows = shared_rows(self.strategy, chunk, self._rows)
            units = self._units(rows)
            if self.line_by_line:
                yield rows._replace(targets={"logits": Column(units, rows.splits)})
                continue
            joined = left.joined(TokenRows(rows.values("input_ids"), units, rows.splits))
            whole = len(joined.ids) // self.max_length * self.max_length
            if whole:
                yield self._blocks(joined.cut(0, whole, self.max_length))
            left = joined.cut(whole, len(joined.ids), self.max_length)
        if len(left.ids):
            yield self._blocks(left)

    def _rows(self, texts: Sequence[str]) -> Rows:
        return self.tokenizer.rows(texts, max_length=self.max_length if self.line_by_line else None)

    def _units(self, rows: Rows) -> np.ndarray:
        ids = rows.values("input_ids")
        units = word_index(rows) if self.whole_words else np.arange(len(ids))
        return np.where(np.isin(ids, self.tokenizer.hf.all_special_ids), IGNORE_ID, units).astype(np.int32)

    def _blocks(self, joined: TokenRows) -> Rows:
        """Make rows of joined texts; all of their tokens are of one type."""
        columns = {name: np.zeros_like(joined.ids) for name in self.tokenizer.column_names} | {"input_ids": joined.ids}
        return Rows(
            {name: Column(values, joined.splits) for name, values in columns.items()},
            np.zeros(len(joined.splits) - 1, np.int32),
            {"logits": Column(joined.units, joined.splits)},
        )
