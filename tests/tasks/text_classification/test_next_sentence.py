import json
from itertools import pairwise

import pytest
import transformers

import tfnlp
from tests.commands import predict, run_example, train
from tests.marks import slow_case
from tests.tiny import FOLLOWING, LONG_TEXT, TEXTS, UNNAMED, write_checkpoint
from tfnlp import NextSentencePrediction
from tfnlp.errors import DataError, LabelError, UnsupportedModelError


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return write_checkpoint("bert", tmp_path_factory.mktemp("nsp") / "bert", head="NextSentencePrediction", **UNNAMED)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["bert", slow_case("mobilebert")])
def test_answers_equal_pytorch(name, tmp_path):
    torch = pytest.importorskip("torch")
    directory = write_checkpoint(name, tmp_path / name, head="NextSentencePrediction", **UNNAMED)
    task = NextSentencePrediction.from_pretrained(directory)
    model = transformers.AutoModelForNextSentencePrediction.from_pretrained(directory).eval()
    for first, second in pairwise(TEXTS):
        with torch.no_grad():
            logits = model(**task.tokenizer.hf(first, second, return_tensors="pt")).logits[0]
        answer = task.predict((first, second))
        assert answer.name == ["IsNext", "NotNext"][int(logits.argmax())]
        assert answer.score == pytest.approx(float(logits.softmax(-1).max()), abs=1e-4)


def test_lists_generators_and_long_texts(directory, tmp_path):
    task = NextSentencePrediction.from_pretrained(directory, max_length=24, stride=6)
    pairs = [("Ada", text) for text in [*TEXTS, LONG_TEXT]]
    answers = task.predict(pairs)
    assert list(task.predict(iter(pairs))) == answers
    assert task.predict({"text": "Ada", "text_pair": TEXTS[0]}).name == answers[0].name


def test_what_is_served(directory):
    task = NextSentencePrediction.from_pretrained(directory, max_length=24, stride=6)
    pairs = [("Ada", text) for text in [*TEXTS, LONG_TEXT]]
    given = task.to_serving_inputs(pairs)
    served = {name: values.numpy() for name, values in task.serve(**given).items()}
    assert served["labels"].shape == served["scores"].shape == (len(pairs), 2)
    assert (served["labels"][:, 0] == served["label"]).all()
    assert (served["scores"][:, 0] >= served["scores"][:, 1]).all()
    assert task.compare_answers(pairs, served) == []
    assert len(task.compare_answers(pairs, served | {"scores": served["scores"][:, ::-1]})) == len(pairs)


@pytest.mark.slow
def test_labels_may_have_weights(directory):
    task = NextSentencePrediction.from_pretrained(directory)
    task.fit(FOLLOWING, epochs=1, label_weights={"NotNext": 0.5}, verbose=0)
    assert task.model.loss["logits"].label_weights == pytest.approx([1.0, 0.5])
    with pytest.raises(LabelError, match=r"unknown label 'next'"):
        task.fit(FOLLOWING, label_weights={"next": 0.5}, verbose=0)


def test_wrong_input(directory, tmp_path):
    task = NextSentencePrediction.from_pretrained(directory)
    with pytest.raises(DataError, match=r"^text 2: expected a pair of texts; found one\.$"):
        task.predict([("a", "b"), "a"])
    with pytest.raises(DataError, match=r"^text 1: expected a pair of texts; found one\.$"):
        task.predict("a")
    with pytest.raises(DataError, match=r"^the records: record 1: expected a pair of texts; found one\.$"):
        task.evaluate([{"text": "a", "label": "IsNext"}])
    with pytest.raises(LabelError, match=r"^the records: record 1: unknown label 'next'"):
        task.evaluate([{"text": "a", "text_pair": "b", "label": "next"}])
    roberta = write_checkpoint("roberta", tmp_path / "roberta")
    with pytest.raises(UnsupportedModelError, match=r"^transformers has no TFAutoModelForNextSentencePrediction for"):
        NextSentencePrediction.from_pretrained(roberta)


@pytest.mark.slow  # as that of QuestionAnswerer
def test_the_command_and_the_example(directory, tmp_path, capsys):
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in FOLLOWING))
    assert "IsNext" in train("next-sentence-prediction", directory, file, tmp_path / "out")
    lines = predict(tmp_path / "out", file)
    assert [line["name"] for line in lines] == [a.name for a in tfnlp.load(tmp_path / "out").predict(FOLLOWING)]
    run_example("next_sentence_prediction", directory, "Ada opened the door.", "Behind it stood a cat.")
    assert "Label(name=" in capsys.readouterr().out
