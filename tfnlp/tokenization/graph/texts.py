"""Texts to tokens: the steps of a compiled tokenizer, one after the other."""

from __future__ import annotations

from typing import NamedTuple

from tfnlp._backend import tf
from tfnlp.tokenization.graph.characters import Added, Characters
from tfnlp.tokenization.graph.compiler import Program, for_words
from tfnlp.tokenization.graph.models.tokens import words_of
from tfnlp.tokenization.graph.probing import NUM_CODE_POINTS
from tfnlp.tokenization.graph.ragged import changes, exclusive_cumsum, row_index


class Tokens(NamedTuple):
    """The tokens of a batch of texts, one after the other; each attribute is int32 of shape `(tokens,)`.

    Attributes:
        ids: token ids.
        starts: first character, in its text (or its word, where texts come as words).
        ends: the character after the last.
        words: index of the word in its text.
        counts: how many tokens each text has. Shape `(texts,)`.
        spaces: how much white space each begins and ends with, where offsets are trimmed; else nothing.
    """

    ids: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    words: tf.Tensor
    counts: tf.Tensor
    spaces: tuple[tf.Tensor, ...]


def tokenize_texts(program: Program, batch: tf.Tensor | tf.RaggedTensor) -> Tokens:
    """Turn each text, or each text's words, into tokens.

    Args:
        program: the compiled tokenizer.
        batch: texts, shape `(texts,)`, or their words, ragged of shape `(texts, words)`; string.
    """
    is_split = isinstance(batch, tf.RaggedTensor)
    strings = batch.values if is_split else batch
    decoded = tf.strings.unicode_decode(strings, "UTF-8")  # bytes that are no UTF-8 become U+FFFD
    splits = tf.cast(decoded.row_splits, tf.int32)
    segment = row_index(splits[1:] - splits[:-1])
    program = for_words(program) if is_split else program
    words = words_of(_characters(program, decoded.values, segment))
    tokens = program.model(words)
    characters = words.characters
    ids, word = tokens.ids, tokens.words
    start = tf.gather(characters.source, tokens.starts)
    end = tf.gather(characters.source, tokens.ends - 1) + 1
    point = tf.gather(characters.points, tokens.starts)
    is_added = point >= NUM_CODE_POINTS

    def with_added() -> tuple[tf.Tensor, tf.Tensor]:
        number = tf.where(is_added, point - NUM_CODE_POINTS, 0)
        found, last = (tf.gather(column, number) for column in characters.added)
        return tf.where(is_added, found, ids), tf.where(is_added, last + 1, end)

    ids, end = tf.cond(tf.size(characters.added.ids) > 0, with_added, lambda: (ids, end))
    token_segment = tf.gather(segment, start)
    origin = tf.gather(splits, token_segment)
    num_segments = tf.size(splits) - 1
    counts = tf.math.bincount(token_segment, minlength=num_segments, maxlength=num_segments)
    if is_split:
        word_splits = tf.cast(batch.row_splits, tf.int32)
        record = row_index(word_splits[1:] - word_splits[:-1])
        word = token_segment - tf.gather(word_splits, tf.gather(record, token_segment))
        counts = _sums(counts, word_splits)
    else:
        word_segment = tf.gather(segment, tf.gather(characters.source, words.starts))
        num_words = tf.math.bincount(word_segment, minlength=num_segments, maxlength=num_segments)
        word = word - tf.gather(exclusive_cumsum(num_words), token_segment)
    spaces = program.trimming.spaces(ids, is_added, decoded.values, start, end) if program.trimming else ()
    return Tokens(ids, start - origin, end - origin, word, counts, spaces)


def _characters(program: Program, points: tf.Tensor, text: tf.Tensor) -> Characters:
    """Take the characters of texts through the steps that come before the model.

    Args:
        program: the steps.
        points: code points. Shape `(characters,)`, int32.
        text: the text of each. Shape `(characters,)`, int32.
    """
    position = tf.range(tf.size(points))
    none = tf.zeros([0], tf.int32)
    characters = Characters(points, position, text, changes(text), Added(none, none))
    steps = [program.added_before, *program.normalizers, program.added_after, *program.pre_tokenizers]
    for step in steps:
        if step is not None:
            characters = step(characters)
    return characters


def _sums(counts: tf.Tensor, splits: tf.Tensor) -> tf.Tensor:
    """Add up the counts of each row."""
    total = tf.concat([[0], tf.cumsum(counts)], 0)
    return tf.gather(total, splits[1:]) - tf.gather(total, splits[:-1])
