import numpy as np
import pytest

from tfnlp import TokenCrossEntropy
from tfnlp._backend import keras, tf

LOGITS = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
LABELS = np.array([[0, 1, -100, 2], [4, -100, -100, -100], [-100, -100, 3, 3]], np.int32)


@pytest.mark.torch
@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 0.5, 1.0, 3.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_mean_equals_pytorch_s(weights, smoothing):
    torch = pytest.importorskip("torch")
    reference = torch.nn.CrossEntropyLoss(
        weight=None if weights is None else torch.tensor(weights), label_smoothing=smoothing
    )
    expected = reference(torch.tensor(LOGITS).reshape(-1, 5), torch.tensor(LABELS.astype(np.int64)).reshape(-1))
    ours = TokenCrossEntropy(label_weights=weights, label_smoothing=smoothing)(LABELS, LOGITS)
    np.testing.assert_allclose(ours.numpy(), expected.item(), rtol=1e-6)


def test_a_batch_without_labels_costs_nothing():
    loss = TokenCrossEntropy(label_smoothing=0.1)
    logits = tf.constant(LOGITS)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = loss(np.full_like(LABELS, -100), logits)
    assert value.numpy() == 0.0
    assert not tape.gradient(value, logits).numpy().any()


def test_sample_weights_count():
    loss = TokenCrossEntropy()
    once = loss(LABELS, LOGITS).numpy()
    assert loss(LABELS, LOGITS, sample_weight=np.full((3, 1), 2.0)).numpy() == pytest.approx(2 * once)


def test_it_can_be_written_down():
    loss = TokenCrossEntropy(label_weights=[1, 2, 3, 4, 5], label_smoothing=0.2)
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again(LABELS, LOGITS).numpy() == loss(LABELS, LOGITS).numpy()
