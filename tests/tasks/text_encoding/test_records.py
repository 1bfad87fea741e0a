import pytest

from tests.conftest import data
from tfnlp.data.sources import as_source
from tfnlp.errors import DataError
from tfnlp.tasks.text_encoding.records import LAYOUT, checked_pairs, has_scores


def read(records, scored=True):
    return list(checked_pairs(as_source(records, LAYOUT), scored=scored))


def test_names_of_fields():
    expected = [{"text": "a", "text_pair": "b", "label": 0.5}]
    for first, second, score in (
        ("sentence1", "sentence2", "score"), ("text", "text_pair", "label"), ("anchor", "positive", "similarity"),
    ):  # fmt: skip
        assert read([{first: "a", second: "b", score: "0.5"}]) == expected
    assert read([{"text": "a", "text_pair": "b", "label": 0.2}], scored=False)[0]["label"] == 1.0
    assert read([("a", "b")], scored=False) == [{"text": "a", "text_pair": "b", "label": 1.0}]


def test_whether_there_are_scores():
    assert has_scores(as_source([{"text": "a", "text_pair": "b", "label": 0}], LAYOUT))
    for record in ({"text": "a", "text_pair": "b"}, {"text": "a", "text_pair": "b", "label": float("nan")}):
        assert not has_scores(as_source([record], LAYOUT))


@pytest.mark.parametrize(
    ("record", "scored", "message"),
    [
        ({"text": "a", "text_pair": " ", "label": 1}, True, "`text_pair` is empty."),
        ({"text": "a", "label": 1}, True, "expected a pair, 'text' and 'text_pair'; found ['label', 'text']."),
        ({"text": "a", "text_pair": "b", "label": "much"}, True, "`label` must be a number, the similarity of the two; found 'much'."),
        ({"text": "a", "text_pair": "b", "label": "nan"}, True, "`label` must be a finite number; found 'nan'."),
        ({"text": "a", "text_pair": "b"}, True, "`label` is missing: the similarity of the two."),
        ({"anchor": "a", "positive": "b", "negative": "c"}, False, "it has a 'negative', which is not known here: pairs teach by the other pairs of their batch."),
    ],
)  # fmt: skip
def test_wrong_records(record, scored, message):
    with pytest.raises(DataError) as caught:
        read([record], scored)
    assert str(caught.value) == f"the records: record 1: {message}"


def test_real_files():
    from tfnlp import read_table

    table = read_table(data("cls/stsb_multi/stsb-en-dev.csv"), columns=("text", "text_pair", "label"))
    assert len(read(table)) == 1500
