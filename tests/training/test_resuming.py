"""Training that stops goes on, and ends with the same weights to the bit."""

import json
import os
import random
import signal
import stat
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import pytest

import tfnlp
from tests.conformance.cases import CASES
from tests.conformance.echo import Echo
from tests.marks import slow_case
from tests.tiny import RECORDS, write_checkpoint
from tfnlp._backend import keras
from tfnlp.errors import ArgumentError, CheckpointError

RECIPE = {"epochs": 3, "batch_size": 2, "learning_rate": 1e-3, "verbose": 0}
TRAIN = RECORDS * 3
DROPOUT = {"hidden_dropout_prob": 0.3}


class StopTraining(keras.callbacks.Callback):
    """Stops in the middle of an epoch, as one does that watches the clock."""

    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = batch == 1


class StopAfter(keras.callbacks.Callback):
    """Does what Ctrl-C does, after so many steps."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def interrupted(task, records, steps, *validation, **options):
    with pytest.raises(KeyboardInterrupt):
        task.fit(records, *validation, callbacks=[StopAfter(steps)], **options)


def weights_of(task):
    return [weight.tobytes() for weight in task.model.get_weights()]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint("bert", tmp_path_factory.mktemp("bert") / "small", num_hidden_layers=1)


@pytest.fixture(scope="module")
def fresh(checkpoint):
    return lambda **options: tfnlp.TokenClassifier.from_pretrained(checkpoint, **DROPOUT, **options)


@pytest.fixture(scope="module")
def uninterrupted(fresh):
    task = fresh()
    return task, task.fit(TRAIN, RECORDS, **RECIPE)


@pytest.mark.parametrize("steps", [11, *map(slow_case, (1, 8, 9, 16, 23))])
def test_the_same_weights_and_history_wherever_it_stopped(fresh, uninterrupted, tmp_path, steps):
    options = {"checkpoint_dir": tmp_path, "save_every": 3, **RECIPE}
    interrupted(fresh(), TRAIN, steps, RECORDS, **options)
    again = fresh()
    history = again.fit(TRAIN, RECORDS, **options)
    task, expected = uninterrupted
    assert weights_of(again) == weights_of(task)
    assert history.history == expected.history
    assert history.epoch == expected.epoch
    assert len(list(tmp_path.glob("step-*"))) == 1
    ended = fresh()  # once more: nothing is left to do
    assert ended.fit(TRAIN, RECORDS, **options).history == expected.history
    assert weights_of(ended) == weights_of(task)


@pytest.mark.slow
def test_a_stop_within_an_epoch_and_another_fit(fresh, uninterrupted, tmp_path):
    options = {"checkpoint_dir": tmp_path, "save_every": 2, **RECIPE}
    stopped = fresh()
    stopped.fit(TRAIN, RECORDS, callbacks=[StopTraining()], **options)
    history = stopped.fit(TRAIN, RECORDS, **options)  # the same task, with the weights of then
    task, expected = uninterrupted
    assert weights_of(stopped) == weights_of(task)
    assert history.history == expected.history
    interrupted(stopped, TRAIN, 4, **RECIPE)
    stopped.model.compile(tfnlp.AdamW(1e-3), {"logits": tfnlp.TokenCrossEntropy()})
    plain = stopped.model.fit(stopped.dataset(TRAIN, batch_size=2), epochs=2, verbose=0)
    assert plain.epoch == [0, 1]  # begins anew


@pytest.mark.slow
def test_half_precision_keeps_its_loss_scale(fresh, tmp_path):
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        whole, stopped, again = fresh(), fresh(), fresh()
        for task in (whole, stopped, again):
            _ = task.model
    finally:
        keras.mixed_precision.set_global_policy(before)
    whole.fit(TRAIN, **RECIPE)
    options = {"checkpoint_dir": tmp_path, "save_every": 2, **RECIPE}
    interrupted(stopped, TRAIN, 5, **options)
    again.fit(TRAIN, **options)
    assert weights_of(again) == weights_of(whole)


@pytest.mark.slow
def test_transformers_code_draws_from_the_same_generator(fresh, tmp_path):
    options = {"checkpoint_dir": tmp_path, "save_every": 2, **RECIPE}
    whole = fresh(network="transformers")
    whole.fit(TRAIN, **RECIPE)
    interrupted(fresh(network="transformers"), TRAIN, 5, **options)
    again = fresh(network="transformers")
    again.fit(TRAIN, **options)
    assert weights_of(again) == weights_of(whole)


@pytest.mark.slow
@pytest.mark.parametrize("case", [pytest.param(case, id=case.task.__name__) for case in CASES if case.task is not Echo])
def test_every_task_goes_on(case, tmp_path):
    def made(name):
        (tmp_path / name).mkdir()
        task = case.build(tmp_path / name)
        task.checkpoint.config.hidden_dropout_prob = 0.2
        return task

    options = {"epochs": 3, "batch_size": 1, "learning_rate": 1e-3, "verbose": 0}
    whole, stopped, again = map(made, "abc")
    whole.fit(case.records, **options)
    options |= {"checkpoint_dir": tmp_path / "training", "save_every": 2}
    interrupted(stopped, case.records, 4, **options)
    again.fit(case.records, **options)
    assert weights_of(again) == weights_of(whole)


@pytest.mark.slow
def test_the_best_epoch_stays(fresh, tmp_path):
    records = [*RECORDS] * 2
    recipe = {"epochs": 6, "batch_size": 2, "learning_rate": 3e-2, "warmup": 0.0, "verbose": 0}
    best = fresh()
    history = best.fit(records, RECORDS, keep="best", **recipe).history
    assert best.evaluate(RECORDS).f1 == pytest.approx(max(history["val_f1"]))
    patient = fresh()
    found = patient.fit(records, RECORDS, patience=2, checkpoint_dir=tmp_path, **recipe).history
    at = int(np.argmax(history["val_f1"]))
    assert found["val_f1"] == history["val_f1"][: at + 3]
    assert patient.evaluate(RECORDS).f1 == pytest.approx(history["val_f1"][at])
    assert weights_of(patient) == weights_of(best)
    again = fresh()  # it has ended
    assert again.fit(records, RECORDS, patience=2, checkpoint_dir=tmp_path, **recipe).history == found
    assert weights_of(again) == weights_of(best)
    last = fresh()
    last.fit(records, RECORDS, patience=2, keep="last", **recipe)
    assert last.evaluate(RECORDS).loss == pytest.approx(history["val_loss"][: at + 3][-1])


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_another_training_in_the_directory(fresh, tmp_path):
    fresh().fit(RECORDS, RECORDS, checkpoint_dir=tmp_path / "one", **RECIPE | {"epochs": 1})
    message = r"one: this is of another training: epochs was 1 and is 3. Train as before to go on, or name another"
    with pytest.raises(CheckpointError, match=message):
        fresh().fit(RECORDS, RECORDS, checkpoint_dir=tmp_path / "one", **RECIPE)
    with pytest.raises(CheckpointError, match=r"another training: the training data is another\."):
        fresh().fit(TRAIN, RECORDS, checkpoint_dir=tmp_path / "one", **RECIPE | {"epochs": 1})
    with pytest.raises(CheckpointError, match=r"another training: there is no validation data\."):
        fresh().fit(RECORDS, checkpoint_dir=tmp_path / "one", **RECIPE | {"epochs": 1})
    with pytest.raises(CheckpointError, match=r"another training: the validation data is another\."):
        fresh().fit(RECORDS, TRAIN, checkpoint_dir=tmp_path / "one", **RECIPE | {"epochs": 1})
    modes = {stat.S_IMODE(one.stat().st_mode) for one in (tmp_path / "one").rglob("*")}
    assert modes <= {0o777 & ~umask(), 0o666 & ~umask()}
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("years of work")
    with pytest.raises(CheckpointError, match="the directory holds other files and no training"):
        fresh().fit(RECORDS, checkpoint_dir=tmp_path / "other", **RECIPE)
    with pytest.raises(CheckpointError, match="this is a file"):
        fresh().fit(RECORDS, checkpoint_dir=tmp_path / "other" / "thesis.txt", **RECIPE)
    with pytest.raises(ArgumentError, match="gs://bucket/training: name a path of this machine here"):
        fresh().fit(RECORDS, checkpoint_dir="gs://bucket/training", **RECIPE)
    state = next((tmp_path / "one").glob("step-*"))
    (state / "state.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=rf"{state.name}: the state is damaged"):
        fresh().fit(RECORDS, checkpoint_dir=tmp_path / "one", **RECIPE | {"epochs": 1})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 0}, "`patience` must be a whole number, at least 1; it is 0"),
        ({"keep": "all"}, "`keep` must be 'last' or 'best'; it is 'all'"),
        ({"keep": "best"}, "watch what `validation_data` shows; there is none"),
        ({"patience": 2}, "watch what `validation_data` shows; there is none"),
        ({"save_every": 5}, "`save_every` is for `checkpoint_dir`"),
        ({"save_every": 0}, "`save_every` must be a whole number, at least 1; it is 0"),
    ],
)
def test_options_that_are_wrong(fresh, options, message):
    with pytest.raises(ArgumentError, match=message):
        fresh().fit(RECORDS, **RECIPE, **options)


_CHILD = """
import json, os, sys
import tfnlp
from tests.training.test_resuming import DROPOUT, RECIPE, TRAIN, RECORDS
from tests.training.test_resuming import weights_of

def train(checkpoint, directory):
    options = dict(RECIPE, **(dict(checkpoint_dir=directory, save_every=1) if directory else {}))
    task = tfnlp.TokenClassifier.from_pretrained(checkpoint, **DROPOUT)
    task.fit(TRAIN, RECORDS, **options)
    import hashlib
    return hashlib.sha256(b"".join(weights_of(task))).hexdigest()

for line in sys.stdin:  # each time in a process of its own, which has TensorFlow already
    child = os.fork()
    if not child:
        print("digest", train(*json.loads(line)), flush=True)
        os._exit(0)
    print("child", child, flush=True)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


def killed_again_and_again(checkpoint, directory, moments):
    """Train in processes that are killed once they have saved something, at shares of the time that is left to them."""
    parent = subprocess.Popen(
        [sys.executable, "-c", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def start(directory):
        print(json.dumps([str(checkpoint), str(directory)]), file=parent.stdin, flush=True)
        return int(parent.stdout.readline().split()[1])

    def wait_for_a_state(directory):
        while not any(directory.glob("step-*")):
            time.sleep(0.01)

    def digests():
        lines = []
        while (line := parent.stdout.readline().strip()) != "ended":
            assert line, "the process ended"
            lines.append(line.split()[1])
        return lines

    with parent:
        start("")
        (expected,) = digests()
        start(directory / "whole")
        wait_for_a_state(directory / "whole")
        begun = time.monotonic()
        assert digests() == [expected]
        lasted = time.monotonic() - begun
        num_killed = 0
        for number, moment in enumerate(moments):
            child = start(directory / str(number))
            wait_for_a_state(directory / str(number))
            time.sleep(moment * lasted)
            with suppress(ProcessLookupError):  # it has ended
                os.kill(child, signal.SIGKILL)
            num_killed += not digests()
            start(directory / str(number))
            assert digests() == [expected]
        parent.stdin.close()
    return num_killed


@pytest.mark.slow
def test_killed_at_random_moments(checkpoint, tmp_path):
    count = int(os.environ.get("TFNLP_KILLS", "6"))
    draw = random.Random(0)
    num_killed = killed_again_and_again(checkpoint, tmp_path, [draw.uniform(0.0, 1.0) for _ in range(count)])
    assert num_killed >= count // 2
