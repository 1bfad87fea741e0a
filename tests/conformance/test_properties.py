"""What holds for every task."""

import inspect

import numpy as np
import pytest

import tfnlp
from tests.conformance.cases import CASES
from tests.conformance.echo import Echo
from tfnlp._backend import tf
from tfnlp.rows import as_numpy
from tfnlp.tasks.loading import TASKS

# The quick tests try these tasks by their own files alone.
SLOW = (
    tfnlp.CausalLM, tfnlp.MaskedLM, tfnlp.MultipleChoice, tfnlp.NextSentencePrediction, tfnlp.QuestionAnswerer, tfnlp.Seq2SeqLM, tfnlp.TextEncoder,
)  # fmt: skip

# The one asks a trained SequenceClassifier; the other has no tokenizer in the graph. Their own files try them.
APART = {tfnlp.ZeroShotClassifier, tfnlp.TableQuestionAnswerer}


def params():
    for case in CASES:
        marks = pytest.mark.slow if case.task in SLOW else ()
        yield pytest.param(case, marks=marks, id=case.task.__name__)


@pytest.fixture(scope="module", params=params())
def case(request):
    return request.param


@pytest.fixture(scope="module")
def trained(case, tmp_path_factory):
    task = case.build(tmp_path_factory.mktemp("task"))
    history = task.fit(case.records, epochs=50, learning_rate=1e-2, batch_size=5, verbose=0)
    return task, history.history["loss"]


def test_the_table_holds_every_task():
    public = {value for name in tfnlp.__all__ if inspect.isclass(value := getattr(tfnlp, name))}
    tasks = {value for value in public if hasattr(value, "predict")}
    assert tasks - APART == {case.task for case in CASES} - {Echo} == set(TASKS.values()) - APART


def test_a_handful_of_records_is_learned_by_heart(case, trained):
    task, losses = trained
    assert losses[-1] < 0.1 * losses[0]
    report = task.evaluate(case.records)
    assert report.metrics()[task.main_metric] == pytest.approx(1.0)


def test_the_order_of_records_changes_nothing(case, trained):
    task, _ = trained
    report = task.evaluate(case.records)
    again = task.evaluate(case.records[::-1])
    assert again.metrics() == pytest.approx(report.metrics(), abs=1e-6)
    assert again.loss == pytest.approx(report.loss, abs=1e-6)


def test_padding_changes_nothing(case, trained):
    task, _ = trained
    row = as_numpy(task.preprocessor.features(next(task.training_rows(task.source(case.records))).taken(np.arange(1))))
    filled = {name: np.pad(values, ((0, 2), (0, 7))) for name, values in row.items()}
    alone, padded = task.forward(row), task.forward(filled)
    for name in task.output_names:
        np.testing.assert_allclose(alone[name][0], padded[name][0][: alone[name].shape[1]], atol=1e-5)


def test_saved_and_loaded_it_answers_alike_to_the_bit(case, trained, tmp_path):
    task, _ = trained
    task.save(tmp_path / "saved")
    loaded = case.task.from_pretrained(tmp_path / "saved") if case.task is Echo else tfnlp.load(tmp_path / "saved")
    assert np.all(loaded.predict(case.inputs, **case.asking) == task.predict(case.inputs, **case.asking))


@pytest.mark.slow  # tests/checkpoints/test_vocabulary.py tries two tasks
def test_tokens_that_are_added_stay(case, tmp_path):
    if case.task is Echo:
        pytest.skip("it has no tokens")
    task = case.build(tmp_path)
    assert task.add_tokens(["Zürich", "new york"]) == 2
    assert task.add_tokens(["Zürich"]) == 0
    new = task.tokenizer.hf.get_vocab()["Zürich"]
    task.fit(case.records, epochs=1, verbose=0)
    task.save(tmp_path / "saved")
    again = tfnlp.load(tmp_path / "saved")
    assert new in again.tokenizer.rows(["Ada in Zürich"]).values("input_ids").numpy()
    assert again.config.vocab_size == len(again.tokenizer.hf)
    assert np.all(again.predict(case.inputs, **case.asking) == task.predict(case.inputs, **case.asking))


def example_of(inputs):
    """Return a serialized `tf.train.Example` of one input's tensors."""
    example = tf.train.Example()
    for name, values in inputs.items():
        feature, flat = example.features.feature[name], np.asarray(values).reshape(-1).tolist()
        kinds = {bytes: feature.bytes_list, int: feature.int64_list, float: feature.float_list}
        if flat:
            kinds[type(flat[0])].value.extend(flat)
    return example.SerializeToString()


def test_the_saved_model_answers_from_strings_as_predict_does(case, trained, tmp_path):
    task, _ = trained
    task.export(tmp_path / "1", samples=case.inputs)
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    served = loaded.signatures["serving_default"]
    answers = as_numpy(served(**task.to_serving_inputs(case.inputs)))
    assert task.compare_answers(case.inputs, answers) == []
    few = case.inputs[:2]
    given = task.to_serving_inputs(few)
    examples = [example_of({name: values[i] for name, values in given.items()}) for i in range(len(few))]
    of_examples = as_numpy(loaded.signatures["examples"](examples=tf.constant(examples)))
    assert task.compare_answers(few, of_examples) == []
    nothing = {
        name: tf.zeros([0, *[2] * (spec.shape.rank - 1)], spec.dtype) for name, spec in task.serving_inputs.items()
    }
    assert {len(values) for values in served(**nothing).values()} == {0}


def test_the_model_is_plain_keras(trained):
    from tfnlp._backend import keras

    task, _ = trained
    assert type(task.model).__mro__[1] is keras.Model
    assert not isinstance(task, keras.Model)
