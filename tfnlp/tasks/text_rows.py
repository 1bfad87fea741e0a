"""Whole texts, or pairs of them: as rows, a long one as several; and what the network says of rows, for each text."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfnlp._backend import tf
from tfnlp.padding import taken
from tfnlp.rows import Column, Rows
from tfnlp.tasks.settings import Truncation, Windows
from tfnlp.tokenization.tokenizer import Tokenizer


def text_rows(
    tokenizer: Tokenizer,
    texts: Any,
    text_pairs: Any = None,
    *,
    max_length: int,
    stride: int,
    truncation: Truncation = "only_second",
    windows: Windows = "mean",
) -> Rows:
    """Make rows of texts, or of pairs of them: those that count.

    Args:
        tokenizer: of the network.
        texts: Shape `(batch,)`, string.
        text_pairs: the second text of each. Shape `(batch,)`, string.
        max_length: the most tokens in a row.
        stride: how many tokens of a text two neighbouring rows share.
        truncation: of a pair, which text becomes several rows, or `longest_first`: both are cut, to one row.
        windows: of a text with several rows, whether all count, to the `mean` of what is said of them, or the `first`.

    Raises:
        ArgumentError: if one text of a pair leaves no room for the other.
    """
    cut = None if text_pairs is None else truncation
    stride = 0 if cut == "longest_first" else stride
    rows = tokenizer.rows(texts, text_pairs, max_length=max_length, stride=stride, truncation=cut)
    if windows == "mean":
        return rows
    record = rows.row_to_record
    first = tf.where(tf.concat([[True], record[1:] != record[:-1]], 0)[: tf.size(record)])[:, 0]
    return Rows({name: taken(column, first) for name, column in rows.columns.items()}, tf.gather(record, first))


def mean_of_rows(column: Column, rows: Rows, num_records: tf.Tensor | int) -> tf.Tensor:
    """Return the mean of what the network says of each record's rows. Shape `(num_records, ...)`."""
    return tf.math.unsorted_segment_mean(column.values, rows.row_to_record, num_records)


def with_target(rows: Rows, gold: np.ndarray, output: str = "logits") -> Rows:
    """Let each row learn what is right for its record. Rows of NumPy arrays; `gold` has shape `(records, ...)`."""
    return rows._replace(targets={output: Column(gold[rows.row_to_record])})
