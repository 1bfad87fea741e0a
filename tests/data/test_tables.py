import gzip

import pytest

from tfnlp.data.tables import read_examples, read_folder, read_objects, read_table
from tfnlp.errors import ArgumentError, DataError


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_header_names_the_columns(tmp_path):
    path = write(tmp_path / "x.csv", 'text,label\n"one, two",a\n"line\nbreak",b\n')
    assert list(read_table(path)) == [{"text": "one, two", "label": "a"}, {"text": "line\nbreak", "label": "b"}]
    assert list(read_table(path)) == list(read_examples(path))  # again, from the first


def test_columns_are_named(tmp_path):
    path = write(tmp_path / "x.tsv", 'a "quote\t3,0\tid1\n\nb\t1\tid2\n')
    records = list(read_table(path, columns=["text", "label", "-"], label_separator=",", label_names=list("wxyz")))
    assert records == [{"text": 'a "quote', "label": ["z", "w"]}, {"text": "b", "label": ["x"]}]
    single = list(read_table(path, columns=["text", None, "label"]))
    assert single == [{"text": 'a "quote', "label": "id1"}, {"text": "b", "label": "id2"}]


def test_packed_files_and_other_separators(tmp_path):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress("text;label\nü;a\n".encode()))
    assert list(read_examples(path, separator=";")) == [{"text": "ü", "label": "a"}]
    assert list(read_table(write(tmp_path / "y.txt", "text|label\na|b\n"), separator="|")) == [
        {"text": "a", "label": "b"}
    ]


def test_objects(tmp_path):
    path = write(tmp_path / "x.jsonl", '{"text": "a", "label": 1}\n\n{"text": "b", "label": ["c"]}\n')
    assert list(read_objects(path)) == [{"text": "a", "label": 1}, {"text": "b", "label": ["c"]}]
    assert list(read_examples(path)) == list(read_objects(path))


def test_folders(tmp_path):
    for label, text in (("neg", "bad\nfilm"), ("pos", "good")):
        (tmp_path / "films" / label).mkdir(parents=True)
        write(tmp_path / "films" / label / "1.txt", text)
    expected = [{"text": "bad\nfilm", "label": "neg"}, {"text": "good", "label": "pos"}]
    assert list(read_folder(tmp_path / "films")) == list(read_examples(tmp_path / "films")) == expected


@pytest.mark.parametrize(
    ("name", "text", "options", "message"),
    [
        ("x.csv", "text,label\na,b,c\n", {}, "x.csv:2: expected 2 columns (text, label), found 3."),
        ("x.csv", "text,label\n", {}, "x.csv: the file holds no record."),
        ("x.csv", "text,label\na,7\n", {"label_names": ["n"]}, "x.csv:2: '7' is no number of a label; `label_names` names 1."),
        ("x.csv", "text,label\na,b\n", {"label_names": ["n"]}, "x.csv:2: 'b' is no number of a label;"),
        ("x.jsonl", "[1]\n", {}, "x.jsonl:1: expected a JSON object, found list."),
        ("x.jsonl", "{\n", {}, "x.jsonl:1: not JSON:"),
        ("x.jsonl", "\n", {}, "x.jsonl: the file holds no record."),
    ],
)  # fmt: skip
def test_wrong_files(tmp_path, name, text, options, message):
    with pytest.raises(DataError) as caught:
        list(read_examples(write(tmp_path / name, text), **options))
    assert str(caught.value).startswith(f"{tmp_path}/{message}")


def test_what_is_no_file_of_examples(tmp_path):
    with pytest.raises(ArgumentError, match="can't tell the format from the name"):
        read_examples(write(tmp_path / "x.bin", "a"))
    with pytest.raises(ArgumentError, match="can't tell what stands between the columns"):
        read_table(write(tmp_path / "x.txt", "a"))
    with pytest.raises(DataError, match="there is no such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match="there is no such directory"):
        read_folder(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"expected a folder of \.txt files for each label"):
        list(read_folder(tmp_path / "empty"))
