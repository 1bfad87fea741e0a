"""Files as they are met: each is read as its author means it, or refused with the cause and the remedy."""

import logging

import pytest

import tfnlp
from tests.conftest import data
from tfnlp.data.sources import as_source
from tfnlp.errors import DataError, LabelError, TfnlpError
from tfnlp.tasks.token_classification.records import LAYOUT, checked_tokens

ADA = {"text": "Ada works in Oslo.", "spans": [(0, 3, "PER"), (13, 17, "LOC")]}
FIRST = {"text": "Ada works in Oslo.", "spans": [(0, 3, "PER")]}


def read(name, **options):
    return list(tfnlp.read_records(data("wild") / name, **options))


def checked(name, **options):
    return list(checked_tokens(as_source(tfnlp.read_records(data("wild") / name, **options), LAYOUT)))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("array.jsonl", {"text": "Ada works", "spans": [(0, 3, "PER")]}),
        ("pretty.jsonl", {"text": "Ada works", "spans": [(0, 3, "PER")]}),
        ("spacy.jsonl", {"text": "Ada works", "spans": [(0, 3, "PER")]}),
        ("cluener.jsonl", {"text": "叶老桂在那里", "spans": [(0, 3, "name")]}),
        ("dataturks.jsonl", FIRST),
        ("doccano_data.jsonl", FIRST),
        ("doccano_label.jsonl", ADA),
        ("doccano_labels.jsonl", ADA),
        ("doccano_rel.jsonl", ADA),
        ("ls_full.jsonl", FIRST),
        ("ls_min.jsonl", FIRST),
        ("prodigy.jsonl", FIRST),
        ("tokens_tags.jsonl", {"words": ["Ada", "works"], "labels": ["B-PER", "O"]}),
    ],
)
def test_annotation_tools(name, expected):
    assert read(name) == [expected]


def test_records_that_prodigy_s_user_rejected_are_counted(caplog):
    assert len(read("prodigy.jsonl")) == 1
    assert "1 records that were not accepted are left out" in caplog.text


def test_numbers_of_labels_need_names():
    for name in ("tokens_tagids.jsonl", "doccano_annotations.jsonl"):
        with pytest.raises(DataError, match=r"the label \d is a number\. Pass `label_names=`"):
            read(name)
    assert read("tokens_tagids.jsonl", label_names=["O", "B-PER"])[0]["labels"] == ["B-PER", "O"]


def test_kaggle_s_table():
    assert read("kaggle_ner.csv") == [
        {"words": ["Ada", "lives", "in", "Oslo"], "labels": ["B-per", "O", "O", "B-geo"]},
        {"words": ["Bob", "ran"], "labels": ["B-per", "O"]},
    ]


@pytest.mark.parametrize(
    ("name", "words", "labels"),
    [
        ("docstart_only.conll", "EU rejects", "B-ORG O"),
        ("double_tab.conll", "Ada lives", "B-PER O"),
        ("crlf_bom.conll", "Ada lives", "B-PER O"),
        ("mac_cr.conll", "Ada lives in", "B-PER O O"),
        ("mixed_sep.conll", "Ada lives .", "B-PER O O"),
        ("tab_trailing_tab.conll", "Ada lives", "B-PER O"),
        ("utf16.conll", "Ada lebt", "B-PER O"),
        ("comment_id.conll", "Ada lives", "B-PER O"),
        ("wnut_like_hash.conll", "#rstats Ada", "O B-person"),
        ("label_studio.conll", "The Pink Pills .", "O B-Drug I-Drug O"),
        ("iob1.conll", "Ada Bob lives in New York", "B-PER B-PER O O B-LOC I-LOC"),
    ],
)
def test_columns(name, words, labels):
    first = read(name)[0]
    assert " ".join(first["words"]) == words
    assert " ".join(first["labels"]) == labels


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("io_only.conll", "B-PER I-PER O O B-LOC"),
        ("suffix.conll", "B-PER I-PER O O B-LOC"),
        ("underscore.conll", "B-PER I-PER O O B-LOC"),
        ("lower.conll", "B-per I-per O O B-loc"),
        ("outside_zero.conll", "B-PER I-PER O O B-LOC"),
        ("dash_outside.conll", "B-PER O O B-LOC O"),
        ("underscore_outside.conll", "B-PER O O B-LOC O"),
        ("outside_lower_o.conll", "B-PER O O B-LOC"),
        ("bare_bio.conll", "B-ENTITY I-ENTITY I-ENTITY O"),
        ("space_after_one_tag.conll", "B-PER O O B-LOC O"),
        ("tab_trailing_space.conll", "B-PER I-PER O O B-LOC"),
        ("clean.conll", "B-PER O O B-LOC O"),
    ],
)
def test_spellings_of_tags(name, labels):
    assert checked(name)[0]["labels"] == labels.split()


def test_encodings():
    with pytest.raises(DataError, match=r"gbk\.conll:1: byte 0x\w\w at position \d+ is not UTF-8\. .*`encoding="):
        read("gbk.conll")
    assert read("gbk.conll", encoding="gbk")[0]["words"] == ["中", "国", "人"]
    assert read("cp1252.conll", encoding="cp1252")[0]["words"] == ["Zoë", "lebt"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "no_label_lines.conll",
            r":1: expected 2 columns \(the first the word, the last the label\), found 1 \('Ada'\)",
        ),
        ("pipe.iob2", r":1: expected 2 columns .* Pass `columns=` .*, `separator=` what stands between them"),
        ("white_token.conll", r":4: the word is empty\. Pass `on_error='skip'` to leave such lines out\."),
    ],
)
def test_what_is_refused(name, message):
    with pytest.raises(TfnlpError, match=message):
        read(name)


def test_lines_that_are_left_out_are_counted(caplog):
    (record,) = read("white_token.conll", on_error="skip")
    assert record["words"] == ["George", "Washington", "went", "Washington", "and"]
    assert "1 lines without a word or a label are left out" in caplog.text


def test_a_table_of_excel_s(caplog):
    assert list(tfnlp.read_table(data("wild") / "excel_semicolon.csv")) == [
        {"text": "Good; really", "label": "pos"},
        {"text": "Bad", "label": "neg"},
    ]


def test_a_header_that_is_read_as_a_record(caplog):
    file = data("wild") / "cases" / "F05_header_as_record.csv"
    with caplog.at_level(logging.WARNING):
        assert next(iter(tfnlp.read_table(file, columns=["text", "label"])))["label"] == "sentiment"
    assert "looks like names of columns" in caplog.text
    renamed = list(tfnlp.read_table(file, rename={"review": "text", "sentiment": "label"}))
    assert renamed[0] == {"text": "Ada lives in Paris", "label": "positive"}


def test_every_file_is_read_or_refused():
    """None raises anything else than an error of the library's, with a message."""
    for file in sorted(data("wild").glob("*.*")):
        if file.suffix not in (".md", ".csv"):
            try:
                assert all(record.keys() <= {"words", "labels", "text", "spans"} for record in checked(file.name))
            except (DataError, LabelError) as error:
                assert str(error).startswith(str(file))
