import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfnlp import read_texts
from tfnlp.data.plain_texts import text_source
from tfnlp.data.problems import as_text
from tfnlp.errors import DataError
from tfnlp.labels import IGNORE_ID
from tfnlp.tasks.masked_lm.joining import TokenRows
from tfnlp.tasks.masked_lm.records import LAYOUT, checked_texts


def test_texts_of_every_kind(tmp_path):
    lines = tmp_path / "texts.txt"
    lines.write_text("a\n\n  \nb c\n")
    objects = tmp_path / "texts.jsonl"
    objects.write_text('{"text": "a"}\n{"sentence": "b c"}\n')
    for data in (lines, str(objects), ["a", "b c"], [{"text": "a"}, {"text": "b c"}], read_texts(lines)):
        assert list(checked_texts(text_source(data, LAYOUT))) == ["a", "b c"]
    assert list(checked_texts(text_source(np.array(["a", "b c"]), LAYOUT))) == ["a", "b c"]


def test_wrong_texts(tmp_path):
    with pytest.raises(DataError, match=r"^the records: record 2: `text` is empty\.$"):
        list(checked_texts(text_source(["a", " "], LAYOUT)))
    with pytest.raises(DataError, match=r"^the records: record 1: expected 'text'; found \['label'\]\.$"):
        list(checked_texts(text_source([{"label": 1}], LAYOUT)))
    with pytest.raises(DataError, match=r"^text 3: `text` must be a string; found 3\.$"):
        as_text(3, 3)
    assert as_text({"text": "a"}, 1) == "a"
    with pytest.raises(DataError, match="there is no such file"):
        read_texts(tmp_path / "none.txt")


@given(st.lists(st.lists(st.integers(-1, 5), max_size=9), max_size=6), st.integers(1, 7))
def test_joined_and_cut_no_token_is_lost_and_no_word_runs_on(texts, length):
    left, rows = TokenRows.empty(), []
    for units in texts:
        ids = np.arange(len(units), dtype=np.int32)
        known = np.where(np.array(units, np.int32) < 0, IGNORE_ID, np.sort(units)).astype(np.int32)
        joined = left.joined(TokenRows(ids, known, np.array([0, len(ids)])))
        whole = len(joined.ids) // length * length
        rows.append(joined.cut(0, whole, length))
        left = joined.cut(whole, len(joined.ids), length)
    rows.append(left)
    assert np.concatenate([part.ids for part in rows]).tolist() == [i for units in texts for i in range(len(units))]
    for part in rows[:-1]:
        assert (np.diff(part.splits) == length).all()
    found = np.concatenate([part.units for part in rows])
    expected = np.concatenate([np.where(np.array(u, int) < 0, IGNORE_ID, np.sort(u)) for u in texts] or [[]])
    assert ((found == IGNORE_ID) == (expected == IGNORE_ID)).all()


def test_units_of_neighbouring_texts_stay_apart():
    rows = TokenRows(np.zeros(2, np.int32), np.array([0, 0], np.int32), np.array([0, 2]))
    assert rows.joined(rows).units.tolist() == [0, 0, 1, 1]
