import json
import subprocess
import sys

import numpy as np
import pytest

import tfnlp
from tests.marks import slow_case
from tests.tiny import FAMILIES, LONG_TEXT, TEXTS, write_checkpoint
from tfnlp._backend import tf
from tfnlp.errors import ExportError
from tfnlp.export import ask
from tfnlp.tokenization.checking import Difference, TokenizerCheck

# Ops that TensorFlow's own runtime has, in three kinds that a stock server may lack: Python, text, custom.
FOREIGN = ("PyFunc", "EagerPyFunc", "PyFuncStateless")

ASKER = """
import json, sys
import tensorflow as tf

loaded = tf.saved_model.load(sys.argv[1])
texts = json.loads(sys.stdin.read())
found = loaded.signatures["serving_default"](text=tf.constant(texts))
assert not [name for name in sys.modules if name.split(".")[0] in ("tfnlp", "transformers", "tokenizers", "tf_keras")]
answers = [
    [
        (found["entity_label"][i, k].numpy().decode(), int(found["entity_start"][i, k]), int(found["entity_end"][i, k]),
         found["entity_text"][i, k].numpy().decode(), float(found["entity_score"][i, k]))
        for k in range(found["num_entities"][i])
    ]
    for i in range(len(texts))
]
print(json.dumps(answers))
"""


def ask_in_a_fresh_process(directory, texts):
    """Ask a SavedModel in a process that imports nothing but tensorflow."""
    done = subprocess.run(
        [sys.executable, "-c", ASKER, str(directory)],
        input=json.dumps(texts), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return json.loads(done.stdout)


def assert_same_answers(served, predicted):
    for theirs, ours in zip(served, predicted, strict=True):
        assert [tuple(entity[:4]) for entity in theirs] == [(e.label, e.start, e.end, e.text) for e in ours]
        assert [entity[4] for entity in theirs] == pytest.approx([e.score for e in ours], abs=1e-5)


@pytest.fixture(scope="module")
def exported(tagger, tmp_path_factory):
    directory = tmp_path_factory.mktemp("serving") / "1"
    tagger.export(directory, samples=TEXTS)
    return directory


@pytest.mark.slow
def test_a_fresh_process_answers_as_predict_does(tagger, exported):
    texts = [*TEXTS, LONG_TEXT, "", " ", "Ada\u0301 in\u3000Paris 我 👩‍🚀 [MASK] Bob"]
    assert_same_answers(ask_in_a_fresh_process(exported, texts), tagger.predict(texts))


def test_the_signatures(exported):
    loaded = tf.saved_model.load(str(exported))
    serve, logits = loaded.signatures["serving_default"], loaded.signatures["logits"]
    assert serve.structured_input_signature[1]["text"] == tf.TensorSpec([None], tf.string, name="text")
    outputs = {name: (spec.dtype, spec.shape.rank) for name, spec in serve.structured_outputs.items()}
    assert outputs == {
        "entity_label": (tf.string, 2),
        "entity_text": (tf.string, 2),
        "entity_start": (tf.int32, 2),
        "entity_end": (tf.int32, 2),
        "entity_score": (tf.float32, 2),
        "num_entities": (tf.int32, 1),
    }
    assert set(logits.structured_input_signature[1]) == {"input_ids", "attention_mask", "token_type_ids"}
    ids = np.array([[2, 5, 6, 3]], np.int32)
    found = logits(input_ids=tf.constant(ids), attention_mask=tf.ones_like(ids), token_type_ids=tf.zeros_like(ids))
    assert found["logits"].shape == (1, 4, 5)


def test_every_output_has_the_batch_as_its_first_dimension(exported):
    found = ask(exported, text=["", *TEXTS])
    assert {len(value) for value in found.values()} == {len(TEXTS) + 1}
    assert found["entity_text"][0].tolist() == [b""] * found["entity_text"].shape[1]
    assert ask(exported, text=[""])["entity_label"].shape == (1, 0)


def test_only_core_ops(exported):
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    graph = SavedModel.FromString((exported / "saved_model.pb").read_bytes()).meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    functions = {function.signature.name for function in graph.library.function}
    ops = {node.op for node in nodes} - functions
    core = {name for name in dir(tf.raw_ops) if not name.startswith("_")}
    assert len(ops) > 50
    assert sorted(ops - core) == []
    assert not ops.intersection(FOREIGN)


def test_a_saved_model_that_answers_otherwise_is_removed(tagger, tmp_path, monkeypatch):
    monkeypatch.setattr(type(tagger), "compare_answers", lambda *_: ["'x': served [], predicted ['y']"])
    with pytest.raises(ExportError) as caught:
        tagger.export(tmp_path / "1")
    assert str(caught.value) == (
        f"{tmp_path / '1'}: the SavedModel does not answer as `predict` does, and was removed:\n"
        "'x': served [], predicted ['y']"
    )
    assert list(tmp_path.iterdir()) == []


def test_differences_are_told(tagger, exported):
    served = ask(exported, text=TEXTS)
    assert tagger.compare_answers(TEXTS, served) == []
    served["entity_score"] = served["entity_score"] - 2e-5 * (served["entity_score"] > 0)  # 0 fills up the shorter rows
    assert len(tagger.compare_answers(TEXTS, served)) == sum(1 for answer in tagger.predict(TEXTS) if answer)


@pytest.mark.slow
def test_other_inputs_of_a_network(checkpoints, tmp_path):
    task = tfnlp.TokenClassifier.from_pretrained(checkpoints["distilbert"], aggregation="average")
    task.export(tmp_path / "1")
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    assert set(loaded.signatures["logits"].structured_input_signature[1]) == {"input_ids", "attention_mask"}


@pytest.mark.slow
def test_rows_are_served_in_steps(tagger, tmp_path, monkeypatch):
    monkeypatch.setattr("tfnlp.tasks.network.SERVED_TOKENS", 50)  # two rows of 24 at a time
    tagger.export(tmp_path / "1", samples=[*TEXTS, LONG_TEXT])
    assert_same_answers(ask_in_a_fresh_process(tmp_path / "1", [LONG_TEXT]), tagger.predict([LONG_TEXT]))


# In the quick tests one of bytes; the slow tests try all families that have a head.
QUICK = ("roberta",)
OTHERS = [slow_case(name) for name in FAMILIES if name not in ("bart", "bert", "gpt2", "t5", *QUICK)]


@pytest.mark.parametrize("name", [*QUICK, *OTHERS])
@pytest.mark.filterwarnings("ignore:The initializer TruncatedNormal is unseeded", "ignore:`TFSharedEmbeddings`")
def test_other_families_answer_from_strings_as_predict_does(name, tmp_path):
    labels = dict(enumerate(["B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG"]))  # whatever the weights: entities
    directory = write_checkpoint(name, tmp_path / name, id2label=labels, label2id={b: a for a, b in labels.items()})
    task = tfnlp.TokenClassifier.from_pretrained(directory, max_length=24, stride=6)
    texts = [*TEXTS, LONG_TEXT, "", " ", "Ada\u0301 in\u3000Paris  我 <mask> Bob", "don't stop, we'll"]
    assert any(task.predict(texts))
    task.export(tmp_path / "1", samples=texts)
    assert task.compare_answers(texts, ask(tmp_path / "1", text=texts)) == []


def test_a_tokenizer_that_differs_is_not_exported(tagger, tmp_path, monkeypatch):
    found = TokenizerCheck(None, (Difference("Ada", "input_ids", [1], [2]),), 1, 1)
    monkeypatch.setattr("tfnlp.tokenization.tokenizer.check_tokenizer", lambda *_, **__: found)
    with pytest.raises(ExportError) as caught:
        tagger.export(tmp_path / "1")
    assert "input_ids of 'Ada': graph [1], Rust [2]" in str(caught.value)
    assert not (tmp_path / "1").exists()
