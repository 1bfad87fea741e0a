import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import transformers

import tfnlp
from tests.tiny import EXAMPLES, LONG_TEXT, QUICK, TEXTS, UNNAMED, build_task, write_checkpoint
from tfnlp import Label, SequenceClassifier
from tfnlp._backend import tf
from tfnlp.data.sources import as_source
from tfnlp.errors import ArgumentError, DataError, LabelError
from tfnlp.export import ask
from tfnlp.tasks.text_classification.kinds import KINDS
from tfnlp.tasks.text_classification.records import LAYOUT

SEVERAL = [
    {"text": text, "label": [name for name in ("Ada", "Paris", "York") if name in text]} for text in [*TEXTS, "the cat"]
]
NUMBERS = [
    {"sentence1": text, "sentence2": other, "score": i / 4}
    for i, (text, other) in enumerate(zip(TEXTS, TEXTS[::-1], strict=True))
]
PAIRS = [
    {"premise": text, "hypothesis": other, "label": "same" if text == other else "other"}
    for text in TEXTS[:2]
    for other in TEXTS[:2]
]
FAST = {"epochs": 60, "learning_rate": 1e-2, "batch_size": 5, "verbose": 0}


def build(directory, architecture="bert", **options):
    return build_task(SequenceClassifier, architecture, directory, UNNAMED | QUICK, **options)


def checkpoint(directory, names, architecture="bert", **options):
    """Write a checkpoint with random weights and these labels."""
    labels = {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}
    return write_checkpoint(architecture, directory, head="SequenceClassification", **labels, **options)


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    task = build(tmp_path_factory.mktemp("several"))
    task.fit(SEVERAL, validation_data=SEVERAL, **FAST)
    return task


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    task = build(tmp_path_factory.mktemp("numbers"))
    task.fit(NUMBERS, **FAST)
    return task


@pytest.fixture(scope="module")
def random(tmp_path_factory):
    """A checkpoint with random weights and three labels, its directory and the task."""
    directory = checkpoint(tmp_path_factory.mktemp("random") / "bert", ["a", "b", "c"])
    return directory, SequenceClassifier.from_pretrained(directory, max_length=24, stride=6)


def test_several_labels(several):
    assert several.problem_type == "multi_label_classification"
    assert several.labels.names == ("Ada", "Paris", "York")
    report = several.evaluate(SEVERAL)
    assert report.macro.f1 == report.accuracy == 1.0
    assert report.matthews is report.confusion is None
    answers = several.predict([record["text"] for record in SEVERAL])
    assert [{label.name for label in labels} for labels in answers] == [set(record["label"]) for record in SEVERAL]
    assert several.predict("the cat") == []
    assert several.predict(TEXTS[0], top_k=9)[0].name in SEVERAL[0]["label"]
    assert len(several.predict(TEXTS[0], top_k=9)) == 3


def bias_of(task):
    return task.head.classifier.bias.numpy()


def test_a_new_head_starts_from_base_rates(tmp_path):
    names = (["a"], ["a"], ["b"], [], ["a"])
    records = [{"text": text, "label": label} for text, label in zip(TEXTS, names, strict=True)]
    task = build(tmp_path, labels=["a", "b", "unseen"])
    task.fit(records, epochs=1, learning_rate=0.0, verbose=0)
    rates = np.array([3 + 1, 1 + 1, 0 + 1]) / (5 + 2)
    np.testing.assert_allclose(bias_of(task), np.log(rates / (1 - rates)), atol=1e-6)
    task.fit(records[:1], epochs=1, learning_rate=0.0, verbose=0)  # it has one already
    np.testing.assert_allclose(bias_of(task), np.log(rates / (1 - rates)), atol=1e-6)


def test_a_new_head_starts_from_the_mean(tmp_path):
    task = build(tmp_path)
    task.fit(NUMBERS, epochs=1, learning_rate=0.0, verbose=0)
    assert bias_of(task) == pytest.approx([np.mean([record["score"] for record in NUMBERS])])


def test_a_head_for_other_labels_starts_from_base_rates_too(random):
    options = {"problem_type": "multi_label_classification", "labels": ["x", "y", "z"]}
    task = SequenceClassifier.from_pretrained(random[0], **options)
    assert not bias_of(task).any()
    task.fit([{"text": "x", "label": ["x"]}], epochs=1, learning_rate=0.0, verbose=0)
    np.testing.assert_allclose(bias_of(task), np.log([2.0, 0.5, 0.5]), atol=1e-6)


def test_base_rates_of_a_file(tmp_path):
    file = tmp_path / "many.jsonl"  # more records than are read at once
    file.write_text("".join(json.dumps({"text": "a", "label": ["a"] * (i % 3 == 0)}) + "\n" for i in range(600)))
    task = build(tmp_path, labels=["a", "b"])
    source = task.source(file)
    task.learned = task.learn(source)
    task.start_from(source, task.training_rows(source))
    np.testing.assert_allclose(bias_of(task), np.log([201 / 401, 1 / 601]), atol=1e-6)


def test_a_fit_that_fails_leaves_the_bias(tmp_path):
    task = build(tmp_path, labels=["a", "b"])
    right = [{"text": "x", "label": ["a"]}]
    with pytest.raises(LabelError, match=r"^the records: record 1: unknown label 'c'"):
        task.fit([{"text": "x", "label": ["c"]}], verbose=0)
    with pytest.raises(DataError, match="expected one text; found two"):
        task.fit(right, validation_data=[{"text": "x", "text_pair": "y", "label": ["a"]}], verbose=0)
    assert not bias_of(task).any()


def test_a_trained_head_keeps_its_bias(random):
    task = SequenceClassifier.from_pretrained(random[0], problem_type="multi_label_classification")
    before = bias_of(task)
    assert before.any()
    task.fit([{"text": "x", "label": ["a"]}], epochs=1, learning_rate=0.0, verbose=0)
    np.testing.assert_array_equal(bias_of(task), before)


def test_several_labels_are_served(several, tmp_path):
    several.export(tmp_path / "1", samples=TEXTS)
    found = ask(tmp_path / "1", text=TEXTS)
    for labels, chosen, answer in zip(found["labels"], found["is_chosen"], several.predict(TEXTS), strict=True):
        assert [name.decode() for name in labels[chosen]] == [label.name for label in answer]


def test_thresholds_are_tuned_and_kept(several, tmp_path):
    settings = several.settings
    scores = np.array(
        [
            [label.score for label in sorted(answer, key=lambda label: label.name)]
            for answer in several.predict([r["text"] for r in SEVERAL], top_k=3)
        ]
    )
    thresholds = several.tune_thresholds(SEVERAL)
    for i, name in enumerate(several.labels.names):
        is_right = np.array([name in record["label"] for record in SEVERAL])
        assert ((scores[:, i] >= thresholds[i] - 1e-6) == is_right).all()
    several.save(tmp_path / "saved")
    assert tfnlp.load(tmp_path / "saved").settings.thresholds == pytest.approx(thresholds)
    several.settings = settings


@pytest.mark.slow
def test_numbers_for_pairs(numbers, tmp_path):
    assert numbers.problem_type == "regression"
    assert numbers.settings.pairs
    report = numbers.evaluate(NUMBERS)
    assert report.pearson > 0.99
    assert report.loss == report.mean_squared_error
    answer = numbers.predict({"sentence1": TEXTS[1], "sentence2": TEXTS[3]})
    assert answer == numbers.predict((TEXTS[1], TEXTS[3]))
    assert answer.score == pytest.approx(0.25, abs=0.2)
    numbers.export(tmp_path / "1", samples=[(TEXTS[0], TEXTS[1])])
    served = ask(tmp_path / "1", text=[TEXTS[1]], text_pair=[TEXTS[3]])
    assert served["score"] == pytest.approx([answer.score], abs=1e-5)
    assert set(served) == {"score"}


@pytest.mark.slow
def test_pairs_with_labels(tmp_path):
    task = build(tmp_path)
    task.fit(PAIRS, **FAST)
    report = task.evaluate(PAIRS)
    assert report.accuracy == report.matthews == 1.0
    assert report.confusion.counts == ((2, 0), (0, 2))
    task.save(tmp_path / "saved")
    again = tfnlp.load(tmp_path / "saved")
    assert again.predict((TEXTS[0], TEXTS[0])).name == "same"
    with pytest.raises(DataError, match=r"^text 2: expected a pair of texts; found one\. `pairs=True` is for pairs"):
        again.predict([(TEXTS[0], TEXTS[0]), TEXTS[0]])
    with pytest.raises(
        DataError, match=r"^text 1: expected a string, a pair of them, or a dict with 'text'; found 3\.$"
    ):
        again.predict([3])


def test_long_texts(random):
    directory, task = random
    rows = task.tokenizer.rows([LONG_TEXT], max_length=24, stride=6)
    logits = task.network.run(rows)["logits"].values
    assert len(logits) == len(rows.row_to_record) > 3
    mean = tf.nn.softmax(logits.mean(0)).numpy()
    answer = {label.name: label.score for label in task.predict(LONG_TEXT, top_k=3)}
    assert [answer[name] for name in "abc"] == pytest.approx(mean.tolist(), abs=1e-5)
    first = SequenceClassifier.from_pretrained(directory, max_length=24, stride=6, windows="first")
    answer = {label.name: label.score for label in first.predict(LONG_TEXT, top_k=3)}
    assert [answer[name] for name in "abc"] == pytest.approx(tf.nn.softmax(logits[0]).numpy().tolist(), abs=1e-5)


def test_the_first_window_alone_is_served(random, tmp_path):
    first = SequenceClassifier.from_pretrained(random[0], max_length=24, stride=6, windows="first")
    first.export(tmp_path / "1", samples=[LONG_TEXT, *TEXTS])


@pytest.mark.torch
@pytest.mark.parametrize("function", ["softmax", "sigmoid"])
def test_answers_equal_transformers_pipeline(random, function):
    pytest.importorskip("torch")
    problem = {"softmax": "single_label_classification", "sigmoid": "multi_label_classification"}
    directory, _ = random
    task = SequenceClassifier.from_pretrained(directory, problem_type=problem[function])
    pipe = transformers.pipeline("text-classification", model=str(directory), function_to_apply=function, top_k=None)
    for text, theirs in zip(TEXTS, pipe(TEXTS), strict=True):
        ours = task.predict(text, top_k=3)
        assert [label.name for label in ours] == [label["label"] for label in theirs]
        assert [label.score for label in ours] == pytest.approx([label["score"] for label in theirs], abs=1e-5)


def test_label_weights_and_what_they_are_not_for(tmp_path, several):
    task = build(tmp_path)
    task.fit(EXAMPLES, epochs=1, label_weights={"place": 2.0}, verbose=0)
    with pytest.raises(ArgumentError, match="`label_weights` are for texts with one label each"):
        several.fit(SEVERAL, epochs=1, label_weights={"Ada": 2.0}, verbose=0)
    with pytest.raises(ArgumentError, match="thresholds are for texts with several labels each"):
        task.tune_thresholds(EXAMPLES)


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([{"text": " ", "label": "a"}], "the records: record 1: `text` is empty."),
        ([{"text": "x", "text_pair": "", "label": "a"}], "the records: record 1: `text_pair` is empty."),
        ([{"text": "x"}], "the records: record 1: `label` is missing."),
        ([{"text": "x", "label": 0.5}, {"text": "x", "label": "much"}], "the records: record 2: `label` must be a number; found 'much'."),
        ([{"text": "x", "label": 0.5}, {"text": "x", "label": "inf"}], "the records: record 2: `label` must be a finite number; found 'inf'."),
        ([{"text": "x", "label": ["a"]}, {"text": "x", "label": "a"}], "the records: record 2: `label` must be a list of label names; found 'a'."),
        ([{"text": "x", "label": "a"}, {"text": "x", "text_pair": "y", "label": "a"}], "the records: record 2: expected one text; found two. `pairs=True` is for pairs, `pairs=False` not."),
        ([{"words": ["x"], "label": "a"}], "the records: record 1: expected 'text' and 'label'; found ['label', 'words']."),
    ],
)  # fmt: skip
def test_training_data_that_is_wrong(tmp_path, records, message):
    with pytest.raises(DataError) as caught:
        build(tmp_path).fit(records, verbose=0)
    assert str(caught.value) == message


def test_wrong_labels_and_options(random, tmp_path):
    _, task = random
    with pytest.raises(LabelError, match=r"^the records: record 1: unknown label 'd'.*\['a', 'b', 'c'\]"):
        task.evaluate([{"text": "x", "label": "d"}])
    with pytest.raises(ArgumentError, match=r"^`problem_type` must be one of"):
        build(tmp_path, problem_type="many")
    with pytest.raises(ArgumentError, match=r"^`windows` must be one of \('mean', 'first'\); it is 'last'\.$"):
        dataclasses.replace(task.settings, windows="last")
    with pytest.raises(ArgumentError, match=r"^`thresholds` must be in \[0, 1\]"):
        dataclasses.replace(task.settings, thresholds=2)
    with pytest.raises(ArgumentError, match=r"^`top_k` must be at least 1; it is 0\.$"):
        task.predict("x", top_k=0)


def test_a_first_text_without_room(tmp_path):
    task = build(tmp_path, pairs=True, labels=["a", "b"])
    with pytest.raises(ArgumentError, match=r"^one text of a pair leaves no room for a window of the other"):
        task.predict((LONG_TEXT, LONG_TEXT))
    longest = build(tmp_path, pairs=True, labels=["a", "b"], truncation="longest_first")
    assert isinstance(longest.predict((LONG_TEXT, LONG_TEXT)), Label)


def test_generators_and_tables(random):
    _, task = random
    expected = task.predict(TEXTS)
    assert list(task.predict(iter(TEXTS))) == expected
    assert task.predict([{"text": text} for text in TEXTS]) == expected


def test_a_wrong_record_leaves_the_task_as_it_was(tmp_path):
    task = build(tmp_path)
    with pytest.raises(DataError, match=r"record 1: `label` is missing"):
        task.fit([{"text": "x", "label": float("nan")}, {"text": "y", "label": 0.5}], verbose=0)
    assert task.problem_type is task.labels is None
    task.fit([{"text": "x", "label": float(i)} for i in (10, 9, 1)], epochs=1, verbose=0)
    assert (task.problem_type, task.labels.names) == ("single_label_classification", ("1", "9", "10"))


@pytest.mark.slow
def test_the_head_of_a_regression_stays(tmp_path):
    directory = checkpoint(tmp_path / "bert", ["LABEL_0"])
    answer = tfnlp.load(directory).predict(TEXTS[0])
    assert SequenceClassifier.from_pretrained(directory, problem_type="regression").predict(TEXTS[0]) == answer
    other = SequenceClassifier.from_pretrained(directory, labels=["a", "b"])
    assert other.problem_type is None
    other.fit([{"text": "x", "label": "a"}], epochs=1, verbose=0)
    assert other.problem_type == "single_label_classification"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The initializer TruncatedNormal is unseeded", "ignore:`TFSharedEmbeddings`")
def test_heads_that_read_the_last_token(tmp_path):
    directory = checkpoint(tmp_path / "gpt2", ["a", "b", "c"], "gpt2")
    with pytest.raises(ArgumentError, match=r"its tokenizer has no padding token"):
        SequenceClassifier.from_pretrained(directory)
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    tokenizer.pad_token = "<|endoftext|>"
    tokenizer.save_pretrained(directory)
    assert_padding_changes_nothing(SequenceClassifier.from_pretrained(directory))


def assert_padding_changes_nothing(task):
    together = task.predict([*TEXTS, LONG_TEXT], top_k=3)
    for text, answer in zip([*TEXTS, LONG_TEXT], together, strict=True):
        scores = {label.name: label.score for label in task.predict(text, top_k=3)}
        assert scores == pytest.approx({label.name: label.score for label in answer}, abs=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The initializer TruncatedNormal is unseeded", "ignore:`TFSharedEmbeddings`")
def test_xlnet_s_head_reads_the_last_place(tmp_path):
    directory = checkpoint(tmp_path / "xlnet", ["a", "b", "c"], "xlnet")
    task = SequenceClassifier.from_pretrained(directory, max_length=24, stride=6)
    assert_padding_changes_nothing(task)
    records = [{"text": text, "label": "abc"[i % 3]} for i, text in enumerate(TEXTS)]
    task.fit(records, epochs=2, verbose=0)
    task.export(tmp_path / "1", samples=[*TEXTS, LONG_TEXT])
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory, padding_side="right")
    before = task.tokenizer
    with pytest.raises(ArgumentError, match="reads the last place of a row, where its tokenizer puts padding"):
        task.use_tokenizer(tokenizer)
    assert task.tokenizer is before
    tokenizer.save_pretrained(directory)
    with pytest.raises(ArgumentError, match="reads the last place of a row, where its tokenizer puts padding"):
        SequenceClassifier.from_pretrained(directory)


@pytest.mark.slow
def test_a_silent_configuration_stays_silent(tmp_path):
    """A cross-encoder's score is a sigmoid to transformers' pipeline, unless the configuration tells of a regression."""
    directory = write_checkpoint(
        "bert", tmp_path / "one", head="SequenceClassification", id2label={0: "a"}, label2id={"a": 0}
    )
    task = SequenceClassifier.from_pretrained(directory)
    assert (task.problem_type, task.config.problem_type) == ("regression", None)
    task.save(tmp_path / "saved")
    answers = [tfnlp.pipeline("text-classification", str(path))(TEXTS[0]) for path in (directory, tmp_path / "saved")]
    assert answers[0] == answers[1]
    assert 0 < answers[0][0]["score"] < 1


def test_a_pipeline_of_a_fitted_regression(tmp_path):
    task = build_task(SequenceClassifier, "bert", tmp_path, UNNAMED)
    task.fit([{"text": text, "label": i + 0.5} for i, text in enumerate(TEXTS)], epochs=1, verbose=0)
    assert tfnlp.pipeline("text-classification", task)(TEXTS[0])[0]["score"] == task.predict(TEXTS[0]).score


def test_equal_numbers_as_labels_have_one_order():
    records = as_source([{"text": "x", "label": name} for name in ("1", "01", "0", "10")], LAYOUT)
    assert KINDS["single_label_classification"].labels_of(records).names == ("0", "01", "1", "10")


@pytest.mark.filterwarnings("ignore:The initializer TruncatedNormal is unseeded", "ignore:`TFSharedEmbeddings`")
@pytest.mark.slow
def test_an_empty_text_alone_without_special_tokens(tmp_path):
    directory = checkpoint(tmp_path / "gpt2", ["a", "b", "c"], "gpt2")
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    tokenizer.pad_token = "<|endoftext|>"
    tokenizer.save_pretrained(directory)
    task = SequenceClassifier.from_pretrained(directory)
    np.testing.assert_allclose(task.logits([""])[0], task.logits(["", "ada"])[0], atol=1e-6)


def test_what_a_failed_fit_learned_is_forgotten(tmp_path):
    task = build_task(SequenceClassifier, "bert", tmp_path, UNNAMED)
    wrong = [{"text": "Ada", "label": "neither"}]
    with pytest.raises(LabelError):
        task.fit(EXAMPLES, wrong, verbose=0)
    assert task.labels is None and task.problem_type is None
    task.fit([*EXAMPLES, *wrong], wrong, epochs=1, verbose=0)
    assert task.labels.names == ("neither", "other", "place")


@pytest.mark.parametrize("labels", ["ab", {"a", "b"}, {"a": 1, "b": 0}])
def test_labels_are_a_list(tmp_path, labels):
    with pytest.raises(ArgumentError, match="`labels` must be a list, in the order of their ids"):
        build_task(SequenceClassifier, "bert", tmp_path, UNNAMED, labels=labels)


@pytest.mark.parametrize("inputs", [None, 3, b"Ada", pd.DataFrame({"text": TEXTS})])
def test_what_is_no_text(random, inputs):
    task = SequenceClassifier.from_pretrained(random[0])
    with pytest.raises(DataError, match=r"^expected (one input or an iterable of them|inputs one after the other)"):
        task.predict(inputs)


@pytest.mark.parametrize("column", [np.array, pd.Series])
def test_columns_are_lists(random, column):
    task = SequenceClassifier.from_pretrained(random[0])
    assert task.predict(column(TEXTS)) == task.predict(TEXTS)


def test_a_float16_checkpoint_is_saved_as_float32(random, tmp_path):
    directory = shutil.copytree(random[0], tmp_path / "half")
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"dtype": "float16"}))
    SequenceClassifier.from_pretrained(directory).save(tmp_path / "saved")
    assert json.loads((tmp_path / "saved" / "config.json").read_text())["dtype"] == "float32"


def test_each_window_has_the_label_of_its_text(random):
    task = SequenceClassifier.from_pretrained(random[0], max_length=24, stride=6)
    names = task.labels.names
    records = [
        {"text": LONG_TEXT, "label": names[1]},
        {"text": "Ada", "label": names[0]},
        {"text": LONG_TEXT, "label": names[2]},
    ]
    (chunk,) = task.training_rows(task.source(records))
    windows = (len(chunk.splits) - 2) // 2
    assert windows > 2
    assert chunk.targets["logits"].values.tolist() == [1] * windows + [0] + [2] * windows


@pytest.mark.slow
def test_thresholds_of_each_label_are_served(several, tmp_path):
    settings = several.settings
    scores = 1 / (1 + np.exp(-several.logits(TEXTS)))
    several.settings = dataclasses.replace(settings, thresholds=tuple(np.quantile(scores, 0.4, 0)))
    try:
        assert len(set(several.settings.thresholds)) == 3
        several.export(tmp_path / "1", samples=TEXTS)
        found, predicted = ask(tmp_path / "1", text=TEXTS), several.predict(TEXTS)
    finally:
        several.settings = settings
    for i, answer in enumerate(predicted):
        chosen = found["labels"][i][found["is_chosen"][i]]
        assert [name.decode() for name in chosen] == [label.name for label in answer]
    assert found["label"].tolist() == found["labels"][:, 0].tolist()
    assert found["score"].tolist() == found["scores"][:, 0].tolist()


@pytest.mark.parametrize(
    ("head", "names"),
    [
        ("single", ("label", "score", "labels", "scores")),
        ("regression", ("score",)),
    ],
)
@pytest.mark.slow
def test_the_signature_of_pairs(tmp_path, head, names):
    labels = {"single": ["a", "b", "a", "b", "a"], "regression": [0.5, 1.5, 2.5, 3.5, 4.5]}[head]
    task = build_task(SequenceClassifier, "bert", tmp_path, UNNAMED)
    records = [{"text": t, "text_pair": TEXTS[0], "label": label} for t, label in zip(TEXTS, labels, strict=True)]
    task.fit(records, epochs=1, verbose=0)
    task.export(tmp_path / "1")
    found = ask(tmp_path / "1", text=TEXTS, text_pair=[TEXTS[0]] * 5)
    assert tuple(sorted(found)) == tuple(sorted(names))
    best = task.predict([(text, TEXTS[0]) for text in TEXTS])
    np.testing.assert_allclose(found["score"], [label.score for label in best], atol=1e-5)
    if head == "single":
        assert [name.decode() for name in found["label"]] == [label.name for label in best]


@pytest.mark.slow
def test_pairs_with_several_labels(tmp_path):
    task = build_task(SequenceClassifier, "bert", tmp_path, UNNAMED)
    records = [
        {"text": text, "text_pair": TEXTS[0], "label": ["a", "b"][: 1 + i % 2] if i % 3 else []}
        for i, text in enumerate(TEXTS)
    ]
    task.fit(records, records, epochs=1, verbose=0)
    assert (task.problem_type, task.settings.pairs) == ("multi_label_classification", True)
    assert {label.name for label in task.predict((TEXTS[0], TEXTS[1]), top_k=2)} == {"a", "b"}
