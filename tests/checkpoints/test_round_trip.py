"""What PyTorch saves is loaded with equal numbers, and what is saved here is loaded by PyTorch with equal numbers."""

import numpy as np
import pytest
import transformers

import tfnlp
from tfnlp._backend import keras
from tfnlp.checkpoints.weights import save_safetensors
from tfnlp.errors import CheckpointError, UnsupportedModelError

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore"),  # of transformers' heads, about initializers, names and mixed formats
]

_LAYERS = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
IDS = {"input_ids": np.array([[3, 4, 5, 6, 7]])}
SEQUENCES = {**IDS, "decoder_input_ids": np.array([[1, 3, 4]])}
PIXELS = {"pixel_values": np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32)}
SOUND = {"input_values": np.random.default_rng(0).normal(size=(2, 2000)).astype(np.float32)}
_CONVOLUTIONS = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "conv_dim": (16, 16),
    "conv_stride": (4, 2), "conv_kernel": (4, 2), "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2,
    "num_feat_extract_layers": 2,
}  # fmt: skip

CASES = {
    # The bias of `Conv1D` is a row here.
    "gpt2": ("GPT2", "SequenceClassification", {"n_embd": 16, "n_layer": 1, "n_head": 2, "vocab_size": 20, "pad_token_id": 0}, IDS),
    "openai-gpt": ("OpenAIGPT", "SequenceClassification", {"n_embd": 16, "n_layer": 1, "n_head": 2, "vocab_size": 20, "pad_token_id": 0}, IDS),
    "ctrl": ("CTRL", "SequenceClassification", {"n_embd": 16, "n_layer": 1, "n_head": 2, "dff": 16, "vocab_size": 20, "pad_token_id": 0}, IDS),
    # Tables of sines are not in the file.
    "marian": ("Marian", "Seq2SeqLM", {"d_model": 16, "vocab_size": 20, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "pad_token_id": 0, "decoder_start_token_id": 0, **_LAYERS}, SEQUENCES),
    "pegasus": ("Pegasus", "Seq2SeqLM", {"d_model": 16, "vocab_size": 20, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "pad_token_id": 0, **_LAYERS}, SEQUENCES),
    # Batch norms have statistics.
    "resnet": ("ResNet", "ImageClassification", {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}, PIXELS),
    "swiftformer": ("SwiftFormer", "ImageClassification", {"image_size": 64, "depths": [1, 1, 1, 1], "embed_dims": [8, 8, 16, 16]}, PIXELS),
    # Heads that none of transformers' auto classes knows. Convolutions have weight norms.
    "ctc": ("Wav2Vec2", "CTC", {**_CONVOLUTIONS, "vocab_size": 12}, SOUND),
    "hubert": ("Hubert", "CTC", {**_CONVOLUTIONS, "vocab_size": 12}, SOUND),
    "wav2vec2": ("Wav2Vec2", "AudioClassification", _CONVOLUTIONS, SOUND),
}  # fmt: skip


def spread(model):
    """Give a PyTorch model weights and statistics of which no two are alike."""
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if value.is_floating_point() and "embed_positions" not in name:
            drawn = torch.randn(value.shape, generator=generator) * 0.1
            value.copy_(drawn.abs() + 0.5 if "running_var" in name or "original0" in name else drawn)


@pytest.fixture(params=CASES)
def checkpoint(request, tmp_path):
    kind, head, options, inputs = CASES[request.param]
    config = getattr(transformers, f"{kind}Config")(**options)
    model = getattr(transformers, f"AutoModelFor{head}").from_config(config).eval()
    spread(model)
    model.save_pretrained(tmp_path / "theirs")
    return tmp_path, head, model, inputs


def outputs_of(model, inputs):
    with torch.no_grad():
        return model(**{name: torch.tensor(values) for name, values in inputs.items()}).logits.numpy()


def test_both_ways(checkpoint):
    directory, head, model, inputs = checkpoint
    expected = outputs_of(model, inputs)
    ours = getattr(tfnlp, f"TFAutoModelFor{head}")
    loaded, report = ours.from_pretrained(directory / "theirs", output_loading_info=True)
    assert not report.missing and not report.mismatched and not report.unused
    found = loaded(dict(inputs), training=False).logits.numpy()
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(found, expected, atol=1e-4 * scale)
    model.config.save_pretrained(directory / "ours")
    save_safetensors(loaded, directory / "ours" / "model.safetensors")
    auto = getattr(transformers, f"AutoModelFor{head}")
    again, info = auto.from_pretrained(directory / "ours", output_loading_info=True)
    assert not any(info[name] for name in ("missing_keys", "mismatched_keys", "error_msgs")), info
    np.testing.assert_allclose(outputs_of(again.eval(), inputs), expected, atol=1e-4 * scale)


def test_tables_of_sines_are_not_trained(tmp_path):
    kind, _, options, _ = CASES["marian"]
    config = getattr(transformers, f"{kind}Config")(**options)
    model = transformers.AutoModelForSeq2SeqLM.from_config(config)
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
    ("kind", "auto"),
    [
        ("TransfoXL", "CausalLM"),
        ("RoFormer", "CausalLM"),
        ("Data2VecVision", "SemanticSegmentation"),
        ("Longformer", "MultipleChoice"),
    ],
)
def test_heads_that_give_other_numbers_are_refused(kind, auto):
    config = getattr(transformers, f"{kind}Config")()
    with pytest.raises(UnsupportedModelError, match=r"gives other numbers than its PyTorch twin: it "):
        getattr(tfnlp, f"TFAutoModelFor{auto}").from_config(config)
