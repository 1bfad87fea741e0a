"""What a token classifier has learned by heart it finds again in raw text, whatever its tokenizer takes for a word."""

from itertools import pairwise

import numpy as np
import pytest

from tests.tiny import build_config, build_tokenizer
from tfnlp import TokenClassifier
from tfnlp._backend import keras, tf
from tfnlp.export import ask

ENGLISH = [
    ("Ada met Bob in {Oslo}, then flew to {Rome}.", "PLACE"),
    ("“{Paris}”, said Bob; ({Oslo}) said Ada!", "PLACE"),
    ("Is {New York} far from {Rome}? No: {New York}'s near.", "PLACE"),
    ("the cat-house: no name here, none...", "PLACE"),
]
CHINESE = [
    ("我在{北京大学}见到了他。", "PLACE"),
    ("他说:“{上海}很大”,我不信。", "PLACE"),
    ("没有名字的句子。", "PLACE"),
]
GERMAN = [("Die {Berlin}er fahren nach {Rom}, die {Rom}reise.", "PLACE"), ("Ein Satz ohne Ort.", "PLACE")]
LANGUAGES = {"english": ENGLISH, "chinese": CHINESE, "within words": GERMAN}
# The kind of tokenizer: WordPiece, BPE of bytes, Unigram with Metaspace, SentencePiece's two models.
FAMILIES = {
    "WordPiece": ("bert", "unigram"),
    "byte-level BPE": ("roberta", "unigram"),
    "Unigram": ("albert", "unigram"),
    "SentencePiece": ("xlm-roberta", "unigram"),
    "SentencePiece BPE": ("xlm-roberta", "bpe"),
}
QUICK = {("byte-level BPE", "english")}


def record(marked, label):
    """Make a record of a text with its spans in braces."""
    text, spans = "", []
    for i, piece in enumerate(marked.replace("}", "{").split("{")):
        if i % 2:
            spans.append((len(text), len(text) + len(piece), label))
        text += piece
    return {"text": text, "spans": spans}


def pieces_of(r):
    """Cut a text where its spans begin and end, so that no token of a vocabulary made of the pieces lies across."""
    borders = sorted({0, len(r["text"]), *(border for start, end, _ in r["spans"] for border in (start, end))})
    return [r["text"][start:end] for start, end in pairwise(borders)]


def learned(family, records, directory, texts=None, epochs=80):
    architecture, model_type = FAMILIES[family]
    pieces = [piece for r in texts or records for piece in pieces_of(r)]
    tokenizer = build_tokenizer(architecture, directory, pieces, model_type=model_type)
    unnamed = {"id2label": {0: "LABEL_0", 1: "LABEL_1"}, "label2id": {"LABEL_0": 0, "LABEL_1": 1}}
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "classifier_dropout_prob": 0.0}
    sizes = {"initializer_range": 0.2, "num_hidden_layers": 1}
    config = build_config(architecture, len(tokenizer), **sizes, **unnamed, **dropout)
    keras.utils.set_random_seed(1)
    task = TokenClassifier.from_config(config, tokenizer)
    task.fit(records, epochs=epochs, learning_rate=1e-2, batch_size=5, verbose=0)
    return task


def spans_of(entities):
    return [(entity.start, entity.end, entity.label) for entity in entities]


def params():
    for family in FAMILIES:
        for language in LANGUAGES:
            if family == "WordPiece" and language == "within words":
                continue  # its few pieces are whole words and letters alone: there is no border within a word
            marks = () if (family, language) in QUICK else pytest.mark.slow
            yield pytest.param(family, language, marks=marks, id=f"{family}, {language}")


@pytest.mark.parametrize(("family", "language"), list(params()))
def test_spans_are_found_again(family, language, tmp_path):
    records = [record(*marked) for marked in LANGUAGES[language]]
    task = learned(family, records, tmp_path)
    report = task.evaluate(records)
    assert (report.f1, report.accuracy) == (1.0, 1.0)
    texts = [r["text"] for r in records]
    for r, entities in zip(records, task.predict(texts), strict=True):
        assert spans_of(entities) == r["spans"]
        assert all(
            entity.text == r["text"][entity.start : entity.end] == entity.text.strip() != "" for entity in entities
        )
    if (family, language) in QUICK:
        task.export(tmp_path / "1", samples=texts)
        served = ask(tmp_path / "1", text=texts)
    else:
        served = {name: values.numpy() for name, values in task.serve(text=tf.constant(texts)).items()}
    for i, r in enumerate(records):
        columns = (served[name][i, : served["num_entities"][i]].tolist() for name in ("entity_start", "entity_end"))
        assert list(zip(*columns, strict=True)) == [(start, end) for start, end, _ in r["spans"]]


@pytest.mark.slow
def test_a_character_a_line_is_learned_as_running_text(tmp_path):
    """The commonest Chinese files; a tokenizer of SentencePiece's sees a whole sentence as one word."""
    texts = [record(*marked) for marked in CHINESE]
    tagged = []
    for r in texts:
        tags = np.array(["O"] * len(r["text"]), dtype=object)
        for start, end, label in r["spans"]:
            tags[start:end] = f"I-{label}"
            tags[start] = f"B-{label}"
        tagged.append({"words": list(r["text"]), "labels": tags.tolist()})
    task = learned("SentencePiece", tagged, tmp_path, texts)
    assert task.evaluate(tagged).f1 == 1.0
    for r, entities in zip(texts, task.predict([r["text"] for r in texts]), strict=True):
        assert spans_of(entities) == r["spans"]


def test_spans_that_no_token_shows_are_counted_once(tmp_path, caplog):
    records = [record(*marked) for marked in ENGLISH]
    misplaced = {"text": "the cat", "spans": [(1, 3, "PLACE")]}
    learned("WordPiece", [*records, misplaced], tmp_path, records, epochs=3)
    assert caplog.text.count("do not begin and end where") == 1
