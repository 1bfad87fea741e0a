"""`lr_find` and `top_losses`."""

import json

import numpy as np
import pytest

from tests.conformance.cases import CASES
from tests.conformance.echo import Echo
from tests.marks import slow_case
from tests.tiny import EXAMPLES, QUICK, RECORDS, UNNAMED, build_task
from tests.training.test_resuming import weights_of
from tfnlp import SequenceClassifier, TextEncoder, TokenClassifier, read_examples
from tfnlp._backend import keras, tf
from tfnlp.errors import ArgumentError
from tfnlp.reports import RateReport
from tfnlp.tasks.exploring import _smoothed, _steepest

WITH_LOSSES = (
    "TokenClassifier",
    "SequenceClassifier",
    "QuestionAnswerer",
    "MultipleChoice",
    "Seq2SeqLM",
    "NextSentencePrediction",
)

COSTLY = ("Seq2SeqLM", "QuestionAnswerer", "NextSentencePrediction")


@pytest.fixture
def classifier(tmp_path):
    return build_task(SequenceClassifier, "bert", tmp_path, UNNAMED | QUICK)


def test_rates_rise_and_the_task_stays_as_it_was(classifier, tmp_path):
    classifier.learned = classifier.learn(classifier.source(EXAMPLES))
    before = weights_of(classifier)
    found = classifier.lr_find(EXAMPLES, lowest=1e-5, highest=10.0, steps=40, batch_size=4, verbose=0)
    assert weights_of(classifier) == before
    assert found.rates[0] == pytest.approx(1e-5)
    np.testing.assert_allclose(np.diff(np.log(found.rates)), np.log(1e6) / 39, rtol=1e-3)
    assert len(found.losses) == len(found.rates) < 40  # it diverged before the end
    assert 1e-4 < found.suggested < 1
    assert "the loss fell fastest at" in str(found)
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    found.plot().figure.savefig(tmp_path / "rates.png")
    assert (tmp_path / "rates.png").stat().st_size > 1000


def test_the_losses_are_those_of_single_batches(classifier):
    found = classifier.lr_find(EXAMPLES[:4], lowest=1e-12, highest=2e-12, steps=3, batch_size=4, verbose=0)
    history = classifier.fit(EXAMPLES[:4], epochs=1, batch_size=4, learning_rate=1e-12, verbose=0).history
    np.testing.assert_allclose(found.losses, history["loss"][0], rtol=1e-4)


@pytest.mark.parametrize("noise", [0.0, 0.05, 0.1, 0.2])
def test_the_steepest_place_is_found_in_noise(noise):
    """A loss that falls from 0.7 to 0.3 about a rate of 6e-5, and rises from 1e-2 on."""
    rates = np.geomspace(1e-7, 1e-1, 100)
    curve = 0.7 - 0.4 / (1 + np.exp(-np.log(rates / 6e-5) * 1.5)) + np.maximum(0, np.log(rates / 1e-2))
    draw = np.random.default_rng(0)
    found = [_steepest(rates, _smoothed(curve + noise * draw.normal(size=100))) for _ in range(200)]
    assert np.mean([one is not None and 5e-6 < one < 1e-3 for one in found]) > {0.2: 0.7, 0.1: 0.9}.get(noise, 0.98)


def test_a_loss_that_only_rises_suggests_nothing():
    losses = np.array([1.0, 1.1, 1.3, 2.0])
    assert _steepest([1.0, 2.0, 3.0, 4.0], losses) is None
    assert str(RateReport((1.0, 2.0), (1.0, 1.1), None)) == (
        "2 steps from 1.0e+00 to 2.0e+00: the loss did not fall; try other rates, or more steps"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lowest": 1.0, "highest": 0.1}, "goes from a lower to a higher rate"),
        ({"steps": 2}, "in at least 3 steps"),
        ({"learning_rate": 1e-3}, "`learning_rate` says nothing here"),
        ({"batch": 4}, "`batch` is no option of training"),
    ],
)
def test_wrong_options(classifier, options, message):
    with pytest.raises(ArgumentError, match=message):
        classifier.lr_find(EXAMPLES, **options)


@pytest.mark.parametrize(
    "case",
    [
        (slow_case if case.task.__name__ in COSTLY else pytest.param)(case, id=case.task.__name__)
        for case in CASES
        if case.task is not Echo
    ],
)
def test_top_losses_of_every_task(case, tmp_path):
    task = case.build(tmp_path)
    if case.task.__name__ not in WITH_LOSSES:
        with pytest.raises(ArgumentError, match=r"^`top_losses`: "):
            task.top_losses(case.records)
        return
    task.learned = task.learn(task.source(case.records))
    found = task.top_losses(case.records, 2)
    assert found.num_records == len(case.records)
    numbers = [one.number for one in found.records]
    losses = {}
    for number, record in enumerate(task.source(case.records), start=1):
        (one,) = task.top_losses([record]).records  # by itself
        losses[number] = one.loss
    assert numbers == sorted(losses, key=losses.get, reverse=True)[:2]
    for one in found.records:
        assert one.loss == pytest.approx(losses[one.number], rel=1e-4)
        assert one.record == list(task.source(case.records))[one.number - 1]
    assert found.loss == pytest.approx(np.mean(list(losses.values())), rel=1e-4)
    json.loads(found.to_json())
    assert str(found).count("->") == 2
    assert "<table>" in found._repr_html_()


def test_the_wrongly_labelled_record_is_first(tmp_path):
    other = next(one["label"] for one in EXAMPLES if one["label"] != EXAMPLES[0]["label"])
    wrong = {**EXAMPLES[0], "label": other}
    classifier = build_task(SequenceClassifier, "bert", tmp_path, UNNAMED | QUICK)
    classifier.fit(EXAMPLES, epochs=30, batch_size=4, learning_rate=1e-3, verbose=0)
    report = classifier.top_losses([*EXAMPLES, wrong], 1)
    hardest = report.records[0]
    assert f"    label: {other}\n    -> " in str(report)
    assert hardest.number == len(EXAMPLES) + 1
    assert hardest.answer.name == EXAMPLES[0]["label"]


def test_rates_of_balanced_labels_and_by_layer(classifier):
    options = {"label_weights": "balanced", "layer_decay": 0.5, "batch_size": 4, "verbose": 0}
    assert len(classifier.lr_find(EXAMPLES, steps=4, **options).rates) == 4


def test_windows_of_a_long_text_and_questions_without_their_answers(tmp_path, classifier):
    classifier.learned = classifier.learn(classifier.source(EXAMPLES))
    long = {"text": " ".join(["Ada lives in Paris ."] * 40), "label": EXAMPLES[0]["label"]}
    found = classifier.top_losses([EXAMPLES[0], long, EXAMPLES[1]], 3)
    assert sorted(one.number for one in found.records) == [1, 2, 3]
    records = read_examples_skipping(tmp_path)
    with pytest.raises(ArgumentError, match="tells records by their numbers"):
        classifier.top_losses(records)


def read_examples_skipping(directory):
    (directory / "a.jsonl").write_text("\n".join(json.dumps(one) for one in EXAMPLES))
    return read_examples(directory / "a.jsonl", on_error="skip")


def test_losses_in_the_scope_of_a_strategy(tmp_path):
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        task = build_task(SequenceClassifier, "bert", tmp_path, UNNAMED | QUICK)
        task.learned = task.learn(task.source(EXAMPLES))
        assert task.top_losses(EXAMPLES, 1).num_records == len(EXAMPLES)


def test_losses_that_depend_on_others_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match="depends on the pairs beside it"):
        build_task(TextEncoder, "bert", tmp_path, UNNAMED).top_losses([])
    with pytest.raises(ArgumentError, match="`count` must be at least 1; it is 0"):
        build_task(TokenClassifier, "bert", tmp_path, UNNAMED).top_losses(RECORDS, 0)


def test_loss_of_a_keras_batch_is_the_mean_of_records(classifier):
    classifier.learned = classifier.learn(classifier.source(EXAMPLES))
    found = classifier.top_losses(EXAMPLES)
    model = classifier.training_model()
    model.compile(keras.optimizers.SGD(0.0), classifier.loss(_recipe()))
    loss = model.evaluate(classifier.dataset(EXAMPLES, batch_size=len(EXAMPLES)), verbose=0)
    assert found.loss == pytest.approx(loss, rel=0.05)  # Keras weighs batches of several lengths


def _recipe():
    from tfnlp import Recipe

    return Recipe()
