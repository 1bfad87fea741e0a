"""Marian's tokenizer against transformers' own, which is written in Python around SentencePiece."""

import json

import pytest
import sentencepiece
from hypothesis import given, settings

from tests.marks import slow_case
from tests.tiny import TEXTS
from tests.tokenization.graph.rows import HARD, TEXT
from tfnlp import GraphTokenizer
from tfnlp.errors import ArgumentError, UnsupportedTokenizerError
from tfnlp.tokenization.checking import check_tokenizer
from tfnlp.tokenization.pretrained import load_tokenizer

FRENCH = ["Ada habite à Paris.", "Bob est allé à New York", "le chat habite dans la maison", "l'été, où ça ? œuvre"] * 4
ENGLISH = [*TEXTS, "unable to do it, don't 3.14 ½", "the whole of the theory of others"] * 4
CODES = (">>fr<<", ">>de<<")


def train(lines, path, **options):
    path.with_suffix(".txt").write_text("\n".join(lines), encoding="utf-8")
    settings = {"vocab_size": 60, "character_coverage": 0.99, "minloglevel": 2, "hard_vocab_limit": False, **options}
    sentencepiece.SentencePieceTrainer.train(
        input=str(path.with_suffix(".txt")), model_prefix=str(path.with_suffix("")), **settings
    )
    path.with_suffix(".model").rename(path)


def write_marian(directory, *, separate_vocabs=False, **options):
    """Write a translation tokenizer of two languages, trained on a few sentences."""
    names = {}
    for side, lines in (("source", ENGLISH), ("target", FRENCH)):
        train(lines, directory / f"{side}.spm", **options)
        pieces = sentencepiece.SentencePieceProcessor(str(directory / f"{side}.spm"))
        found = [pieces.id_to_piece(i) for i in range(pieces.piece_size())]
        names[side] = ["</s>", "<unk>", *(name for name in found if name not in ("<s>", "</s>", "<unk>"))]
    joint = [*names["source"], *([] if separate_vocabs else names["target"]), *CODES, "<pad>"]
    files = {"vocab": joint, "target_vocab": [*names["target"], "<pad>"]}
    for file, tokens in files.items():
        vocabulary = {name: i for i, name in enumerate(dict.fromkeys(tokens))}
        (directory / f"{file}.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    config = {"tokenizer_class": "MarianTokenizer", "separate_vocabs": separate_vocabs, "target_lang": "fr"}
    (directory / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return directory


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return write_marian(tmp_path_factory.mktemp("marian"))


@pytest.fixture(scope="module")
def marian(directory):
    return load_tokenizer(directory)


@pytest.fixture(scope="module")
def graph(marian):
    return GraphTokenizer(marian)


def assert_equal(graph, texts, expected):
    assert graph(texts)["input_ids"].to_list() == expected


TRANSLATED = [
    *HARD,
    *TEXTS,
    ">>fr<< Ada lives in Paris",
    ">>fr<<Ada",
    ">>xx<< unknown code",
    " >>fr<< not at the start",
    ">> no code <",
    ">>a</s>>>fr<<b",
    "été ça œuvre 我 of other",
    "ça▁ ▁",
    "▁",
    "x" * 200 + " of" * 300,
]


def test_texts(marian, graph):
    assert_equal(graph, TRANSLATED, marian(TRANSLATED, verbose=False)["input_ids"])


@settings(max_examples=40)
@given(TEXT)
def test_any_text(marian, graph, text):
    assert_equal(graph, [text, f">>de<<{text}"], marian([text, f">>de<<{text}"], verbose=False)["input_ids"])


def test_pairs_and_the_first_window(marian, graph):
    found = graph(TEXTS, TEXTS[::-1])["input_ids"].to_list()
    assert found == marian(TEXTS, TEXTS[::-1])["input_ids"]
    first = {}
    cut = graph(TEXTS, max_length=7)
    for record, ids in zip(cut["row_to_record"].numpy().tolist(), cut["input_ids"].to_list(), strict=True):
        first.setdefault(record, ids)
    assert list(first.values()) == marian(TEXTS, max_length=7, truncation=True)["input_ids"]


def test_offsets_are_those_of_sentencepiece(marian, graph):
    texts = ["the theory", "the whole of others"]
    for text, ours in zip(texts, graph(texts)["offsets"].to_list(), strict=True):
        pieces = marian.spm_source.encode(text, out_type="proto").pieces
        assert ours[:-1] == [[piece.begin, piece.end] for piece in pieces]


@pytest.mark.parametrize("separate_vocabs", [False, slow_case(True)])
def test_the_language_that_is_translated_to(tmp_path, separate_vocabs):
    marian = load_tokenizer(write_marian(tmp_path, separate_vocabs=separate_vocabs))
    graph = GraphTokenizer(marian, target=True)
    texts = [*FRENCH[:4], *ENGLISH[:3], "où </s>ça"]
    assert_equal(graph, texts, marian(text_target=texts)["input_ids"])
    ids = marian(text_target=texts)["input_ids"]
    decoded = [text.decode() for text in graph.decode(ids).numpy()]
    assert decoded == marian.batch_decode(ids, skip_special_tokens=True)


def test_decoding(marian, graph):
    ids = [*marian(text_target=[*FRENCH[:4], "où </s>ça <unk>x", "我"])["input_ids"], [3, 1, 0, 4, 5, 0, 0, 9, 12], []]
    for skip in (True, False):
        ours = [text.decode() for text in graph.decode(ids, skip_special_tokens=skip).numpy()]
        assert ours == marian.batch_decode(ids, skip_special_tokens=skip)


def with_rules(directory, rules):
    """Write a tokenizer with rules of its own: code points in hexadecimal, a tabulator, and what they become."""
    (directory / "rules.tsv").write_text("\n".join(rules) + "\n")
    return write_marian(directory, normalization_rule_tsv=str(directory / "rules.tsv"))


def test_a_map_of_longest_texts(tmp_path):
    # ab > A, abc > B, c > C and D, "d " > " E ", e > nothing
    marian = load_tokenizer(with_rules(tmp_path, ["61 62\t41", "61 62 63\t42", "63\t43 44", "64 20\t20 45 20", "65\t"]))
    texts = ["abcab abcc", "aab", "e e eab e", "ad bd  c", "cd d d", "eee", " e a"]
    assert_equal(GraphTokenizer(marian), texts, marian(texts)["input_ids"])


def test_the_check_compares_with_python(marian):
    found = check_tokenizer(marian, ENGLISH)
    assert found.is_exact, str(found)
    assert found.num_tokens > len(ENGLISH)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"model_type": "bpe"}, "model_type"),
        ({"byte_fallback": True, "vocab_size": 320}, "byte_fallback"),
        ({"add_dummy_prefix": False}, "add_dummy_prefix"),
        ({"remove_extra_whitespaces": False}, "remove_extra_whitespaces"),
        ({"user_defined_symbols": ["@@"]}, "user_defined_symbols"),
        ({"treat_whitespace_as_suffix": True}, "treat_whitespace_as_suffix"),
    ],
)
def test_a_setting_that_is_not_supported(tmp_path, options, name):
    marian = load_tokenizer(write_marian(tmp_path, **options))
    with pytest.raises(UnsupportedTokenizerError, match=name):
        GraphTokenizer(marian)


def test_a_map_to_two_spaces_is_not_supported(tmp_path):
    with pytest.raises(UnsupportedTokenizerError, match="precompiled_charsmap"):
        GraphTokenizer(load_tokenizer(with_rules(tmp_path, ["64\t20 20"])))


def test_target_is_for_marian(checkpoints):
    with pytest.raises(ArgumentError, match="Marian"):
        GraphTokenizer(load_tokenizer(checkpoints["bert"]), target=True)
