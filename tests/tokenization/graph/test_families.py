"""The families of tokenizers that TensorFlow heads have: real vocabularies where they are, tiny ones everywhere."""

import json

import pytest
from tokenizers import Tokenizer, models

from tests.conftest import data
from tests.marks import slow_case
from tests.tiny import build_tokenizer
from tests.tokenization.graph.rows import HARD, assert_equal
from tfnlp import GraphTokenizer
from tfnlp.tokenization.pretrained import as_saved

VOCABULARIES = (
    "bert_uncased",
    "bert_cased",
    "bert_chinese",
    "roberta_base",
    "gpt2",
    "albert_base",
    "t5_base",
    "xlnet_cased",
)
# They differ from the vocabularies that the quick tests compare in templates and names of special tokens.
SENTENCEPIECE = (
    "BigBird", "Camembert", "DebertaV2", "Llama", "MBart50", "MBart", "Pegasus", "RemBert", "XGLM", "XLMRoberta",
)  # fmt: skip
BYTES = ("Bart", "CLIP", "Deberta", "Longformer")


def lines(limit):
    from benchmarks.corpora import corpus_lines, random_strings

    found = list(corpus_lines(data("conf")))
    return [*found[:: len(found) // limit], *random_strings(limit // 4)]


def assert_decoded_alike(graph, rust, texts):
    ids = [rust(text)["input_ids"] for text in texts]
    for skip, clean in ((True, True), (False, False)):
        options = {"skip_special_tokens": skip, "clean_up_tokenization_spaces": clean}
        ours = [text.decode() for text in graph.decode(ids, **options).numpy()]
        assert ours == [rust.decode(row, **options) for row in ids]


# In the quick tests WordPiece and BPE of bytes; the slow ones compare every vocabulary on many more texts.
@pytest.mark.parametrize(
    "name",
    [
        "bert_uncased",
        "gpt2",
        slow_case("albert_base"),
        slow_case("xlnet_cased"),
    ],
)
def test_a_real_vocabulary(name):
    from benchmarks.tokenizer import differences, load

    rust = load(data(f"tok/{name}"))
    graph = GraphTokenizer(rust)
    assert differences(graph, rust, [*HARD, *lines(1_000)]) == []
    assert_decoded_alike(graph, rust, HARD)


@pytest.mark.slow
@pytest.mark.parametrize("name", SENTENCEPIECE)
def test_a_family_of_sentencepiece(name):
    """Its normalizers, template and added tokens, with the vocabulary of another."""
    import transformers

    rust = as_saved(getattr(transformers, f"{name}TokenizerFast")(str(data("tok/t5_base/spiece.model"))))
    graph = GraphTokenizer(rust)
    assert_equal(graph, rust, HARD)
    assert_equal(graph, rust, HARD[:6], HARD[6:12])
    assert_decoded_alike(graph, rust, HARD)


@pytest.mark.slow
@pytest.mark.parametrize("name", BYTES)
def test_a_family_of_bytes(name):
    import transformers

    directory = data("tok/gpt2")
    files = (str(directory / "vocab.json"), str(directory / "merges.txt"))
    rust = as_saved(getattr(transformers, f"{name}TokenizerFast")(*files))
    graph = GraphTokenizer(rust)
    assert_equal(graph, rust, HARD)
    assert_equal(graph, rust, HARD[:6], HARD[6:12])
    assert_decoded_alike(graph, rust, HARD)


def test_openai_gpt(tmp_path):
    import transformers

    trained = json.loads(build_tokenizer("roberta", tmp_path).backend_tokenizer.to_str())["model"]
    names = ["<unk>", *"abcdehilnoprstuvwy.,'", *(f"{letter}</w>" for letter in "abcdehilnoprstuvwy.,'")]
    merges = [("t", "h"), ("th", "e</w>"), ("a", "n"), ("an", "d</w>"), ("i", "n</w>"), ("i", "n")]
    names += dict.fromkeys(a + b for a, b in merges)
    assert trained["type"] == "BPE"
    (tmp_path / "v.json").write_text(json.dumps({name: i for i, name in enumerate(names)}))
    (tmp_path / "m.txt").write_text("#version: 0.2\n" + "\n".join(map(" ".join, merges)) + "\n")
    rust = as_saved(transformers.OpenAIGPTTokenizerFast(str(tmp_path / "v.json"), str(tmp_path / "m.txt")))
    graph = GraphTokenizer(rust)
    assert_equal(graph, rust, ["The land and the inn, in.", "and", *HARD])
    assert_decoded_alike(graph, rust, ["The land and the inn, in."])


def test_bpe_of_sentencepiece_with_bytes(tmp_path):
    """As Mistral's: spaces as characters, unknown characters as bytes, one word a text."""
    import transformers

    letters = ["▁", *"abcdehilnoprstuvwy"]
    merges = [("t", "h"), ("▁", "a"), ("th", "e"), ("▁", "the"), ("a", "n"), ("▁a", "n"), ("e", "e")]
    names = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *letters, *(a + b for a, b in merges)]
    model = models.BPE(
        {name: i for i, name in enumerate(names)}, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True
    )
    spec = json.loads(Tokenizer(model).to_str())
    spec["normalizer"] = {
        "type": "Sequence",
        "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
        ],
    }
    strip = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
    replace = {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}
    parts = [replace, {"type": "ByteFallback"}, {"type": "Fuse"}, strip]
    spec["decoder"] = {"type": "Sequence", "decoders": parts}
    rust = transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(spec)), bos_token="<s>", eos_token="</s>"
    )
    graph = GraphTokenizer(rust)
    assert_equal(graph, rust, ["the an thethe", "eeee", "é<s>日本 an", *HARD])
    assert_decoded_alike(graph, rust, ["the an é日本", *HARD])


@pytest.mark.parametrize("name", ["roberta", "albert"])
def test_texts_that_come_as_words(tmp_path, name):
    rust = build_tokenizer(name, tmp_path)
    words = [["Ada", "lives", "in", "", "Paris "], [" x", "\u3000"], []]
    if name == "roberta":
        rust = type(rust).from_pretrained(save(rust, tmp_path / "saved"), add_prefix_space=True)
    assert_equal(GraphTokenizer(rust), rust, words, words=True)


def save(tokenizer, directory):
    tokenizer.save_pretrained(directory)
    return directory


@pytest.mark.slow
@pytest.mark.parametrize("name", VOCABULARIES)
def test_conformance_texts_and_random_strings(name):
    from benchmarks.corpora import corpus_lines, random_strings
    from benchmarks.tokenizer import decoding_differences, differences, load

    rust = load(data(f"tok/{name}"))
    graph = GraphTokenizer(rust)
    found = list(corpus_lines(data("conf")))
    texts = [*found[::8], *random_strings(20_000)]
    assert differences(graph, rust, texts) == []
    assert decoding_differences(graph, rust, texts[::5]) == []
