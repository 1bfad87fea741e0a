"""Texts, or their words, as rows of tokens that know their places in the text and their words; and words' labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tfnlp._backend import tf
from tfnlp.data.files import Record
from tfnlp.errors import LabelError
from tfnlp.labels import IGNORE_ID, LabelMap, Span
from tfnlp.padding import row_ids
from tfnlp.rows import Rows
from tfnlp.tasks.text_spans import trimmed
from tfnlp.tasks.token_classification.settings import Grouping
from tfnlp.tokenization import alignment
from tfnlp.tokenization.tokenizer import Tokenizer
from tfnlp.tokenization.word_breaks import word_breaks


def text_of(inputs: dict[str, Any]) -> tf.Tensor:
    """Return whole texts, shape `(records,)`, string: those given, or the given words joined by one space."""
    return inputs["text"] if "text" in inputs else tf.strings.reduce_join(inputs["words"], -1, separator=" ")


def token_rows(
    inputs: dict[str, Any], tokenizer: Tokenizer, *, max_length: int, stride: int, grouping: Grouping
) -> Rows:
    """Make rows of texts or of their words.

    Args:
        inputs: `text`, strings of shape `(records,)`; or `words`, ragged strings of shape `(records, words)`.
        tokenizer: of the network.
        max_length: the most tokens in a row.
        stride: how many tokens two neighbouring rows of a text share.
        grouping: what makes a word of running text.

    Returns:
        Rows of tensors. `starts` and `ends` are places in `text_of(inputs)`, without white space at either end;
        `word_ids` number the words of each record, -1 for special tokens; `is_subword` is 1 for a token that continues
        the word of the token before it.
    """
    are_words = "words" in inputs
    rows = tokenizer.rows(inputs["words" if are_words else "text"], max_length=max_length, stride=stride)
    record = tf.gather(rows.row_to_record, row_ids(rows.first))
    text = text_of(inputs)
    starts, ends = rows.values("starts"), rows.values("ends")
    if are_words:
        shift = _places_of_words(inputs["words"], record, rows.values("word_ids"))
        starts, ends = starts + shift, ends + shift
    if grouping == "pipeline":
        return rows.with_columns(
            starts=starts, ends=ends, is_subword=tf.cast(_is_subword(tokenizer, text, rows, starts, ends), tf.int32)
        )
    starts, ends = trimmed(text, starts, ends, record)
    rows = rows.with_columns(starts=starts, ends=ends)
    words = rows.values("word_ids") if are_words else _word_numbers(text, rows, record, grouping)
    row = row_ids(rows.first)
    continues = tf.concat([[False], tf.equal(words[1:], words[:-1]) & tf.equal(row[1:], row[:-1])], 0)[: tf.size(row)]
    return rows.with_columns(word_ids=words, is_subword=tf.cast(continues, tf.int32))


def _places_of_words(words: tf.RaggedTensor, record: tf.Tensor, word_ids: tf.Tensor) -> tf.Tensor:
    """Return for each token where its word begins in the words joined by one space. Shape `(tokens,)`, int32."""
    sizes = tf.strings.length(words.values, "UTF8_CHAR") + 1
    ends = tf.concat([[0], tf.cumsum(sizes)], 0)
    first = tf.gather(tf.cast(words.row_splits, tf.int32), record)
    return tf.gather(ends, first + tf.maximum(word_ids, 0)) - tf.gather(ends, first)


def _word_numbers(text: tf.Tensor, rows: Rows, record: tf.Tensor, grouping: Grouping) -> tf.Tensor:
    """Number the words of each text through; a word has one number in all windows that show it.

    A word begins at a character, so what begins words is written beside the characters, and counted along the text.
    """
    points = tf.strings.unicode_decode(text, "UTF-8")
    num_records = tf.size(text)
    # One more place for each text, as a token may stand at its end.
    origin = tf.cast(points.row_splits, tf.int32) + tf.range(num_records + 1)
    is_text = tf.equal(rows.values("special_tokens_mask"), 0)
    starts, own = rows.values("starts"), rows.values("word_ids")
    place = tf.gather(origin, record) + starts
    begins = is_text
    if grouping == "words":
        num_words = tf.maximum(tf.math.unsorted_segment_max(own, record, num_records) + 1, 0)
        word = tf.gather(tf.cumsum(num_words, exclusive=True), record) + tf.maximum(own, 0)
        first = tf.math.unsorted_segment_min(
            tf.where(is_text, starts, starts.dtype.max), word, tf.reduce_sum(num_words) + 1
        )
        spaced = points.with_values(_is_apart(points.values)).to_tensor(True)  # white space at the end
        spaced = tf.pad(spaced, [[0, 0], [1, 1]], constant_values=True)
        before, at = (tf.gather_nd(spaced, tf.stack([record, starts + shift], 1)) for shift in (0, 1))
        begins &= tf.equal(starts, tf.gather(first, word)) | before | at
    marks = tf.math.unsorted_segment_max(tf.cast(begins, tf.int32), place, origin[-1])
    counted = tf.concat([[0], tf.cumsum(tf.maximum(marks, 0))], 0)
    number = tf.gather(counted, place + 1) - tf.gather(counted, tf.gather(origin, record)) - 1
    return tf.where(is_text, number, -1)


def _is_apart(points: tf.Tensor) -> tf.Tensor:
    """Tell which characters share no word with their neighbours. Shape `(characters,)`, bool."""
    return tf.equal(tf.searchsorted(tf.constant(word_breaks()), points, side="right") % 2, 1)


def _is_subword(tokenizer: Tokenizer, text: tf.Tensor, rows: Rows, starts: tf.Tensor, ends: tf.Tensor) -> tf.Tensor:
    """Tell which tokens continue a word as transformers' pipeline does: by their marks, else by the space before them.

    Returns:
        Shape `(tokens,)`, bool.
    """
    ids = rows.values("input_ids")
    is_known = tf.not_equal(ids, tokenizer.unknown_id)
    if tokenizer.token_lengths is not None:
        return tf.not_equal(tf.gather(tokenizer.token_lengths, ids), ends - starts) & is_known
    characters = tf.strings.unicode_decode(text, "UTF-8")
    is_space = tf.concat([tf.equal(characters.values, ord(" ")), [True]], 0)
    record = tf.gather(rows.row_to_record, row_ids(rows.first))
    position = tf.gather(tf.cast(characters.row_splits, tf.int32), record) + starts
    is_apart = tf.equal(starts, 0) | tf.gather(is_space, tf.maximum(position - 1, 0)) | tf.gather(is_space, position)
    return ~is_apart & is_known


class WordTags(NamedTuple):
    """The words of some records.

    Attributes:
        bounds: `[start, end)` in characters of each word. For each record, shape `(words, 2)`.
        names: the label of each word of each record; None where a span covers it in part.
        unaligned: the spans that words don't show.
    """

    bounds: list[np.ndarray]
    names: list[Sequence[str | None]]
    unaligned: list[Span]


def word_tags(records: Sequence[Record], rows: Rows) -> WordTags:
    """Return the labels of the words of records: those given, or what their spans make of the tokenizer's words.

    Args:
        records: of `words` and `labels`, or of `text` and `spans`; all alike.
        rows: of them, by `token_rows`; NumPy arrays.
    """
    if "words" in records[0]:
        return WordTags([bounds_of_words(record["words"]) for record in records], [r["labels"] for r in records], [])
    bounds = alignment.word_bounds(rows)
    bounds += [np.zeros((0, 2), np.int64)] * (len(records) - len(bounds))
    tagged = [alignment.tag_words(words, record["spans"]) for record, words in zip(records, bounds, strict=True)]
    return WordTags(bounds, [found.tags for found in tagged], [span for found in tagged for span in found.unaligned])


def bounds_of_words(words: Sequence[str]) -> np.ndarray:
    """Return `[start, end)` of words in the text that they make, joined by one space. Shape `(words, 2)`, int64."""
    ends = np.cumsum([len(word) + 1 for word in words]) - 1
    return np.stack([ends - [len(word) for word in words], ends], 1)


def label_ids(names: Sequence[Sequence[str | None]], labels: LabelMap, where: str, start: int) -> list[list[int]]:
    """Return the ids of words' labels, -100 for None.

    Args:
        names: of each word of each record.
        labels: that there are.
        where: what the records are from, for messages.
        start: the number of the first record.

    Raises:
        LabelError: if a label is not among `labels`.
    """
    for number, found in enumerate(names, start):
        wrong = next((name for name in found if name is not None and name not in labels.ids), None)
        if wrong is not None:
            raise LabelError(f"{where} {number}: {labels.unknown_message(wrong)}")
    return [[IGNORE_ID if name is None else labels.ids[name] for name in found] for found in names]
