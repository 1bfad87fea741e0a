"""Many machines for prediction: the examples on plain files, Apache Beam and Spark answer as `predict` does."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.test_export import assert_same_answers
from tests.tiny import LONG_TEXT, TEXTS

EXAMPLES = Path(__file__).parents[1] / "examples"
LINES = [*TEXTS, LONG_TEXT, "", "Ada\u0301 in\u3000Paris 我 👩‍🚀"] * 40
# The workers need no tfnlp: a module of this name that can't be imported stands before it.
WITHOUT_TFNLP = "raise ImportError('a worker imports tfnlp')"


@pytest.fixture(scope="module")
def workplace(tagger, tmp_path_factory):
    directory = tmp_path_factory.mktemp("engines")
    tagger.export(directory / "1")
    for number in range(3):
        (directory / f"texts-{number}.txt").write_text("".join(line + "\n" for line in LINES[number::3]))
    (directory / "texts.txt").write_text("".join(line + "\n" for line in LINES))
    (directory / "empty" / "tfnlp").mkdir(parents=True)
    (directory / "empty" / "tfnlp" / "__init__.py").write_text(WITHOUT_TFNLP)
    return directory


def run(name, workplace, *arguments):
    path = os.pathsep.join([str(workplace / "empty"), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    command = [sys.executable, EXAMPLES / f"{name}.py", *arguments]
    done = subprocess.run(command, cwd=workplace, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def compare(tagger, answers, texts):
    """Each text's answer, whatever order an engine gives them in."""
    by_text = {answer["text"]: answer for answer in answers}
    assert sorted(answer["text"] for answer in answers) == sorted(texts)
    columns = ("entity_label", "entity_start", "entity_end", "entity_text", "entity_score")
    served = [list(zip(*(by_text[text][name] for name in columns), strict=True)) for text in texts]
    assert_same_answers(served, tagger.predict(texts))


def objects_in(files):
    return [json.loads(line) for file in files for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_shares_of_files(tagger, workplace):
    with pytest.raises(AssertionError, match=r"none-\*\.txt: there are no such files"):
        run("sharded_prediction", workplace, "1", "none-*.txt", "answers", "0", "1")
    for share in range(2):
        run("sharded_prediction", workplace, "1", "texts-*.txt", "answers", str(share), "2")
    files = sorted((workplace / "answers").glob("*.jsonl"))
    assert [file.name for file in files] == [f"texts-{number}.txt.jsonl" for number in range(3)]
    compare(tagger, objects_in(files), LINES)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("apache_beam") is None, reason="Apache Beam is not installed")
def test_beam(tagger, workplace):
    run("beam_prediction", workplace, "1", "texts.txt", "of-beam")
    compare(tagger, objects_in(sorted(workplace.glob("of-beam*.jsonl"))), LINES)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("pyspark") is None, reason="PySpark is not installed")
def test_spark(tagger, workplace):
    parquet = pytest.importorskip("pyarrow.parquet")
    run("spark_prediction", workplace, "1", "texts.txt", "of-spark.parquet")
    compare(tagger, parquet.read_table(workplace / "of-spark.parquet").to_pylist(), LINES)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("apache_beam") is None, reason="Apache Beam is not installed")
def test_beams_own_handler_loads_no_saved_model_of_functions(workplace):
    """What docs/scale.md says of it: it asks Keras to load the model."""
    import tensorflow as tf

    handler = Path(find_spec("apache_beam").origin).parent / "ml" / "inference" / "tensorflow_inference.py"
    assert "model = tf.keras.models.load_model(" in handler.read_text()
    with pytest.raises(ValueError, match=r"File format not supported"):
        tf.keras.models.load_model(str(workplace / "1"))
