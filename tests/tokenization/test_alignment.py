import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfnlp.labels import Span
from tfnlp.tokenization import alignment
from tfnlp.tokenization.encoded import Encoded


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
    return Encoded(
        splits, np.array(row_to_record), ids, ids * 0, word_ids, starts, starts + 2 * (1 - special), special, -special
    )


WORDS = st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=8), min_size=1, max_size=4)


@given(WORDS, st.integers(2, 9), st.integers(0, 1))
def test_every_word_is_answered_by_a_first_token(records, room, stride):
    encoded = encode(records, room=room, stride=stride)
    tokens, words = alignment.answering_tokens(encoded)
    assert words.tolist() == list(range(sum(map(len, records))))
    assert (encoded.starts[tokens] == 0).all()
    assert (alignment.word_index(encoded)[tokens] == words).all()


@given(WORDS, st.integers(2, 9), st.integers(0, 1))
def test_labels_go_to_first_tokens_or_to_all(records, room, stride):
    encoded = encode(records, room=room, stride=stride)
    labels = [[word % 3 for word in range(len(words))] for words in records]
    first = alignment.token_labels(encoded, labels)
    every = alignment.token_labels(encoded, labels, all_tokens=True)
    is_text = encoded.special_tokens_mask == 0
    assert ((first >= 0) == (is_text & (encoded.starts == 0))).all()
    assert (every[is_text] == encoded.word_ids[is_text] % 3).all()
    assert (every[~is_text] == -100).all()


def test_the_window_with_most_context_answers():
    encoded = encode([[1] * 6], room=4, stride=2)  # [CLS] 0 1 2 3 [SEP] [CLS] 2 3 4 5 [SEP]
    tokens, words = alignment.answering_tokens(encoded)
    assert encoded.rows[tokens].tolist() == [0, 0, 0, 1, 1, 1]
    assert words.tolist() == [0, 1, 2, 3, 4, 5]


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
    found = alignment.word_bounds(encoded, ["abcd", " b"])
    assert [bounds.tolist() for bounds in found] == [[[0, 4], [0, 2]], [[1, 2]]]
