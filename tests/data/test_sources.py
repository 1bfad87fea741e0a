import pytest

from tfnlp.data.problems import missing_fields
from tfnlp.data.sources import as_source
from tfnlp.errors import ArgumentError, DataError, VersionError
from tfnlp.labels import Span
from tfnlp.tasks.text_classification.records import LAYOUT as TEXTS
from tfnlp.tasks.token_classification.records import LAYOUT, as_text_or_words, checked_tokens

RECORD = {"words": ["Ada", "in"], "labels": ["B-PER", "O"]}


def read(data):
    return list(checked_tokens(as_source(data, LAYOUT)))


def test_lists_of_dicts():
    assert read([RECORD]) == [RECORD]
    assert read([{"tokens": ("a",), "ner_tags": ["O"], "id": 7}]) == [{"words": ["a"], "labels": ["O"]}]
    spans = [{"start": 0, "end": 3, "label": "PER"}, (4, 6, "X"), Span("Y", 0, 1)]
    expected = [Span("PER", 0, 3), Span("X", 4, 6), Span("Y", 0, 1)]
    assert read([{"text": "Ada in", "spans": spans}]) == [{"text": "Ada in", "spans": expected}]


def test_files(tmp_path):
    path = tmp_path / "x.conll"
    path.write_text("Ada B-PER\nin O\n")
    assert read(path) == read(str(path)) == [RECORD]


def test_parquet(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    file = tmp_path / "train.parquet"
    pandas.DataFrame([RECORD, RECORD]).to_parquet(file)
    assert read(file) == [RECORD, RECORD]
    scores = tmp_path / "scores.parquet"
    pandas.DataFrame({"review": ["good", None], "label": ["pos", "neg"]}).to_parquet(scores)
    source = list(TEXTS.read_file(scores, rename={"review": "text"}))
    assert source == [{"text": "good", "label": "pos"}, {"text": None, "label": "neg"}]
    file.write_bytes(b"no table")
    with pytest.raises(DataError, match=r"train\.parquet: pyarrow can't read it: "):
        read(file)
    with pytest.raises(ArgumentError, match="Parquet, Excel and TFRecord files take no `separator=`"):
        TEXTS.read_file(scores, separator=";")


def test_excel(tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("openpyxl")
    file = tmp_path / "train.xlsx"
    pandas.DataFrame({"text": ["good", "bad"], "label": ["pos", "neg"]}).to_excel(file, index=False)
    assert list(as_source(file, TEXTS)) == [{"text": "good", "label": "pos"}, {"text": "bad", "label": "neg"}]
    with pytest.raises(DataError, match=r"there is no column 'reveiw' to rename; the columns are \['text', 'label'\]"):
        list(TEXTS.read_file(file, rename={"reveiw": "text"}))
    with pytest.raises(DataError, match="several columns are named 'label'"):
        list(TEXTS.read_file(file, rename={"text": "label"}))
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(DataError, match=r"train\.xlsx: pandas can't read it: "):
        list(as_source(file, TEXTS))


def test_excel_without_what_reads_it(tmp_path, monkeypatch):
    pandas = pytest.importorskip("pandas")
    file = tmp_path / "train.xlsx"
    file.write_bytes(b"x")

    def missing(path):
        raise ImportError("Missing optional dependency 'openpyxl'.")

    monkeypatch.setattr(pandas, "read_excel", missing)
    with pytest.raises(
        VersionError, match=r"openpyxl \(\.xlsx\) or xlrd .*: install these\. Missing optional dependency"
    ):
        list(as_source(file, TEXTS))


def test_pandas():
    pandas = pytest.importorskip("pandas")
    assert read(pandas.DataFrame([RECORD, RECORD])) == [RECORD, RECORD]


def test_datasets():
    datasets = pytest.importorskip("datasets")
    names = ["O", "B-PER"]
    features = datasets.Features(
        {
            "tokens": datasets.Sequence(datasets.Value("string")),
            "ner_tags": datasets.Sequence(datasets.ClassLabel(names=names)),
        }
    )
    data = datasets.Dataset.from_dict({"tokens": [["Ada", "in"]], "ner_tags": [[1, 0]]}, features=features)
    assert read(data) == [RECORD]


def test_tf_data():
    from tfnlp._backend import tf

    words, labels = tf.ragged.constant([["Ada", "in"]]), tf.ragged.constant([["B-PER", "O"]])
    assert read(tf.data.Dataset.from_tensor_slices((words, labels))) == [RECORD]
    assert read(tf.data.Dataset.from_tensor_slices({"tokens": words, "tags": labels})) == [RECORD]


def test_a_source_can_be_read_again():
    class Twice:
        def __iter__(self):
            return iter([RECORD])

    source = as_source(Twice(), LAYOUT)
    assert list(source) == list(source) == [RECORD]
    assert source.is_stream
    assert as_source(source, LAYOUT) is source


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"words": ["a", "b"], "labels": ["O"]}, "2 words but 1 labels."),
        ({"words": ["a"]}, "`labels` are missing."),
        ({"words": "ab", "labels": ["O", "O"]}, "`words` must be a list of strings; found 'ab'."),
        ({"words": ["a"], "labels": [1]}, "`labels` must be a list of label names; found [1]."),
        ({"words": [], "labels": []}, "the text is empty."),
        ({"words": [" ", ""], "labels": ["O", "O"]}, "the text is empty."),
        ({"text": "", "spans": []}, "`text` is empty."),
        ({"text": " \n ", "spans": []}, "`text` is empty."),
        ({"text": "Ada"}, "`spans` are missing."),
        ({"text": 3, "spans": []}, "`text` must be a string; found 3."),
        (
            {"text": "Ada", "spans": [(1, 9, "PER")]},
            "the span [1, 9) 'PER' does not lie within the text of 3 characters.",
        ),
        ({"text": "Ada", "spans": [(2, 2, "X")]}, "the span [2, 2) 'X' does not lie within the text of 3 characters."),
        ({"text": "Ada", "spans": [(0, 3)]}, "a span must be (start, end, label); found (0, 3)."),
        ({"text": "Ada", "spans": [("0", 3, "X")]}, "a span must be (int, int, str); found ('0', 3, 'X')."),
        ({"a": 1}, "expected 'words' and 'labels', or 'text' and 'spans'; found ['a']."),
    ],
)
def test_wrong_records(record, message):
    with pytest.raises(DataError) as caught:
        read([RECORD, record])
    assert str(caught.value) == f"the records: record 2: {message}"


def test_two_columns_of_one_meaning():
    with pytest.raises(DataError, match=r"a record has \['ner_tags', 'pos_tags'\], which all mean 'labels': keep one"):
        read([{"tokens": ["a"], "ner_tags": ["O"], "pos_tags": ["N"]}])


def test_several_problems_are_told_at_once():
    with pytest.raises(DataError) as caught:
        read([{"words": ["a"]}, {"text": ""}] * 9)
    assert len(str(caught.value).splitlines()) == 5


def test_a_problem_of_all_records_is_told_once():
    with pytest.raises(DataError) as caught:
        read([RECORD, *[{"words": ["a"]}] * 9])
    assert str(caught.value) == "the records: records 2, 3, 4, 5, 6, each: `labels` are missing."


def test_a_field_that_is_spelled_otherwise():
    assert missing_fields({"txet": "a", "label": "b"}, "text", "label") == (
        "expected 'text' and 'label'; found ['label', 'txet']. Is 'txet' the 'text'? Then name it so; "
        "readers of tables take `rename={'txet': 'text'}`."
    )


def test_no_records():
    with pytest.raises(DataError, match=r"^the records: there are no records\.$"):
        read([])


def test_what_is_no_source():
    with pytest.raises(
        ArgumentError, match=r"^can't read records from int: pass a file, a list of dicts, or a dataset\.$"
    ):
        as_source(3, LAYOUT)
    with pytest.raises(ArgumentError, match=r"^an iterator can be read only once"):
        as_source(iter([RECORD]), LAYOUT)
    with pytest.raises(DataError, match=r"^a record must be a dict"):
        read(["a"])


def test_texts():
    found = [as_text_or_words(given, 1) for given in ({"words": ["a"]}, {"text": "b"}, "c", ["d"])]
    assert found == [{"words": ["a"]}, {"text": "b"}, {"text": "c"}, {"words": ["d"]}]
    with pytest.raises(DataError) as caught:
        as_text_or_words(3, 12)
    assert str(caught.value) == "text 12: expected a string or a list of words; found 3."
    with pytest.raises(DataError) as caught:
        as_text_or_words("a\ud800", 1)
    assert str(caught.value) == "text 1: it holds a lone surrogate, which no UTF-8 holds."
