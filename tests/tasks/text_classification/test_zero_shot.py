import json
import runpy
from dataclasses import replace
from pathlib import Path

import pytest
import transformers
from typer.testing import CliRunner

import tfnlp
from tests.tiny import LONG_TEXT, TEXTS, write_checkpoint
from tfnlp import SequenceClassifier, ZeroShotClassifier
from tfnlp._backend import tf
from tfnlp.cli import app
from tfnlp.errors import ArgumentError, DataError, LabelError
from tfnlp.export import ask

LABELS = ["Paris", "the cat", "new"]


def write_nli(directory, names):
    labels = {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}
    return write_checkpoint("bert", directory, head="SequenceClassification", **labels)


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return write_nli(tmp_path_factory.mktemp("nli") / "bert", ["CONTRADICTION", "NEUTRAL", "ENTAILMENT"])


@pytest.fixture(scope="module")
def zero_shot(directory):
    return ZeroShotClassifier.from_pretrained(directory)


@pytest.mark.torch
@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("labels", [LABELS, ["Paris"]])
def test_answers_equal_transformers_pipeline(directory, zero_shot, multi_label, labels):
    pytest.importorskip("torch")
    pipe = transformers.pipeline("zero-shot-classification", model=str(directory))
    theirs = pipe(TEXTS, labels, multi_label=multi_label)
    for ours, expected in zip(zero_shot.predict(TEXTS, labels, multi_label=multi_label), theirs, strict=True):
        assert [label.name for label in ours] == expected["labels"]
        assert [label.score for label in ours] == pytest.approx(expected["scores"], abs=1e-5)


@pytest.mark.torch
def test_entailment_may_be_the_first_label(tmp_path):
    pytest.importorskip("torch")
    directory = write_nli(tmp_path / "nli", ["entailment", "neutral", "contradiction"])
    ours = ZeroShotClassifier.from_pretrained(directory, multi_label=True).predict(TEXTS[0], LABELS)
    theirs = transformers.pipeline("zero-shot-classification", model=str(directory))(TEXTS[0], LABELS, multi_label=True)
    assert [label.score for label in ours] == pytest.approx(theirs["scores"], abs=1e-5)


def test_texts_lists_and_generators(zero_shot):
    answers = zero_shot.predict([*TEXTS, LONG_TEXT, ""], LABELS)
    assert list(zero_shot.predict(iter([*TEXTS, LONG_TEXT, ""]), LABELS)) == answers
    assert zero_shot.predict(TEXTS[0], LABELS)[0].name == answers[0][0].name
    assert sum(label.score for label in answers[0]) == pytest.approx(1.0)
    assert "ZeroShotClassifier(bert, 3 labels" in repr(zero_shot)


@pytest.mark.slow
@pytest.mark.parametrize("multi_label", [False, True])
def test_the_saved_model_answers_as_predict_does(directory, tmp_path, multi_label):
    zero_shot = ZeroShotClassifier.from_pretrained(directory, hypothesis_template="It is {} !", multi_label=multi_label)
    zero_shot.export(tmp_path / "1", samples=[*TEXTS, LONG_TEXT])
    found = ask(tmp_path / "1", text=TEXTS[:2], labels=[LABELS, LABELS])
    for i, answer in enumerate(zero_shot.predict(TEXTS[:2], LABELS)):
        assert found["labels"][i].tolist() == [label.name.encode() for label in answer]
        assert found["scores"][i] == pytest.approx([label.score for label in answer], abs=1e-5)
    alone = ask(tmp_path / "1", text=TEXTS[:1], labels=[["Paris"]])["scores"]
    assert alone[0] == pytest.approx([zero_shot.predict(TEXTS[0], ["Paris"])[0].score], abs=1e-5)


@pytest.mark.slow
def test_tokens_that_are_added(directory):
    zero_shot = ZeroShotClassifier.from_pretrained(directory)
    assert zero_shot.add_tokens(["Zürich"]) == 1
    assert len(zero_shot.tokenizer.hf) == zero_shot.head.config.vocab_size
    assert len(zero_shot.predict("Ada in Zürich", LABELS)) == 3


def test_wrong_input(directory, zero_shot, tmp_path):
    for labels in ([], "Paris", ["a", "a"]):
        with pytest.raises(ArgumentError, match="`labels` must be a list of different labels"):
            zero_shot.predict("x", labels)
    with pytest.raises(DataError, match=r"^text 2: `text` must be a string; found 3\.$"):
        zero_shot.predict(["x", 3], LABELS)
    with pytest.raises(ArgumentError, match=r"`hypothesis_template` needs one `\{\}` for the label; it is 'about'"):
        ZeroShotClassifier.from_pretrained(directory, hypothesis_template="about")
    other = SequenceClassifier.from_pretrained(write_nli(tmp_path / "x", ["a", "b"]))
    with pytest.raises(LabelError, match=r"has a label 'entailment'; this one's are \['a', 'b'\]"):
        ZeroShotClassifier.from_classifier(other)


@pytest.mark.slow
def test_the_command_and_the_example(directory, zero_shot, capsys):
    answer = zero_shot.predict(TEXTS[0], LABELS)
    found = CliRunner().invoke(
        app, ["predict", str(directory), "--candidate-labels", "Paris, the cat, new"], input=f"{TEXTS[0]}\n"
    )
    assert json.loads(found.stdout) == {"text": TEXTS[0], **answer.to_dict()}
    example = runpy.run_path(str(Path(__file__).parents[3] / "examples" / "zero_shot_classification.py"))
    example["main"](str(directory), TEXTS[0], *LABELS)
    assert [line.split(" ", 1)[1] for line in capsys.readouterr().out.splitlines()] == [label.name for label in answer]


def test_a_classifier_of_one_s_own_is_taken_as_it_is(directory, zero_shot):
    own = SequenceClassifier.from_pretrained(directory)
    answers = ZeroShotClassifier.from_classifier(own).predict([*TEXTS, LONG_TEXT], LABELS)
    assert answers == zero_shot.predict([*TEXTS, LONG_TEXT], LABELS)
    assert not own.settings.pairs


def test_json_lines_on_the_command_line(directory, tmp_path):
    file = tmp_path / "texts.jsonl"
    file.write_text(json.dumps({"text": TEXTS[0], "id": 7}) + "\n")
    found = CliRunner().invoke(app, ["predict", str(directory), str(file), "--candidate-labels", "Paris, the cat,"])
    answer = json.loads(found.output.splitlines()[-1])
    assert answer["id"] == 7
    assert {label["name"] for label in answer["labels"]} == {"Paris", "the cat"}


@pytest.mark.slow
def test_what_is_saved_is_loaded(directory, tmp_path):
    options = {"hypothesis_template": "It is {} !", "multi_label": True}
    zero_shot = ZeroShotClassifier.from_pretrained(directory, max_length=40, stride=4, **options)
    zero_shot.add_tokens(["Zürich"])
    zero_shot.save(tmp_path / "saved")
    loaded = tfnlp.load(tmp_path / "saved")
    assert repr(loaded) == repr(zero_shot)
    assert loaded.predict([*TEXTS, LONG_TEXT, "Ada in Zürich"], LABELS) == zero_shot.predict(
        [*TEXTS, LONG_TEXT, "Ada in Zürich"], LABELS
    )
    other = ZeroShotClassifier.from_pretrained(tmp_path / "saved", multi_label=False, max_length=30)
    assert (other.settings.hypothesis_template, other.settings.multi_label) == ("It is {} !", False)
    assert (other.settings.max_length, other.settings.stride) == (30, 7)
    assert isinstance(SequenceClassifier.from_pretrained(tmp_path / "saved"), SequenceClassifier)
    found = CliRunner().invoke(app, ["predict", str(tmp_path / "saved")], input="Ada\n")
    assert isinstance(found.exception, ArgumentError)
    assert "--candidate-labels" in str(found.exception)


@pytest.mark.parametrize("multi_label", [False, True])
def test_evaluation(directory, multi_label):
    zero_shot = ZeroShotClassifier.from_pretrained(directory, multi_label=multi_label)
    answers = zero_shot.predict(TEXTS, LABELS)
    if multi_label:
        given = [[label.name for label in answer if label.score >= 0.5] for answer in answers]
    else:
        given = [answer[0].name for answer in answers]
    right = [{"text": text, "label": label} for text, label in zip(TEXTS, given, strict=True)]
    assert zero_shot.evaluate(right, labels=LABELS).accuracy == 1.0
    wrong = [LABELS[0]] if multi_label else next(name for name in LABELS if name != given[0])
    spoilt = [right[0] | {"label": [] if multi_label and given[0] == wrong else wrong}, *right[1:]]
    assert zero_shot.evaluate(spoilt, labels=LABELS).accuracy == pytest.approx(0.8)
    with pytest.raises(LabelError, match="unknown label"):
        zero_shot.evaluate(spoilt, labels=["something else"])


def test_labels_that_fill_a_batch_up_have_no_score(zero_shot):
    for multi_label in (False, True):
        zero_shot.settings = replace(zero_shot.settings, multi_label=multi_label)
        labels = [["Paris", "the cat", "new"], ["Paris", "", "the cat"], ["", "new", ""]]
        found = {
            n: v.numpy() for n, v in zero_shot.serve(text=tf.constant(TEXTS[:3]), labels=tf.constant(labels)).items()
        }
        for i, given in enumerate(labels):
            named = [label for label in given if label]
            answer = zero_shot.predict(TEXTS[i], named)
            assert [name.decode() for name in found["labels"][i]] == [one.name for one in answer] + [""] * given.count(
                ""
            )
            assert found["scores"][i] == pytest.approx(
                [one.score for one in answer] + [0.0] * given.count(""), abs=1e-5
            )
    zero_shot.settings = replace(zero_shot.settings, multi_label=False)


@pytest.mark.slow
def test_it_is_trained_on_pairs(directory):
    zero_shot = ZeroShotClassifier.from_pretrained(directory)
    pairs = [
        {"premise": text, "hypothesis": "x", "label": name}
        for text, name in zip(TEXTS, ["ENTAILMENT", "NEUTRAL"] * 2, strict=False)
    ]
    history = zero_shot.fit(
        pairs, [{"text": TEXTS[0], "label": "a"}, {"text": TEXTS[1], "label": "b"}], epochs=2, verbose=0
    )
    assert "val_macro_f1" in history.history
    with pytest.raises(DataError, match="expected a text and a hypothesis"):
        zero_shot.fit([{"text": "x", "label": "ENTAILMENT"}])
