import json

import numpy as np
import pytest
import transformers

import tfnlp
from tests.commands import predict, run_example, train
from tests.marks import slow_case
from tests.tiny import LONG_TEXT, TEXTS, UNNAMED, build_task, write_checkpoint
from tfnlp import MaskedLM
from tfnlp.errors import ArgumentError, DataError
from tfnlp.export import ask

MASKED = ["Ada [MASK] in Paris .", "the [MASK] lives in the house", "[MASK] and New York !"]
LONG = f"{LONG_TEXT} [MASK] {LONG_TEXT}"


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return write_checkpoint("bert", tmp_path_factory.mktemp("random") / "bert", head="MaskedLM", **UNNAMED)


@pytest.fixture(scope="module")
def lm(directory):
    return MaskedLM.from_pretrained(directory, max_length=24, stride=6)


@pytest.mark.torch
@pytest.mark.parametrize("name", ["bert", *(slow_case(name) for name in ("roberta", "xlm-roberta"))])
def test_answers_equal_transformers_pipeline(name, tmp_path):
    pytest.importorskip("torch")
    directory = write_checkpoint(name, tmp_path / name, head="MaskedLM", **UNNAMED)
    lm = MaskedLM.from_pretrained(directory)
    pipe = transformers.pipeline("fill-mask", model=str(directory))
    for text in (text.replace("[MASK]", lm.tokenizer.hf.mask_token) for text in MASKED):
        theirs = pipe(text, top_k=9)
        fills = lm.predict(text, top_k=9)
        assert [fill.score for fill in fills] == pytest.approx([found["score"] for found in theirs], abs=1e-5)
        assert [fill.token_id for fill in fills] == [found["token"] for found in theirs]
        assert [fill.token for fill in fills] == [found["token_str"].strip() for found in theirs]


def test_fills_stand_in_their_text(lm):
    for text, fills in zip(MASKED, lm.predict(MASKED), strict=True):
        assert len(fills) == 5
        for fill in fills:
            piece = lm.tokenizer.hf.convert_ids_to_tokens(fill.token_id)
            assert fill.text == text.replace("[MASK]", piece.removeprefix("##"))
    alone = next(lm.predict(iter(MASKED[:1])))
    assert alone == lm.predict(MASKED[0])


def test_a_mask_takes_no_space_with_it(tmp_path):
    for name in ("roberta", "xlm-roberta"):
        lm = MaskedLM.from_pretrained(write_checkpoint(name, tmp_path / name, head="MaskedLM", **UNNAMED))
        pieces = lm.tokenizer.hf.get_vocab()
        for token_id in (pieces.get("Ġlives"), pieces.get("▁lives")):
            if token_id is not None:
                text = "Ada <mask> in Paris"
                found = lm.ask([{"text": text}]).answers
                span = found["starts"][0, 0], found["ends"][0, 0]
                assert lm._filler.fill(token_id, 1.0, text, span).text == "Ada lives in Paris"


def test_candidates(lm):
    every = {fill.token: fill.score for fill in lm.predict(MASKED[0], top_k=1000)}
    found = lm.predict(MASKED[0], candidates=["cat", "Paris", "lives"])
    assert {fill.token: fill.score for fill in found} == {name: every[name] for name in ("cat", "paris", "lives")}
    assert lm.predict(MASKED[0], candidates=["cat", "Paris"], top_k=1)[0].score == max(every["cat"], every["paris"])
    with pytest.raises(ArgumentError) as caught:
        lm.predict(MASKED[0], candidates=["cat", "cats"])
    assert str(caught.value) == "the candidate 'cats' is 2 tokens, ['cat', '##s']: it must be one."
    with pytest.raises(ArgumentError, match=r"^`candidates` must be a list of words, at least one; it is 'cat'\.$"):
        lm.predict(MASKED[0], candidates="cat")


@pytest.mark.slow
def test_a_table_longer_than_the_vocabulary(tmp_path):
    directory = write_checkpoint("bert", tmp_path / "bert", head="MaskedLM", vocab_size=128, **UNNAMED)
    lm = MaskedLM.from_pretrained(directory, max_length=24, stride=6, top_k=110)
    fills = lm.predict(MASKED[0], top_k=200)
    assert len(fills) == len(lm.tokenizer.hf) < 128
    assert 0 < sum(fill.score for fill in fills) < 1 - 1e-3  # the table's other rows have the rest, as in PyTorch
    lm.export(tmp_path / "1", samples=MASKED)
    assert lm.evaluate([LONG_TEXT]).num_tokens > 0


def test_special_tokens_are_never_hidden(directory):
    lm = MaskedLM.from_pretrained(directory)
    assert lm.add_tokens((token for token in ["[ENT]"]), special=True) == 1
    (rows,) = lm.training_rows(lm.source(["ada [ENT] lives"]))
    units = rows.targets["logits"].values
    assert units.tolist() == [-100, 0, -100, 2, -100]


def test_several_masks_and_long_texts(lm, tmp_path):
    text = "[MASK] lives in [MASK] ."
    first, second = lm.predict(text, several_masks=True)
    assert first[0].text.endswith("lives in [MASK] .")
    assert second[0].text.startswith("[MASK] lives in")
    (middle,) = lm.predict(LONG, several_masks=True)
    assert middle[0].text.startswith(LONG_TEXT)
    assert middle[0].text.endswith(LONG_TEXT)
    lm.export(tmp_path / "1", samples=[*MASKED, text, LONG])
    served = ask(tmp_path / "1", text=[text, "no mask", MASKED[0]])
    assert served["num_masks"].tolist() == [2, 0, 1]
    assert served["tokens"].shape == served["scores"].shape == served["token_ids"].shape == (3, 2, 5)
    assert served["tokens"][0, 1].tolist() == [fill.token.encode() for fill in second]


@pytest.mark.parametrize("whole_words", [False, True])
def test_texts_are_joined_and_hidden_anew_in_every_epoch(directory, whole_words):
    lm = MaskedLM.from_pretrained(directory, max_length=16, stride=0, whole_words=whole_words)

    def epochs(seed):
        dataset = lm.dataset([*TEXTS, LONG_TEXT], batch_size=4, seed=seed)
        return [[(f["input_ids"].numpy(), t["logits"].numpy()) for f, t in dataset] for _ in range(2)]

    once, again = epochs(1), epochs(1)
    assert all((a[1] == b[1]).all() for x, y in zip(once, again, strict=True) for a, b in zip(x, y, strict=True))
    assert any((a[1] != b[1]).any() for a, b in zip(once[0], once[1], strict=True))
    restored = np.concatenate([np.where(labels == -100, ids, labels).ravel() for ids, labels in once[0]])
    expected = np.concatenate(lm.tokenizer.hf([*TEXTS, LONG_TEXT])["input_ids"])
    assert restored[: len(expected)].tolist() == expected.tolist()
    assert once[0][0][0].shape == (4, 16)


def test_perplexity(directory):
    lm = MaskedLM.from_pretrained(directory, max_length=24, stride=0)
    report = lm.evaluate([LONG_TEXT, *TEXTS])
    assert report == lm.evaluate([LONG_TEXT, *TEXTS])
    assert report.perplexity == pytest.approx(np.exp(report.loss))
    assert 0.05 < report.num_tokens / len(lm.tokenizer.hf(LONG_TEXT)["input_ids"]) < 0.3
    assert str(report).endswith(f"{report.num_tokens} tokens of {report.num_records} rows")
    with pytest.raises(DataError, match=r"^no token was hidden: there are too few"):
        MaskedLM.from_pretrained(directory, mask_probability=1e-9).evaluate(["a"])


def test_wrong_input(directory, lm, tmp_path):
    with pytest.raises(DataError, match=r"^text 2: there is no \[MASK\] in it to fill\.$"):
        lm.predict([MASKED[0], "the cat"])
    with pytest.raises(DataError) as caught:
        lm.predict("[MASK] and [MASK]")
    assert str(caught.value) == (
        "text 1: expected one [MASK], found 2. Pass `several_masks=True` for the fills of each."
    )
    with pytest.raises(ArgumentError, match=r"^`mask_probability` must be in \(0, 1\); it is 1\.5\.$"):
        MaskedLM.from_pretrained(directory, mask_probability=1.5)
    with pytest.raises(ArgumentError, match=r"^the tokenizer has no mask token"):
        MaskedLM.from_pretrained(write_checkpoint("gpt2", tmp_path / "gpt2", head="CausalLM"))


@pytest.mark.slow  # as that of QuestionAnswerer
def test_the_command_and_the_example(directory, tmp_path, capsys):
    file = tmp_path / "texts.txt"
    file.write_text("\n".join([*TEXTS, LONG_TEXT]) + "\n")
    assert "perplexity" in train("masked-lm", directory, file, tmp_path / "out", "--whole-words", "--line-by-line")
    (found,) = predict(tmp_path / "out", text=f"{MASKED[0]}\n")
    objects = tmp_path / "masked.jsonl"
    objects.write_text(json.dumps({"text": MASKED[0]}) + "\n")
    assert predict(tmp_path / "out", objects) == [found]
    assert found["fills"] == tfnlp.load(tmp_path / "out").predict(MASKED[0]).to_dict()["fills"]
    run_example("masked_lm", directory, file, file, tmp_path / "example")
    assert "Fill(" in capsys.readouterr().out


def test_windows_from_the_left_are_refused(tmp_path):
    directory = write_checkpoint("bert", tmp_path / "x", head="MaskedLM")
    config = json.loads((directory / "tokenizer_config.json").read_text())
    (directory / "tokenizer_config.json").write_text(json.dumps(config | {"truncation_side": "left"}))
    with pytest.raises(ArgumentError, match="windows of texts are cut from the right"):
        MaskedLM.from_pretrained(directory)


def test_candidates_outside_of_the_vocabulary(tmp_path):
    lm = MaskedLM.from_pretrained(write_checkpoint("bert", tmp_path / "x", head="MaskedLM"))
    with pytest.raises(ArgumentError, match=r"^the candidate '☃☃' is not in the vocabulary\.$"):
        lm.predict("ada [MASK] in paris", candidates=["☃☃", "lives"])


def test_validation_in_which_nothing_is_hidden_is_refused_before_training(tmp_path):
    lm = build_task(MaskedLM, "bert", tmp_path, UNNAMED)
    with pytest.raises(DataError, match="no token was hidden"):
        lm.fit(TEXTS, ["ada ."], epochs=1, verbose=0)
    assert not lm.checkpoint.is_built or lm.model.optimizer is None


def test_names_of_files_are_no_texts(tmp_path):
    for number, text in enumerate(TEXTS):
        (tmp_path / f"{number}.text.txt").write_text(text)
    lm = build_task(MaskedLM, "bert", tmp_path, UNNAMED)
    files = [str(tmp_path / f"{number}.text.txt") for number in range(len(TEXTS))]
    assert list(lm.source(files)) == list(lm.source(TEXTS)) == list(lm.source(str(tmp_path / "*.text.txt")))


def test_columns_and_dictionaries_of_datasets(tmp_path):
    datasets = pytest.importorskip("datasets")
    table = datasets.Dataset.from_dict({"text": TEXTS})
    lm = build_task(MaskedLM, "bert", tmp_path, UNNAMED)
    assert list(lm.source(table["text"])) == list(lm.source(TEXTS))
    with pytest.raises(ArgumentError, match=r"^this holds several datasets: pass one of them, \['train'\]\.$"):
        lm.source(datasets.DatasetDict({"train": table}))


def test_whole_words_are_hidden_together(directory):
    lm = MaskedLM.from_pretrained(directory, whole_words=True, line_by_line=True, mask_probability=0.5)
    text = "unable bobby unable bobby"
    words = lm.tokenizer.hf(text).word_ids()[1:-1]
    assert len(words) > len(set(words)) == 4
    seen = set()
    for seed in range(20):
        ((_, targets),) = lm.dataset([text], seed=seed)
        hidden = (targets["logits"].numpy()[0] != -100)[1 : 1 + len(words)]
        by_word = [{bool(h) for h, word in zip(hidden, words, strict=True) if word == w} for w in set(words)]
        assert all(len(found) == 1 for found in by_word)
        seen |= set().union(*by_word)
    assert seen == {False, True}


def test_each_line_is_a_row(directory):
    lm = MaskedLM.from_pretrained(directory, line_by_line=True, max_length=24, stride=0)
    (chunk,) = lm.training_rows(lm.source(TEXTS))
    assert np.diff(chunk.splits).tolist() == [len(ids) for ids in lm.tokenizer.hf(TEXTS)["input_ids"]]
    (chunk,) = lm.training_rows(lm.source([LONG_TEXT]))
    assert len(chunk.splits) - 1 > 2


@pytest.mark.torch
def test_perplexity_equals_pytorch_s(directory):
    torch = pytest.importorskip("torch")
    lm = MaskedLM.from_pretrained(directory, max_length=24, stride=0)
    network = transformers.AutoModelForMaskedLM.from_pretrained(directory)
    total, count = 0.0, 0
    for features, hidden in lm._hidden([LONG_TEXT, *TEXTS]):
        labels = hidden.numpy()
        if (labels == -100).all():
            continue
        inputs = {name: torch.tensor(np.array(values)).long() for name, values in features.items()}
        with torch.no_grad():
            loss = network(**inputs, labels=torch.tensor(labels).long()).loss
        total, count = total + float(loss) * (labels != -100).sum(), count + (labels != -100).sum()
    report = lm.evaluate([LONG_TEXT, *TEXTS])
    assert report.num_tokens == count
    assert report.perplexity == pytest.approx(np.exp(total / count), rel=1e-5)
