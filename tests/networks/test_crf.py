"""Conditional random fields beside all paths, one by one, and beside pytorch-crf."""

import itertools

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from tfnlp._backend import tf
from tfnlp.labels import IGNORE_ID
from tfnlp.networks.crf import Transitions, TransitionScores, best_path, log_likelihood, log_normalizer, marginals
from tfnlp.training.path_loss import PathLoss

LENGTHS, NUM_LABELS = (5, 1, 0, 4), 3
MASKS = {
    "first": [[place < length for place in range(6)] for length in LENGTHS],
    "last": [[place >= 6 - length for place in range(6)] for length in LENGTHS],
    "anywhere": [[True, False, True, True, True, False], [False] * 6, [False, True, False, False, True, False], [True] * 6],
}  # fmt: skip


@pytest.fixture(params=MASKS)
def field(request):
    draw = np.random.default_rng(0)
    shapes = (NUM_LABELS,), (NUM_LABELS,), (NUM_LABELS, NUM_LABELS)
    transitions = Transitions(*(draw.standard_normal(shape).astype(np.float32) for shape in shapes))
    return draw.standard_normal((4, 6, NUM_LABELS)).astype(np.float32), np.array(MASKS[request.param]), transitions


def all_paths(logits, mask, transitions):
    """Return every path through the places of a row, and its score."""
    at = logits[mask].astype(np.float64)
    paths = list(itertools.product(range(NUM_LABELS), repeat=len(at)))
    scores = [
        transitions.starts[path[0]]
        + transitions.ends[path[-1]]
        + sum(at[i, label] for i, label in enumerate(path))
        + sum(transitions.steps[a, b] for a, b in itertools.pairwise(path))
        for path in paths
        if path
    ]
    return np.array(paths), np.array(scores)


def rows_of(field):
    logits, mask, transitions = field
    return [(i, *all_paths(logits[i], mask[i], transitions)) for i in range(len(mask)) if mask[i].any()]


@pytest.mark.parametrize("jit_compile", [False, True])
def test_all_is_as_over_all_paths(field, jit_compile):
    logits, mask, transitions = field
    total, path, chances = (
        tf.function(function, jit_compile=jit_compile)(logits, mask, transitions).numpy()
        for function in (log_normalizer, best_path, marginals)
    )
    for i, paths, scores in rows_of(field):
        assert total[i] == pytest.approx(logsumexp(scores), abs=1e-5)
        assert path[i][mask[i]].tolist() == paths[scores.argmax()].tolist()
        each = [
            [softmax(scores)[paths[:, place] == label].sum() for label in range(3)] for place in range(mask[i].sum())
        ]
        np.testing.assert_allclose(chances[i][mask[i]], each, atol=1e-6)
    assert not path[~mask].any()
    assert not chances[~mask].any()
    assert not total[~mask.any(1)].any()


@pytest.mark.parametrize("jit_compile", [False, True])
def test_the_likelihood_of_every_path(field, jit_compile):
    logits, mask, transitions = field
    likelihood = tf.function(log_likelihood, jit_compile=jit_compile)
    for i, paths, scores in rows_of(field):
        labels = np.full((len(paths), 6), IGNORE_ID, np.int32)
        labels[:, mask[i]] = paths
        found = likelihood(np.repeat(logits[i : i + 1], len(paths), 0), labels, transitions)
        np.testing.assert_allclose(found, scores - logsumexp(scores), atol=1e-5)
    assert log_likelihood(logits, np.full((4, 6), IGNORE_ID, np.int32), transitions).numpy().tolist() == [0] * 4


def test_no_rows():
    transitions = TransitionScores(3).scores
    logits, mask = np.zeros((0, 4, 3), np.float32), np.zeros((0, 4), bool)
    assert best_path(logits, mask, transitions).shape == (0, 4)
    assert marginals(logits, mask, transitions).shape == (0, 4, 3)
    assert log_normalizer(logits, mask, transitions).shape == (0,)


@pytest.mark.torch
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_loss_gradients_and_paths_are_pytorch_crf_s(dtype):
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("torchcrf").CRF(5, batch_first=True)
    draw = np.random.default_rng(1)
    logits = tf.constant(draw.standard_normal((8, 12, 5)), tf.as_dtype(dtype))
    mask = np.arange(12) < draw.integers(1, 13, (8, 1))
    labels = np.where(mask, draw.integers(0, 5, (8, 12)), IGNORE_ID).astype(np.int32)
    layer = TransitionScores(5)
    with torch.no_grad():
        layer.set_weights([weight.numpy() for weight in theirs.parameters()])
    loss = PathLoss(layer)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        ours = loss(labels, layer(logits))
    given = torch.tensor(tf.cast(logits, tf.float32).numpy(), requires_grad=True)
    gold, is_counted = torch.tensor(np.where(mask, labels, 0)).long(), torch.tensor(mask)
    expected = -theirs(given, gold, mask=is_counted, reduction="token_mean")
    expected.backward()
    assert float(ours) == pytest.approx(expected.item(), rel=1e-5)
    *of_weights, of_logits = tape.gradient(ours, [*layer.weights, logits])
    for found, weight in zip(of_weights, theirs.parameters(), strict=True):
        np.testing.assert_allclose(found, weight.grad.numpy(), atol=1e-6)
    np.testing.assert_allclose(
        tf.cast(of_logits, tf.float32), given.grad.numpy(), atol=1e-6 if dtype == "float32" else 1e-3
    )
    paths = best_path(logits, mask, layer.scores).numpy()
    assert [path[row].tolist() for path, row in zip(paths, mask, strict=True)] == theirs.decode(given, is_counted)
