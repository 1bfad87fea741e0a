"""The loss of vectors, by pieces, against that of all logits at once."""

import numpy as np
import pytest

from tfnlp._backend import tf
from tfnlp.networks.output import Output
from tfnlp.training import vector_loss
from tfnlp.training.losses import TokenCrossEntropy
from tfnlp.training.vector_loss import VectorCrossEntropy

VOCABULARY, SIZE = 40, 6


def drawn(*shape):
    return tf.Variable(np.random.default_rng(0).standard_normal(shape).astype(np.float32))


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
@pytest.mark.parametrize(
    "make",
    [
        lambda: Output(table=drawn(VOCABULARY, SIZE), scale=0.5),
        lambda: Output(kernel=drawn(SIZE, VOCABULARY), bias=drawn(1, VOCABULARY)),
    ],
    ids=["table", "kernel"],
)
def test_loss_and_gradients_are_those_of_all_logits(make, label_smoothing, monkeypatch):
    monkeypatch.setattr(vector_loss, "_LOGITS", 4 * VOCABULARY)  # four tokens in a piece
    output, vectors = make(), drawn(3, 5, SIZE)
    labels = np.random.default_rng(1).integers(0, VOCABULARY, size=(3, 5)).astype(np.int32)
    labels[0, :2] = labels[2] = -100
    of_logits = TokenCrossEntropy(label_smoothing=label_smoothing)
    by_pieces = VectorCrossEntropy(output, label_smoothing=label_smoothing)
    variables = [vectors, *(value for value in output[:3] if value is not None)]

    @tf.function
    def both():
        with tf.GradientTape(persistent=True) as tape:
            logits = tf.reshape(output(tf.reshape(vectors, [-1, SIZE])), [3, 5, VOCABULARY])
            expected, found = 3 * of_logits(labels, logits), 3 * by_pieces(labels, vectors)
        return expected, found, tape.gradient(expected, variables), tape.gradient(found, variables)

    expected, found, *gradients = both()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    for theirs, ours in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_nothing_to_learn_is_no_loss():
    vectors = drawn(2, 3, SIZE)
    loss = VectorCrossEntropy(Output(table=drawn(VOCABULARY, SIZE)))
    with tf.GradientTape() as tape:
        value = loss(tf.fill([2, 3], -100), vectors)
    assert value.numpy() == 0
    np.testing.assert_array_equal(tape.gradient(value, vectors), np.zeros([2, 3, SIZE]))
