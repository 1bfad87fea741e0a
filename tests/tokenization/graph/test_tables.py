import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfnlp._backend import tf
from tfnlp.tokenization.graph import tables
from tfnlp.tokenization.graph.probing import NUM_CODE_POINTS

PAIRS = st.dictionaries(st.tuples(st.integers(0, 300), st.integers(0, 40)), st.integers(0, 1000), max_size=200)


@given(PAIRS)
def test_pairs_are_found_and_no_others(pairs):
    first, second = np.array(list(pairs), np.int64).reshape(-1, 2).T
    table = tables.build_pair_table(first, second, np.array([*pairs.values()], np.int64), 41)
    asked = np.array([(i, j) for i in range(0, 301, 7) for j in range(41)] + list(pairs), np.int32)
    found = table(tf.constant(asked[:, 0]), tf.constant(asked[:, 1])).numpy()
    assert found.tolist() == [pairs.get(pair, -1) for pair in map(tuple, asked.tolist())]


@pytest.mark.parametrize("stride", [50_000, 1 << 33])
def test_many_pairs_with_the_first_of_all(stride):
    """The pair of two zeros is one of them: GPT-2 merges its token 0 with itself."""
    source = np.random.default_rng(0)
    first, second = source.integers(0, 50_000, (2, 50_000))
    first[0] = second[0] = 0
    keys = {pair: i for i, pair in enumerate(zip(first.tolist(), second.tolist(), strict=True))}
    table = tables.build_pair_table(first, second, np.arange(50_000), stride)
    found = table(tf.constant(first, tf.int32), tf.constant(second, tf.int32)).numpy()
    assert found.tolist() == [keys[pair] for pair in zip(first.tolist(), second.tolist(), strict=True)]
    assert len(table.keys) < 1.06 * len(keys) + 3


def test_a_table_of_characters():
    numbers = np.zeros(NUM_CODE_POINTS, np.int64)
    numbers[[0, 65, 0x1F600, NUM_CODE_POINTS - 1]] = 1, 2, 70_000, 4
    table = tables.build_character_table(numbers, of_added_tokens=9)
    asked = [0, 1, 65, 0x1F600, NUM_CODE_POINTS - 1, NUM_CODE_POINTS, NUM_CODE_POINTS + 12_345]
    assert table(tf.constant(asked)).numpy().tolist() == [1, 0, 2, 70_000, 4, 9, 9]
