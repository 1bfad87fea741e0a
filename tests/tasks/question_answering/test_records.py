import json

import pytest

from tests.conftest import data
from tfnlp import read_questions
from tfnlp.data.sources import as_source
from tfnlp.errors import ArgumentError, DataError
from tfnlp.tasks.question_answering.records import LAYOUT, as_question, checked_questions, located

CONTEXT = "Ada lived in London. Bob lived in Paris."


def read(records):
    return list(checked_questions(as_source(records, LAYOUT)))


def question(answers, **fields):
    return {"question": "Where?", "context": CONTEXT, "answers": answers, **fields}


@pytest.mark.parametrize(
    "answers",
    [
        [{"text": "London", "answer_start": 13}],
        {"text": ["London"], "answer_start": [13]},
        {"text": "London", "answer_start": 13},
        "London",
        ["London"],
        [{"text": "London", "answer_start": 11}],  # off, as in CMRC; it stands but once
    ],
)
def test_answers_in_every_form(answers):
    (record,) = read([question(answers)])
    assert located(record) == (13, 19)


def test_no_answer():
    for answers in ([], {"text": [], "answer_start": []}, [{"text": "", "answer_start": 0}]):
        (record,) = read([question(answers)])
        assert record["answers"] == []
        assert located(record) is None


def test_pairs_and_other_names():
    expected = read([question("London")])
    assert read([({"question": "Where?", "context": CONTEXT}, "London")]) == expected
    assert read([{"query": "Where?", "passage": CONTEXT, "answer": "London"}]) == expected


def test_datasets_and_tables():
    pandas = pytest.importorskip("pandas")
    datasets = pytest.importorskip("datasets")
    answers = {"text": ["London"], "answer_start": [13]}
    data = datasets.Dataset.from_list([question(answers)])
    assert read(pandas.DataFrame([question(answers)])) == read(data) == read(data.to_pandas())


def test_files(tmp_path):
    qas = [
        {"id": "1", "question": "Where?", "answers": [{"text": "London", "answer_start": 13}]},
        {"id": "2", "question": "Why?", "is_impossible": True, "answers": [], "plausible_answers": []},
    ]
    squad = tmp_path / "squad.json"
    squad.write_text(json.dumps({"data": [{"title": "t", "paragraphs": [{"context": CONTEXT, "qas": qas}]}]}))
    assert [record["answers"] for record in read(str(squad))] == [[("London", 13)], []]
    cmrc = tmp_path / "cmrc.json"
    qas = [{"query_id": "1", "query_text": "几年？", "answers": ["4.9", 4.9]}]
    cmrc.write_text(json.dumps([{"context_id": "x", "context_text": "在4.9年", "qas": qas}]))
    assert read(str(cmrc)) == [
        {"id": "1", "question": "几年？", "context": "在4.9年", "answers": [("4.9", None), ("4.9", None)]}
    ]
    lines = tmp_path / "data.jsonl"
    lines.write_text(json.dumps(question("London")) + "\n")
    assert read(str(lines)) == read([question("London")])


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (question("Rome"), "the answer 'Rome' is not in its context."),
        (question([{"text": "lived", "answer_start": 8}]), "the answer 'lived' is not in its context at 8, where 'd in ' stands."),
        (question([{"start": 5}]), "`answers` must be a list of texts, or of dicts of 'text' and 'answer_start', or a dict of two such lists; found [{'start': 5}]."),
        ({"question": "Where?", "context": CONTEXT}, "`answers` is missing: a list of answers, empty where the context holds none."),
        (question("x", context=" "), "`context` is empty."),
        (question("x", question=""), "`question` is empty."),
        (question("x", question=3), "`question` must be a string; found 3."),
        ({"text": "x"}, "expected 'question' and 'context'; found ['text']."),
    ],
)  # fmt: skip
def test_wrong_records(record, message):
    with pytest.raises(DataError) as caught:
        read([record])
    assert str(caught.value) == f"the records: record 1: {message}"


def test_wrong_files_and_inputs(tmp_path):
    with pytest.raises(ArgumentError, match=r"data\.csv: can't tell the format from the name\. Questions come as"):
        read_questions(tmp_path / "data.csv")
    path = tmp_path / "data.json"
    path.write_text("{")
    with pytest.raises(DataError, match=r"data\.json: not JSON: "):
        list(read_questions(path))
    path.write_text('{"data": [{"paragraphs": [{"qas": []}]}]}')
    with pytest.raises(DataError, match=r"data\.json: expected SQuAD's form .* or CMRC's; KeyError\('context'\)"):
        list(read_questions(path))
    with pytest.raises(DataError, match=r"^question 3: expected a dict with 'question' and 'context', or a pair"):
        as_question("Where?", 3)
    with pytest.raises(DataError, match=r"^question 1: `context` is empty\.$"):
        as_question(("Where?", ""), 1)


def test_real_files():
    found = read(str(data("qa/squad_v2_half/dev-v2.0.json")))
    assert (len(found), sum(not record["answers"] for record in found)) == (6078, 3168)
    found = read(str(data("qa/xquad/xquad.zh.json")))
    assert len(found) == 1190
    for record in found:
        start, end = located(record)
        assert record["context"][start:end] == record["answers"][0][0]


def test_places_that_are_a_little_off_take_the_nearest():
    context = "Ada met Bob. Then Ada left."
    record = {"question": "who left", "context": context, "answers": [{"text": "Ada", "answer_start": 17}]}
    (found,) = checked_questions(as_source([record], LAYOUT))
    assert located(found) == (18, 21)
    record["answers"][0]["answer_start"] = 9
    with pytest.raises(DataError, match=r"the answer 'Ada' is not in its context at 9"):
        list(checked_questions(as_source([record], LAYOUT)))


def test_the_flat_form_and_answers_that_are_not_impossible(tmp_path):
    flat = {"question": "who", "context": "Ada left", "answers": {"text": ["Ada"], "answer_start": [0]}}
    (tmp_path / "x.json").write_text(json.dumps({"data": [flat | {"is_impossible": "false"}]}))
    (record,) = read_questions(tmp_path / "x.json")
    assert record["answers"] == flat["answers"]


def test_questions_that_can_not_be_used_are_left_out_on_request(tmp_path, caplog):
    right = {"question": "who", "context": "Ada left", "answers": ["Ada"]}
    (tmp_path / "x.jsonl").write_text("\n".join(json.dumps(r) for r in (right, right | {"answers": ["Bob"]}, right)))
    with pytest.raises(DataError, match=r"record 2: the answer 'Bob' is not in its context"):
        list(checked_questions(as_source(read_questions(tmp_path / "x.jsonl"), LAYOUT)))
    source = as_source(read_questions(tmp_path / "x.jsonl", on_error="skip"), LAYOUT)
    for _ in range(2):
        assert len(list(checked_questions(source))) == 2
    assert caplog.text.count("1 of 3 records are left out: record 2: the answer 'Bob'") == 1
