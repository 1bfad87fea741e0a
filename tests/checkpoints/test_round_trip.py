"""What PyTorch saves is loaded with equal numbers, and what is saved here is loaded by PyTorch with equal numbers."""

import pytest
import transformers

import tfnlp
from benchmarks.small_configs import small_config
from benchmarks.support import check, heads
from tests.marks import slow_case
from tfnlp._backend import keras
from tfnlp.errors import CheckpointError, UnsupportedModelError

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore"),  # of transformers' heads, about initializers, names and mixed formats
]

HEADS = {head.name: head for head in heads()}
# What once went wrong; the slow tests check every other head.
QUICK = (
    "TFGPT2ForSequenceClassification",  # the bias of `Conv1D` is a row here
    "TFOpenAIGPTForSequenceClassification",  # and its "gelu" is another
    "TFMarianMTModel",  # tables of sines are not in the file
    "TFResNetForImageClassification",  # batch norms have statistics
    "TFWav2Vec2ForCTC",  # none of transformers' auto classes knows it, and its convolutions have weight norms
    "TFAlbertForMaskedLM",  # has two biases, of which one plays no part
)


@pytest.mark.parametrize("name", [*QUICK, *(slow_case(name) for name in HEADS if name not in QUICK)])
def test_both_ways(name, tmp_path):
    result = check(HEADS[name], tmp_path)
    assert result.is_equal or result.refused, result


def test_tables_of_sines_are_not_trained(tmp_path):
    model = transformers.AutoModelForSeq2SeqLM.from_config(small_config("marian", "TFMarianMTModel"))
    model.save_pretrained(tmp_path)
    loaded = tfnlp.TFAutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    assert not any("embed_positions" in variable.name for variable in loaded.trainable_variables)
    assert isinstance(loaded, keras.Model)


def test_a_checkpoint_of_which_nothing_fits(tmp_path):
    sizes = {
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "intermediate_size": 8,
        "vocab_size": 9,
    }
    transformers.AutoModel.from_config(transformers.BertConfig(**sizes)).save_pretrained(tmp_path)
    transformers.GPT2Config(vocab_size=9, n_embd=8, n_layer=1, n_head=1).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"none of the \d+ weights of the checkpoint has a place in TFGPT2"):
        tfnlp.TFAutoModelForCausalLM.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("kind", "auto", "reason"),
    [
        ("TransfoXL", "CausalLM", "builds no weights"),
        ("RoFormer", "CausalLM", "lets each token see those after it"),
        ("Data2VecVision", "SemanticSegmentation", "chains the levels of its pyramid"),
        ("Longformer", "MultipleChoice", "differs by 4e-3"),
        ("Idefics", "PreTraining", "mixes the layers of two Kerases"),
    ],
)
def test_heads_that_can_not_be_used_are_refused(kind, auto, reason):
    config = getattr(transformers, f"{kind}Config")()
    with pytest.raises(UnsupportedModelError, match=reason):
        getattr(tfnlp, f"TFAutoModelFor{auto}").from_config(config)
