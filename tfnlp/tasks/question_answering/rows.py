"""Questions and contexts as rows, with windows of the contexts, and in each row the token that stands for no answer."""

from __future__ import annotations

from typing import Any

from tfnlp._backend import tf
from tfnlp.padding import row_ids
from tfnlp.rows import Column, Rows
from tfnlp.tokenization.tokenizer import Tokenizer


def question_rows(questions: Any, contexts: Any, tokenizer: Tokenizer, *, max_length: int, stride: int) -> Rows:
    """Make rows of questions with their contexts.

    Args:
        questions: Shape `(batch,)`, string.
        contexts: Shape `(batch,)`, string.
        tokenizer: of the network.
        max_length: the most tokens in a row.
        stride: how many tokens of a context two neighbouring rows share.

    Returns:
        Rows of tensors, with one more column: `null_token`, the place in each row of the token that stands for no
        answer, int32, one a row.

    Raises:
        ArgumentError: if a question leaves no room for its context.
    """
    rows = tokenizer.rows(questions, contexts, max_length=max_length, stride=stride, truncation="only_second")
    return rows._replace(columns={**rows.columns, "null_token": Column(_null_tokens(rows, tokenizer.hf.cls_token_id))})


def _null_tokens(rows: Rows, first_id: int | None) -> tf.Tensor:
    """Return the place of each row's first token of this id in the template, or 0. Shape `(rows,)`, int32."""
    ids = rows.values("input_ids")
    begins = tf.cast(rows.splits[:-1], tf.int32)
    is_null = tf.equal(ids, -1 if first_id is None else first_id) & (rows.values("sequence_ids") < 0)
    index = tf.where(is_null, tf.range(tf.size(ids)), tf.size(ids))
    first = tf.math.unsorted_segment_min(index, row_ids(rows.first), tf.size(begins))
    return tf.where(first < tf.size(ids), first, begins) - begins
