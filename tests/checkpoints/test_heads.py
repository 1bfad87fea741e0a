import json
import logging
import shutil

import numpy as np
import pytest

import tfnlp
from tests.tiny import ARCHITECTURES, LABELS, build_config
from tfnlp._backend import tf
from tfnlp.checkpoints.heads import AutoHead
from tfnlp.checkpoints.sizes import position_limit
from tfnlp.checkpoints.upstream import HEADS_OF_NO_AUTO_CLASS
from tfnlp.checkpoints.weight_files import SafetensorsFile
from tfnlp.checkpoints.weights import output_bias, pytorch_weights, save_safetensors
from tfnlp.errors import CheckpointError, UnsupportedModelError

IDS = np.random.default_rng(0).integers(5, 30, (2, 9)).astype(np.int32)
Tagger = tfnlp.TFAutoModelForTokenClassification


def logits_of(head):
    return head(IDS).logits.numpy()


@pytest.fixture
def copied(checkpoints, tmp_path):
    """A copy of the tiny BERT, to be damaged."""
    return shutil.copytree(checkpoints["bert"], tmp_path / "copy")


def test_every_auto_class_of_transformers_is_there():
    import transformers.models.auto.modeling_tf_auto as auto

    theirs = {name for name in auto.__all__ if name.startswith("TFAutoModel") and name != "TFAutoModelWithLMHead"}
    ours = {name for name in tfnlp.__all__ if name.startswith("TFAutoModel")}
    assert ours == theirs | set(HEADS_OF_NO_AUTO_CLASS)
    for name in ours:
        assert isinstance(getattr(tfnlp, name), AutoHead)
        assert getattr(tfnlp, name).name == name


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_is_saved_is_loaded(checkpoints, tmp_path, name):
    head, report = Tagger.from_pretrained(checkpoints[name], output_loading_info=True)
    assert report.missing == report.unused == report.mismatched == ()
    again = shutil.copytree(checkpoints[name], tmp_path / "again")
    save_safetensors(head, again / "model.safetensors")
    assert np.array_equal(logits_of(Tagger.from_pretrained(again)), logits_of(head))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_tensorflow_s_own_files(checkpoints, tmp_path, name):
    head = Tagger.from_pretrained(checkpoints[name])
    for options in ({}, {"safe_serialization": True}):
        head.save_pretrained(tmp_path / name, **options)
        again, report = Tagger.from_pretrained(tmp_path / name, output_loading_info=True)
        assert report.missing == report.unused == report.mismatched == ()
        assert np.array_equal(logits_of(again), logits_of(head))
        shutil.rmtree(tmp_path / name)


def test_hidden_states_and_attentions(checkpoints):
    head = Tagger.from_pretrained(checkpoints["bert"], output_hidden_states=True, output_attentions=True)
    outputs = head(IDS)
    assert [state.shape for state in outputs.hidden_states] == [(2, 9, 16)] * 3
    assert [attention.shape for attention in outputs.attentions] == [(2, 2, 9, 9)] * 2


def test_from_config():
    head = Tagger.from_config(build_config("bert", 40))
    assert type(head).__name__ == "TFBertForTokenClassification"
    assert head(IDS).logits.shape == (2, 9, len(LABELS))


def test_a_head_of_another_size_is_initialised_anew(checkpoints, caplog):
    head, report = Tagger.from_pretrained(checkpoints["bert"], num_labels=3, output_loading_info=True, seed=5)
    assert report.mismatched == (("classifier.weight", (5, 16), (3, 16)), ("classifier.bias", (5,), (3,)))
    assert "TFBertForTokenClassification: classifier.weight is (5, 16) in" in caplog.text
    assert caplog.text.count("not (3, 16); initialised anew") == 1
    again = Tagger.from_pretrained(checkpoints["bert"], num_labels=3, seed=5)
    other = Tagger.from_pretrained(checkpoints["bert"], num_labels=3, seed=6)
    assert np.array_equal(logits_of(again), logits_of(head))
    assert not np.array_equal(logits_of(other), logits_of(head))


def test_a_new_head_starts_as_in_pytorch(checkpoints):
    head = Tagger.from_pretrained(checkpoints["bert"], num_labels=400)
    drawn = head.classifier.kernel.numpy() / head.config.initializer_range
    assert drawn.size > 5_000 and drawn.std() == pytest.approx(1, abs=0.05)
    assert 0.03 < np.mean(abs(drawn) > 2) < 0.06  # transformers' heads in TensorFlow have none: 0.0455 of the normal
    assert not head.classifier.bias.numpy().any()


def test_a_checkpoint_of_a_base_model_lacks_the_head(checkpoints, copied, caplog):
    weights = {n.removeprefix("bert."): w for n, w in SafetensorsFile(copied / "model.safetensors").items()}
    from safetensors.numpy import save_file

    pooler = {"pooler.dense.weight": np.ones((16, 16), np.float32)}
    bare = {name: w for name, w in weights.items() if "classifier" not in name}
    save_file(bare | pooler, copied / "model.safetensors")
    with caplog.at_level(logging.INFO):
        head, report = Tagger.from_pretrained(copied, output_loading_info=True)
    assert report.missing == ("classifier.weight", "classifier.bias")
    assert report.unused in ((), ("pooler.dense.weight",))
    assert "lacks these weights, initialised anew: classifier.weight, classifier.bias" in caplog.text
    embeddings = "bert.embeddings.word_embeddings.weight"
    assert np.array_equal(pytorch_weights(head)[embeddings], weights[embeddings.removeprefix("bert.")])


def test_errors_name_cause_and_remedy(checkpoints, copied, tmp_path):
    def message(error, path, auto=Tagger):
        with pytest.raises(error) as caught:
            auto.from_pretrained(path)
        return str(caught.value)

    assert message(CheckpointError, tmp_path) == (
        f"{tmp_path}: this directory is no checkpoint: it has no `config.json`. A checkpoint holds `config.json`, weights "
        "(model.safetensors, tf_model.h5, pytorch_model.bin) and a tokenizer."
    )
    found = message(CheckpointError, "nobody/there-is-no-such-model")
    assert found.startswith(
        "nobody/there-is-no-such-model: neither a directory nor a checkpoint that can be had from the Hub"
    )
    assert found.endswith("(`hf download NAME --local-dir DIR`) and pass the directory.")
    weights = copied / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    found = message(CheckpointError, copied)
    assert found.startswith(f"{weights}: the file is damaged or no safetensors file: ")
    assert found.endswith(". Download or copy it again.")
    weights.unlink()
    assert message(CheckpointError, copied).startswith(f"{copied}: there are no weights: none of model.safetensors, ")
    (copied / "tf_model.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"x" * 50)
    assert "the file is damaged or incomplete: " in message(CheckpointError, copied)
    (copied / "tf_model.h5").unlink()
    (copied / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "model-1.safetensors"}}))
    assert message(CheckpointError, copied) == (
        f"{copied}: the shard 'model-1.safetensors', which the index names, is missing. Download it."
    )
    (copied / "model.safetensors.index.json").write_text("{}")
    assert "not an index of shards" in message(CheckpointError, copied)
    found = message(UnsupportedModelError, checkpoints["bert"], tfnlp.TFAutoModelForSpeechSeq2Seq)
    assert found.startswith("transformers has no TFAutoModelForSpeechSeq2Seq for the architecture 'bert'.")
    assert "whisper" in found


@pytest.mark.filterwarnings("ignore:`TFSharedEmbeddings`:DeprecationWarning")  # upstream's XLM, 2026-11
def test_faults_of_upstream():
    import transformers

    config = build_config("electra", 40)
    config.classifier_dropout = 0.25
    head = tfnlp.TFAutoModelForSequenceClassification.from_config(config)
    assert head.classifier.dropout.rate == 0.25
    sizes = {"vocab_size": 40, "emb_dim": 16, "n_layers": 1, "n_heads": 2}
    head = tfnlp.TFAutoModelForMultipleChoice.from_config(transformers.XLMConfig(**sizes))
    assert head(tf.constant(IDS[:, None])).logits.shape == (2, 1)
    with pytest.raises(UnsupportedModelError, match=r"^TFLongformerForMultipleChoice gives other numbers"):
        tfnlp.TFAutoModelForMultipleChoice.from_config(transformers.LongformerConfig())
    with pytest.raises(UnsupportedModelError, match=r"^TFMobileBertForMaskedLM has two tables of tokens"):
        tfnlp.TFAutoModelForMaskedLM.from_config(transformers.MobileBertConfig())


@pytest.mark.parametrize("name", [*ARCHITECTURES, "mpnet", "xlm-roberta", "deberta-v2"])
def test_the_bias_of_the_outputs(name):
    config = build_config(name, 40, id2label=dict(enumerate("abc")), pad_token_id=1)
    head = tfnlp.TFAutoModelForSequenceClassification.from_config(config)
    before = logits_of(head)
    output_bias(head, 3).assign([1.0, -2.0, 3.0])
    np.testing.assert_allclose(logits_of(head) - before, [[1.0, -2.0, 3.0]] * 2, atol=1e-5)


@pytest.mark.filterwarnings("ignore:The initializer TruncatedNormal is unseeded", "ignore:`TFSharedEmbeddings`")
def test_outputs_without_a_bias():
    config = build_config("gpt2", 40, id2label=dict(enumerate("abc")), pad_token_id=1)
    head = tfnlp.TFAutoModelForSequenceClassification.from_config(config)
    head.build_in_name_scope()
    assert output_bias(head, 3) is None


def test_the_longest_row():
    config = build_config("roberta", 40)
    assert position_limit(config, None) == 64 - config.pad_token_id - 1
    assert position_limit(build_config("bert", 40), 30) == 30
    assert position_limit(build_config("bert", 40), 100) == 64


# Against PyTorch

FORMATS = ("safetensors", "float16", "bfloat16", "sharded", "bin", "bin-sharded", "bin-legacy")


def write_in_pytorch(model, directory, form):
    import torch

    if form in ("float16", "bfloat16"):
        model = model.to(getattr(torch, form))
    if form == "bin-legacy":
        model.config.save_pretrained(directory)
        torch.save(model.state_dict(), directory / "pytorch_model.bin", _use_new_zipfile_serialization=False)
        return
    size = {"max_shard_size": "6KB"} if "sharded" in form else {}
    model.save_pretrained(directory, safe_serialization=not form.startswith("bin"), **size)
    assert ("sharded" in form) == any(".index.json" in file.name for file in directory.iterdir())


def pytorch_logits(model):
    import torch

    with torch.no_grad():
        return model.float().eval()(torch.tensor(IDS.astype(np.int64))).logits.numpy()


@pytest.mark.torch
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_logits_equal_pytorch_s_from_every_format(tmp_path, name, form):
    torch = pytest.importorskip("torch")
    import transformers

    torch.manual_seed(0)
    model = transformers.AutoModelForTokenClassification.from_config(build_config(name, 40))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    write_in_pytorch(model, tmp_path, form)
    head, report = Tagger.from_pretrained(tmp_path, output_loading_info=True)
    assert report.missing == report.unused == report.mismatched == ()
    np.testing.assert_allclose(logits_of(head), pytorch_logits(model), atol=1e-4, rtol=0)


@pytest.mark.torch
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_pytorch_loads_what_is_saved(checkpoints, name):
    pytest.importorskip("torch")
    import transformers

    head = Tagger.from_pretrained(checkpoints[name])
    model, info = transformers.AutoModelForTokenClassification.from_pretrained(
        checkpoints[name], output_loading_info=True
    )
    assert not any(info.values())
    np.testing.assert_allclose(logits_of(head), pytorch_logits(model), atol=1e-4, rtol=0)


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")  # PyTorch's side, 2026-11
def test_deberta_2_with_its_own_position_projections(tmp_path):
    torch = pytest.importorskip("torch")
    import transformers

    sizes = {
        "vocab_size": 40,
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    attention = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "share_att_key": False}
    model = transformers.AutoModelForTokenClassification.from_config(transformers.DebertaV2Config(**sizes, **attention))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(tmp_path)
    head, report = Tagger.from_pretrained(tmp_path, output_loading_info=True)
    assert report.missing == report.unused == ()
    np.testing.assert_allclose(logits_of(head), pytorch_logits(model), atol=1e-4, rtol=0)


@pytest.mark.torch
@pytest.mark.minilm
def test_minilm_equals_pytorch(minilm, tmp_path):
    pytest.importorskip("torch")
    import transformers

    ids = np.random.default_rng(1).integers(1000, 30000, (2, 9)).astype(np.int32)
    head = Tagger.from_pretrained(minilm, num_labels=5)
    head.config.architectures = ["BertForTokenClassification"]
    head.config.save_pretrained(tmp_path)
    save_safetensors(head, tmp_path / "model.safetensors")
    model, info = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    import torch

    with torch.no_grad():
        theirs = model.eval()(torch.tensor(ids.astype(np.int64))).logits.numpy()
    np.testing.assert_allclose(head(ids).logits.numpy(), theirs, atol=1e-4, rtol=0)
