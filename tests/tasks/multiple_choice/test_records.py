import json

import pytest

from tests.conftest import data
from tfnlp import read_choices
from tfnlp.data.sources import as_source
from tfnlp.errors import ArgumentError, DataError
from tfnlp.tasks.multiple_choice.records import LAYOUT, as_choices, checked_choices

EXPECTED = {"prompt": "Where?", "choices": ["here", "there"], "label": 1}


def read(records):
    return list(checked_choices(as_source(records, LAYOUT)))


@pytest.mark.parametrize(
    "record",
    [
        {"prompt": "Where?", "choices": ["here", "there"], "label": 1},
        {"prompt": "Where?", "choices": ["here", "there"], "label": "there"},
        {"ctx": "Where?", "endings": ["here", "there"], "label": "1"},
        {"question": "Where?", "choices": {"label": ["A", "B"], "text": ["here", "there"]}, "answerKey": "B"},
        {"question": {"stem": "Where?", "choices": [{"label": "A", "text": "here"}, {"label": "B", "text": "there"}]}, "answerKey": "B"},
    ],
)  # fmt: skip
def test_every_form(record):
    (found,) = read([record])
    assert {name: found[name] for name in EXPECTED} == EXPECTED


def test_tables():
    datasets = pytest.importorskip("datasets")
    choices = {"label": ["A", "B"], "text": ["here", "there"]}
    data = datasets.Dataset.from_list([{"question": "Where?", "choices": choices, "answerKey": "B"}])
    assert read(data.to_pandas())[0]["label"] == read(data)[0]["label"] == 1


def test_names_come_before_texts_and_those_before_numbers():
    choices = {"label": ["1", "2"], "text": ["a", "b"]}
    assert read([{"prompt": "x", "choices": choices, "label": "1"}])[0]["label"] == 0
    assert read([{"prompt": "x", "choices": ["1", "0"], "label": "1"}])[0]["label"] == 0


def test_files(tmp_path):
    lines = tmp_path / "data.jsonl"
    lines.write_text(json.dumps(EXPECTED) + "\n")
    assert read(str(lines))[0]["label"] == 1
    text = tmp_path / "hellaswag.txt"
    text.write_text("Where?\n1\nhere\nthere\nup\ndown\n")
    assert read(str(text)) == [{"prompt": "Where?", "choices": ["here", "there", "up", "down"], "label": 1}]
    text.write_text("Where?\nB\nhere\nthere\nup\ndown\n")
    with pytest.raises(DataError, match=r"hellaswag\.txt:2: expected the number of an ending, found 'B'\."):
        list(read_choices(text))
    text.write_text("Where?\n1\nhere\n")
    with pytest.raises(DataError, match=r"the last prompt lacks lines: it has 3 of 6\."):
        list(read_choices(text))
    with pytest.raises(ArgumentError, match=r"data\.csv: can't tell the format from the name\. Choices come as"):
        read_choices(tmp_path / "data.csv")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (EXPECTED | {"choices": ["here"]}, "`choices` must be at least two; there are 1."),
        (EXPECTED | {"choices": "here"}, "`choices` must be a list of texts; found 'here'."),
        (EXPECTED | {"choices": ["here", ""]}, "`choices` is empty."),
        (EXPECTED | {"prompt": " "}, "`prompt` is empty."),
        (EXPECTED | {"label": "nowhere"}, "`label` 'nowhere' is none of the 2 choices ['here', 'there']."),
        (EXPECTED | {"label": -1}, "`label` -1 is none of the 2 choices ['here', 'there']."),
        (EXPECTED | {"label": None}, "`label` is missing: the index of the right choice, its name, or its text."),
        ({"text": "x"}, "expected 'prompt' and 'choices'; found ['text']."),
    ],
)
def test_wrong_records(record, message):
    with pytest.raises(DataError) as caught:
        read([record])
    assert str(caught.value) == f"the records: record 1: {message}"


def test_wrong_inputs():
    with pytest.raises(DataError, match=r"^prompt 2: expected a dict with 'prompt' and 'choices', or a pair of them"):
        as_choices("Where?", 2)
    with pytest.raises(DataError, match=r"^prompt 1: `choices` must be at least two; there are 1\.$"):
        as_choices(("Where?", ["here"]), 1)


def test_real_files():
    found = read(str(data("mc/commonsense_qa_dev/dev_rand_split.jsonl")))
    assert len(found) == 1221
    assert {len(record["choices"]) for record in found} == {5}
    found = read(str(data("mc/hellaswag_val/hellaswag_val_full.txt.bz2")))
    assert len(found) == 10042
    assert {record["label"] for record in found} == {0, 1, 2, 3}
