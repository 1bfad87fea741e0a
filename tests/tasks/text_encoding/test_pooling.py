import numpy as np
import pytest

from tfnlp.errors import ArgumentError
from tfnlp.tasks.text_encoding.pooling import Pooling

VECTORS = np.array([[[1, -2], [3, -4], [9, 9]], [[5, 5], [0, 0], [0, 0]]], np.float32)
MASK = np.array([[1, 1, 0], [1, 0, 0]], np.int32)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("mean", [[2, -3], [5, 5]]), ("cls", [[1, -2], [5, 5]]), ("max", [[3, -2], [5, 5]])],
)
def test_modes(mode, expected):
    layer = Pooling(mode)
    assert layer(VECTORS, MASK).numpy().tolist() == expected
    assert Pooling.from_config(layer.get_config()).mode == mode


def test_rows_without_tokens():
    assert Pooling("mean")(VECTORS, MASK * 0).numpy().tolist() == [[0, 0], [0, 0]]


def test_another_mode():
    with pytest.raises(ArgumentError, match=r"^`pooling` must be one of \('mean', 'cls', 'max'\); it is 'sum'\.$"):
        Pooling("sum")
