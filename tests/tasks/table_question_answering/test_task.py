import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import transformers
from typer.testing import CliRunner

import tfnlp
from tests.marks import slow_case
from tests.tiny import write_checkpoint
from tfnlp import TableQuestionAnswerer
from tfnlp.checkpoints.heads import AutoHead
from tfnlp.checkpoints.weights import save_safetensors
from tfnlp.cli.commands import app
from tfnlp.errors import ArgumentError, DataError, UnsupportedModelError, UnsupportedTokenizerError, VersionError
from tfnlp.tasks.table_question_answering.decoding import aggregated

ROOT = Path(__file__).parents[3]
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
RECORDS = [
    {"table": TABLE, "query": "what is the age of ada", "answers": ["30"]},
    {"table": TABLE, "query": "what is the city of bob", "answer_coordinates": [[1, 2]]},
    {"table": TABLE, "query": "sum of age", "answer_coordinates": [[0, 1], [1, 1], [2, 1]], "float_answer": 73},
    {"table": TABLE, "query": "how many name", "answers": ["3"], "answer_coordinates": [[0, 0], [1, 0], [2, 0]]},
]
NAMES = ("NONE", "SUM", "AVERAGE", "COUNT")
LONG = {"table": {"name": ["ada"] * 40, "age": ["30"] * 40}, "query": "how many"}
DONE = ("NONE", 0, "SUM", "COUNT")  # with the cells of each record
QUERIES = ["what is the age of ada", "how many name", "sum of age"]


def write_tapas(directory, num_aggregations):
    """Write a tiny TAPAS with random weights, with or without aggregations."""
    from tfnlp._backend import keras

    (directory / "vocab.txt").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[EMPTY]", *WORDS]))
    tokenizer = transformers.TapasTokenizer(str(directory / "vocab.txt"), model_max_length=64)
    names = dict(enumerate(NAMES[:num_aggregations]))
    config = transformers.TapasConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, num_aggregation_labels=num_aggregations, aggregation_labels=names or None,
        no_aggregation_label_index=0 if names else None, architectures=["TapasForQuestionAnswering"],
    )  # fmt: skip
    head = AutoHead("TFAutoModelForTableQuestionAnswering").from_config(config)
    head.build_in_name_scope()
    for i, variable in enumerate(head.weights):
        keras.utils.set_random_seed(i)
        variable.assign(keras.backend.random_normal(variable.shape, stddev=0.5))
        if variable.name.endswith("output_bias:0"):
            variable.assign(2.0)  # so that cells are chosen
    config.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    save_safetensors(head, directory / "model.safetensors")
    return directory


@pytest.fixture(scope="module", params=[4, slow_case(0)], ids=["aggregations", "cells"])
def directory(request, tmp_path_factory):
    return write_tapas(tmp_path_factory.mktemp("tapas"), request.param)


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
    rows = {"header": list(TABLE), "rows": [list(row) for row in zip(*TABLE.values(), strict=True)]}
    assert answerer.predict((rows, QUERIES[0])) == expected
    numbers = TABLE | {"age": [30, 40, 3]}
    assert answerer.predict({"table": numbers, "query": QUERIES[0]}) == expected
    years = {"header": [2019, 2020], "rows": [["1", "2"]]}
    assert answerer.rows_of(answerer.as_records([(years, QUERIES[0])])).num_rows == 1
    assert (
        next(
            answerer.training_rows(
                answerer.source([{"table": years, "query": "who", "answers": ["1"], "aggregation_label": 0}])
            )
        ).num_rows
        == 1
    )
    assert list(answerer.predict(iter([{"table": TABLE, "query": QUERIES[0]}]))) == [expected]
    assert all(expected.cells[i] == list(TABLE.values())[c][r] for i, (r, c) in enumerate(expected.coordinates))


def test_evaluate_and_save(answerer, tmp_path):
    records = [{"table": TABLE, "query": query} for query in QUERIES]
    right = [record | {"answers": list(answerer.predict(record).cells)} for record in records]
    assert answerer.evaluate(right).accuracy == 1.0
    assert answerer.evaluate([right[0], right[1] | {"answers": ["nothing"]}]).accuracy == 0.5
    with pytest.raises(DataError, match=r"29 of the 40 rows of the table fit into 64 tokens"):  # before any epoch
        answerer.check_validation(answerer.source([LONG | {"answers": ["nothing"]}]))
    lines = tmp_path / "questions.jsonl"
    lines.write_text(
        "".join(json.dumps(record) + "\n" for record in [*right, {"table": {"a": ["1"], "b": []}, "query": "x"}])
    )
    assert answerer.evaluate(tfnlp.read_objects(lines, on_error="skip")).num_records == len(right)
    answerer.save(tmp_path / "saved")
    assert TableQuestionAnswerer.from_pretrained(tmp_path / "saved").predict(records) == answerer.predict(records)
    assert tfnlp.load(tmp_path / "saved").predict(records) == answerer.predict(records)
    assert repr(answerer).startswith("TableQuestionAnswerer(tapas, ")


@pytest.fixture(scope="module", params=[slow_case("cells"), slow_case("names"), "numbers"])
def to_train(request, tmp_path_factory):
    """Make, each time it is called, the tiny TAPAS that learns cells, or aggregations by name or by number."""
    directory = write_tapas(tmp_path_factory.mktemp("tapas"), 0 if request.param == "cells" else 4)
    of_network = {
        "use_answer_as_supervision": request.param == "numbers",
        "cell_selection_preference": 0.9,
        "huber_loss_delta": 1.0,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    return lambda **others: TableQuestionAnswerer.from_pretrained(directory, **{**of_network, **others})


def named(records):
    return [record | {"aggregation_label": done} for record, done in zip(records, DONE[: len(records)], strict=True)]


def test_rows_to_train_on(to_train):
    answerer = to_train()
    (batch,) = answerer.dataset(named(RECORDS), batch_size=4)
    assert set(batch) == set(answerer.training_model().input_names)
    assert batch["token_type_ids"].shape == (*batch["input_ids"].shape, 7)
    for i, places in enumerate(([(0, 1)], [(1, 2)], [(0, 1), (1, 1), (2, 1)], [(0, 0), (1, 0), (2, 0)])):
        types = batch["token_type_ids"][i].numpy()[batch["labels"][i].numpy() == 1]
        assert {(row - 1, column - 1) for _, column, row, *_ in types} == set(places)
    if answerer.supervision.by_name:
        assert batch["aggregation_labels"].numpy().tolist() == [0, 0, 1, 3]
    if answerer.supervision.by_answer:
        np.testing.assert_array_equal(batch["float_answer"], [30.0, np.nan, 73.0, 3.0])


@pytest.mark.torch
def test_loss_and_gradients_equal_pytorchs(to_train, tmp_path):
    torch = pytest.importorskip("torch")
    from tfnlp._backend import tf

    answerer = to_train()
    (batch,) = answerer.dataset(named(RECORDS), batch_size=4)
    answerer.save(tmp_path / "saved")
    theirs = transformers.TapasForQuestionAnswering.from_pretrained(tmp_path / "saved").train()
    tensors = {name: torch.tensor(values.numpy()) for name, values in batch.items() if name != "is_counted"}
    loss = theirs(
        **{name: values if values.is_floating_point() else values.long() for name, values in tensors.items()}
    ).loss
    loss.backward()
    with tf.GradientTape() as tape:
        model = answerer.training_model()
        model(batch, training=True)
        (ours,) = model.losses
    np.testing.assert_allclose(ours, loss.item(), rtol=1e-5)
    (variable,) = [v for v in model.trainable_variables if "layer_._0/output/dense/kernel" in v.name]
    expected = theirs.tapas.encoder.layer[0].output.dense.weight.grad.numpy().T
    np.testing.assert_allclose(tape.gradient(ours, variable), expected, atol=1e-5 * np.abs(expected).max())


def test_validation(to_train):
    answerer, records = to_train(), named(RECORDS)
    history = answerer.fit(records, records, epochs=2, verbose=0).history
    assert history["val_accuracy"][-1] == answerer.evaluate(records).accuracy


@pytest.mark.slow
def test_fit(to_train, tmp_path):
    answerer = to_train()
    records = named(RECORDS[: 2 if answerer.supervision.by_answer else 3])
    file = tmp_path / "train.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    history = answerer.fit(file, epochs=150, batch_size=2, learning_rate=3e-3, verbose=0).history
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    assert answerer.evaluate(file).accuracy == 1.0
    last = "SUM > 30, 40, 3" if answerer.supervision.by_name else "30, 40, 3"
    assert [answer.text for answer in answerer.predict(records)] == ["30", "rome", last][: len(records)]


@pytest.mark.slow
def test_commands_and_example(directory, answerer, tmp_path, capsys):
    names = {"aggregation_label": "NONE"} if answerer.supervision.by_name else {}
    file = tmp_path / "train.jsonl"
    file.write_text("".join(json.dumps(record | names) + "\n" for record in RECORDS[:2]))
    output = tmp_path / "trained"
    given = ["--model", str(directory), "--train", str(file), "--dev", str(file), "--output", str(output)]
    options = ["--epochs", "1", "--max-length", "60", "--patience", "1"]
    found = CliRunner().invoke(app, ["train", "table-question-answering", *given, *options])
    assert found.exit_code == 0, found.output
    assert "2 records" in found.output
    trained = tfnlp.load(output)
    assert trained.settings.max_length == 60
    found = CliRunner().invoke(app, ["predict", str(output), str(file)])
    assert found.exit_code == 0, found.output
    assert [json.loads(line)["text"] for line in found.stdout.splitlines()] == [
        a.text for a in trained.predict(RECORDS[:2])
    ]

    (tmp_path / "people.csv").write_text("name,age\nada,30\nbob,40\n")
    example = runpy.run_path(str(ROOT / "examples" / "table_question_answering.py"))
    example["main"](str(output), str(tmp_path / "people.csv"), "what is the age of ada")
    assert capsys.readouterr().out.startswith("TableAnswer(text=")


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


def test_what_can_t_be_done(directory, answerer, tmp_path):
    with pytest.raises(UnsupportedTokenizerError, match="TAPAS can't be served from raw text: its tokenizer exists in"):
        answerer.export(tmp_path / "1")
    with pytest.raises(UnsupportedModelError, match=r"questions about tables need TAPAS, not 'bert'\.$"):
        TableQuestionAnswerer.from_pretrained(write_checkpoint("bert", tmp_path / "bert"))
    for given, message in (
        ({"table": {}, "query": "x"}, r"^question 1: `table` is empty\.$"),
        ({"table": TABLE, "query": " "}, r"^question 1: `query` is empty\.$"),
        (
            {"table": "x.csv", "query": "x"},
            r"^question 1: `table` must be a table or a dict of columns of equal length: ",
        ),
        (
            {"table": {str(i): ["1"] for i in range(300)}, "query": "x"},
            r"^question 'x': TAPAS can't read its table: Too many columns",
        ),
        ({"table": TABLE}, r"^question 1: expected 'table' and 'query'; found \['table'\]\.$"),
        ("how old", r"^question 1: expected a dict with 'table' and 'query', or a pair of them; found 'how old'"),
        (
            LONG,
            r"^question 'how many': 29 of the 40 rows of the table fit into 64 tokens: leave out rows and columns that",
        ),
    ):
        with pytest.raises(DataError, match=message):
            answerer.predict([given])
    assert answerer.predict(LONG, drop_rows=True).coordinates is not None
    with pytest.raises(ArgumentError, match=r"^`stride` is no option of a TableQuestionAnswerer, nor of the network's"):
        TableQuestionAnswerer.from_pretrained(directory, stride=3)
    with pytest.raises(ArgumentError, match=r"`aggregation_labels` names \[0, 1\], and `num_aggregation_labels` is 3"):
        TableQuestionAnswerer.from_pretrained(directory, num_aggregation_labels=3, aggregation_labels={0: "A", 1: "B"})
    with pytest.raises(UnsupportedModelError, match="with `select_one_column=False` TAPAS's head can't answer"):
        TableQuestionAnswerer.from_pretrained(directory, select_one_column=False)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"answers": None},
            r"`answers` is missing: the texts of the right cells, or `answer_coordinates`, their places",
        ),
        ({"answers": "30"}, r"`answers` must be a list of texts; found '30'\.$"),
        (
            {"answers": ["2", "31"]},
            r"the answer '31' stands in no cell of the table: say which are right with `answer_c",
        ),
        (
            {"answers": ["rome"]},
            r"the answer 'rome' stands in 2 cells: say which are right with `answer_coordinates`\.$",
        ),
        (
            {"answer_coordinates": [[3, 0]]},
            r"`answer_coordinates` \[3, 0\] is no row and column of a table of 3 by 3\.$",
        ),
        ({"answer_coordinates": [[0.0, 0]]}, r"`answer_coordinates` \[0\.0, 0\] is no row and column of a table of 3"),
        ({"float_answer": "x"}, r"`float_answer` must be a number; found 'x'\.$"),
        (
            {"aggregation_label": "MEDIAN"},
            r"`aggregation_label` must be one of \['NONE', 'SUM', 'AVERAGE', 'COUNT'\]; fo",
        ),
        ({"query": ""}, r"`query` is empty\.$"),
        (
            {"table": LONG["table"], "answer_coordinates": [[0, 0]]},
            r"29 of the 40 rows of the table fit into 64 tokens: leave out rows and columns",
        ),
    ],
)
def test_wrong_records(to_train, changed, message):
    answerer = to_train()
    record = {"table": TABLE, "query": "x", "answers": ["30"], "aggregation_label": "NONE"} | changed
    if "aggregation_label" in changed and not answerer.supervision.by_name:
        return
    with pytest.raises(DataError, match=r"(^the records: )?record 2: " + message):
        answerer.fit([RECORDS[0] | {"aggregation_label": 0}, record])
    with pytest.raises(DataError, match=r"^the records: there are no records\.$"):
        answerer.evaluate([])


@pytest.mark.parametrize(
    ("aggregator", "cells", "value"),
    [
        ("NONE", ("1",), None),
        ("SUM", ("1", "2,000.5"), 2001.5),
        ("AVERAGE", ("1", "2"), 1.5),
        ("COUNT", ("a", "b"), 2.0),
        ("SUM", ("1", "b"), None),
        ("SUM", (), None),
        ("", ("1",), None),
    ],
)
def test_value(aggregator, cells, value):
    assert aggregated(aggregator, cells) == value


@pytest.mark.slow
def test_tokens_that_are_added(directory, tmp_path):
    task = TableQuestionAnswerer.from_pretrained(directory)
    asked = {"table": TABLE, "query": QUERIES[0]}
    before = task.predict(asked)
    assert (task.add_tokens(["zürich", "<x>"]), task.add_tokens(["zürich"])) == (2, 0)
    assert task.predict(asked) == before
    assert task.head.config.vocab_size == task.config.vocab_size == len(task.tokenizer.hf)
    task.save(tmp_path / "saved")
    again = TableQuestionAnswerer.from_pretrained(tmp_path / "saved")
    assert again.tokenizer.hf.convert_tokens_to_ids("zürich") == len(task.tokenizer.hf) - 2
    asked["query"] = "zürich ?"
    assert again.predict(asked) == task.predict(asked)
