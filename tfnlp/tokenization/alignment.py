"""Words, characters, tokens and windows: which stands for which. NumPy only.

A word's label goes to its first token, or to all of its tokens; a character span becomes the tags of the words it
covers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfnlp.labels import IGNORE_ID, Span, spans_to_tags
from tfnlp.rows import Rows


def first_tokens(tokens: Rows) -> np.ndarray:
    """Tell which tokens are the first of their word: not those that a window begins with in mid-word.

    Returns:
        Shape `(tokens,)`, bool.
    """
    is_text = tokens.values("special_tokens_mask") == 0
    rows, words, starts = tokens.row_ids, tokens.values("word_ids"), tokens.values("starts")
    before = np.concatenate([[False], (words[1:] == words[:-1]) & (rows[1:] == rows[:-1])])
    word = word_index(tokens)
    begins = np.full(word.max(initial=-1) + 1, np.iinfo(np.int32).max)
    np.minimum.at(begins, word[is_text], starts[is_text])
    is_first = np.zeros(len(word), bool)
    is_first[is_text] = starts[is_text] == begins[word[is_text]]
    return is_first & ~before


def word_index(tokens: Rows) -> np.ndarray:
    """Number the words of all records through, -1 for special tokens: the same word in two windows has one number.

    Returns:
        Shape `(tokens,)`, int64.
    """
    origins = np.cumsum([0, *num_words(tokens)])[:-1]
    return np.where(
        tokens.values("special_tokens_mask") == 0, origins[tokens.record_ids] + tokens.values("word_ids"), -1
    )


def num_words(tokens: Rows) -> np.ndarray:
    """Return how many words each record has, as far as tokens tell. Shape `(records,)`, int64."""
    num_records = int(tokens.row_to_record.max(initial=-1)) + 1
    counts = np.zeros(num_records, np.int64)
    np.maximum.at(counts, tokens.record_ids, tokens.values("word_ids").astype(np.int64) + 1)
    return counts


def token_labels(tokens: Rows, label_ids: Sequence[Sequence[int]], *, all_tokens: bool = False) -> np.ndarray:
    """Give each token its word's label.

    Args:
        tokens: the rows of the records.
        label_ids: for each record, the label id of each word.
        all_tokens: label every token of a word, not its first alone.

    Returns:
        Label ids, -100 for special tokens and, unless `all_tokens`, for later tokens of a word. Shape `(tokens,)`,
        int32.
    """
    flat = np.array([label for labels in label_ids for label in labels], np.int32)
    origins = np.cumsum([0, *(len(labels) for labels in label_ids)])[:-1]
    carries = tokens.values("special_tokens_mask") == 0 if all_tokens else first_tokens(tokens)
    labels = np.full(len(tokens.values("input_ids")), IGNORE_ID, np.int32)
    labels[carries] = flat[origins[tokens.record_ids[carries]] + tokens.values("word_ids")[carries]]
    return labels


@dataclass(frozen=True)
class WordTags:
    """The words of a text that its tokenizer sees, tagged.

    Attributes:
        tags: of each word, in IOB2; None for a word that a span covers in part.
        unaligned: the spans that don't begin and end where words do, or that overlap another.
    """

    tags: list[str | None]
    unaligned: list[Span]


def tag_words(bounds: np.ndarray, spans: Sequence[Span]) -> WordTags:
    """Turn character spans into tags of words.

    White space at a span's ends does not matter.

    Args:
        bounds: `[start, end)` of each word in characters. Shape `(words, 2)`.
        spans: in characters.
    """
    aligned: list[Span] = []
    unaligned: list[Span] = []
    damaged: set[int] = set()
    reached = 0
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        covered = np.flatnonzero((bounds[:, 0] < span.end) & (bounds[:, 1] > span.start))
        fits = len(covered) and bounds[covered[0], 0] >= span.start and bounds[covered[-1], 1] <= span.end
        if fits and covered[0] >= reached:
            reached = int(covered[-1]) + 1
            aligned.append(Span(span.label, int(covered[0]), reached))
        else:
            unaligned.append(span)
            damaged.update(covered.tolist())
    tags: list[str | None] = list(spans_to_tags(aligned, len(bounds)))
    taken = {word for span in aligned for word in range(span.start, span.end)}
    for word in damaged - taken:
        tags[word] = None
    return WordTags(tags, unaligned)


def word_bounds(tokens: Rows) -> list[np.ndarray]:
    """Return `[start, end)` in characters of each word of each record, from the records' tokens.

    Returns:
        For each record, shape `(words, 2)`, int64. A word without tokens is `(0, 0)`.
    """
    counts = num_words(tokens)
    word = word_index(tokens)
    is_text = word >= 0
    starts = np.full(counts.sum(), np.iinfo(np.int64).max)
    ends = np.zeros(counts.sum(), np.int64)
    np.minimum.at(starts, word[is_text], tokens.values("starts")[is_text])
    np.maximum.at(ends, word[is_text], tokens.values("ends")[is_text])
    bounds = np.stack([np.where(ends > 0, starts, 0), ends], 1)
    return np.split(bounds, np.cumsum(counts)[:-1]) if len(counts) else []


def answer_tokens(
    tokens: Rows, answers: Sequence[tuple[int, int] | None], nulls: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the first and last token of each row's answer; those of no answer where the row lacks a part of it.

    Args:
        tokens: the rows.
        answers: `[start, end)` of each record's answer in its context, or None.
        nulls: the place in each row of the token that stands for no answer. Shape `(rows,)`.

    Returns:
        Places in the row, of shape `(rows,)`, int32, and which records have an answer without a token, of shape
        `(records,)`, bool.
    """
    starts, ends = tokens.values("starts"), tokens.values("ends")
    bounds = np.array([answer or (0, 0) for answer in answers], np.int64)
    start, end = bounds[tokens.record_ids].T
    is_context = (tokens.values("sequence_ids") == 1) & (ends > starts)
    is_answer = is_context & (ends > start) & (starts < end)
    rows, place = tokens.row_ids, np.arange(len(tokens.values("input_ids"))) - tokens.splits[tokens.row_ids]
    num_rows, nowhere = tokens.num_rows, np.iinfo(np.int32).max
    first, last = np.full(num_rows, nowhere), np.full(num_rows, -1)
    np.minimum.at(first, rows[is_answer], place[is_answer])
    np.maximum.at(last, rows[is_answer], place[is_answer])
    # A window holds the whole answer if it shows what all windows together show of it.
    counts = np.bincount(rows[is_answer], minlength=num_rows)
    low, high = np.full(len(answers), nowhere), np.full(len(answers), -1)
    np.minimum.at(low, tokens.record_ids[is_answer], starts[is_answer])
    np.maximum.at(high, tokens.record_ids[is_answer], ends[is_answer])
    token = tokens.splits[:-1]
    records = tokens.row_to_record
    shown = counts > 0
    at_first, at_last = (np.where(shown, token + np.where(shown, edge, 0), 0) for edge in (first, last))
    is_whole = shown & (starts[at_first] == low[records]) & (ends[at_last] == high[records])
    is_lost = (bounds[:, 1] > bounds[:, 0]) & (high < 0)
    return (
        np.where(is_whole, first, nulls).astype(np.int32),
        np.where(is_whole, last, nulls).astype(np.int32),
        is_lost,
    )
