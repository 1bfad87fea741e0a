"""Several files, patterns, addresses elsewhere, TFRecord and streams: records are the same, wherever they come from."""

from pathlib import Path

import fsspec
import pytest

import tfnlp
from tests.tiny import EXAMPLES, RECORDS, TEXTS
from tfnlp import SequenceClassifier, TokenClassifier, read_conll, read_examples, read_records
from tfnlp._backend import tf
from tfnlp.data.files import are_files
from tfnlp.data.sources import as_source
from tfnlp.errors import ArgumentError, DataError, StorageError
from tfnlp.paths import address_of

LAYOUT, OF_TEXTS = TokenClassifier.layout, SequenceClassifier.layout
FIRST = [{"words": ["Ada", "sleeps"], "labels": ["B-PER", "O"]}]
SECOND = [{"words": ["Bob"], "labels": ["B-PER"]}, {"words": ["Paris"], "labels": ["B-LOC"]}]


class Unreachable(fsspec.AbstractFileSystem):
    """A bucket whose server does not answer."""

    protocol = "unreachable"

    def info(self, path, **options):
        raise TimeoutError("no answer in 30 s")

    ls = glob = info


@pytest.fixture(autouse=True)
def elsewhere():
    """File systems that are not this machine's: one in memory, emptied, and one that can't be reached."""
    fsspec.register_implementation("unreachable", Unreachable, clobber=True)
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]
    return memory


@pytest.fixture
def shards(tmp_path):
    for name, records in (("train-1.conll", FIRST), ("train-2.conll", SECOND)):
        blocks = ("".join(f"{w} {t}\n" for w, t in zip(one["words"], one["labels"], strict=True)) for one in records)
        (tmp_path / name).write_text("\n".join(blocks))
    return tmp_path


def test_patterns_and_lists(shards):
    pattern, files = str(shards / "train-*.conll"), [shards / "train-1.conll", shards / "train-2.conll"]
    for data in (pattern, files, [str(file) for file in files], [pattern], str(shards / "**" / "*.conll")):
        source = as_source(data, LAYOUT)
        assert list(source) == list(source) == FIRST + SECOND
        assert source.is_stream
    assert list(as_source(files[::-1], LAYOUT)) == SECOND + FIRST
    assert list(read_conll(files, columns=["word", "label"])) == FIRST + SECOND
    assert repr(read_records(files)) == f"Records('{files[0]} and 1 more')"
    assert as_source(pattern, LAYOUT).name == pattern


def test_files_of_several_formats(shards):
    (shards / "more.jsonl").write_text('{"words": ["Eve"], "labels": ["B-PER"]}\n')
    assert list(as_source([shards / "more.jsonl", shards / "train-1.conll"], LAYOUT))[1:] == FIRST


def test_a_file_whose_name_looks_like_a_pattern(tmp_path):
    file = tmp_path / "a[1].conll"
    file.write_text("Ada B-PER\n")
    assert len(list(as_source(file, LAYOUT))) == 1


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("file:///tmp/x", "file:///tmp/x"),
        (Path("file:///tmp/x"), "file:///tmp/x"),
        ("hdfs:///a/b", "hdfs:///a/b"),
        ("gs://a/b", "gs://a/b"),
        (Path("gs://a/b"), "gs://a/b"),
        ("error:/usr/bin missing", None),
        ("C:/texts/a.conll", None),
        ("/tmp/a.conll", None),
        ("a ratio of 3:1", None),
    ],
)
def test_what_is_an_address(path, address):
    assert address_of(path) == address


def test_texts_are_no_files():
    assert not are_files(["https://t.co/x is nice", "https://t.co/y"])
    assert not are_files(["error:/usr/bin missing"])
    assert not are_files(["what? " * 100, "where* [is] it? " * 1000])
    assert are_files(["gs://a/b.conll"])


def test_files_that_are_shards_by_name(tmp_path):
    for number, one in enumerate(FIRST + SECOND):
        write_tfrecord(tmp_path / f"train.tfrecord-0000{number}-of-00003", [example(**one)])
    assert list(as_source(str(tmp_path / "train.tfrecord-*"), LAYOUT)) == FIRST + SECOND


def test_a_text_of_nothing_is_no_list(tmp_path):
    file = write_tfrecord(
        tmp_path / "a.tfrecord", [example(text=["x"], label=["y"]), tf.train.Example().SerializeToString()]
    )
    assert next(iter(as_source(file, OF_TEXTS))) == {"text": "x", "label": "y"}


def test_a_list_of_strings_names_files(shards):
    for files, missing in (([shards / "train-1.conll", "nope.conll"], "nope.conll"), (["nope.conll"], "nope.conll")):
        with pytest.raises(DataError, match=rf"^a record must be a dict, and there is no file '{missing}'\.$"):
            as_source([str(file) for file in files], LAYOUT)


def test_patterns_of_nothing(tmp_path):
    pattern = str(tmp_path / "no-*.conll")
    for read in (read_records, lambda path: as_source(path, LAYOUT)):
        with pytest.raises(DataError) as caught:
            read(pattern)
        assert str(caught.value) == f"{pattern}: no file has a name of this pattern."
    with pytest.raises(DataError, match=r"memory://none-\*\.conll: no file has a name of this pattern"):
        read_records("memory://none-*.conll")
    with pytest.raises(DataError, match=r"^an empty list names no file"):
        read_records([])


def test_addresses(shards, elsewhere):
    elsewhere.put(str(shards), "/bucket", recursive=True)
    for path in ("memory://bucket/train-2.conll", "memory:/bucket/train-2.conll"):  # a `Path` takes a stroke away
        assert list(as_source(path, LAYOUT)) == SECOND
    assert list(as_source("memory://bucket/train-*.conll", LAYOUT)) == FIRST + SECOND
    with pytest.raises(StorageError) as caught:
        read_records("memory://bucket/none.conll")
    assert str(caught.value) == "memory://bucket/none.conll: there is no such file or directory."


def test_folders_elsewhere(tmp_path, elsewhere):
    for label in ("neg", "pos"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.txt").write_text(label)
    elsewhere.put(str(tmp_path), "/texts", recursive=True)
    assert list(read_examples("memory://texts")) == list(read_examples(tmp_path))


@pytest.mark.parametrize(
    ("address", "error", "message"),
    [
        ("gs://bucket/a.conll", ArgumentError, "gs://bucket/a.conll: a package is missing that opens such addresses: Please install gcsfs"),
        ("nowhere://a.conll", ArgumentError, "nowhere://a.conll: fsspec knows no such addresses: Protocol not known: nowhere. It knows "),
        ("unreachable://a/b.conll", StorageError, "unreachable://a/b.conll: can't be reached: TimeoutError('no answer in 30 s')"),
    ],
)  # fmt: skip
def test_places_that_cannot_be_reached(address, error, message, tagger, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for use in (read_records, tfnlp.load, tagger.save, tagger.export, TokenClassifier.from_pretrained):
        with pytest.raises(error) as caught:
            use(address)
        assert str(caught.value).startswith(message)
    assert not list(tmp_path.iterdir())


def test_saving_elsewhere(tagger, elsewhere):
    tagger.save("memory://models/ner")
    elsewhere.pipe("/models/ner/model-00001-of-00002.safetensors", b"older")
    elsewhere.pipe("/models/ner/notes.txt", b"mine")
    tagger.save("memory://models/ner")  # takes the older one's place
    assert not elsewhere.exists("/models/ner/model-00001-of-00002.safetensors")
    assert elsewhere.cat("/models/ner/notes.txt") == b"mine"
    assert tfnlp.load("memory://models/ner").predict(TEXTS) == tagger.predict(TEXTS)
    elsewhere.pipe("/other/x.txt", b"mine")
    for write in (tagger.save, tagger.export):
        with pytest.raises(ArgumentError, match=r"memory://other: the directory holds other files \(x\.txt\)"):
            write("memory://other")
        with pytest.raises(ArgumentError, match=r"x\.txt: this is a file; name a directory"):
            write("memory://other/x.txt")


def test_a_training_of_a_checkpoint_elsewhere_goes_on(tagger, tmp_path):
    tagger.save("memory://models/ner")
    for load in (tfnlp.load, TokenClassifier.from_pretrained, tfnlp.load):  # each has a copy of its own
        load("memory://models/ner").fit(RECORDS, epochs=1, verbose=0, checkpoint_dir=tmp_path)
    assert len(list(tmp_path.glob("step-*"))) == 1


@pytest.mark.slow
def test_exporting_elsewhere(tagger, elsewhere, tmp_path):
    tagger.export("memory://serving/ner/1")
    elsewhere.get("/serving/ner/1", str(tmp_path / "1"), recursive=True)
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    assert loaded.signatures["serving_default"](text=tf.constant(TEXTS))["num_entities"].shape == len(TEXTS)


def test_checkpoints_of_training_are_of_this_machine(tagger):
    with pytest.raises(ArgumentError, match=r"memory://x: name a path of this machine here, or one that is mounted"):
        tagger.fit(RECORDS, checkpoint_dir="memory://x")


def example(**fields):
    found = tf.train.Example()
    for name, values in fields.items():
        feature = found.features.feature[name]
        kinds = {str: feature.bytes_list, int: feature.int64_list, float: feature.float_list}
        kinds[type(values[0])].value.extend(v.encode() if isinstance(v, str) else v for v in values)
    return found.SerializeToString()


def write_tfrecord(path, examples, compression=""):
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for one in examples:
            writer.write(one)
    return path


@pytest.mark.parametrize(("name", "compression"), [("a.tfrecord", ""), ("a.tfrecords.gz", "GZIP")])
def test_tfrecord(tmp_path, name, compression):
    file = write_tfrecord(tmp_path / name, [example(**one) for one in FIRST + SECOND], compression)
    assert list(as_source(file, LAYOUT)) == FIRST + SECOND
    texts = [example(text=[one["text"]], label=[one["label"]]) for one in EXAMPLES]
    assert list(as_source(write_tfrecord(tmp_path / "b.tfrecord", texts), OF_TEXTS)) == EXAMPLES
    renamed = write_tfrecord(tmp_path / "c.tfrecord", [example(review=["é"], stars=[3])])
    assert list(OF_TEXTS.read_file(renamed, rename={"review": "text"})) == [{"text": "é", "stars": 3}]


def test_damaged_tfrecord(tmp_path):
    file = write_tfrecord(tmp_path / "a.tfrecord", [example(**one) for one in FIRST])
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(DataError, match=r"a\.tfrecord: the file is cut short or damaged"):
        list(as_source(file, LAYOUT))
    with pytest.raises(DataError, match=r"b\.tfrecord: a record is no `tf\.train\.Example`"):
        list(as_source(write_tfrecord(tmp_path / "b.tfrecord", [b"\xff\xff"]), LAYOUT))
    with pytest.raises(DataError, match=r"c\.tfrecord: the file holds no record"):
        list(as_source(write_tfrecord(tmp_path / "c.tfrecord", []), LAYOUT))
    latin = example(text=["x"]).replace(b"\x01x", b"\x01\xe9")
    with pytest.raises(DataError, match=r"d\.tfrecord: record 1: bytes that are not UTF-8"):
        list(as_source(write_tfrecord(tmp_path / "d.tfrecord", [latin]), OF_TEXTS))


def test_a_parquet_file_is_read_in_parts(tmp_path):
    pandas = pytest.importorskip("pandas")
    parquet = pytest.importorskip("pyarrow.parquet")
    records = [{"text": f"text {i}", "label": "ab"[i % 2]} for i in range(10_000)]
    pandas.DataFrame(records, index=range(5, 10_005)).to_parquet(tmp_path / "a.parquet", row_group_size=1000)
    assert parquet.ParquetFile(tmp_path / "a.parquet").num_row_groups == 10
    assert list(as_source(tmp_path / "a.parquet", OF_TEXTS)) == records


def test_streams_of_datasets(tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    stream = datasets.IterableDataset.from_generator(
        lambda: iter([{"text": "good", "label": 1}, {"text": "bad", "label": 0}]), features=features
    )
    source = as_source(stream, OF_TEXTS)
    assert list(source) == list(source) == [{"text": "good", "label": "pos"}, {"text": "bad", "label": "neg"}]
    assert source.is_stream
