import pytest
import transformers

import tfnlp
from tests.tiny import write_checkpoint
from tfnlp import TableQuestionAnswerer
from tfnlp.checkpoints.heads import AutoHead
from tfnlp.checkpoints.weights import save_safetensors
from tfnlp.errors import DataError, UnsupportedModelError, UnsupportedTokenizerError, VersionError

pandas = pytest.importorskip("pandas")
pytest.importorskip("tensorflow_probability")
WORDS = [
    "what",
    "is",
    "the",
    "age",
    "of",
    "ada",
    "bob",
    "name",
    "city",
    "paris",
    "rome",
    "sum",
    "how",
    "many",
    "1",
    "2",
    "3",
    "30",
    "40",
]
TABLE = {"name": ["ada", "bob", "rome"], "age": ["30", "40", "3"], "city": ["paris", "rome", "2"]}
QUERIES = ["what is the age of ada", "how many name", "sum of age"]


@pytest.fixture(scope="module", params=[4, 0], ids=["aggregations", "cells"])
def directory(request, tmp_path_factory):
    """A tiny TAPAS with random weights, with or without aggregations."""
    from tfnlp._backend import keras

    directory = tmp_path_factory.mktemp("tapas")
    (directory / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[EMPTY]", *WORDS]))
    tokenizer = transformers.TapasTokenizer(str(directory / "vocab.txt"), model_max_length=64)
    names = dict(enumerate(["NONE", "SUM", "AVERAGE", "COUNT"][: request.param]))
    config = transformers.TapasConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, num_aggregation_labels=request.param, aggregation_labels=names or None,
        no_aggregation_label_index=0 if names else None, architectures=["TapasForQuestionAnswering"],
    )  # fmt: skip
    head = AutoHead("TFAutoModelForTableQuestionAnswering").from_config(config)
    head.build_in_name_scope()
    for i, variable in enumerate(head.weights):
        keras.utils.set_random_seed(i)
        variable.assign(keras.backend.random_normal(variable.shape, stddev=0.5))
    config.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    save_safetensors(head, directory / "model.safetensors")
    return directory


@pytest.fixture(scope="module")
def answerer(directory):
    return TableQuestionAnswerer.from_pretrained(directory)


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:Series.__getitem__ treating keys as positions")  # transformers' with pandas 2
def test_answers_equal_transformers_pipeline(directory, answerer):
    pytest.importorskip("torch")
    pipe = transformers.pipeline("table-question-answering", model=str(directory))
    table = pandas.DataFrame(TABLE, dtype=object)
    for query, ours in zip(QUERIES, answerer.predict([{"table": table, "query": q} for q in QUERIES]), strict=True):
        theirs = pipe(table=table, query=query)
        assert ours.text == theirs["answer"]
        assert list(ours.coordinates) == theirs["coordinates"]
        assert list(ours.cells) == theirs["cells"]
        assert ours.aggregator == theirs.get("aggregator", "")


def test_tables_of_other_kinds(answerer):
    expected = answerer.predict({"table": TABLE, "query": QUERIES[0]})
    assert answerer.predict({"table": pandas.DataFrame(TABLE), "query": QUERIES[0]}) == expected
    numbers = TABLE | {"age": [30, 40, 3]}
    assert answerer.predict({"table": numbers, "query": QUERIES[0]}) == expected
    assert list(answerer.predict(iter([{"table": TABLE, "query": QUERIES[0]}]))) == [expected]
    assert all(expected.cells[i] == list(TABLE.values())[c][r] for i, (r, c) in enumerate(expected.coordinates))


def test_evaluate_and_save(answerer, tmp_path):
    records = [{"table": TABLE, "query": query} for query in QUERIES]
    right = [record | {"answers": list(answerer.predict(record).cells)} for record in records]
    assert answerer.evaluate(right).accuracy == 1.0
    assert answerer.evaluate([right[0], right[1] | {"answers": ["nothing"]}]).accuracy == 0.5
    answerer.save(tmp_path / "saved")
    assert TableQuestionAnswerer.from_pretrained(tmp_path / "saved").predict(records) == answerer.predict(records)
    assert tfnlp.load(tmp_path / "saved").predict(records) == answerer.predict(records)
    assert repr(answerer).startswith("TableQuestionAnswerer(tapas, ")


def test_without_what_it_needs(directory, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("tfnlp.checkpoints.upstream.find_spec", lambda _: None)
        with pytest.raises(VersionError, match=r"needs tensorflow-probability, which is not installed: `pip install"):
            TableQuestionAnswerer.from_pretrained(directory)
    monkeypatch.setattr("tfnlp.tokenization.pretrained.version", lambda _: "3.0.1")
    with pytest.raises(
        VersionError, match=r"^TAPAS's tokenizer works with pandas<3; 3\.0\.1 is installed: `pip install"
    ):
        TableQuestionAnswerer.from_pretrained(directory)


def test_what_can_t_be_done(answerer, tmp_path):
    with pytest.raises(UnsupportedTokenizerError, match="TAPAS can't be served from raw text: its tokenizer exists in"):
        answerer.export(tmp_path / "1")
    with pytest.raises(UnsupportedModelError, match=r"questions about tables need TAPAS, not 'bert'\.$"):
        TableQuestionAnswerer.from_pretrained(write_checkpoint("bert", tmp_path / "bert"))
    for given, message in (
        ({"table": {}, "query": "x"}, r"^question 1: `table` is empty\.$"),
        ({"table": TABLE, "query": " "}, r"^question 1: `query` is empty\.$"),
        ({"table": "x.csv", "query": "x"}, r"^question 1: `table` must be a table or a dict of columns; found 'x.csv'"),
        (
            {"table": {str(i): ["1"] for i in range(300)}, "query": "x"},
            r"^TAPAS can't read the table of 'x': Too many columns",
        ),
        ({"table": TABLE}, r"^question 1: expected a dict with 'table' and 'query'; found"),
    ):
        with pytest.raises(DataError, match=message):
            answerer.predict([given])
    with pytest.raises(DataError, match=r"^record 1: `answers` is missing\.$"):
        answerer.evaluate([{"table": TABLE, "query": "x"}])
    assert tfnlp.TableAnswer("a", ((0, 0),), ("a",), "").to_dict()["cells"] == ("a",)
