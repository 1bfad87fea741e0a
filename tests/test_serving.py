"""What a server does with an exported SavedModel: devices, warm-up, batches of several requests, other languages."""

import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.test_export import assert_same_answers
from tests.tiny import LONG_TEXT, TEXTS
from tfnlp import TokenClassifier
from tfnlp._backend import tf
from tfnlp.errors import ArgumentError
from tfnlp.export import ask
from tfnlp.warm_up import FILE

WIDTH = 3
LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")
CALLS = {"StatefulPartitionedCall", "PartitionedCall"}  # whose functions have nodes of their own


@pytest.fixture(scope="module")
def fixed(tagger, tmp_path_factory):
    """A SavedModel of outputs of a fixed width, with a request to warm up."""
    directory = tmp_path_factory.mktemp("serving") / "1"
    tagger.export(directory, max_entities=WIDTH, warm_up=TEXTS)
    assert tagger.settings.max_entities is None
    return directory


@pytest.fixture(scope="module")
def saved_model(fixed):
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    return SavedModel.FromString((fixed / "saved_model.pb").read_bytes()).meta_graphs[0]


def test_every_operation_on_strings_is_on_the_cpu(saved_model):
    graph = saved_model.graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    passing = {"Placeholder", "Identity", *CALLS}
    of_strings = [
        node
        for node in nodes
        if node.op not in passing and any(tf.string.as_datatype_enum in (v.type, *v.list.type) for v in node.attr.values())
    ]  # fmt: skip
    assert len(of_strings) > 20
    assert {node.name: node.device for node in of_strings if "CPU" not in node.device} == {}


def test_the_network_is_left_to_the_server(saved_model):
    products = [
        node for function in saved_model.graph_def.library.function for node in function.node_def
        if node.op in ("MatMul", "BatchMatMulV2", "Einsum")
    ]  # fmt: skip
    assert products
    assert {node.device for node in products} == {""}


def test_a_fixed_width_cuts_and_fills_up(tagger, fixed):
    texts = [*TEXTS, LONG_TEXT, ""]
    found = ask(fixed, text=texts)
    predicted = tagger.predict(texts)
    assert found["num_entities"].tolist() == [len(entities) for entities in predicted]
    assert max(found["num_entities"]) > WIDTH > min(found["num_entities"])
    for name in ("entity_label", "entity_text", "entity_start", "entity_end", "entity_score"):
        assert found[name].shape == (len(texts), WIDTH)
    for i, entities in enumerate(predicted):
        starts = [entity.start for entity in entities[:WIDTH]]
        assert found["entity_start"][i].tolist() == starts + [0] * (WIDTH - len(starts))


def test_a_width_of_nothing_is_refused(tagger, tmp_path):
    with pytest.raises(ArgumentError, match="`max_entities` must be a whole number, at least 1; it is 0"):
        tagger.export(tmp_path / "1", max_entities=0)


def test_warm_up_requests_are_those_of_the_api(fixed):
    apis = pytest.importorskip("tensorflow_serving.apis")
    del apis
    from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

    (record,) = tf.data.TFRecordDataset(str(fixed / FILE)).as_numpy_iterator()
    request = predict_pb2.PredictRequest(
        model_spec=model_pb2.ModelSpec(signature_name="serving_default"),
        inputs={"text": tf.make_tensor_proto(TEXTS)},
    )
    expected = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
    assert prediction_log_pb2.PredictionLog.FromString(record) == expected
    assert record == expected.SerializeToString(deterministic=True)


@pytest.mark.parametrize("name", ["warm_up", "samples"])
def test_one_text_is_no_list_of_texts(tagger, tmp_path, name):
    with pytest.raises(ArgumentError, match=f"`{name}` is a list of inputs, as `predict` takes them; it is 'Ada lives"):
        tagger.export(tmp_path / "1", **{name: "Ada lives."})


@pytest.mark.slow
def test_an_older_request_to_warm_up_goes_with_its_model(tagger, tmp_path):
    tagger.export(tmp_path / "1", warm_up=TEXTS)
    (tmp_path / "1" / "notes.txt").write_text("mine")
    tagger.export(tmp_path / "1")
    assert not (tmp_path / "1" / FILE).exists()
    assert (tmp_path / "1" / "notes.txt").exists()


def batched(serve, *, allowed, split):
    """Return what TensorFlow Serving makes of a signature with `--enable_batching`: requests go through together."""
    from tensorflow.python.ops import batch_ops

    names = sorted(serve.structured_outputs)

    @batch_ops.batch_function(
        num_batch_threads=1, max_batch_size=8, batch_timeout_micros=300_000, allowed_batch_sizes=[allowed],
        enable_large_batch_splitting=split, autograph=False,
    )  # fmt: skip
    def run(text):
        found = serve(text=text)
        return [found[name] for name in names]

    graph = tf.function(run, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    return lambda texts: {name: value.numpy() for name, value in zip(names, graph(tf.constant(texts)), strict=True)}


def asked_together(ask_batch, requests):
    found = [None] * len(requests)

    def one(i):
        found[i] = ask_batch(requests[i])

    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def assert_equal(found, expected):
    """Equal where there are entities: a batch may be wider than a request alone."""
    np.testing.assert_array_equal(found["num_entities"], expected["num_entities"])
    for name in set(expected) - {"num_entities"}:
        width = expected[name].shape[1]
        if name == "entity_score":
            np.testing.assert_allclose(found[name][:, :width], expected[name], atol=1e-5)
        else:
            np.testing.assert_array_equal(found[name][:, :width], expected[name])


@pytest.mark.slow
def test_requests_that_are_put_together_are_answered_as_alone(tagger, tmp_path):
    tagger.export(tmp_path / "1")
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    serve = loaded.signatures["serving_default"]
    requests = [TEXTS[:1], TEXTS[1:3], [LONG_TEXT]]
    for found, request in zip(asked_together(batched(serve, allowed=8, split=False), requests), requests, strict=True):
        assert_equal(found, ask(tmp_path / "1", text=request))


def test_requests_that_are_split_are_answered_as_alone_with_a_fixed_width(fixed):
    loaded = tf.saved_model.load(str(fixed))
    serve = loaded.signatures["serving_default"]
    request = [*TEXTS, LONG_TEXT]
    assert_equal(batched(serve, allowed=2, split=True)(request), ask(fixed, text=request))


@pytest.mark.slow
def test_c_asks_without_python(tagger, fixed, saved_model, tmp_path):
    root, compiler = Path(tf.sysconfig.get_lib()), shutil.which("gcc")
    if compiler is None or not all((root / name).exists() for name in LIBRARIES):
        pytest.skip("there is no C compiler, or no library of TensorFlow's to link with")
    program = tmp_path / "ask"
    subprocess.run(
        [compiler, "-Wall", "-Werror", "-o", program, Path(__file__).with_name("ask.c"), f"-I{root / 'include'}",
         f"-L{root}", *(f"-l:{name}" for name in LIBRARIES), f"-Wl,-rpath,{root}"],
        check=True,
    )  # fmt: skip
    signature = saved_model.signature_def["serving_default"]
    places = {name: info.name for name, info in signature.outputs.items()}
    done = subprocess.run(
        [program, fixed, signature.inputs["text"].name, *places.values()],
        input="\n".join(TEXTS), capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = dict(zip(places, (line.split("\t")[1:] for line in done.stdout.splitlines()), strict=True))
    counts = [min(int(count), WIDTH) for count in lines["num_entities"]]
    table = {name: np.reshape(lines[name], (len(TEXTS), WIDTH)) for name in lines if name != "num_entities"}
    served = [
        [
            (table["entity_label"][i, k], int(table["entity_start"][i, k]), int(table["entity_end"][i, k]),
             table["entity_text"][i, k], float(table["entity_score"][i, k]))
            for k in range(count)
        ]
        for i, count in enumerate(counts)
    ]  # fmt: skip
    assert_same_answers(served, [entities[:WIDTH] for entities in tagger.predict(TEXTS)])


def test_the_width_is_kept(checkpoints, tmp_path):
    task = TokenClassifier.from_pretrained(checkpoints["bert"], max_entities=2)
    task.save(tmp_path)
    assert TokenClassifier.from_pretrained(tmp_path).settings.max_entities == 2
