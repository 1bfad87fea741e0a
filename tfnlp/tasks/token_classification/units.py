"""Tokens with the scores of labels, and what they make: words and entities. Tensors by column."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from tfnlp._backend import tf
from tfnlp.padding import row_ids
from tfnlp.rows import Rows


class TokenScores(NamedTuple):
    """The tokens of some records' rows, without special tokens; all of shape `(tokens,)` but `scores`.

    Attributes:
        scores: probabilities. Shape `(tokens, labels)`, float32.
        starts: the first character in the record's text. int32.
        ends: the character after the last. int32.
        rows: the row of each, ascending. int32.
        records: the record of each, ascending. int32.
        is_subword: whether each continues a word. bool.
    """

    scores: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    rows: tf.Tensor
    records: tf.Tensor
    is_subword: tf.Tensor


class Places(NamedTuple):
    """Where tokens, words or entities stand; all of shape `(units,)`.

    `first_tokens` and `last_tokens` index the tokens that were decoded; the others are as in `TokenScores`.
    """

    starts: tf.Tensor
    ends: tf.Tensor
    rows: tf.Tensor
    records: tf.Tensor
    first_tokens: tf.Tensor
    last_tokens: tf.Tensor


class Units(NamedTuple):
    """Tokens, words or entities with a label each; all of shape `(units,)`.

    `begins` tells whether the label of the first token says that an entity begins there (`B-`); the others are as in
    `TokenScores` and `Places`.
    """

    labels: tf.Tensor
    scores: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    rows: tf.Tensor
    records: tf.Tensor
    first_tokens: tf.Tensor
    last_tokens: tf.Tensor
    begins: tf.Tensor


Columns = TypeVar("Columns", TokenScores, Places, Units)


def at(columns: Columns, index: tf.Tensor) -> Columns:
    """Return the tokens or units at these indices."""
    return type(columns)(*(tf.gather(column, index) for column in columns))


def token_scores(logits: tf.Tensor, rows: Rows) -> tuple[TokenScores, tf.Tensor]:
    """Return the tokens of rows but special ones, and their places among all tokens.

    Args:
        logits: of all tokens. Shape `(tokens, labels)`, float32.
        rows: by `token_rows`.
    """
    row = row_ids(rows.first)
    columns = {
        "scores": tf.nn.softmax(logits),
        "starts": rows.values("starts"),
        "ends": rows.values("ends"),
        "rows": row,
        "records": tf.gather(rows.row_to_record, row),
        "is_subword": tf.cast(rows.values("is_subword"), tf.bool),
    }
    place = tf.where(tf.equal(rows.values("special_tokens_mask"), 0))[:, 0]
    return TokenScores(**{name: tf.gather(column, place) for name, column in columns.items()}), place


def differs(values: tf.Tensor) -> tf.Tensor:
    """Tell where a value differs from the one before it; the first does."""
    return tf.concat([tf.ones_like(values[:1], tf.bool), tf.not_equal(values[1:], values[:-1])], 0)


def ends_of(first: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Return the last index of each group, from the first indices."""
    return tf.concat([first[1:], tf.fill(tf.shape(first[:1]), size)], 0) - 1
