from tfnlp._backend import tf
from tfnlp.tasks.text_spans import by_record, substrings, trimmed

TEXTS = tf.constant(["  ab  c\u3000", "   ", "Zürich 北京"])


def test_white_space_at_the_ends_is_left_out():
    starts, ends, records = map(tf.constant, ([0, 4, 7, 0], [4, 7, 8, 3], [0, 0, 0, 1]))
    found = trimmed(TEXTS, starts, ends, records)
    pairs = list(zip(*(column.numpy().tolist() for column in found), strict=True))
    assert pairs[:2] == [(2, 4), (6, 7)]
    assert all(start == end for start, end in pairs[2:])


def test_spans_as_strings():
    starts, ends, records = map(tf.constant, ([2, 0, 7, 3], [4, 6, 9, 3], [0, 2, 2, 2]))
    found = [text.decode() for text in substrings(TEXTS, starts, ends, records).numpy()]
    assert found == ["ab", "Zürich", "北京", ""]


def test_a_row_for_each_record():
    found = by_record(tf.constant([1, 2, 3]), tf.constant([0, 2, 2]), tf.constant(4))
    assert found.to_list() == [[1], [], [2, 3], []]
