import dataclasses

import numpy as np
import pytest
from tokenizers import Regex, pre_tokenizers

from tests.tiny import TEXTS, build_tokenizer
from tfnlp.errors import ArgumentError, UnsupportedTokenizerError
from tfnlp.tokenization.tokenizer import Tokenizer

WORDS = [text.split() for text in TEXTS]


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory):
    return {
        name: Tokenizer(build_tokenizer(name, tmp_path_factory.mktemp(name))) for name in ("bert", "roberta", "albert")
    }


@pytest.mark.parametrize("texts", [TEXTS, WORDS], ids=["texts", "words"])
@pytest.mark.parametrize("options", [{}, {"max_length": 9, "stride": 2}])
@pytest.mark.parametrize("name", ["bert", "roberta", "albert"])
def test_rust_and_graph_encode_alike(tokenizers, texts, options, name):
    tokenizer = tokenizers[name]
    assert_same_rows(tokenizer, texts, None, options.get("max_length"), options.get("stride", 0), None)


def assert_same_rows(tokenizer, texts, pairs, max_length, stride, truncation):
    ours = tokenizer.encode(texts, pairs, max_length=max_length, stride=stride, truncation=truncation)
    theirs = tokenizer._encode_in_rust(texts, pairs, max_length, stride, truncation)
    for field in dataclasses.fields(ours):
        assert np.array_equal(getattr(ours, field.name), getattr(theirs, field.name)), field.name


@pytest.mark.parametrize("truncation", [None, "only_first", "longest_first"])
def test_pairs(tokenizers, truncation):
    for name in ("bert", "roberta"):
        assert_same_rows(tokenizers[name], ["Ada lives", "Paris"], ["in Paris .", "New York"], None, 0, None)
        assert_same_rows(tokenizers[name], ["Ada in", "Bob"], ["Ada Bob .", "the cat"], 11, 1, truncation)


def test_a_tokenizer_that_can_not_be_compiled_is_run_by_rust(tmp_path):
    hf = build_tokenizer("albert", tmp_path)
    hf.backend_tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("a|e"), "isolated")
    tokenizer = Tokenizer(hf)
    assert "run by Rust" in repr(tokenizer)
    encoded = tokenizer.encode(TEXTS, max_length=16, stride=4)
    assert encoded.lengths.max() <= 16
    assert encoded.row_to_record.tolist() == sorted(encoded.row_to_record.tolist())
    with pytest.raises(UnsupportedTokenizerError, match=r"^The pattern 'a\|e' is not reproduced in the graph"):
        _ = tokenizer.graph


@pytest.mark.parametrize("name", ["bert", "roberta", "albert"])
def test_words_keep_their_numbers(tokenizers, name):
    encoded = tokenizers[name].encode(WORDS)
    text = encoded.special_tokens_mask == 0
    for record, words in enumerate(WORDS):
        assert set(encoded.word_ids[text & (encoded.records == record)]) == set(range(len(words)))


def test_a_window_without_room(tokenizers):
    for name in ("bert", "roberta"):
        with pytest.raises(
            ArgumentError, match=r"^`max_length=4` has room for 2 tokens of text beside the special tokens"
        ):
            tokenizers[name].encode(TEXTS, max_length=4, stride=2)


def test_what_a_network_wants(tokenizers):
    assert tokenizers["bert"].input_names == ["input_ids", "attention_mask", "token_type_ids"]
    assert tokenizers["roberta"].input_names == ["input_ids", "attention_mask"]
    assert tokenizers["roberta"].pad_id == 1
    assert tokenizers["bert"].max_length == 64
    assert "run in the graph" in repr(tokenizers["bert"])
