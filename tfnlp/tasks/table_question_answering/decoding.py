"""Chosen cells of tables as answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tfnlp._backend import tf
from tfnlp.checkpoints.tapas import COLUMN, ROW, SEGMENT
from tfnlp.outputs import TableAnswer
from tfnlp.padding import row_ids
from tfnlp.rows import Column
from tfnlp.tasks.table_question_answering.records import number_in
from tfnlp.tasks.text_spans import by_record

_THRESHOLD = 0.5  # from which the mean over a cell's tokens chooses it
_MOST = 2**16  # columns, and rows, of a table


def chosen_cells(logits: Column, types: tf.Tensor) -> tf.Tensor:
    """Choose cells, as transformers' `TapasTokenizer.convert_logits_to_predictions`.

    Args:
        logits: of tokens, a row for each question.
        types: of tokens. Shape `(tokens, 7)`, int32.

    Returns:
        Row and column of each chosen cell, from 0, in the order of the table, filled up with -1. Shape
        `(questions, most cells, 2)`, int32.
    """
    num_questions = tf.size(logits.splits, tf.int64) - 1
    place = tf.cast(types, tf.int64)
    row, column = place[:, ROW] - 1, place[:, COLUMN] - 1
    is_cell = tf.equal(place[:, SEGMENT], 1) & (row >= 0) & (column >= 0)
    key = (tf.cast(row_ids(logits), tf.int64) * _MOST + row) * _MOST + column
    cells, of_token = tf.unique(tf.boolean_mask(key, is_cell), tf.int32)
    scores = tf.boolean_mask(tf.sigmoid(logits.values), is_cell)
    chosen = tf.boolean_mask(cells, tf.math.unsorted_segment_mean(scores, of_token, tf.size(cells)) > _THRESHOLD)
    chosen = tf.sort(chosen)
    places = tf.cast(tf.stack([chosen // _MOST % _MOST, chosen % _MOST], 1), tf.int32)
    question = tf.cast(chosen // _MOST**2, tf.int32)
    return by_record(places, question, tf.cast(num_questions, tf.int32)).to_tensor(-1)


def table_answer(table: Any, places: Sequence[tuple[int, int]], aggregator: str, *, is_none: bool) -> TableAnswer:
    """Write down the cells that were chosen, and what is done with them.

    Args:
        table: a `pandas.DataFrame` of texts.
        places: row and column of each cell.
        aggregator: what is done with the cells; empty: the checkpoint knows nothing to be done.
        is_none: whether it is that nothing is done.
    """
    cells = tuple(str(table.iat[place]) for place in places)
    prefix = "" if is_none or not aggregator else f"{aggregator} > "
    value = aggregated(aggregator, cells)
    return TableAnswer(prefix + ", ".join(cells), tuple((row, col) for row, col in places), cells, aggregator, value)


def aggregated(name: str, cells: Sequence[str]) -> float | None:
    """Return the number that comes out of cells; None: nothing is done with them, or they are no numbers."""
    if name == "COUNT":
        return float(len(cells))
    numbers = [number_in(cell) for cell in cells]
    known = [number for number in numbers if number is not None]
    if name not in ("SUM", "AVERAGE") or not known or len(known) < len(numbers):
        return None
    return math.fsum(known) / (len(known) if name == "AVERAGE" else 1)
