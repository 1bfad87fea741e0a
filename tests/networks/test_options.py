"""Options of configurations that have no network of ours: transformers' code runs them, or they are refused."""

import pytest
import transformers

from tests.networks.references import auto_class_of
from tfnlp.checkpoints.heads import AutoHead
from tfnlp.errors import UnsupportedModelError
from tfnlp.networks.heads import has_network


@pytest.mark.parametrize(
    ("kind", "head", "options"),
    [
        ("Bert", "TokenClassification", {"hidden_act": "quick_gelu"}),
        ("Bert", "TokenClassification", {"position_embedding_type": "relative_key"}),
        ("Bert", "MaskedLM", {"is_decoder": True}),
        ("DebertaV2", "MaskedLM", {"legacy": False}),
        ("DebertaV2", "TokenClassification", {"conv_kernel_size": 3}),
        ("DebertaV2", "SequenceClassification", {"pooler_hidden_act": "mish"}),
        ("Electra", "MultipleChoice", {"summary_type": "mean"}),
        ("ModernBert", "TokenClassification", {"classifier_activation": "mish"}),
        ("GPT2", "CausalLM", {"activation_function": "mish"}),
    ],
)
def test_options_without_a_network(kind, head, options):
    config = getattr(transformers, f"{kind}Config")
    assert has_network(auto_class_of(head), config())
    assert not has_network(auto_class_of(head), config(**options))


def test_a_family_without_other_code_is_refused():
    config = transformers.ModernBertConfig(hidden_activation="mish")
    with pytest.raises(
        UnsupportedModelError,
        match=r"^modernbert with .*`hidden_activation='mish'`.* has no network here: it knows gelu, gelu_new, .*, and "
        r"rotary positions of the types default, linear and llama3 \(ModernBERT: default\)\.$",
    ):
        AutoHead("TFAutoModelForTokenClassification").from_config(config)
