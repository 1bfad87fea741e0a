import numpy as np
import pytest
from tokenizers import Regex, pre_tokenizers

import tfnlp
from tests.tiny import TEXTS, build_task
from tfnlp import Generation, Seq2SeqLM
from tfnlp._backend import tf
from tfnlp.data.sources import as_source
from tfnlp.errors import ArgumentError, DataError
from tfnlp.tasks.seq2seq_lm.metrics import compared_texts
from tfnlp.tasks.seq2seq_lm.records import LAYOUT, checked_pairs
from tfnlp.tasks.seq2seq_lm.tokenizer import Seq2SeqTokenizer
from tfnlp.tasks.seq2seq_lm.windows import _parts, _places

CONFIG = {"pad_token_id": 133, "eos_token_id": 2, "initializer_factor": 3.0}
PAIRS = [{"text": text, "target": text.split()[0]} for text in TEXTS]


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    """A small T5 with random weights. Not to be changed."""
    return build_task(Seq2SeqLM, "t5", tmp_path_factory.mktemp("lm"), CONFIG, max_length=62)


def test_texts_are_answered(lm):
    one = lm.predict(TEXTS[0], max_new_tokens=6)
    assert isinstance(one, Generation)
    assert one.text == lm.tokenizer.hf.decode(one.ids, skip_special_tokens=True)
    together = lm.predict(TEXTS, max_new_tokens=6)
    assert [made.ids for made in together] == [lm.predict(text, max_new_tokens=6).ids for text in TEXTS]
    ids = [lm.tokenizer.hf(text)["input_ids"] for text in TEXTS]
    assert [made.ids for made in lm.generate(ids, max_new_tokens=6)] == [made.ids for made in together]
    assert "".join(lm.stream(TEXTS[0], max_new_tokens=6)) == one.text


def test_long_texts_are_summarized_part_by_part(lm):
    sentences = ["Ada lives in Paris .", "Bob Stone runs New York .", "the cat sleeps ."] * 12
    text = " ".join(sentences)
    with pytest.raises(DataError, match=r"^text 1: it has \d+ tokens, \d+ more than `max_length=62`\."):
        lm.predict(text)
    parts = _parts(lm, text)
    assert " ".join(parts) == text and len(parts) > 2
    assert all(part.endswith(".") for part in parts)
    made = lm.predict(parts, max_new_tokens=5)
    long, short = lm.summarize([text, TEXTS[0]], max_new_tokens=5)
    assert long.text == " ".join(one.text for one in made)
    assert long.ids == tuple(token for one in made for token in one.ids)
    logs = np.concatenate([[np.log(one.score)] * len(one.ids) for one in made])
    assert long.score == pytest.approx(np.exp(logs.mean()), rel=1e-5)
    assert short.ids == lm.summarize(TEXTS[0], max_new_tokens=5).ids == lm.predict(TEXTS[0], max_new_tokens=5).ids
    with pytest.raises(ArgumentError, match=r"^a text of several parts has one answer: pass `num_return_sequences=1`"):
        lm.summarize(text, num_beams=2, num_return_sequences=2)


def test_texts_are_cut_where_sentences_end_or_words():
    assert _places("aa bb cc. dd", [0, 3, 6, 8, 10], 4) == [10]
    assert _places("aa bb cc dd", [0, 3, 6, 9], 3) == [9]
    assert _places("see 3.14 of it", [0, 4, 5, 6, 9, 12], 5) == [12]
    assert _places("aa." + " " * 9, list(range(12)), 4) == [4, 8]
    assert _places("我们走。他们来了", list(range(8)), 5) == [4]
    assert _places("aaaaaaaa", list(range(8)), 3) == [3, 6]


@pytest.mark.slow
def test_a_tokenizer_that_can_not_be_compiled_is_served_by_ids(tmp_path, caplog):
    task = build_task(Seq2SeqLM, "t5", tmp_path, CONFIG, max_length=62)
    task.tokenizer.hf.backend_tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("(a)b"), "isolated")
    task.use_tokenizer(task.tokenizer.hf)
    task.configure_generation(max_new_tokens=4)
    task.export(tmp_path / "1", samples=TEXTS)
    assert "the tokenizer can't be compiled into the graph, so the SavedModel takes and gives token ids" in caplog.text
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    answers = served(**task.to_serving_inputs(TEXTS))
    assert set(answers) == {"token_ids", "num_tokens", "scores"}
    for i, one in enumerate(task.predict(TEXTS)):
        count = int(answers["num_tokens"][i, 0])
        assert answers["token_ids"].numpy()[i, 0, :count].tolist() == list(one.ids)


@pytest.mark.slow
def test_a_prefix_stands_before_every_text(lm, tmp_path):
    lm.save(tmp_path / "lm")
    prefixed = Seq2SeqLM.from_pretrained(tmp_path / "lm", prefix="the cat: ")
    assert prefixed.predict("Ada", max_new_tokens=4).ids == lm.predict("the cat: Ada", max_new_tokens=4).ids
    prefixed.save(tmp_path / "lm")
    assert tfnlp.load(tmp_path / "lm").settings.prefix == "the cat: "


def test_records_of_every_kind(tmp_path):
    file = tmp_path / "pairs.csv"
    file.write_text("document,summary\na b,a\n")
    given = ([("a b", "a")], [{"source": "a b", "target": "a"}], [{"translation": {"en": "a b", "de": "a"}}], file)
    for records in given:
        source = as_source(records, LAYOUT)
        assert list(checked_pairs(source)) == [{"text": "a b", "target": "a"}]
    with pytest.raises(DataError, match=r"^the records: record 1: expected 'text' and 'target'; found \['text'\]\.$"):
        list(checked_pairs(as_source([{"text": "a"}], LAYOUT)))


def test_the_decoder_reads_what_it_has_said(lm):
    rows = next(lm.training_rows(lm.source(PAIRS)))
    labels, read = rows.targets["logits"], rows.columns["decoder_input_ids"]
    for start, end in zip(labels.splits[:-1], labels.splits[1:], strict=True):
        assert read.values[start] == lm.config.decoder_start_token_id
        assert read.values[start + 1 : end].tolist() == labels.values[start : end - 1].tolist()
        assert labels.values[end - 1] == lm.tokenizer.hf.eos_token_id


def test_the_loss_is_pytorch_s(lm, tmp_path):
    torch = pytest.importorskip("torch")
    from transformers import T5ForConditionalGeneration

    lm.save(tmp_path / "lm")
    reference = T5ForConditionalGeneration.from_pretrained(tmp_path / "lm").eval()
    hf = lm.tokenizer.hf
    losses, count = 0.0, 0
    for pair in PAIRS:
        inputs, labels = (hf(pair[name], return_tensors="pt")["input_ids"] for name in ("text", "target"))
        with torch.no_grad():
            losses += float(reference(input_ids=inputs, labels=labels).loss) * labels.numel()
        count += labels.numel()
    report = lm.evaluate(PAIRS)
    assert report.loss == pytest.approx(losses / count, rel=1e-4)
    assert report.perplexity == pytest.approx(np.exp(losses / count), rel=1e-3)


@pytest.mark.slow
def test_texts_are_compared_where_that_is_asked_for(lm):
    assert set(lm.evaluate(PAIRS).metrics()) == {"perplexity", "accuracy"}
    lm.configure_generation(max_new_tokens=4)
    report = lm.evaluate(PAIRS, metrics="exact_match, rouge")
    assert set(report.metrics()) == {"perplexity", "accuracy", "exact_match", "rouge1", "rouge2", "rougeL"}
    with pytest.raises(ArgumentError, match=r"^`metrics` knows .*; found 'blue'\. Did you mean 'bleu'\?$"):
        lm.evaluate(PAIRS, metrics="blue")


def test_metrics_are_those_of_their_libraries():
    texts, targets = ["the cat sat on the mat", "a dog"], ["the cat sat on a mat", "a dog"]
    scores = compared_texts(texts, targets, ["exact_match", "bleu", "chrf", "rouge"])
    assert scores["exact_match"] == 0.5
    assert scores["rouge1"] == pytest.approx((5 / 6 + 1) / 2)
    assert scores["rougeL"] == pytest.approx((5 / 6 + 1) / 2)
    assert compared_texts(targets, targets, ["bleu", "chrf"]) == pytest.approx({"bleu": 100.0, "chrf": 100.0})
    assert 0 < scores["bleu"] < 100 and 0 < scores["chrf"] < 100


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda lm: lm.predict(" "), DataError, r"^text 1: `text` is empty\.$"),
        (
            lambda lm: lm.predict("Ada " * 40),
            DataError,
            r"^text 1: it has \d+ tokens, \d+ more than `max_length=62`\. Shorten it, or raise `max_length` where",
        ),
        (
            lambda lm: lm.fit([{"text": "a", "target": "Ada " * 140}]),
            DataError,
            r"^the records: record 1: its target has \d+ tokens, \d+ more than `max_target_length=128`\.",
        ),
        (
            lambda lm: Seq2SeqLM(lm.checkpoint, lm.preprocessor, lm.learned).preprocessor.set_languages("", "de_DE"),
            ArgumentError,
            r"^`target_lang='de_DE'`: the tokenizer does not know this language; it has no languages to choose from\.$",
        ),
    ],
)
def test_wrong_input(lm, ask, error, message):
    with pytest.raises(error, match=message):
        ask(lm)


def test_languages_are_chosen(tmp_path):
    transformers = pytest.importorskip("transformers")
    from tests.tiny import train_pieces

    train_pieces(tmp_path / "pieces.model", TEXTS, "unigram")
    hf = transformers.MBartTokenizerFast(str(tmp_path / "pieces.model"))
    tokenizer = Seq2SeqTokenizer(hf)
    with pytest.raises(
        ArgumentError, match=r"^`source_lang='xx'`: the tokenizer does not know this language; it knows "
    ):
        tokenizer.set_languages("xx", "")
    german = tokenizer.set_languages("en_XX", "de_DE")
    assert hf.convert_ids_to_tokens(german) == "de_DE"
    assert hf.convert_ids_to_tokens(hf("Ada")["input_ids"])[-1] == "en_XX"
    targets = tokenizer.target_ids(["Ada", "Bob Stone"])
    ends = targets.values[targets.splits[1:] - 1]
    assert hf.convert_ids_to_tokens(ends.tolist()) == ["de_DE", "de_DE"]


def test_a_translation_is_read_as_the_languages_say():
    records = as_source([{"translation": {"de": "ein Haus", "en": "a house"}}], LAYOUT)
    assert next(checked_pairs(records))["text"] == "ein Haus"
    assert next(checked_pairs(records, source_lang="en_XX"))["text"] == "a house"


@pytest.mark.slow
def test_an_encoder_and_a_decoder_of_two_checkpoints(tmp_path):
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    from tests.tiny import build_tokenizer

    hf = build_tokenizer("roberta", tmp_path)
    sizes = {
        "vocab_size": len(hf), "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 64, "initializer_range": 0.3, "pad_token_id": 1,
    }  # fmt: skip
    torch.manual_seed(0)
    encoder = transformers.RobertaConfig(**sizes)
    decoder = transformers.RobertaConfig(**sizes, is_decoder=True, add_cross_attention=True)
    config = transformers.EncoderDecoderConfig.from_encoder_decoder_configs(encoder, decoder)
    config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = 0, 1, 2
    reference = transformers.EncoderDecoderModel(config).eval()
    reference.save_pretrained(tmp_path / "model")
    hf.save_pretrained(tmp_path / "model")
    task = Seq2SeqLM.from_pretrained(tmp_path / "model")
    made = task.predict(TEXTS[:3], max_new_tokens=6)
    for one, text in zip(made, TEXTS[:3], strict=True):
        ids = hf(text, return_tensors="pt")["input_ids"]
        expected = reference.generate(ids, max_new_tokens=6, do_sample=False)[0, 1:].tolist()
        assert list(one.ids) == expected[: len(one.ids)]
    with pytest.raises(DataError, match=r"are \d+ more than the network takes, 62\."):
        task.predict(TEXTS[0], max_new_tokens=63)
