"""Every component and setting, against the Rust component of its name."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from tests.marks import slow_case
from tests.tokenization.graph.rows import HARD, TEXT, assert_equal_to_rust
from tfnlp import GraphTokenizer
from tfnlp.errors import UnsupportedTokenizerError

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789ABELRSTV,.-'\"`▁ éàİßﬁ我가Ḁ"
PIECES = [
    "un",
    "able",
    "the",
    "quoted",
    "two",
    "spaces",
    "▁un",
    "▁two",
    "aa",
    "aaa",
    "ab",
    "aba",
    "==",
    "▁▁",
    "oo",
    "''",
]
SCORED = [("<unk>", 0.0), *((piece, -2.0 - i / 7) for i, piece in enumerate(dict.fromkeys([*PIECES, *LETTERS])))]


def unigram(**options):
    return models.Unigram(SCORED, unk_id=0, **options)


def byte_tokens():
    return [(f"<0x{byte:02X}>", -9.0) for byte in range(256)]


def trained_bpe(**options):
    """A BPE model with merges for the hard text; `options` as in a `tokenizer.json`."""
    from tokenizers import trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", **options))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    affixes = {
        key: value for key, value in options.items() if key in ("continuing_subword_prefix", "end_of_word_suffix")
    }
    trainer = trainers.BpeTrainer(vocab_size=140, special_tokens=["<unk>"], show_progress=False, **affixes)
    tokenizer.train_from_iterator(["aaaa abab the unable quoted spaces don't stop now we'll ======"] * 5, trainer)
    return tokenizer.model


NORMALIZERS = {
    "NFC": normalizers.NFC(),
    "NFD": normalizers.NFD(),
    "NFKC": normalizers.NFKC(),
    "NFKD": normalizers.NFKD(),
    "Lowercase, StripAccents": normalizers.Sequence([normalizers.Lowercase(), normalizers.StripAccents()]),
    "NFKD, StripAccents, Lowercase": normalizers.Sequence(
        [normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase()]
    ),
    "Nmt, Strip": normalizers.Sequence([normalizers.Nmt(), normalizers.Strip(left=True, right=False)]),
    "Strip right, Prepend": normalizers.Sequence(
        [normalizers.Strip(left=False, right=True), normalizers.Prepend("▁x")]
    ),
    "Replace": normalizers.Sequence(
        [
            normalizers.Replace("``", '"'),
            normalizers.Replace("a", "xyz"),
            normalizers.Replace("-", ""),
            normalizers.Replace(Regex(r"\s{2,}|[\n\r\t]"), "  "),
            normalizers.Replace(Regex(" {2,}"), "▁"),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Replace(Regex("[0-9]"), "9"),
        ]
    ),
    "NFC, Replace, Lowercase": normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    ),
}
BEHAVIORS = ("removed", "isolated", "contiguous", "merged_with_previous", "merged_with_next")
PRE_TOKENIZERS = {
    "Whitespace": pre_tokenizers.Whitespace(),
    "WhitespaceSplit, Digits": pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Digits(True)]),
    "Digits": pre_tokenizers.Digits(False),
    "CharDelimiterSplit": pre_tokenizers.CharDelimiterSplit("a"),
    "UnicodeScripts": pre_tokenizers.UnicodeScripts(),
    "Punctuation, Metaspace": pre_tokenizers.Sequence([pre_tokenizers.Punctuation(), pre_tokenizers.Metaspace()]),
    "Metaspace first": pre_tokenizers.Metaspace(prepend_scheme="first"),
    "Metaspace never": pre_tokenizers.Metaspace(prepend_scheme="never", split=False),
    "Split of CLIP": pre_tokenizers.Split(
        Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", invert=True
    ),
    **{f"Split {behavior}": pre_tokenizers.Split("a", behavior) for behavior in BEHAVIORS},
    **{
        f"Split of runs {behavior}": pre_tokenizers.Split(Regex(r"\s+"), behavior, invert=True)
        for behavior in BEHAVIORS
    },
    "Split of a text": pre_tokenizers.Split("''", "isolated"),
}
MODELS = {
    "Unigram": unigram(),
    "Unigram with bytes": models.Unigram([*SCORED, *byte_tokens()], unk_id=0, byte_fallback=True),
    "BPE": trained_bpe(),
    "BPE that fuses": trained_bpe(fuse_unk=True),
    "BPE with a suffix": trained_bpe(end_of_word_suffix="</w>"),
    "BPE with a prefix": trained_bpe(continuing_subword_prefix="##"),
    "WordLevel": models.WordLevel({"<unk>": 0, "the": 1, "two": 2, "'": 3, "我是": 4}, unk_token="<unk>"),
    "WordPiece without a prefix": models.WordPiece(
        {name: i for i, (name, _) in enumerate(SCORED)}, unk_token="<unk>", continuing_subword_prefix=""
    ),
}
CASES = {
    **{f"normalizer {name}": (part, pre_tokenizers.Metaspace(), unigram()) for name, part in NORMALIZERS.items()},
    **{f"pre-tokenizer {name}": (None, part, unigram()) for name, part in PRE_TOKENIZERS.items()},
    **{f"model {name}": (None, pre_tokenizers.WhitespaceSplit(), part) for name, part in MODELS.items()},
}


def build(normalizer, pre_tokenizer, model):
    rust = Tokenizer(model)
    if normalizer is not None:
        rust.normalizer = normalizer
    if pre_tokenizer is not None:
        rust.pre_tokenizer = pre_tokenizer
    return rust


@pytest.mark.parametrize("name", CASES)
def test_component(name):
    rust = build(*CASES[name])
    graph = GraphTokenizer(rust)
    assert_equal_to_rust(graph, rust, HARD)

    @settings(max_examples=15)
    @given(st.lists(TEXT, min_size=8, max_size=8))
    def random_text(texts):
        assert_equal_to_rust(graph, rust, texts)

    random_text()


BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())


@pytest.mark.parametrize("add_prefix_space", [slow_case(False), True])
@pytest.mark.parametrize("trim_offsets", [slow_case(False), True])
def test_byte_level(add_prefix_space, trim_offsets):
    vocabulary = {
        name: i for i, name in enumerate(["<s>", "</s>", *BYTES, "th", "the", "Ġt", "Ġth", "Ġthe", "ĠĠ", "ab"])
    }
    merges = [("t", "h"), ("th", "e"), ("Ġ", "the"), ("Ġ", "Ġ"), ("a", "b"), ("Ġ", "t"), ("Ġ", "th")]
    rust = Tokenizer(models.BPE(vocabulary, merges))
    rust.add_special_tokens(["<s>", "</s>"])
    rust.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    rust.post_processor = processors.RobertaProcessing(
        ("</s>", 1), ("<s>", 0), trim_offsets=trim_offsets, add_prefix_space=add_prefix_space
    )
    rust.decoder = decoders.ByteLevel()
    graph = GraphTokenizer(rust)
    assert_equal_to_rust(graph, rust, HARD)
    assert_equal_to_rust(graph, rust, HARD, HARD[::-1])


def test_merges_out_of_order_and_long_words():
    """`ab` is made by a late merge that an earlier one needs; a word of many tiles must be merged from its start."""
    letters = {letter: i for i, letter in enumerate("abcdx")}
    vocabulary = letters | {name: 5 + i for i, name in enumerate(("abc", "ab", "bc", "aa", "aaaa", "ca"))}
    orders = (
        [("ab", "c"), ("a", "b"), ("a", "a"), ("c", "a")],
        [("a", "a"), ("aa", "aa"), ("b", "c"), ("a", "bc"), ("c", "a")],
    )
    for merges in orders:
        rust = Tokenizer(models.BPE(vocabulary, merges, unk_token="x"))
        graph = GraphTokenizer(rust)
        texts = ["abcabcab", "a" * 200, "aab" * 70 + "c" * 5, "bcaa" * 40, "caabcaab" * 30, "b" + "a" * 33 + "bc" * 9]
        assert_equal_to_rust(graph, rust, texts)


@given(st.lists(st.text("abc", min_size=1, max_size=60), min_size=4, max_size=4))
@settings(max_examples=40)
def test_long_words_of_unigram_are_exact_where_sums_are_close(tokenizer_with_ties, texts):
    rust, graph = tokenizer_with_ties
    assert_equal_to_rust(graph, rust, ["z".join(texts), *texts])


@pytest.fixture(scope="module")
def tokenizer_with_ties():
    names = ["a", "b", "c", "ab", "ba", "aa", "bb", "aba", "bab", "abc"]
    rust = Tokenizer(models.Unigram([("<unk>", 0.0), *((name, -0.1 * len(name)) for name in names)], unk_id=0))
    return rust, GraphTokenizer(rust)


REFUSED = [
    ({"model": models.BPE({"a": 0}, [])}, r"^The BPE vocabulary has no unknown token \(`unk_token=None`\)"),
    ({"model": models.BPE({"a": 0}, [], dropout=0.1, unk_token="a")}, r"^`dropout=0\.1` makes a tokenizer answer by"),
    ({"model": models.WordLevel({"a": 0}, unk_token="?")}, r"^The unknown token '\?' is not in the vocabulary"),
    ({"model": models.WordPiece({"a": 0}, unk_token="?")}, r"^The unknown token '\?' is not in the vocabulary"),
    ({"model": models.Unigram([("a", 0.0)], None)}, r"^A Unigram model without an unknown token"),
    (
        {"model": models.Unigram([("a", 0.0), ("<0x00>", 0.0)], 0, byte_fallback=True)},
        r"^`byte_fallback` is not reproduced in the graph for a vocabulary that lacks bytes: <0x01>",
    ),
    ({"normalizer": normalizers.Replace(Regex("a|b"), "")}, r"^The pattern 'a\|b' is not reproduced in the graph"),
    ({"normalizer": normalizers.Replace("", "")}, r"^A pattern of no characters is not reproduced in the graph\.$"),
    ({"pre_tokenizer": pre_tokenizers.Split(Regex("a(?=b)"), "isolated")}, r"^The pattern 'a\(\?=b\)' is not"),
    ({"pre_tokenizer": pre_tokenizers.FixedLength(3)}, r"^The pre-tokenizer 'FixedLength' is not reproduced"),
    (
        {"post_processor": processors.Sequence([processors.BertProcessing(("a", 0), ("a", 0))] * 2)},
        r"^Several post-processors in a row are not reproduced in the graph: BertProcessing, BertProcessing\.$",
    ),
]


@pytest.mark.parametrize(("parts", "message"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_not_supported_is_refused(parts, message):
    rust = Tokenizer(parts.get("model", models.WordLevel({"a": 0}, unk_token="a")))
    for name in ("normalizer", "pre_tokenizer", "post_processor"):
        if name in parts:
            setattr(rust, name, parts[name])
    with pytest.raises(UnsupportedTokenizerError, match=message):
        GraphTokenizer(rust)


def test_decoders_that_are_refused():
    for decoder, message in (
        (decoders.CTC(), "The decoder 'CTC' is not reproduced"),
        (decoders.Sequence([decoders.ByteLevel(), decoders.Metaspace()]), "The decoder 'ByteLevel' beside others"),
        (decoders.Sequence([decoders.Fuse(), decoders.Metaspace()]), "The decoders Fuse, Metaspace, in this order"),
    ):
        rust = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
        rust.decoder = decoder
        with pytest.raises(UnsupportedTokenizerError, match=f"^{message}"):
            GraphTokenizer(rust).decode([[0]])


DECODERS = {
    "none": None,
    "WordPiece": decoders.WordPiece(),
    "WordPiece without clean-up": decoders.WordPiece(cleanup=False),
    "ByteLevel": decoders.ByteLevel(),
    "Metaspace": decoders.Metaspace(),
    "Metaspace never": decoders.Metaspace(prepend_scheme="never"),
    "BPE": decoders.BPEDecoder(),
    "Llama": decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    ),
}


@pytest.mark.parametrize("name", DECODERS)
def test_decoder(name):
    words = [
        "[UNK]",
        "[CLS]",
        "the",
        "##s",
        "▁the",
        "▁",
        "Ġthe",
        "Ã",
        "©",
        "Ģ",
        "the</w>",
        ".",
        "'s",
        "n't",
        " do not",
        "é",
    ]
    names = [*words, *(f"<0x{byte:02X}>" for byte in (0x41, 0xC3, 0xA9, 0xE2, 0x96, 0x81, 0xFF))]
    rust = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))
    rust.add_special_tokens(["[CLS]"])
    if DECODERS[name] is not None:
        rust.decoder = DECODERS[name]
    graph = GraphTokenizer(rust)

    @settings(max_examples=40)
    @given(st.lists(st.lists(st.integers(0, len(names) - 1), min_size=1, max_size=8), min_size=1, max_size=5))
    def random_ids(rows):
        for skip in (True, False):
            kept = [row for row in rows if not skip or set(row) != {1}]  # Rust's BPE decoder fails on no token
            if kept:
                ours = graph.decode(kept, skip_special_tokens=skip).numpy()
                assert [text.decode() for text in ours] == [rust.decode(row, skip_special_tokens=skip) for row in kept]

    random_ids()
    assert graph.decode([[], [-100, 10_000]]).numpy().tolist() == [b"", b""]
