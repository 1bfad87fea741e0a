import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfnlp import padding, rows
from tfnlp._backend import tf
from tfnlp.rows import Column, Rows, as_numpy

COLUMN = Column(tf.range(1, 7), tf.constant([0, 1, 4, 6], tf.int64))


def test_rows_are_filled_up_on_either_side():
    assert padding.filled(COLUMN, 9, 4).numpy().tolist() == [[1, 9, 9, 9], [2, 3, 4, 9], [5, 6, 9, 9]]
    assert padding.filled(COLUMN, 9, 3, "left").numpy().tolist() == [[9, 9, 1], [2, 3, 4], [9, 5, 6]]
    assert padding.is_filled(COLUMN, 3, "left").numpy().tolist() == [[0, 0, 1], [1, 1, 1], [0, 1, 1]]


@pytest.mark.parametrize("side", ["left", "right"])
@given(sizes=st.lists(st.integers(0, 5), max_size=6), inner=st.sampled_from([(), (2,)]))
def test_what_is_filled_up_is_flattened_again(side, sizes, inner):
    splits = np.cumsum([0, *sizes])
    values = np.arange(splits[-1] * max(1, sum(inner)), dtype=np.float32).reshape(-1, *inner)
    column = Column(tf.constant(values), tf.constant(splits, tf.int64))
    size = padding.size_of(column)
    assert size == max([1, *sizes])
    matrix = padding.filled(column, -1, size, side)
    back = as_numpy(padding.flattened(matrix, padding.is_filled(column, size, side)))
    assert back.values.tolist() == values.tolist()
    assert back.splits.tolist() == splits.tolist()


@pytest.mark.parametrize("chosen", [[2, 0], [1], []])
def test_rows_taken_in_numpy_and_in_tensorflow(chosen):
    chosen = np.array(chosen, np.int64)
    ours, theirs = rows.taken(as_numpy(COLUMN), chosen), as_numpy(padding.taken(COLUMN, tf.constant(chosen)))
    assert ours.values.tolist() == theirs.values.tolist()
    assert ours.splits.tolist() == theirs.splits.tolist()


def test_rows_of_records():
    some = Rows({"ids": as_numpy(COLUMN)}, np.array([0, 0, 3]), {"gold": Column(np.array([7, 8, 9]))})
    assert some.row_ids.tolist() == [0, 1, 1, 1, 2, 2]
    assert some.record_ids.tolist() == [0, 0, 0, 0, 3, 3]
    assert some.first_rows.tolist() == [0, 2]
    part = some.taken(np.array([1, 2]))
    assert part.values("ids").tolist() == [2, 3, 4, 5, 6]
    assert part.targets["gold"].values.tolist() == [8, 9]
    assert part.with_columns(more=np.ones(5)).columns["more"].splits is part.splits
