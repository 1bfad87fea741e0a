import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

from tests.conftest import data
from tests.marks import slow_case
from tests.tiny import VOCABULARY, build_tokenizer
from tests.tokenization.graph.rows import HARD, TEXT, assert_equal, rows_of, rows_of_rust
from tfnlp import GraphTokenizer
from tfnlp._backend import tf
from tfnlp.errors import ArgumentError, CheckpointError, UnsupportedTokenizerError
from tfnlp.tokenization.pretrained import as_saved


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A Rust tokenizer and its graph."""
    rust = build_tokenizer("bert", tmp_path_factory.mktemp("bert"))
    return rust, GraphTokenizer(rust)


@pytest.mark.parametrize("text", HARD, ids=ascii)
def test_hard_text(pair, text):
    rust, graph = pair
    assert_equal(graph, rust, [text])


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_random_text(pair, texts):
    rust, graph = pair
    assert_equal(graph, rust, texts)


@pytest.mark.slow
@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=3), st.booleans())
def test_random_pairs(pair, texts, special):
    rust, graph = pair
    assert_equal(graph, rust, [a for a, _ in texts], [b for _, b in texts], add_special_tokens=special)


@given(st.lists(st.lists(TEXT, max_size=5), min_size=1, max_size=3))
def test_random_words(pair, texts):
    rust, graph = pair
    ragged = tf.RaggedTensor.from_row_lengths(
        tf.constant([word for words in texts for word in words], tf.string), [len(words) for words in texts]
    )
    theirs = rust(texts, is_split_into_words=True)
    assert rows_of(graph(ragged)) == rows_of_rust(theirs.encodings)


@given(st.lists(TEXT, min_size=1, max_size=3), st.integers(4, 12), st.data())
def test_random_windows(pair, texts, max_length, data):
    rust, graph = pair
    stride = data.draw(st.integers(0, max_length - 3))
    assert_equal(graph, rust, texts, max_length=max_length, stride=stride)


def test_windows_of_the_second_text(pair):
    rust, graph = pair
    assert_equal(graph, rust, ["ada", "bob stone"], ["the cat " * 9, "x"], max_length=14, stride=3)


@pytest.fixture(scope="module")
def pair_from_left(tmp_path_factory):
    rust = build_tokenizer("bert", tmp_path_factory.mktemp("bert"))
    rust.truncation_side = "left"
    return rust, GraphTokenizer(rust)


def test_cased(tmp_path):
    file = tmp_path / "vocab.txt"
    file.write_text("\n".join([*VOCABULARY, "Ada", "É", "##É"]) + "\n", encoding="utf-8")
    import transformers

    rust = transformers.BertTokenizerFast(str(file), do_lower_case=False)
    graph = GraphTokenizer(rust)
    for text in ["Ada É xÉ e\u0301 E\u0301", *HARD]:
        assert_equal(graph, rust, [text])


@pytest.mark.parametrize(
    ("strip_accents", "lowercase", "clean_text", "chinese"),
    [(True, False, False, True), (False, True, True, False), (True, True, False, False), (False, False, False, False)],
)
def test_settings_of_the_normalizer(strip_accents, lowercase, clean_text, chinese):
    rust = Tokenizer(models.WordPiece({name: i for i, name in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    rust.normalizer = normalizers.BertNormalizer(clean_text, chinese, strip_accents, lowercase)
    rust.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    graph = GraphTokenizer(rust)
    for text in HARD:
        found = rows_of(graph([text]))[0]
        theirs = rust.encode(text)
        assert (found["input_ids"], found["offsets"]) == (theirs.ids, theirs.offsets)
        assert found["word_ids"] == theirs.word_ids


@pytest.mark.slow
def test_bert_processing_and_no_processing(tmp_path):
    rust = build_tokenizer("bert", tmp_path)
    backend = rust.backend_tokenizer
    for processor in (processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2)), None):
        if processor is not None:
            backend.post_processor = processor
        else:
            backend = Tokenizer(backend.model)
            backend.normalizer, backend.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
        found = rows_of(GraphTokenizer(backend)(["ada x"], ["bob"]))
        assert found == rows_of_rust([backend.encode("ada x", "bob")])


def test_added_tokens_that_take_spaces_or_overlap(tmp_path):
    rust = build_tokenizer("bert", tmp_path)
    rust.add_tokens(
        [
            AddedToken("<l>", lstrip=True, normalized=False),
            AddedToken("<r>", rstrip=True, normalized=False),
            AddedToken("<lr>", lstrip=True, rstrip=True, normalized=False),
            AddedToken("<l><r>", normalized=False),
            AddedToken("> <", normalized=False),
        ]
    )
    graph = GraphTokenizer(rust)
    for text in [
        "a <l> b <r>  c <lr> d",
        "<l><r><l>",
        " <r> <l> ",
        "<r>  <r> \u3000<lr>\n",
        "<l> <r>",
        "> < <l",
        "x<lr>",
    ]:
        assert_equal(graph, rust, [text, "", text])
    assert_equal(graph, rust, [["a ", " <l> ", "<r>"], ["<lr> "]], words=True)


def test_added_tokens_with_every_flag(tmp_path):
    rust = build_tokenizer("bert", tmp_path)
    flags = ("single_word", "lstrip", "rstrip", "normalized")
    rust.add_tokens(
        [AddedToken(f"Tok{i}", **{flag: bool(i >> j & 1) for j, flag in enumerate(flags)}) for i in range(16)]
    )
    rust = as_saved(rust)
    graph = GraphTokenizer(rust)
    for i in range(16):
        for text in (
            f"a Tok{i} b",
            f"aTok{i}b",
            f" TOK{i}\u3000 ",
            f"Tok{i}Tok{i} Tok{i}",
            f"é\u0301Tok{i}_",
            f"(Tok{i})",
        ):
            assert_equal(graph, rust, [text])


@pytest.mark.parametrize("truncation", ["only_first", "only_second", "longest_first"])
@pytest.mark.parametrize("side", [slow_case("left"), "right"])
def test_truncation_of_pairs(tmp_path, truncation, side):
    rust = build_tokenizer("bert", tmp_path)
    rust.truncation_side = side
    graph = GraphTokenizer(rust)
    long, short = "the cat lives in new york " * 3, "ada bob"
    stride = 0 if truncation == "longest_first" else 3
    cases = {"only_first": [(long, short)], "only_second": [(short, long)]}.get(
        truncation, [(long, short), (short, long), (long, long), (short, short), ("", long)]
    )
    for first, second in cases:
        assert_equal(graph, rust, [first], [second], max_length=14, stride=stride, truncation=truncation)
    with pytest.raises(ArgumentError) as caught:
        graph(["a"], ["b"], max_length=8, truncation="both")
    assert str(caught.value) == (
        "`truncation` must be one of 'only_second', 'only_first', 'longest_first', and is 'both'."
    )


@given(st.lists(TEXT, min_size=1, max_size=3), st.integers(4, 12), st.data())
def test_random_windows_from_the_left(pair_from_left, texts, max_length, data):
    rust, graph = pair_from_left
    assert_equal(graph, rust, texts, max_length=max_length, stride=data.draw(st.integers(0, max_length - 3)))


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding(tmp_path, side):
    rust = build_tokenizer("bert", tmp_path)
    rust.padding_side = side
    graph = GraphTokenizer(rust)
    texts = ["the cat", "ada lives in new york", ""]
    ours = graph.pad(graph(texts), length=9)
    theirs = rust(texts, padding="max_length", max_length=9, return_tensors="np", return_offsets_mapping=True)
    for name in ("input_ids", "token_type_ids", "attention_mask"):
        assert ours[name].numpy().tolist() == theirs[name].tolist()
    assert ours["offsets"].numpy().tolist() == theirs["offset_mapping"].tolist()
    assert graph.pad(graph(texts))["input_ids"].shape == (3, 7)


def test_a_rust_tokenizer_that_truncates_is_refused():
    rust = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    rust.enable_truncation(2)
    with pytest.raises(UnsupportedTokenizerError, match=r"^The tokenizer truncates or pads by itself"):
        GraphTokenizer(rust)


def test_wrong_calls(pair, tmp_path):
    _, graph = pair
    with pytest.raises(ArgumentError, match=r"put a single text into a list\.$"):
        graph("text")
    with pytest.raises(ArgumentError) as caught:
        graph(["text"], max_length=8, stride=6)
    assert str(caught.value) == (
        "`max_length=8` has room for 6 tokens of text beside the special tokens; `stride` must be in [0, 6), and is 6."
    )
    with pytest.raises(tf.errors.InvalidArgumentError, match="leaves no room for a window"):
        graph(["the cat " * 9], ["bob stone"], max_length=8)
    with pytest.raises(CheckpointError, match="no tokenizer could be loaded from there"):
        GraphTokenizer.from_pretrained(tmp_path)


def test_eager_graph_and_tf_data_agree(pair):
    _, graph = pair
    texts = ["Ada lives in Paris", "", "the cat"]
    eager = graph(texts)["input_ids"].to_list()
    inside = tf.function(lambda batch: graph(batch)["input_ids"])
    assert inside(tf.constant(texts)).to_list() == eager
    dataset = tf.data.Dataset.from_tensor_slices(texts).batch(2).map(lambda batch: graph(batch)["input_ids"])
    assert [row for batch in dataset for row in batch.to_list()] == eager


def test_an_empty_batch_and_bytes_that_are_no_utf8(pair):
    rust, graph = pair
    assert graph(tf.constant([], tf.string))["input_ids"].to_list() == []
    assert graph([b"ada \xff bob"])["input_ids"].to_list() == [rust("ada \ufffd bob")["input_ids"]]


def test_questions_with_known_ids():
    import json

    from benchmarks.tokenizer import load

    golden = data("conf/hf_swift_bert_goldens")
    questions = [entry["original"] for entry in json.loads((golden / "question_tokens.json").read_text())]
    ids = json.loads((golden / "tokenized_questions.json").read_text())
    found = GraphTokenizer(load(data("tok/bert_uncased")))(questions, add_special_tokens=False)["input_ids"].to_list()
    assert found == ids


def test_in_a_keras_model(pair):
    from tfnlp._backend import keras

    _, graph = pair
    text = keras.Input([], dtype=tf.string)
    ids = keras.layers.Lambda(lambda batch: graph(batch)["input_ids"].to_tensor())(text)
    model = keras.Model(text, keras.layers.Embedding(200, 4)(ids))
    assert model(tf.constant(["ada lives", "bob"])).shape == (2, 4, 4)
