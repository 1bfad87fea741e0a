"""Encoders of our own beside PyTorch's and transformers' TensorFlow heads: outputs, gradients, dropout."""

import numpy as np
import pytest

from tests.networks.references import auto_class_of, build_reference, head_cases
from tfnlp._backend import tf
from tfnlp.checkpoints.heads import AutoHead
from tfnlp.checkpoints.weights import variables_by_name
from tfnlp.networks.heads import HeadNetwork
from tfnlp.networks.layers import Mode
from tfnlp.networks.own_heads import OwnHead
from tfnlp.networks.weights import from_variables

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore:`torch.jit"),  # transformers' DeBERTa, on PyTorch
    pytest.mark.filterwarnings("ignore:The initializer", "ignore:`TFSharedEmbeddings`"),
]
QUICK = {("bert", "TokenClassification"), ("deberta-v2", "QuestionAnswering"), ("modernbert", "SequenceClassification")}
CASES = [
    pytest.param(*case, marks=() if case in QUICK else pytest.mark.slow, id="-".join(case)) for case in head_cases()
]


def loaded(family, head, directory, **options):
    """Return PyTorch's network, transformers' head or ours, and what runs its variables."""
    reference = build_reference(family, head, directory, **options)
    owner, report = AutoHead(auto_class_of(head)).from_pretrained(directory, output_loading_info=True)
    assert not report.missing
    assert not report.mismatched
    return reference, owner, HeadNetwork(owner, auto_class_of(head), from_variables(variables_by_name(owner)))


def at_tokens(values, mask):
    """Keep what stands at tokens; what stands at padding means nothing."""
    values, mask = np.asarray(values), mask.reshape(-1, mask.shape[-1]) == 1
    if values.ndim == 4:  # weights of attention
        return values.transpose(0, 2, 1, 3)[mask]
    return values[mask] if values.shape[:2] == mask.shape else values


def compare(ours, theirs, mask, atol):
    pairs = zip(ours, theirs, strict=True) if isinstance(ours, tuple) else [(ours, theirs)]
    for found, expected in pairs:
        np.testing.assert_allclose(at_tokens(found, mask), at_tokens(expected, mask), atol=atol)


@pytest.mark.parametrize(("family", "head"), CASES)
def test_outputs_are_pytorch_s_and_the_head_s(family, head, tmp_path):
    reference, owner, network = loaded(family, head, tmp_path)
    features, mask = reference.features, reference.features["attention_mask"]
    asked = {"output_hidden_states": True, "output_attentions": True}
    ours = network(features, **asked)
    with torch.no_grad():
        theirs = reference.network(**reference.given(), **asked)
    assert {"hidden_states", "attentions"} < set(ours) <= set(theirs)
    for name, values in ours.items():
        compare(values, theirs[name], mask, 1e-4)
    if not isinstance(owner, OwnHead):
        of_head = owner(features, **asked)
        for name in ours.keys() & of_head.keys():
            compare(ours[name], of_head[name], mask, 1e-5)
    if head != "MultipleChoice":
        check_row_alone(network, features, ours)


def check_row_alone(network, features, together):
    """One row without its padding is answered as among others."""
    length = int(features["attention_mask"][1].sum())
    alone = network({name: values[1:2, :length] for name, values in features.items()})
    for name, values in alone.items():
        expected = together[name][1:2]
        np.testing.assert_allclose(values, expected[:, :length] if values.shape[1] == length else expected, atol=1e-5)


@pytest.mark.parametrize(("family", "head"), CASES)
def test_gradients_are_pytorch_s(family, head, tmp_path):
    reference, owner, network = loaded(family, head, tmp_path)
    features, mask = reference.features, reference.features["attention_mask"]
    theirs = reference.network(**reference.given())
    named = variables_by_name(owner)
    wanted = {name: coefficients(values.shape, mask) for name, values in theirs.items()}
    with tf.GradientTape() as tape:
        outputs = network(features, training=True)
        loss = tf.add_n([tf.reduce_sum(values * wanted[name]) for name, values in outputs.items()])
    sum((theirs[name] * torch.tensor(wanted[name])).sum() for name in outputs).backward()
    prefix = "" if head else f"{owner.base_model_prefix}."
    expected = {f"{prefix}{name}": weight.grad for name, weight in reference.network.named_parameters()}
    names = [name for name in named if expected.get(name) is not None]
    assert len(names) >= len([weight for weight in expected.values() if weight is not None])
    # Where the true gradient is 0, as that of biases of keys, there is rounding alone.
    least = 1e-3 * max(float(expected[name].abs().max()) for name in names)
    for name, gradient in zip(names, tape.gradient(loss, [named[name] for name in names]), strict=True):
        found, wanted = tf.convert_to_tensor(gradient).numpy(), expected[name].numpy()
        if found.ndim == 2 and not name.endswith(("embeddings.weight", "bias.weight")):
            found = found.T
        scale = max(np.abs(wanted).max(), least)
        np.testing.assert_allclose(found / scale, wanted / scale, atol=1e-4, err_msg=name)


def coefficients(shape, mask):
    """Return numbers by which outputs are weighed: zero at padding."""
    drawn = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    mask = mask.reshape(-1, mask.shape[-1])
    return drawn * mask.reshape(*mask.shape, *[1] * (drawn.ndim - 2)) if drawn.shape[:2] == mask.shape else drawn


@pytest.mark.parametrize(("family", "head"), CASES)
def test_dropout_stands_where_pytorch_has_it(family, head, tmp_path, monkeypatch):
    """Values that are made smaller by their rate, in the place of being dropped, tell where and by how much."""
    reference, _, network = loaded(family, head, tmp_path, has_dropout=True)
    monkeypatch.setattr(Mode, "drop", lambda mode, values, rate: values * (1 - rate) if mode.is_training else values)
    monkeypatch.setattr(
        torch.nn.functional,
        "dropout",
        lambda values, p=0.5, training=True, inplace=False: values * (1 - p) if training else values,
    )
    ours = network(reference.features, training=True)
    with torch.no_grad():
        theirs = reference.network.train()(**reference.given())
        still = reference.network.eval()(**reference.given())
    for name, values in ours.items():
        mask = reference.features["attention_mask"]
        compare(values, theirs[name], mask, 1e-4)
        assert np.abs(at_tokens(values, mask) - at_tokens(still[name], mask)).max() > 1e-2
