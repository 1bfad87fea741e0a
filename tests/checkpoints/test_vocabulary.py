import numpy as np
import pytest

import tfnlp
from tests.tiny import TEXTS, UNNAMED, write_checkpoint
from tfnlp import MaskedLM, TokenClassifier
from tfnlp.checkpoints.weights import pytorch_weights
from tfnlp.errors import ArgumentError

NEW = ["Zürich", "<x>", "New York"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bert", "roberta", "xlm-roberta", "deberta-v2"])
def test_old_rows_stay_and_new_ones_are_near_their_mean(name, tmp_path):
    lm = MaskedLM.from_pretrained(write_checkpoint(name, tmp_path / name, head="MaskedLM", **UNNAMED))
    before = pytorch_weights(lm.head)
    size = lm.config.vocab_size
    assert lm.add_tokens(NEW) == 3
    assert lm.add_tokens(["<special>", "<x>"], special=True) == 1
    after = pytorch_weights(lm.head)
    assert lm.config.vocab_size == size + 4 == len(lm.tokenizer.hf)
    grown = [key for key in before if before[key].shape != after[key].shape]
    assert any("word_embeddings" in key for key in grown)
    for key, old in before.items():
        assert (after[key][: len(old)] == old).all()
        if key in grown:
            np.testing.assert_allclose(after[key][size:].mean(0), old.mean(0), atol=5e-3)
            assert len(np.unique(after[key][size:], axis=0)) == 4
    text = f"Ada {lm.tokenizer.hf.mask_token} in Zürich <x> New York <special>"
    lm.save(tmp_path / "saved")
    again = tfnlp.load(tmp_path / "saved")
    assert again.predict(text) == lm.predict(text)
    assert again.tokenizer.rows([text]).values("input_ids").numpy().tolist() == again.tokenizer.hf(text)["input_ids"]
    if name == "bert":
        lm.export(tmp_path / "1", samples=[text])


@pytest.mark.torch
def test_pytorch_loads_what_was_added(tmp_path):
    torch = pytest.importorskip("torch")
    import transformers

    task = TokenClassifier.from_pretrained(write_checkpoint("bert", tmp_path / "bert"))
    task.add_tokens(NEW)
    task.save(tmp_path / "saved")
    model, info = transformers.AutoModelForTokenClassification.from_pretrained(
        tmp_path / "saved", output_loading_info=True
    )
    assert not any(info.values())
    ids = task.tokenizer.hf(f"{TEXTS[0]} Zürich", return_tensors="pt")
    with torch.no_grad():
        theirs = model.eval()(**ids).logits.numpy()
    ours = task.forward({name: ids[name].numpy().astype(np.int32) for name in task.tokenizer.input_names})["logits"]
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.slow
def test_before_the_labels_are_known(tmp_path):
    directory = write_checkpoint("bert", tmp_path / "bert", head="MaskedLM", **UNNAMED)
    task = TokenClassifier.from_pretrained(directory)
    assert task.labels is None
    assert task.add_tokens(NEW) == 3
    task.fit([{"words": ["Ada", "Zürich"], "labels": ["B-PER", "B-LOC"]}], epochs=1, verbose=0)
    assert task.head.config.vocab_size == len(task.tokenizer.hf)


def test_wrong_tokens(tmp_path):
    task = TokenClassifier.from_pretrained(write_checkpoint("bert", tmp_path / "bert"))
    for tokens in ("Zürich", ["a", ""], [3]):
        with pytest.raises(ArgumentError, match=r"^`tokens` must be a list of texts that are not empty; it is"):
            task.add_tokens(tokens)
