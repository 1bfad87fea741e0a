import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfnlp.labels import Span
from tfnlp.rows import Column, Rows
from tfnlp.tokenization import alignment


def encode(records, *, room=100, stride=0):
    """Encode words given by their numbers of tokens, each token two characters, in windows with special tokens."""
    rows, row_to_record = [], []
    for record, words in enumerate(records):
        tokens = [(word, 2 * k) for word, count in enumerate(words) for k in range(count)]
        start = 0
        while True:
            rows.append([(-1, 0), *tokens[start : start + room], (-1, 0)])
            row_to_record.append(record)
            if start + room >= len(tokens):
                break
            start += room - stride
    flat = [token for row in rows for token in row]
    word_ids = np.array([word for word, _ in flat], np.int32)
    starts = np.array([start for _, start in flat], np.int32)
    special = (word_ids < 0).astype(np.int32)
    splits = np.cumsum([0, *map(len, rows)])
    ids = np.arange(len(flat), dtype=np.int32)
    flat = {
        "input_ids": ids, "word_ids": word_ids, "starts": starts, "ends": starts + 2 * (1 - special),
        "special_tokens_mask": special, "sequence_ids": -special,
    }  # fmt: skip
    return Rows({name: Column(values, splits) for name, values in flat.items()}, np.array(row_to_record))


WORDS = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=8), min_size=1, max_size=4)


@given(WORDS, st.integers(2, 9), st.integers(0, 1))
def test_labels_go_to_first_tokens_or_to_all(records, room, stride):
    encoded = encode(records, room=room, stride=stride)
    labels = [[word % 3 for word in range(len(words))] for words in records]
    first = alignment.token_labels(encoded, labels)
    every = alignment.token_labels(encoded, labels, all_tokens=True)
    is_text = encoded.values("special_tokens_mask") == 0
    assert ((first >= 0) == (is_text & (encoded.values("starts") == 0))).all()
    assert (every[is_text] == encoded.values("word_ids")[is_text] % 3).all()
    assert (every[~is_text] == -100).all()


BOUNDS = np.array([[0, 3], [4, 6], [7, 12], [12, 13]])


@pytest.mark.parametrize(
    ("spans", "tags", "unaligned"),
    [
        ([Span("A", 0, 3)], ["B-A", "O", "O", "O"], 0),
        ([Span("A", 3, 13)], ["O", "B-A", "I-A", "I-A"], 0),
        ([Span("A", 0, 5)], [None, None, "O", "O"], 1),
        ([Span("A", 8, 10)], ["O", "O", None, "O"], 1),
        ([Span("A", 3, 4)], ["O", "O", "O", "O"], 1),
        ([Span("A", 0, 6), Span("B", 4, 12)], ["B-A", "I-A", None, "O"], 1),
        ([Span("B", 7, 12), Span("A", 0, 3)], ["B-A", "O", "B-B", "O"], 0),
    ],
)
def test_spans_become_tags_of_words(spans, tags, unaligned):
    found = alignment.tag_words(BOUNDS, spans)
    assert found.tags == tags
    assert len(found.unaligned) == unaligned


def test_bounds_of_words():
    encoded = encode([[2, 1], [1]])
    assert [bounds.tolist() for bounds in alignment.word_bounds(encoded)] == [[[0, 4], [0, 2]], [[0, 2]]]
