import json

import numpy as np
import pytest
import transformers
from hypothesis import given
from hypothesis import strategies as st

import tfnlp
from tests.commands import predict, run_command, run_example, train
from tests.conftest import data
from tests.marks import slow_case
from tests.tiny import LONG_TEXT, QUESTIONS, TEXTS, UNNAMED, build_task, write_checkpoint
from tfnlp import QuestionAnswerer
from tfnlp._backend import tf
from tfnlp.data.sources import as_source
from tfnlp.errors import ArgumentError, DataError
from tfnlp.export import ask
from tfnlp.tasks.question_answering.records import LAYOUT, checked_questions, located
from tfnlp.tasks.windows import shown_best

ASKED = [{"question": "who lives", "context": text} for text in TEXTS]
LONG = {"question": "who ?", "context": LONG_TEXT}
IMPOSSIBLE = [*QUESTIONS, {"question": "why", "context": TEXTS[2], "answers": []}]


@pytest.fixture(scope="module")
def random(tmp_path_factory):
    """A checkpoint with random weights, its directory and the task."""
    directory = write_checkpoint(
        "bert", tmp_path_factory.mktemp("random") / "bert", head="QuestionAnswering", **UNNAMED
    )
    return directory, QuestionAnswerer.from_pretrained(directory, max_length=24, stride=6)


@pytest.fixture(scope="module")
def unsure(tmp_path_factory):
    """A task that has learned that a question may have no answer."""
    task = build_task(QuestionAnswerer, "bert", tmp_path_factory.mktemp("unsure"), {"initializer_range": 0.3})
    task.fit(IMPOSSIBLE, epochs=60, learning_rate=1e-2, batch_size=6, verbose=0)
    return task


@pytest.mark.slow
def test_questions_without_an_answer(unsure, tmp_path):
    assert unsure.settings.handle_impossible_answer
    report = unsure.evaluate(IMPOSSIBLE)
    assert report.no_answer.f1 == report.has_answer.f1 == 1.0
    (question,) = IMPOSSIBLE[-1:]
    answer = unsure.predict(question)
    assert (answer.text, answer.start, answer.end, answer.score) == ("", 0, 0, answer.null_score)
    assert unsure.predict(question, top_k=2)[1].text
    unsure.export(tmp_path / "1", samples=[(q["question"], q["context"]) for q in IMPOSSIBLE])
    served = ask(tmp_path / "1", question=[question["question"]], context=[question["context"]])
    assert (served["answer"].tolist(), served["start"].tolist(), served["end"].tolist()) == ([b""], [0], [0])
    assert served["score"] == pytest.approx([answer.null_score], abs=1e-5)
    assert {name: value.shape for name, value in served.items()} == {
        **dict.fromkeys(("answer", "start", "end", "score", "null_score"), (1,)),
        **dict.fromkeys(("answers", "starts", "ends", "scores"), (1, 5)),
    }


def test_the_threshold_is_tuned_and_kept(unsure, tmp_path):
    before = unsure.settings
    threshold = unsure.tune_threshold(IMPOSSIBLE)
    assert unsure.evaluate(IMPOSSIBLE).f1 == 1.0
    unsure.save(tmp_path / "saved")
    assert tfnlp.load(tmp_path / "saved").settings.null_threshold == pytest.approx(threshold)
    unsure.settings = before


def test_answers_are_stretches_of_their_context(random):
    _, task = random
    for given_, answers in zip([*ASKED, LONG], task.predict([*ASKED, LONG], top_k=20), strict=True):
        assert len({(answer.start, answer.end) for answer in answers}) == len(answers) > 1
        assert [answer.score for answer in answers] == sorted((a.score for a in answers), reverse=True)
        for answer in answers:
            assert answer.text == given_["context"][answer.start : answer.end] != ""
            assert 0 < answer.score < 1


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")  # PyTorch's, 2026-11
@pytest.mark.parametrize(("name", "align"), [("bert", True), ("bert", False), slow_case("roberta", True)])
def test_answers_equal_transformers_pipeline_in_one_window(name, align, tmp_path):
    pytest.importorskip("torch")
    directory = write_checkpoint(name, tmp_path / name, head="QuestionAnswering", **UNNAMED)
    pipe = transformers.pipeline("question-answering", model=str(directory))
    context = "Bob Stone went to New York . Ada lives in Paris !"  # in which no word stands twice
    options = {"align_to_words": align, "handle_impossible_answer": True}
    task = QuestionAnswerer.from_pretrained(directory, max_answer_length=15, **options)
    for question in TEXTS:
        theirs = pipe(question=question, context=context, top_k=5, **options)
        ours = task.predict((question, context), top_k=5)
        assert [answer.score for answer in ours] == pytest.approx([a["score"] for a in theirs], abs=1e-6)
        assert [(answer.start, answer.end) for answer in ours] == [(a["start"], a["end"]) for a in theirs]


def test_windows(random):
    _, task = random
    records = [{**LONG, "answers": [{"text": "house", "answer_start": LONG_TEXT.rindex("house")}]}]
    (chunk,) = task.training_rows(task.source(records))
    starts, ends = chunk.targets["start_logits"].values, chunk.targets["end_logits"].values
    assert len(starts) > 5
    assert 0 < np.count_nonzero(starts) < len(starts)  # the others point to their first token
    house = task.tokenizer.hf.convert_tokens_to_ids("house")
    for row in np.flatnonzero(starts):
        assert starts[row] == ends[row]
        assert chunk.values("input_ids")[chunk.splits[row] + starts[row]] == house


@given(st.lists(st.integers(1, 60), min_size=1, max_size=4), st.integers(2, 20), st.integers(0, 19))
def test_each_token_is_judged_once_where_most_is_around_it(sizes, length, stride):
    stride = min(stride, length - 1)
    rows, records, positions, tokens = [], [], [], []
    for record, size in enumerate(sizes):
        starts = [0]
        while starts[-1] + length < size:
            starts.append(starts[-1] + length - stride)
        for start in starts:
            count = min(length, size - start)
            rows += [len(records)] * count
            positions += range(count)
            tokens += [(record, start + i) for i in range(count)]
            records.append(record)
    lengths = np.bincount(rows)
    shown = shown_best(*(tf.constant(x, tf.int32) for x in (positions, lengths, rows, records)), stride).numpy()
    chosen = [token for token, is_shown in zip(tokens, shown, strict=True) if is_shown]
    assert chosen == [(record, i) for record, size in enumerate(sizes) for i in range(size)]
    around = np.minimum(positions, lengths[rows] - 1 - np.array(positions))
    for token, is_shown, here in zip(tokens, shown, around, strict=True):
        others = [around[i] for i, other in enumerate(tokens) if other == token]
        is_inner = len({rows[i] for i, other in enumerate(tokens) if other == token}) == 2
        if is_shown and is_inner and lengths.min() == length:
            assert here == max(others)


@pytest.mark.slow  # the conformance tests serve long contexts too
def test_long_contexts_are_served(random, tmp_path):
    _, task = random
    task.export(tmp_path / "1", samples=[LONG, *ASKED, {"question": "x", "context": " \u3000a  b "}])


def test_a_context_that_the_tokenizer_drops(random):
    assert random[1].predict(("x", "\x01")).text == ""


def test_wrong_input(random):
    _, task = random
    assert task.predict(tuple(ASKED)) == task.predict(ASKED)
    with pytest.raises(DataError, match=r"^the records: the tokenizer drops the whole answer of each question\.$"):
        task.fit([{"question": "x", "context": "a \x01 b", "answers": ["\x01"]}], verbose=0)
    with pytest.raises(DataError, match=r"^question 2: `context` is empty\.$"):
        task.predict([ASKED[0], ("who", "")])
    with pytest.raises(ArgumentError, match=r"^one text of a pair leaves no room"):
        task.predict((LONG_TEXT, "x"))
    with pytest.raises(ArgumentError, match=r"^`top_k` must be at least 1; it is 0\.$"):
        task.predict(ASKED[0], top_k=0)
    with pytest.raises(ArgumentError, match=r"^`label_weights` is for tasks with labels"):
        task.fit(QUESTIONS, label_weights={"a": 2.0}, verbose=0)
    with pytest.raises(ArgumentError, match=r"^this model always answers"):
        task.tune_threshold(QUESTIONS)
    with pytest.raises(ArgumentError, match=r"^`max_answer_length` must be at least 1; it is 0\.$"):
        QuestionAnswerer.from_pretrained(random[0], max_answer_length=0)


def test_another_task_s_checkpoint(tmp_path):
    """A head of five labels becomes one of a start and an end."""
    directory = write_checkpoint("bert", tmp_path / "bert")
    task = QuestionAnswerer.from_pretrained(directory)
    assert task.predict(ASKED[0]).text in TEXTS[0]


@pytest.mark.slow
def test_chinese_offsets(tmp_path):
    """Each answer of XQuAD's Chinese questions is found again from the tokens that stand for it."""
    vocabulary, questions = data("tok/bert_chinese"), data("qa/xquad/xquad.zh.json")
    tokenizer = transformers.AutoTokenizer.from_pretrained(vocabulary)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer), hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8
    )
    task = QuestionAnswerer.from_config(config, tokenizer, max_length=384, stride=128)
    raw = list(tfnlp.read_questions(questions))
    records = list(checked_questions(as_source(raw, LAYOUT)))
    num_found = 0
    for start in range(0, len(records), 256):
        chunk = records[start : start + 256]
        (rows,) = task.training_rows(task.source(raw[start : start + 256]))
        first, last = rows.targets["start_logits"].values, rows.targets["end_logits"].values
        for row in np.flatnonzero(first):
            record = chunk[rows.row_to_record[row]]
            token = rows.splits[row]
            span = rows.values("starts")[token + first[row]], rows.values("ends")[token + last[row]]
            assert record["context"][slice(*span)].strip() == record["context"][slice(*located(record))].strip()
            num_found += 1
    assert num_found >= len(records)
    for record, answer in zip(records[:40], task.predict(records[:40]), strict=True):
        assert answer.text == record["context"][answer.start : answer.end] != ""


@pytest.mark.slow
def test_the_command_and_the_example(tmp_path, capsys):
    model = write_checkpoint("bert", tmp_path / "bert", head="QuestionAnswering", **UNNAMED)
    file = tmp_path / "questions.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in IMPOSSIBLE))
    assert "with an answer" in train(
        "question-answering", model, file, tmp_path / "out", "--tune-threshold", "--max-length", "40", "--stride", "8"
    )
    lines = predict(tmp_path / "out", file)
    assert [line["text"] for line in lines] == [a.text for a in tfnlp.load(tmp_path / "out").predict(IMPOSSIBLE)]
    assert "null_score" in run_command("predict", tmp_path / "out", file, "--format", "table").output
    run_example("question_answering", model, file, file, tmp_path / "example")
    assert "Answer(" in capsys.readouterr().out


@pytest.mark.slow
def test_the_best_answer_is_the_same_however_many_are_asked_for(random, tmp_path):
    _, task = random
    draw = np.random.default_rng(0)
    contexts = [" ".join("".join(draw.choice(list("abcdefghij"), 5)) for _ in range(5)) for _ in range(20)]
    asked = [("who", context) for context in contexts]
    best = task.predict(asked)
    for top_k in range(1, task.settings.top_k + 1):
        assert [answers[0] for answers in task.predict(asked, top_k=top_k)] == list(best)
    task.export(tmp_path / "1", samples=asked)
    served = ask(tmp_path / "1", question=["who"] * 20, context=contexts)
    np.testing.assert_allclose(served["score"], [answer.score for answer in best], atol=1e-5)
