import numpy as np
import pytest
from tokenizers import Regex, pre_tokenizers

from tests.tiny import TEXTS, build_tokenizer
from tfnlp.errors import ArgumentError, UnsupportedTokenizerError
from tfnlp.rows import as_numpy
from tfnlp.tokenization.rust_rows import rows_by_rust, spaced_before
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
    ours = as_numpy(tokenizer.rows(texts, pairs, max_length=max_length, stride=stride, truncation=truncation))
    are_words = not isinstance(texts[0], str)
    by_rust = rows_by_rust(
        spaced_before(tokenizer.hf) if are_words else tokenizer.hf, texts, pairs, are_words=are_words,
        max_length=max_length, stride=stride, truncation=truncation, add_special_tokens=True,
    )  # fmt: skip
    theirs = as_numpy(by_rust)
    assert np.array_equal(ours.row_to_record, theirs.row_to_record)
    assert set(ours.columns) == set(theirs.columns)
    for name, column in ours.columns.items():
        assert np.array_equal(column.values, theirs.values(name)), name
        assert np.array_equal(column.splits, theirs.splits), name


@pytest.mark.parametrize("truncation", [None, "only_first", "longest_first"])
def test_pairs(tokenizers, truncation):
    for name in ("bert", "roberta"):
        assert_same_rows(tokenizers[name], ["Ada in", "Bob"], ["Ada Bob .", "the cat"], 11, 1, truncation)


@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_whole_pairs(tokenizers, name):
    assert_same_rows(tokenizers[name], ["Ada lives", "Paris"], ["in Paris .", "New York"], None, 0, None)


def test_a_tokenizer_that_can_not_be_compiled_is_run_by_rust(tmp_path):
    hf = build_tokenizer("albert", tmp_path)
    hf.backend_tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("a|e"), "isolated")
    tokenizer = Tokenizer(hf)
    assert "run by Rust" in repr(tokenizer)
    encoded = as_numpy(tokenizer.rows(TEXTS, max_length=16, stride=4))
    assert encoded.lengths.max() <= 16
    assert encoded.row_to_record.tolist() == sorted(encoded.row_to_record.tolist())
    with pytest.raises(UnsupportedTokenizerError, match=r"^The pattern 'a\|e' is not reproduced in the graph"):
        _ = tokenizer.graph


@pytest.mark.parametrize("name", ["bert", "roberta", "albert"])
def test_words_keep_their_numbers(tokenizers, name):
    encoded = as_numpy(tokenizers[name].rows(WORDS))
    text = encoded.values("special_tokens_mask") == 0
    for record, words in enumerate(WORDS):
        assert set(encoded.values("word_ids")[text & (encoded.record_ids == record)]) == set(range(len(words)))


def test_a_window_without_room(tokenizers):
    for name in ("bert", "roberta"):
        with pytest.raises(
            ArgumentError, match=r"^`max_length=4` has room for 2 tokens of text beside the special tokens"
        ):
            tokenizers[name].rows(TEXTS, max_length=4, stride=2)


def test_what_a_network_wants(tokenizers):
    assert tokenizers["bert"].input_names == ["input_ids", "attention_mask", "token_type_ids"]
    assert tokenizers["roberta"].input_names == ["input_ids", "attention_mask"]
    assert tokenizers["roberta"].pad_id == 1
    assert tokenizers["bert"].max_length == 64
    assert "run in the graph" in repr(tokenizers["bert"])
