import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tfnlp._backend import tf
from tfnlp.tokenization.graph import trie

CODES = st.lists(st.integers(1, 6), min_size=1, max_size=5)


@given(st.lists(CODES, max_size=30, unique_by=tuple), st.lists(st.integers(0, 7), min_size=1, max_size=30))
def test_longest_matches_equal_a_search(keys, text):
    values = {tuple(key): i for i, key in enumerate(keys)}
    built = trie.build_trie(((key, i) for i, key in enumerate(keys)), 8)
    starts = np.arange(len(text), dtype=np.int32)
    ends = np.minimum(starts + 4, len(text)).astype(np.int32)
    lengths, found = trie.longest_matches(built, tf.constant(text), tf.constant(starts), tf.constant(ends))
    for start, end, length, value in zip(starts, ends, lengths.numpy(), found.numpy(), strict=True):
        matches = [n for n in range(1, end - start + 1) if tuple(text[start : start + n]) in values]
        expected = max(matches, default=0)
        assert (length, value) == (expected, values[tuple(text[start : start + expected])] if expected else -1)


def test_a_walk_can_start_below_the_root():
    built = trie.build_trie([([7, 1], 0), ([1], 1)], 8)
    text, start, end = tf.constant([1]), tf.constant([0]), tf.constant([1])
    assert trie.longest_matches(built, text, start, end)[1].numpy() == [1]
    assert trie.longest_matches(built, text, start, end, root=built.child(trie.ROOT, 7))[1].numpy() == [0]
    assert trie.longest_matches(built, text, start, end, root=built.child(trie.ROOT, 3))[1].numpy() == [-1]


def test_the_table_of_a_vocabulary_is_small():
    source = np.random.default_rng(0)
    keys = [(source.integers(1, 60, source.integers(1, 9)).tolist(), i) for i in range(3000)]
    built = trie.build_trie(keys, 60)
    nodes = len({tuple(key[:n]) for key, _ in keys for n in range(len(key) + 1)})
    assert len(built.base) < 1.2 * nodes + 200
