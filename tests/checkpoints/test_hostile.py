"""Checkpoints that are damaged, or made to do harm: each is refused by a message that names the file."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import tfnlp
from tests.tiny import LABELS
from tfnlp import TokenClassifier
from tfnlp.errors import CheckpointError


@pytest.fixture
def copied(checkpoints, tmp_path):
    return shutil.copytree(checkpoints["bert"], tmp_path / "copied")


def change(file, **fields):
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


@pytest.mark.parametrize("name", ["../../../../etc/passwd", "/etc/passwd", "a/b.safetensors", 7, "..\\x"])
def test_an_index_that_names_files_elsewhere(copied, name):
    (copied / "model.safetensors").unlink()
    (copied / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(
        CheckpointError, match=r"model\.safetensors\.index\.json: it names .* as a shard, which is no file"
    ):
        TokenClassifier.from_pretrained(copied)


@pytest.mark.parametrize("field", ["hidden_size", "vocab_size", "intermediate_size"])
def test_sizes_beyond_all_memory(copied, field):
    change(copied / "config.json", **{field: 2_000_000_000})
    with pytest.raises(
        CheckpointError, match=rf"`config\.json` says `{field}` 2,000,000,000, and all weights together"
    ):
        TokenClassifier.from_pretrained(copied)


def test_json_of_brackets(copied):
    (copied / "config.json").write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match=r"copied"):
        TokenClassifier.from_pretrained(copied)


@pytest.mark.parametrize("text", ["{}", "[]", '{"version": "9.0", "model": {"type": "Future"}}', "{"])
def test_a_tokenizer_that_is_none(copied, text):
    (copied / "tokenizer.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"(?s)no tokenizer could be loaded .* `pip install -U tokenizers`"):
        TokenClassifier.from_pretrained(copied)


def test_no_tokenizer(copied):
    for file in copied.glob("*tok*"):
        file.unlink()
    for file in copied.glob("vocab*"):
        file.unlink()
    with pytest.raises(CheckpointError, match="no tokenizer could be loaded from there"):
        TokenClassifier.from_pretrained(copied)


@pytest.mark.parametrize("saved", ["[]", '{"task": 3, "settings": {}}', '{"task": "TokenClassifier", "settings": [1]}'])
def test_settings_of_other_types(copied, saved):
    (copied / "tfnlp.json").write_text(saved)
    with pytest.raises(CheckpointError, match=r"tfnlp\.json: not the settings that `save` writes"):
        TokenClassifier.from_pretrained(copied)


def test_a_trained_head_of_another_shape(copied):
    names = {str(i): name for i, name in enumerate([*LABELS, "B-X"])}
    change(copied / "config.json", id2label=names, label2id={name: int(i) for i, name in names.items()})
    with pytest.raises(
        CheckpointError, match=r"classifier\.weight is \(5, 16\), not \(6, 16\).* pass `labels=\[\.\.\.\]`"
    ):
        TokenClassifier.from_pretrained(copied)
    assert len(TokenClassifier.from_pretrained(copied, labels=["O", "B-Y", "I-Y"]).known_labels) == 3


def test_a_table_of_tokens_of_another_size(copied):
    change(copied / "config.json", vocab_size=999)
    with pytest.raises(CheckpointError, match=r"word_embeddings\.weight is \(\d+, 16\), not \(999, 16\)"):
        TokenClassifier.from_pretrained(copied)


def test_an_id_without_a_label(copied):
    change(copied / "config.json", id2label={"0": "O", "1": "B-X", "3": "I-X"})
    with pytest.raises(CheckpointError, match=r"`id2label` in `config\.json` names no label for 2\."):
        TokenClassifier.from_pretrained(copied)


def test_names_that_are_numbers(copied):
    change(copied / "config.json", id2label={str(i): i for i in range(5)}, label2id={str(i): i for i in range(5)})
    assert TokenClassifier.from_pretrained(copied).known_labels.names == ("0", "1", "2", "3", "4")


def test_weights_that_are_no_numbers_are_reported(copied, caplog):
    weights = load_file(copied / "model.safetensors")
    weights["classifier.bias"] = np.full_like(weights["classifier.bias"], np.nan)
    save_file(weights, copied / "model.safetensors", metadata={"format": "pt"})
    TokenClassifier.from_pretrained(copied)
    assert "hold NaN or infinity, so answers mean nothing: classifier.bias" in caplog.text


def test_a_pointer_of_git_lfs(copied):
    (copied / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n")
    with pytest.raises(CheckpointError, match=r"a pointer of Git LFS, not the file itself\. Fetch it: `git lfs pull`"):
        TokenClassifier.from_pretrained(copied)


def test_a_directory_that_is_not_there(tmp_path):
    for load in (tfnlp.load, tfnlp.TokenClassifier.from_pretrained):
        with pytest.raises(CheckpointError, match="neither a directory nor a checkpoint that can be had from the Hub"):
            load(tmp_path / "no such")
