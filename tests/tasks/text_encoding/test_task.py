import json

import numpy as np
import pytest
import transformers

import tfnlp
from tests.commands import predict, run_command, run_example, train
from tests.conftest import data
from tests.marks import slow_case
from tests.tiny import LONG_TEXT, PAIRS, QUICK, TEXTS, UNNAMED, build_task, write_checkpoint
from tfnlp import TextEncoder
from tfnlp.errors import ArgumentError, DataError, UnsupportedModelError
from tfnlp.export import ask
from tfnlp.rows import as_numpy

TOGETHER = [
    {"anchor": first, "positive": second}
    for first, second in (("ada", "paris"), ("bob stone", "new york"), ("the cat", "house"), ("lives", "went to"))
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return write_checkpoint("bert", tmp_path_factory.mktemp("random") / "bert", head="", **UNNAMED)


@pytest.fixture(scope="module")
def encoder(directory):
    return TextEncoder.from_pretrained(directory, max_length=24, stride=6)


def pytorch_vectors(directory, texts):
    """Return the vectors of tokens, and which are tokens."""
    import torch

    model = transformers.AutoModel.from_pretrained(directory).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory)
    encoded = tokenizer(texts, padding=True, return_tensors="pt")
    features = {name: encoded[name] for name in tokenizer.model_input_names}
    with torch.no_grad():
        return model(**features).last_hidden_state, encoded["attention_mask"]


@pytest.mark.torch
def test_vectors_equal_pytorch(directory):
    torch = pytest.importorskip("torch")
    vectors, mask = pytorch_vectors(directory, TEXTS)
    expected = {
        "mean": (vectors * mask[..., None]).sum(1) / mask.sum(1, keepdim=True),
        "cls": vectors[:, 0],
        "max": vectors.masked_fill(mask[..., None] == 0, -1e9).max(1).values,
    }
    for pooling, theirs in expected.items():
        encoder = TextEncoder.from_pretrained(directory, pooling=pooling)
        np.testing.assert_allclose(encoder.predict(TEXTS), theirs.numpy(), atol=1e-4)
    normalized = TextEncoder.from_pretrained(directory, normalize=True).predict(TEXTS)
    np.testing.assert_allclose(normalized, torch.nn.functional.normalize(expected["mean"]).numpy(), atol=1e-4)
    features = encoder.features(TEXTS[0])
    np.testing.assert_allclose(features, vectors[0, : len(features)].numpy(), atol=1e-4)
    together = encoder.features(TEXTS)
    assert together.shape == vectors.shape
    lengths = as_numpy(encoder.tokenizer.rows(TEXTS)).lengths
    for length, ours, theirs in zip(lengths, together, vectors.numpy(), strict=True):
        np.testing.assert_allclose(ours[:length], theirs[:length], atol=1e-4)
        assert not ours[length:].any()


def test_texts_lists_and_generators(encoder):
    vectors = encoder.predict([*TEXTS, LONG_TEXT, ""])
    assert vectors.shape == (len(TEXTS) + 2, 16)
    assert vectors.dtype == np.float32
    assert (encoder.predict(TEXTS[0]) == encoder.predict(TEXTS[:1])[0]).all()
    np.testing.assert_allclose(np.stack(list(encoder.predict(iter(TEXTS)))), vectors[: len(TEXTS)], atol=1e-5)
    assert encoder.predict([]).shape == (0, 16)


def test_similarity(encoder):
    found = encoder.similarity(TEXTS)
    vectors = encoder.predict(TEXTS)
    lengths = np.linalg.norm(vectors, axis=1)
    np.testing.assert_allclose(found, vectors @ vectors.T / np.outer(lengths, lengths), atol=1e-5)
    np.testing.assert_allclose(encoder.similarity(TEXTS[:1], TEXTS[2:]), found[:1, 2:], atol=1e-5)


@pytest.mark.parametrize("windows", [slow_case("mean"), "first"])
def test_long_texts(directory, encoder, windows, tmp_path):
    task = TextEncoder.from_pretrained(directory, max_length=24, stride=6, windows=windows, normalize=True)
    rows = as_numpy(encoder.tokenizer.rows([LONG_TEXT], max_length=24, stride=6))
    assert rows.num_rows > 5
    if windows == "first":
        ids = rows.values("input_ids")[: rows.splits[1]][None]
        row = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        expected = task.forward(row)["embedding"].numpy()[0]
        np.testing.assert_allclose(task.predict(LONG_TEXT), expected / np.linalg.norm(expected), atol=1e-5)
    assert np.linalg.norm(task.predict(LONG_TEXT)) == pytest.approx(1)
    task.export(tmp_path / "1", samples=[*TEXTS, LONG_TEXT])
    np.testing.assert_allclose(ask(tmp_path / "1", text=TEXTS)["embedding"], task.predict(TEXTS), atol=1e-5)


def test_pairs_that_belong_together(tmp_path):
    encoder = build_task(TextEncoder, "bert", tmp_path, UNNAMED | QUICK)
    before = encoder.evaluate(TOGETHER)
    encoder.fit(TOGETHER, validation_data=TOGETHER, epochs=30, learning_rate=1e-2, batch_size=5, verbose=0)
    assert encoder.settings.objective == "ranking"
    report = encoder.evaluate(TOGETHER)
    assert report.accuracy == 1.0 > before.accuracy
    encoder.save(tmp_path / "saved")
    assert tfnlp.load(tmp_path / "saved").settings == encoder.settings
    history = encoder.fit(PAIRS, validation_data=PAIRS, epochs=1, verbose=0)  # scores are passed over in training
    assert "val_spearman" in history.history
    assert encoder.metric_of(encoder.source(PAIRS)) == "spearman" != encoder.main_metric


@pytest.mark.torch
def test_losses_equal_pytorch_s(directory):
    torch = pytest.importorskip("torch")
    cosine = torch.nn.functional.cosine_similarity
    for records, theirs in (
        (PAIRS, lambda a, b, scores: torch.nn.functional.mse_loss(cosine(a, b), scores)),
        (
            TOGETHER,
            lambda a, b, _: torch.nn.functional.cross_entropy(
                20 * cosine(a[:, None], b[None], -1), torch.arange(len(a))
            ),
        ),
    ):
        task = TextEncoder.from_pretrained(directory)
        pairs = list(task.source(records))
        task.learned = task.learn(task.source(records))
        loss = task.loss(tfnlp.Recipe())["embedding"]
        (chunk,) = task.training_rows(task.source(records))
        first, second = (task.predict([pair[name] for pair in pairs]) for name in ("text", "text_pair"))
        rows = np.stack([first, second], 1).reshape(2 * len(pairs), -1)
        gold = np.concatenate([np.repeat(np.arange(len(pairs)), 2)[:, None], chunk.targets["embedding"].values], 1)
        scores = torch.tensor([pair.get("label", 1.0) for pair in pairs])
        expected = theirs(torch.tensor(first), torch.tensor(second), scores)
        assert float(loss(gold, rows)) == pytest.approx(float(expected), abs=1e-5)


def test_files_of_sentence_transformers(directory, encoder, tmp_path):
    (tmp_path / "saved").mkdir()
    task = TextEncoder.from_pretrained(directory, pooling="max", normalize=True, max_length=40)
    task.save(tmp_path / "saved")
    (tmp_path / "saved" / "tfnlp.json").unlink()
    again = TextEncoder.from_pretrained(tmp_path / "saved")
    assert (again.settings.pooling, again.settings.normalize, again.settings.max_length) == ("max", True, 40)
    assert (tfnlp.load(tmp_path / "saved").predict(TEXTS) == task.predict(TEXTS)).all()
    length = tmp_path / "saved" / "sentence_bert_config.json"
    length.write_text(json.dumps({"max_seq_length": 512}))
    assert TextEncoder.from_pretrained(tmp_path / "saved").settings.max_length == 64  # the network's limit
    length.write_text(json.dumps({"max_seq_length": 40, "do_lower_case": True}))
    with pytest.raises(UnsupportedModelError, match="it changes texts before tokenizing"):
        TextEncoder.from_pretrained(tmp_path / "saved")
    length.unlink()
    pooling = tmp_path / "saved" / "1_Pooling" / "config.json"
    pooling.write_text(json.dumps({"pooling_mode_lasttoken": True}))
    with pytest.raises(UnsupportedModelError, match=r"its pooling is \['pooling_mode_lasttoken'\]; only one of"):
        TextEncoder.from_pretrained(tmp_path / "saved")
    modules = tmp_path / "saved" / "modules.json"
    modules.write_text(modules.read_text().replace("models.Normalize", "models.Dense"))
    with pytest.raises(UnsupportedModelError, match=r"this checkpoint has \['Dense', 'Pooling', 'Transformer'\]"):
        TextEncoder.from_pretrained(tmp_path / "saved")


@pytest.mark.slow
@pytest.mark.minilm
def test_minilm_brings_its_pooling(minilm):
    encoder = TextEncoder.from_pretrained(minilm)
    settings = encoder.settings
    assert (settings.pooling, settings.normalize, settings.max_length) == ("mean", True, 256)
    near, far = encoder.similarity(["A cat sat."], ["A kitten was sitting.", "Taxes rise."])[0]
    assert near > 0.6 > 0.3 > far


@pytest.mark.slow
@pytest.mark.minilm
def test_minilm_on_sts_b(minilm):
    """The Spearman correlation that sentence-transformers 6.2.0 gives for this checkpoint on the test set: 0.8203."""
    encoder = TextEncoder.from_pretrained(minilm, highest_score=5)
    table = tfnlp.read_table(data("cls/stsb_multi/stsb-en-test.csv"), columns=("text", "text_pair", "label"))
    report = encoder.evaluate(table)
    print(f"STS-B test: {report}")
    assert round(report.spearman, 3) == 0.820


def test_wrong_input(directory, encoder):
    with pytest.raises(DataError) as caught:
        encoder.dataset([{"text": "a", "text_pair": "b", "score": 4}])
        TextEncoder.from_pretrained(directory).fit([{"text": "a", "text_pair": "b", "score": 4}])
    assert str(caught.value) == (
        "the records: record 1: the score 4 is more than 1. Pass `highest_score=` to `from_pretrained`: the score of "
        "pairs that mean the same."
    )
    with pytest.raises(DataError, match=r"^the records: record 1: the score 4 is more than 1\."):
        encoder.evaluate([{"text": "a", "text_pair": "b", "score": 4}])
    with pytest.raises(ArgumentError, match=r"^`similarity` compares lists of texts"):
        encoder.similarity("a", "b")
    with pytest.raises(DataError, match=r"^text 2: `text` must be a string; found 3\.$"):
        encoder.predict(["a", 3])
    with pytest.raises(ArgumentError, match=r"^text 1 has more than \d+ tokens, a row's length\."):
        encoder.features(LONG_TEXT)
    tokenizer = encoder.tokenizer.hf
    with pytest.raises(
        UnsupportedModelError, match=r"^'t5' has an encoder and a decoder, and no one vector for a text"
    ):
        TextEncoder.from_config(transformers.T5Config(vocab_size=50), tokenizer)
    with pytest.raises(ArgumentError, match=r"^`pooling` must be one of"):
        TextEncoder.from_pretrained(directory, pooling="sum")
    with pytest.raises(ArgumentError, match=r"^`highest_score` must be more than 0; it is 0\.$"):
        TextEncoder.from_pretrained(directory, highest_score=0)


@pytest.mark.slow  # as that of QuestionAnswerer
def test_the_command_and_the_example(directory, tmp_path, capsys):
    file = tmp_path / "pairs.csv"
    file.write_text("text,text_pair,score\n" + "".join(f"{p['text']},{p['text_pair']},{p['score']}\n" for p in PAIRS))
    assert "spearman" in train("sentence-similarity", directory, file, tmp_path / "out", "--pooling", "cls")
    (found,) = predict(tmp_path / "out", text=f"{TEXTS[0]}\n")
    expected = tfnlp.load(tmp_path / "out").predict(TEXTS[0])
    assert found["embedding"] == pytest.approx(expected.tolist(), abs=1e-6)
    objects = tmp_path / "texts.jsonl"
    objects.write_text(json.dumps({"text": TEXTS[0]}) + "\n")
    assert predict(tmp_path / "out", objects) == [found]
    assert TEXTS[0] in run_command("predict", tmp_path / "out", "--format", "table", text=f"{TEXTS[0]}\n").output
    run_example("text_encoding", directory, file, file, tmp_path / "example")
    assert "spearman" in capsys.readouterr().out
