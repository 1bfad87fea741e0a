import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfnlp._backend import tf
from tfnlp.tokenization.graph import trie
from tfnlp.tokenization.graph.compiler import to_tensors

CODES = st.lists(st.integers(1, 6), min_size=1, max_size=5)


@given(st.lists(CODES, max_size=30, unique_by=tuple), st.lists(st.integers(0, 7), min_size=1, max_size=30))
def test_matches_equal_a_search(keys, text):
    values = {tuple(key): i for i, key in enumerate(keys)}
    built = trie.build_trie(keys, range(len(keys)), 8)
    starts = np.arange(len(text), dtype=np.int32)
    ends = np.minimum(starts + 4, len(text)).astype(np.int32)
    lengths, found = trie.longest_matches(built, tf.constant(text), tf.constant(starts), tf.constant(ends))
    every = trie.all_matches(built, tf.constant(text), tf.constant(ends)).numpy()
    for start, end, length, value in zip(starts, ends, lengths.numpy(), found.numpy(), strict=True):
        matches = [n for n in range(1, end - start + 1) if tuple(text[start : start + n]) in values]
        expected = max(matches, default=0)
        assert (length, value) == (expected, values[tuple(text[start : start + expected])] if expected else -1)
        for n in range(1, min(every.shape[0], len(text) - start) + 1):
            assert every[n - 1, start + n - 1] == (values[tuple(text[start : start + n])] if n in matches else -1)


def test_a_walk_can_start_below_the_root():
    built = trie.build_trie([[7, 1], [1]], [0, 1], 8)
    text, start, end = tf.constant([1]), tf.constant([0]), tf.constant([1])
    assert trie.longest_matches(built, text, start, end)[1].numpy() == [1]
    below = tf.constant([built.edges.get(built.root, 7)])
    assert trie.longest_matches(built, text, start, end, below)[1].numpy() == [0]
    assert trie.longest_matches(built, text, start, end, tf.constant([built.leaf]))[1].numpy() == [-1]


@pytest.mark.slow
def test_a_large_trie_finds_its_keys_and_is_small():
    source = np.random.default_rng(0)
    keys = list({tuple(source.integers(1, 60, source.integers(1, 9)).tolist()) for _ in range(3000)})
    built = to_tensors(trie.build_trie(keys, range(len(keys)), 60))
    nodes = len({key[:n] for key in keys for n in range(1, len(key) + 1)})
    assert built.edges.keys.shape[0] < 1.1 * nodes
    lengths = np.array([len(key) for key in keys], np.int32)
    starts = (np.cumsum(lengths) - lengths).astype(np.int32)
    text = tf.constant(np.concatenate(keys).astype(np.int32))
    found = trie.longest_matches(built, text, tf.constant(starts), tf.constant(starts + lengths))
    assert found[0].numpy().tolist() == lengths.tolist()
    assert found[1].numpy().tolist() == list(range(len(keys)))
