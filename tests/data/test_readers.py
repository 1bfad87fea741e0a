import gzip
import io
import json

import pytest

from tests.conftest import data
from tfnlp.data.conll import read_conll, read_conllu
from tfnlp.data.files import read_lines
from tfnlp.data.readers import read_jsonl, read_records
from tfnlp.errors import ArgumentError, DataError


def written(tmp_path, text, name="data.conll"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_conll(tmp_path):
    path = written(tmp_path, "-DOCSTART- -X- O\n\nAda B-PER\nlives O\n\t\n#tag O\r\n")
    assert list(read_conll(path)) == [
        {"words": ["Ada", "lives"], "labels": ["B-PER", "O"]},
        {"words": ["#tag"], "labels": ["O"]},
    ]


def test_records_are_read_anew_at_every_iteration(tmp_path):
    records = read_conll(written(tmp_path, "a O\n"))
    assert list(records) == list(records)
    assert repr(records) == f"Records('{tmp_path / 'data.conll'}')"


@pytest.mark.parametrize("suffix", [".conll", ".conll.gz"])
def test_packed_or_not(tmp_path, suffix):
    packed = gzip.compress(b"a O\n") if suffix.endswith("gz") else b"a O\n"
    assert list(read_records(written(tmp_path, packed, f"x{suffix}"))) == [{"words": ["a"], "labels": ["O"]}]


def test_columns_in_any_order_and_any_separator(tmp_path):
    path = written(tmp_path, "1|B-X|x|Ada Lovelace\n2-3|O|x|y\n2.1|O|x|z\n2|O|x|b\n")
    found = list(read_conll(path, columns=("id", "label", None, "word"), separator="|"))
    assert found == [{"words": ["Ada Lovelace", "b"], "labels": ["B-X", "O"]}]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("I-A I-A B-A O I-B", "B-A I-A B-A O B-B"),
        ("B-A I-A B-A O B-B", "B-A I-A B-A O B-B"),
        ("B-A E-A S-A O S-B", "B-A I-A B-A O B-B"),
        ("B-A M-A E-A O S-B", "B-A I-A I-A O B-B"),
        ("B-A L-A U-A O U-B", "B-A I-A B-A O B-B"),
        ("NOUN VERB X-1 O DET", "NOUN VERB X-1 O DET"),
    ],
)
def test_schemes_become_iob2(tmp_path, tags, expected):
    path = written(tmp_path, "".join(f"w\t{tag}\n" for tag in tags.split()))
    assert next(iter(read_conll(path)))["labels"] == expected.split()
    assert next(iter(read_conll(path, iob2=False)))["labels"] == tags.split()


def test_conllu_skips_ranges_and_empty_nodes(tmp_path):
    row = "{}\t{}\t_\t{}\t_\t_\t_\t{}\t_\t_\n"
    text = "# text = don't\n" + row.format("1-2", "don't", "_", "_") + row.format(1, "do", "AUX", "aux")
    text += row.format(2, "n't", "PART", "advmod") + row.format("2.1", "x", "_", "_")
    path = written(tmp_path, text, "x.conllu")
    assert list(read_conllu(path)) == [{"words": ["do", "n't"], "labels": ["AUX", "PART"]}]
    assert list(read_conllu(path, label="deprel")) == [{"words": ["do", "n't"], "labels": ["aux", "advmod"]}]
    with pytest.raises(ArgumentError, match=r"^unknown CoNLL-U column 'pos'; the columns are \['id', 'form'"):
        read_conllu(path, label="pos")


def test_jsonl(tmp_path):
    rows = [
        {"words": ["a"], "labels": ["O"], "id": 1},
        {"text": "Ada", "spans": [{"start": 0, "end": 3, "label": "PER", "x": 1}]},
        {"text": "Ada", "label": [[0, 3, "PER"]]},
        {"text": "Ada"},
    ]
    path = written(tmp_path, "\n\n".join(map(json.dumps, rows)), "x.jsonl")
    assert list(read_jsonl(path)) == [
        {"words": ["a"], "labels": ["O"]},
        {"text": "Ada", "spans": [(0, 3, "PER")]},
        {"text": "Ada", "spans": [(0, 3, "PER")]},
        {"text": "Ada"},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a O\nb\n",
            "{path}:2: expected 2 columns (the first the word, the last the label), found 1 ('b'). Pass `columns=` to say what each column holds, "
            "`separator=` what stands between them, `comment=` how lines to skip begin.",
        ),
        ("a O\n\tO\n", "{path}:2: the word is empty. Pass `on_error='skip'` to leave such lines out."),
        ("", "{path}: the file holds no sentence."),
        ("\n \n\t\n", "{path}: the file holds no sentence."),
    ],
)
def test_conll_refuses(tmp_path, text, message):
    path = written(tmp_path, text)
    with pytest.raises(DataError) as caught:
        list(read_conll(path))
    assert str(caught.value) == message.format(path=path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "{path}:1: not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)."),
        ("[]", "{path}: the file holds no record."),
        ("[3]", "{path}:1: expected a JSON object, found list."),
        (
            '{"a": 1}',
            "{path}:1: expected words with labels, or a text with spans; found the keys ['a']. Pass `words=`, `labels=` or `text=` to name them.",
        ),
        (
            '{"text": "a", "spans": [[0]]}',
            '{path}:1: a span must be {{"start": 0, "end": 5, "label": "PER"}} or [0, 5, "PER"]; found [0].',
        ),
        ("", "{path}: the file holds no record."),
    ],
)
def test_jsonl_refuses(tmp_path, text, message):
    path = written(tmp_path, text, "x.jsonl")
    with pytest.raises(DataError) as caught:
        list(read_jsonl(path))
    assert str(caught.value) == message.replace("{path}", str(path)).replace("{{", "{").replace("}}", "}")


def test_files_that_are_none(tmp_path):
    with pytest.raises(DataError, match=r"there is no such file\.$"):
        read_conll(tmp_path / "none.conll")
    with pytest.raises(DataError, match=r"this is a directory\.$"):
        read_conll(tmp_path)
    with pytest.raises(ArgumentError, match=r"can't tell the format from the name\. Pass `format=` one of"):
        read_records(written(tmp_path, "a O\n", "data.xyz"))
    with pytest.raises(ArgumentError, match=r"^`columns` must name 'label' exactly once; it is \('word',\)\.$"):
        read_conll(written(tmp_path, "a\n"), columns=("word",))


def test_lines(tmp_path):
    assert list(read_lines(written(tmp_path, "\ufeffa\r\n\nb"))) == ["a", "", "b"]
    assert list(read_lines(io.BytesIO(b"a\n"))) == ["a"]
    with pytest.raises(DataError, match=r"^standard input: the file is empty\.$"):
        list(read_lines(io.BytesIO(b""), name="standard input"))


@pytest.mark.parametrize(
    ("name", "options", "sentences", "words"),
    [
        ("ner/wnut17/wnut17train.conll", {}, 3394, 62730),
        ("ner/wnut17/emerging.test.annotated", {}, 1287, 23394),
        ("pos/ud_english_ewt/en_ewt-ud-dev.conllu", {}, 2001, 25147),
        (
            "ner/uner_zh_gsdsimp/zh_gsdsimp-ud-dev.iob2",
            {"columns": ("id", "word", "label", None, None), "comment": "# "},
            500,
            12663,
        ),
    ],
)
def test_real_files(name, options, sentences, words):
    records = list(read_records(data(name), **options))
    assert (len(records), sum(len(record["words"]) for record in records)) == (sentences, words)


def test_a_packed_file_that_is_cut_short(tmp_path):
    path = written(tmp_path, gzip.compress(b"a O\n" * 1000)[:-12], "x.conll.gz")
    with pytest.raises(DataError, match=r"x\.conll\.gz: the packed file is cut short or damaged: "):
        list(read_conll(path))


def test_bytes_of_another_encoding(tmp_path):
    text = "Zürich B-LOC\nist O\nschön O\nund O\ngrößer O\n" * 20
    path = written(tmp_path, text.encode("cp1252"))
    with pytest.raises(
        DataError, match=r":1: byte 0xfc at position 1 is not UTF-8\. It looks like \w+: pass `encoding='\w+'`"
    ):
        list(read_conll(path))
    assert next(iter(read_conll(path, encoding="cp1252")))["words"][0] == "Zürich"
    with pytest.raises(ArgumentError, match=r"^`encoding`: unknown encoding: latin-99"):
        list(read_conll(path, encoding="latin-99"))


def test_the_first_column_and_the_last(tmp_path, caplog):
    path = written(tmp_path, "EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\nBob NNP B-NP B-PER\n")
    with caplog.at_level("INFO"):
        assert [record["labels"] for record in read_conll(path)] == [["B-ORG", "O"], ["B-PER"]]
    assert caplog.text.count("of 4 columns, the first is") == 1
    with pytest.raises(DataError, match=r":3: expected 4 columns .* found 3 \('c', 'd', 'O'\)"):
        list(read_conll(written(tmp_path, "a b c O\n\nc d O\n")))


def test_a_column_that_counts_words(tmp_path):
    path = written(tmp_path, "# a source\n1\tAda\tB-PER\tO\n2\tlebt\tO\tO\n")
    with pytest.raises(DataError, match=r"the first column counts the words of a sentence .* Pass `columns=`"):
        list(read_conll(path))
    columns = ["id", "word", "label", "-"]
    assert list(read_conll(path, columns=columns, comment="#")) == [
        {"words": ["Ada", "lebt"], "labels": ["B-PER", "O"]}
    ]
