"""What products are computed in, and who runs the head: options of every task that an encoder answers."""

import logging

import numpy as np
import pytest

import tfnlp
from tests.tiny import EXAMPLES, QUICK, RECORDS, TEXTS, UNNAMED, build_learner, build_task, write_checkpoint
from tfnlp._backend import keras, tf
from tfnlp.checkpoints import checkpoint
from tfnlp.errors import ArgumentError
from tfnlp.networks.heads import HeadNetwork


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A classifier whose products are bfloat16 in training. Not to be changed."""
    directory = tmp_path_factory.mktemp("classifier")
    task = build_task(tfnlp.SequenceClassifier, "bert", directory, UNNAMED | QUICK)
    task.fit(EXAMPLES, epochs=40, learning_rate=1e-2, batch_size=5, verbose=0, precision="bfloat16")
    return task


def products(task, precision):
    """Return the types that products of matrices have in the graph of a network."""
    graph = task.network_in(precision).forward.get_concrete_function().graph
    return {op.outputs[0].dtype for op in graph.get_operations() if op.type in ("MatMul", "BatchMatMulV2")}


def test_products_are_in_bfloat16_and_nothing_else_is(classifier):
    assert products(classifier, "float32") == {tf.float32}
    assert products(classifier, "bfloat16") == {tf.bfloat16}
    graph = classifier.network_in("bfloat16").forward.get_concrete_function().graph
    others = {
        op.outputs[0].dtype for op in graph.get_operations() if op.type in ("Softmax", "Rsqrt", "FusedBatchNormV3")
    }
    assert others == {tf.float32}
    assert {weight.dtype for weight in classifier.head.weights} == {tf.float32}


def test_what_was_trained_in_bfloat16_answers_in_both(classifier):
    expected = [record["label"] for record in EXAMPLES]
    for precision in (None, "float32", "bfloat16"):
        assert [label.name for label in classifier.predict(TEXTS, precision=precision)] == expected
    wide = [label.score for label in classifier.predict(TEXTS)]
    narrow = [label.score for label in classifier.predict(TEXTS, precision="bfloat16")]
    assert wide != narrow
    np.testing.assert_allclose(narrow, wide, atol=0.02)


def test_it_is_served_as_it_is_predicted(classifier, tmp_path):
    classifier.export(tmp_path / "1", precision="bfloat16")  # raises where an answer differs
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    served = loaded.signatures["serving_default"](text=tf.constant(TEXTS))
    narrow = [label.score for label in classifier.predict(TEXTS, precision="bfloat16")]
    np.testing.assert_allclose(served["score"].numpy(), narrow, atol=1e-5)
    assert classifier.settings.precision == "float32"


def test_it_is_a_setting_that_is_saved(tmp_path):
    task = build_learner("bert", tmp_path, precision="bfloat16")
    task.save(tmp_path / "saved")
    loaded = tfnlp.load(tmp_path / "saved")
    assert loaded.settings.precision == "bfloat16"
    assert products(loaded, loaded.settings.precision) == {tf.bfloat16}
    assert loaded.predict(TEXTS) == loaded.predict(TEXTS, precision="bfloat16")


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_keras_s_policies_hold(policy, tmp_path):
    keras.mixed_precision.set_global_policy(policy)
    try:
        task = build_learner("bert", tmp_path)
        task.fit(RECORDS, epochs=30, learning_rate=1e-2, batch_size=5, verbose=0)
        assert products(task, "float32") == {tf.as_dtype(policy.removeprefix("mixed_"))}
        assert task.evaluate(RECORDS).f1 == 1
    finally:
        keras.mixed_precision.set_global_policy("float32")


def test_a_processor_without_bfloat16_is_told_of(classifier, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(checkpoint, "has_bfloat16", lambda: False)
    with caplog.at_level(logging.WARNING, logger="tfnlp"):
        build_learner("bert", tmp_path).network_in("bfloat16")
    assert caplog.messages[-1] == (
        "this processor computes no products in bfloat16: they will be slower than in float32"
    )


def test_transformers_own_code_runs_the_head_if_that_is_wanted(tmp_path):
    directory = write_checkpoint("bert", tmp_path / "bert")
    ours = tfnlp.TokenClassifier.from_pretrained(directory)
    theirs = tfnlp.TokenClassifier.from_pretrained(directory, network="transformers")
    assert any(isinstance(layer, HeadNetwork) for layer in ours.model.layers)
    assert not any(isinstance(layer, HeadNetwork) for layer in theirs.model.layers)
    assert theirs.head in theirs.model.layers
    for found, expected in zip(ours.predict(TEXTS), theirs.predict(TEXTS), strict=True):
        assert [entity.span for entity in found] == [entity.span for entity in expected]
    with pytest.raises(
        ArgumentError,
        match=r"^`network` must be 'transformers', which runs transformers' own code, or left out; it is 'pytorch'\.$",
    ):
        tfnlp.TokenClassifier.from_pretrained(directory, network="pytorch")
    with pytest.raises(
        ArgumentError,
        match=r"^`precision='bfloat16'` is for networks of our own, and TFBertForTokenClassification is run by "
        r"transformers' code: call `tf_keras\.mixed_precision\.set_global_policy\('mixed_bfloat16'\)` before you make "
        r"the task\.$",
    ):
        theirs.predict(TEXTS, precision="bfloat16")


def test_precisions_that_there_are_not(classifier, tmp_path):
    message = r"^`precision` must be one of float32, bfloat16; it is 'int8'\.$"
    with pytest.raises(ArgumentError, match=message):
        classifier.predict(TEXTS, precision="int8")
    with pytest.raises(ArgumentError, match=message):
        classifier.fit(EXAMPLES, precision="int8")
    with pytest.raises(ArgumentError, match=message):
        classifier.export(tmp_path / "1", precision="int8")
