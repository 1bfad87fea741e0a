"""`PlainRows`: plain text as rows to train a language model on, and which of their tokens are hidden together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tfnlp.data.pipeline import CHUNK, RowChunk, chunked
from tfnlp.data.sources import Source
from tfnlp.labels import IGNORE_ID
from tfnlp.tasks.masked_lm.joining import TokenRows
from tfnlp.tasks.masked_lm.records import checked_texts
from tfnlp.tokenization.alignment import word_index
from tfnlp.tokenization.encoded import Encoded
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
    """

    tokenizer: Tokenizer
    max_length: int
    whole_words: bool
    line_by_line: bool

    def encode(self, records: Source) -> Iterator[RowChunk]:
        """Yield rows, and for each token the unit with which it is hidden: its word, or itself."""
        left = TokenRows.empty()
        for chunk in chunked(checked_texts(records), CHUNK):
            encoded = self._encoded(chunk)
            rows = TokenRows(encoded.input_ids, self._units(encoded), encoded.splits)
            if self.line_by_line:
                yield RowChunk(encoded.features(self.tokenizer.input_names), rows.splits, {"logits": rows.units})
                continue
            joined = left.joined(rows)
            whole = len(joined.ids) // self.max_length * self.max_length
            if whole:
                yield self._blocks(joined.cut(0, whole, self.max_length))
            left = joined.cut(whole, len(joined.ids), self.max_length)
        if len(left.ids):
            yield self._blocks(left)

    def _encoded(self, texts: Sequence[str]) -> Encoded:
        return self.tokenizer.encode(texts, max_length=self.max_length if self.line_by_line else None, stride=0)

    def _units(self, encoded: Encoded) -> np.ndarray:
        units = word_index(encoded) if self.whole_words else np.arange(len(encoded.input_ids))
        is_special = np.isin(encoded.input_ids, self.tokenizer.hf.all_special_ids)
        return np.where(is_special, IGNORE_ID, units).astype(np.int32)

    def _blocks(self, rows: TokenRows) -> RowChunk:
        """Give joined texts the network's other inputs: all of a row is seen, and of one type."""
        inputs = {"input_ids": rows.ids, "attention_mask": np.ones_like(rows.ids)}
        features = {name: inputs.get(name, np.zeros_like(rows.ids)) for name in self.tokenizer.input_names}
        return RowChunk(features, rows.splits, {"logits": rows.units})
