"""Compares the rows of a graph tokenizer with those of the Rust tokenizer."""

from hypothesis import strategies as st

HARD = [
    "",
    " ",
    "Hello, World! unable [MASK] x[SEP]y",
    "café İstanbul 我是 nai\u0308ve\u0301",
    "a" * 101 + " " + "b" * 100,
    "[CLS][CLS] [cls] [MASK",
    "\u0000\ufffd\u200b\u00ad\u2028x",
    "\ua9c0\u0301\u1b44a\u0301\ua953\u0334",
    "\U0001d15e\U0001d165\U0001d16e\U0001d165",
    "각가\u11a8 한국어",
    "ﬁ Ⅷ ½ ﷺ ª\u0301 ‼",
    "👩‍🚀 e\u0301\u0327 ẞ ŒŦ",
    "don't stop-me.now we'll they'RE ''s !'s 's't",
    "  two  spaces \t\n and\r\nlines   ",
    "``quoted'' ''' 12 345,6 x1y2",
    "aaaaaaaaaaaaaaaa abababababab =======",
    "\x01\x02start \u0600a \u0e01\u0e33 ▁under ▁▁x",
    "<s>a</s> <mask>  <unk><unk>é <0x41>",
]
_LETTERS = [
    *"aBx.,-' \t\n[]#'`=_0123▁",
    "[MASK]",
    "<mask>",
    "</s>",
    "un",
    "able",
    "##",
    "'s",
    "''",
    "  ",
    "我",
    "가",
    "İ",
]
_ODD = [
    *"\u0300\u0316\u0334\u0345\u1b44\ua953\ua9c0\u05b0\u0600\u200d\u200b\u00ad\ufffd\ufeff\r\u0000\u001f\u3000\u11a8\u1161"
]
# Letters, marks that change places, spaces, Hangul, CJK, special tokens: what the rules distinguish.
TEXT = st.lists(
    st.one_of(
        st.sampled_from(_LETTERS),
        st.sampled_from([*_ODD, "\U0001d165", "\U0001d16d"]),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=25,
).map("".join)
_NAMES = ("input_ids", "token_type_ids", "attention_mask", "special_tokens_mask", "offsets", "word_ids", "sequence_ids")


def rows_of(encoded):
    """Turn a graph's answer into one dict a row, as Rust gives it."""
    columns = {name: encoded[name].to_list() for name in _NAMES}
    rows = []
    for i in range(len(columns["input_ids"])):
        row = {name: column[i] for name, column in columns.items()}
        row["offsets"] = [tuple(offset) for offset in row["offsets"]]
        for name in ("word_ids", "sequence_ids"):
            row[name] = [None if value < 0 else value for value in row[name]]
        rows.append(row)
    return rows


def rows_of_rust(encodings):
    """Turn encodings into one dict a row."""
    return [
        {
            "input_ids": e.ids,
            "token_type_ids": e.type_ids,
            "attention_mask": e.attention_mask,
            "special_tokens_mask": e.special_tokens_mask,
            "offsets": e.offsets,
            "word_ids": e.word_ids,
            "sequence_ids": e.sequence_ids,
        }
        for e in encodings
    ]


def assert_equal(graph, rust, texts, pairs=None, *, words=False, truncation=None, **options):
    """Compare with a Hugging Face fast tokenizer."""
    cuts = "max_length" in options
    found = graph(texts, pairs, truncation=truncation, **options)
    settings = {"truncation": truncation or ("only_second" if pairs else True)} if cuts else {}
    whole = truncation == "longest_first"
    theirs = rust(
        texts,
        pairs,
        is_split_into_words=words,
        return_overflowing_tokens=cuts and not whole,
        verbose=False,
        **settings,
        **options,
    )
    assert rows_of(found) == rows_of_rust(theirs.encodings)
    if cuts and not whole:
        assert found["row_to_record"].numpy().tolist() == list(theirs["overflow_to_sample_mapping"])


def assert_equal_to_rust(graph, rust, texts, pairs=None):
    """Compare with a Rust tokenizer."""
    asked = texts if pairs is None else list(zip(texts, pairs, strict=True))
    assert rows_of(graph(texts, pairs)) == rows_of_rust(rust.encode_batch(asked))
