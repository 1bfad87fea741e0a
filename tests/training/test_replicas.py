"""Several replicas train to the weights of one, whatever the task."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.tiny import RECORDS, build_task
from tests.training.replicas_worker import LEARNERS, VALIDATED
from tfnlp import TokenClassifier, replicas
from tfnlp._backend import tf
from tfnlp.data.batches import Target
from tfnlp.data.shares import in_shares
from tfnlp.errors import ArgumentError

ROOT = Path(__file__).parents[2]


def start(mode, output, **environment):
    command = [sys.executable, "-m", "tests.training.replicas_worker", mode, str(output)]
    return subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )  # fmt: skip


def ended(process):
    said, _ = process.communicate(timeout=1800)
    assert process.returncode == 0, said[-3000:]
    return said


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    output = tmp_path_factory.mktemp("one")
    ended(start("one", output))
    return output


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory):
    output = tmp_path_factory.mktemp("mirrored")
    return output, ended(start("mirrored", output))


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    outputs = [tmp_path_factory.mktemp(f"worker{number}") for number in range(2)]
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    processes = [
        start("workers", output, TF_CONFIG=json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}))
        for number, output in enumerate(outputs)
    ]  # fmt: skip
    for process in processes:
        ended(process)
    return outputs


def compare(name, ours, expected):
    """Weights and losses are equal to rounding; Adam divides gradients that are nothing but rounding by their size."""
    tolerance = 3e-4 if "learning_rate" in LEARNERS[name][2] else 1e-6
    with np.load(ours / f"{name}.npz") as found, np.load(expected / f"{name}.npz") as wanted:
        for key in wanted:
            np.testing.assert_allclose(found[key], wanted[key], rtol=1e-5, atol=tolerance)
    one, other = (json.loads((output / f"{name}.json").read_text()) for output in (ours, expected))
    np.testing.assert_allclose(one["loss"], other["loss"], rtol=1e-5)
    np.testing.assert_allclose(one["digest"], other["digest"], rtol=1e-6)
    print(name, "digests", one["digest"], other["digest"])


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNERS)
def test_two_devices_learn_what_one_does(name, mirrored, alone):
    compare(name, mirrored[0], alone)


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNERS)
def test_two_workers_learn_what_one_device_does(name, workers, alone):
    for output in workers:
        compare(name, output, alone)


def validation(output, name):
    return json.loads((output / f"{name}-validation.json").read_text())


def compare_histories(ours, expected):
    assert set(ours) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", VALIDATED)
def test_workers_share_what_is_tokenized_and_evaluated(name, workers, alone):
    expected, *found = (validation(output, name) for output in (alone, *workers))
    assert expected["texts"] > 2 * expected["records"]  # of a file, in every epoch and before
    assert sum(one["texts"] for one in found) == expected["records"]  # once, by one worker or the other
    for kind in ("rows", "guessed"):
        assert sum(one[kind] for one in found) == expected[kind]
        assert not expected[kind] or all(one[kind] < 0.7 * expected[kind] for one in found)
    assert all(one["rows"] + one["guessed"] > 0 for one in found)
    for one in found:
        compare_histories(one["history"], expected["history"])


@pytest.mark.slow
@pytest.mark.parametrize("name", VALIDATED)
def test_two_devices_validate_as_one_does(name, mirrored, alone):
    compare_histories(validation(mirrored[0], name)["history"], validation(alone, name)["history"])


@pytest.mark.slow
def test_no_worker_waits_for_one_that_can_not_use_its_records(workers):
    for output in workers:
        assert json.loads((output / "said.json").read_text()) == [
            "record 2: it can't be used.",
            "worker 1 can't make rows: MemoryError: too much",
            "worker 1 reads other records than worker 0. Give all workers the same data.",
            [7],
        ]


@pytest.mark.slow
def test_the_chief_alone_writes(workers):
    chief, other = (list((output / "of chief").glob("*/model.safetensors")) for output in workers)
    assert len(chief) == len(LEARNERS)
    assert not other


@pytest.mark.slow
def test_answers_texts_resumption_and_a_task_made_outside(mirrored):
    _, said = mirrored
    assert "stopped" in said
    assert "`jit_compile` is for one device: XLA reads no weights of another. Leave it out." in said
    assert said.count("`compile=True` is for one device: XLA reads no weights of another. Leave it out.") == 2
    assert (
        "this task was made outside of the scope of this MirroredStrategy, and its weights lie elsewhere. Make the "
        "task inside: `with strategy.scope(): task = ...`; `fit` needs no scope then." in said
    )


def shares_of(features, gold, targets, count):
    batch = tf.data.Dataset.from_tensors((features, gold))
    return list(in_shares(batch, targets, range(count), count).as_numpy_iterator())


def test_shares_keep_groups_together_and_count_them_anew():
    gold = {"logits": [[0, 7], [1, 1], [1, 2], [2, 3], [2, 4], [2, 5]]}
    shares = shares_of(
        {"ids": [[1], [2], [3], [4], [5], [6]]}, gold, {"logits": Target(with_group=True, shape=(1,))}, 2
    )
    (first, of_first), (second, of_second) = shares
    assert first["ids"].tolist() == [[1]]
    assert of_first["logits"].tolist() == [[0, 7]]
    assert second["ids"].tolist() == [[2], [3], [4], [5], [6]]
    assert of_second["logits"].tolist() == [[0, 1], [0, 2], [1, 3], [1, 4], [1, 5]]


def test_a_share_without_rows_has_features_and_no_targets():
    shares = shares_of({"ids": [[5, 6]]}, {"logits": [3]}, {"logits": Target()}, 3)
    assert [features["ids"].tolist() for features, _ in shares] == [[[5, 6]]] * 3
    assert [gold["logits"].tolist() for _, gold in shares] == [[], [], [3]]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ParameterServerStrategyV2", "its workers change the weights without waiting for each other"),
        ("TPUStrategyV2", "a TPU has no operations on strings and ragged rows"),
        ("CentralStorageStrategy", "it has not been tried"),
    ],
)
def test_other_strategies_are_refused(monkeypatch, tmp_path, name, reason):
    monkeypatch.setattr(tf.distribute, "has_strategy", lambda: True)
    monkeypatch.setattr(tf.distribute, "get_strategy", type(name, (), {}))
    with pytest.raises(ArgumentError, match=f"tasks don't work under {name}: {reason}.*MirroredStrategy"):
        build_task(TokenClassifier, "bert", tmp_path, {})


def test_one_device_is_no_other(tmp_path):
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        task = build_task(TokenClassifier, "bert", tmp_path, {})
    history = task.fit(RECORDS, epochs=1, verbose=0)
    assert history.history["loss"]
    assert replicas.is_chief(task.checkpoint.strategy)
