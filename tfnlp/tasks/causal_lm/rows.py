"""`LearnedText`: a text with the parts of it that are learned; and rows of such texts to train on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tfnlp.data.batches import CHUNK, chunked
from tfnlp.data.files import Record
from tfnlp.data.sources import Source
from tfnlp.errors import DataError
from tfnlp.labels import IGNORE_ID
from tfnlp.replicas import shared_rows
from tfnlp.rows import Column, Rows
from tfnlp.tasks.causal_lm.chats import learned_spans
from tfnlp.tasks.causal_lm.records import checked_records
from tfnlp.tokenization.tokenizer import TextTokenizer


class LearnedText(NamedTuple):
    """A text to learn.

    Attributes:
        text: all of it.
        spans: `[start, end)` of what is learned, in characters; None: everything.
        is_whole: whether it is a row of its own, which ends; else texts may be joined and cut.
        is_rendered: whether it has all special tokens already, by a chat template.
    """

    text: str
    spans: tuple[tuple[int, int], ...] | None = None
    is_whole: bool = False
    is_rendered: bool = False


class TokenRows(NamedTuple):
    """Rows of tokens, flat: their ids, which of them are learned, and where each row begins."""

    ids: np.ndarray
    is_learned: np.ndarray
    splits: np.ndarray

    @classmethod
    def empty(cls) -> TokenRows:
        """Return no token."""
        return cls(np.zeros(0, np.int32), np.zeros(0, bool), np.zeros(1, np.int64))

    def with_ends(self, end_id: int) -> TokenRows:
        """Put a token after each row that does not end with it, and let it be learned."""
        last = np.maximum(self.splits[1:] - 1, 0)
        lacks = (np.diff(self.splits) == 0) | (self.ids[last] != end_id if len(self.ids) else True)
        is_learned = self.is_learned.copy()
        is_learned[last[~lacks]] = True
        places = self.splits[1:][lacks]
        return TokenRows(
            np.insert(self.ids, places, end_id).astype(np.int32),
            np.insert(is_learned, places, True),
            self.splits + np.concatenate([[0], np.cumsum(lacks)]),
        )

    def joined(self, other: TokenRows) -> TokenRows:
        """Put the tokens of other rows after these, all in one row."""
        ids = np.concatenate([self.ids, other.ids])
        return TokenRows(ids, np.concatenate([self.is_learned, other.is_learned]), np.array([0, len(ids)]))

    def cut(self, start: int, end: int, length: int) -> TokenRows:
        """Take a part, in rows of a length."""
        splits = np.unique([*range(0, end - start, length), end - start])
        return TokenRows(self.ids[start:end], self.is_learned[start:end], splits)


@dataclass(frozen=True)
class LanguageRows:
    """Makes rows of texts.

    Attributes:
        tokenizer: encodes the texts.
        max_length: the most tokens in a row.
        line_by_line: each plain text is a row of its own, or several; else they are joined and cut.
        end_id: of the token that ends a text; None: there is none.
        strategy: whose workers share the texts.
    """

    tokenizer: TextTokenizer
    max_length: int
    line_by_line: bool
    end_id: int | None
    strategy: Any

    def read(self, records: Source) -> Iterator[Rows]:
        """Yield rows of NumPy arrays, and for each token the one that follows, if it is to be learned."""
        left = TokenRows.empty()
        number = 1
        for chunk in chunked(checked_records(records), CHUNK):
            texts = [self._learned_text(record) for record in chunk]
            for is_rendered in (False, True):
                whole = [
                    (number + i, text)
                    for i, text in enumerate(texts)
                    if text.is_whole and text.is_rendered == is_rendered
                ]
                if whole:
                    yield self._with_labels(self._whole(whole, records.name))
            number += len(chunk)
            plain = self._tokens([text for text in texts if not text.is_whole])
            if self.line_by_line:
                if len(plain.ids):
                    yield self._with_labels(self._windows(plain))
                continue
            joined = left.joined(plain)
            end = len(joined.ids) // self.max_length * self.max_length
            if end:
                yield self._with_labels(joined.cut(0, end, self.max_length))
            left = joined.cut(end, len(joined.ids), self.max_length)
        if len(left.ids) > 1:
            yield self._with_labels(left)

    def _learned_text(self, record: Record) -> LearnedText:
        if "messages" in record:
            text, spans = learned_spans(self.tokenizer.hf, record["messages"])
            return LearnedText(text, spans, is_whole=True, is_rendered=True)
        if "completion" in record:
            prompt, text = record["prompt"], record["prompt"] + record["completion"]
            return LearnedText(text, ((len(prompt), len(text)),), is_whole=True)
        return LearnedText(record["text"])

    def _whole(self, texts: Sequence[tuple[int, LearnedText]], source: str) -> TokenRows:
        """Make a row of each text; none may be too long. `texts` come with their numbers, for messages."""
        rows = self._tokens([text for _, text in texts])
        lengths = np.diff(rows.splits)
        for i in np.flatnonzero(lengths > self.max_length).tolist():
            raise DataError(
                f"{source}: record {texts[i][0]}: it has {lengths[i]} tokens, {lengths[i] - self.max_length} more than "
                f"`max_length={self.max_length}`. Shorten it, or raise `max_length`."
            )
        return rows

    def _tokens(self, texts: Iterable[LearnedText]) -> TokenRows:
        texts = list(texts)
        if not texts:
            return TokenRows.empty()
        is_rendered = texts[0].is_rendered

        def make(texts: Sequence[LearnedText]) -> Rows:
            return self.tokenizer.rows([text.text for text in texts], add_special_tokens=not is_rendered)

        rows = shared_rows(self.strategy, texts, make)
        tokens = TokenRows(rows.values("input_ids"), _learned(rows, texts), rows.splits)
        return tokens if self.end_id is None or is_rendered else tokens.with_ends(self.end_id)

    def _windows(self, rows: TokenRows) -> TokenRows:
        """Cut rows that are too long into several."""
        starts, ends = rows.splits[:-1].tolist(), rows.splits[1:].tolist()
        splits = [i for start, end in zip(starts, ends, strict=True) for i in range(start, end, self.max_length)]
        return rows._replace(splits=np.array([*splits, len(rows.ids)]))

    def _with_labels(self, rows: TokenRows) -> Rows:
        """Let each token learn the one after it."""
        following = np.concatenate([rows.ids[1:], [IGNORE_ID]])
        is_learned = np.concatenate([rows.is_learned[1:], [False]])
        is_learned[rows.splits[1:] - 1] = False
        labels = np.where(is_learned, following, IGNORE_ID).astype(np.int32)
        return Rows(
            {"input_ids": Column(rows.ids, rows.splits)},
            np.zeros(len(rows.splits) - 1, np.int32),
            {"logits": Column(labels, rows.splits)},
        )


def _learned(rows: Rows, texts: Sequence[LearnedText]) -> np.ndarray:
    """Tell which tokens have a character of what is learned. Shape `(tokens,)`, bool."""
    starts, ends, records = rows.values("starts"), rows.values("ends"), rows.record_ids
    is_text = rows.values("special_tokens_mask") == 0
    is_learned = np.array([text.spans is None for text in texts])[records]
    for number, text in enumerate(texts):
        own = slice(*np.searchsorted(records, [number, number + 1]))
        for start, end in text.spans or ():
            is_empty = starts[own] == ends[own]  # a space that the offsets leave out
            begins_before_its_end = (starts[own] < end) & is_text[own]
            is_learned[own] |= begins_before_its_end & np.where(is_empty, starts[own] >= start, ends[own] > start)
    return is_learned
