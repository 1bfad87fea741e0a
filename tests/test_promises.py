"""Promises on real data and at scale. They take minutes, so they run by name: `make slow`."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import data
from tests.test_export import ask_in_a_fresh_process, assert_same_answers

pytestmark = pytest.mark.slow


def tfnlp_command(*arguments):
    done = subprocess.run([sys.executable, "-m", "tfnlp.cli", *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.minilm
def test_wnut_is_learned_and_served(minilm, tmp_path_factory):
    import tfnlp

    wnut, directory = data("ner/wnut17"), tmp_path_factory.mktemp("wnut")
    tfnlp_command(
        "train", "token-classification", "--model", minilm, "--train", wnut / "wnut17train.conll",
        "--dev", wnut / "emerging.dev.conll", "--output", directory / "ner",
        "--epochs", 4, "--learning-rate", 1e-4, "--seed", 0,
    )  # fmt: skip
    for name, least in (("emerging.dev.conll", 0.53), ("emerging.test.annotated", 0.38)):
        report = directory / f"{name}.json"
        tfnlp_command("evaluate", directory / "ner", "--data", wnut / name, "--report", report)
        assert json.loads(report.read_text())["micro"]["f1"] >= least
    tfnlp_command("export", directory / "ner", directory / "serving" / "1")
    texts = [" ".join(record["words"]) for record in tfnlp.read_conll(wnut / "emerging.test.annotated")]
    assert len(texts) == 1287
    served = ask_in_a_fresh_process(directory / "serving" / "1", texts)
    assert_same_answers(served, tfnlp.load(directory / "ner").predict(texts))


STREAM = """
import sys
import tfnlp

class Sentences:
    def __init__(self, count):
        self.count = count

    def __iter__(self):
        for i in range(self.count):
            words = f"Ada {i} lives in Paris and went to New York number {i % 977} .".split()
            yield {"words": words, "labels": ["B-PER", *["O"] * (len(words) - 1)]}

task = tfnlp.load(sys.argv[1])
count = int(sys.argv[2])
rows = sum(len(features["input_ids"]) for features, _ in task.dataset(Sentences(count), batch_size=64, shuffle=True))
answers = sum(1 for _ in task.predict(Sentences(count)))
assert rows == answers == count, (rows, answers)
# Not getrusage: its peak counts the process that started this one.
print(next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def test_memory_stays_flat(checkpoints):
    def peak(count):
        done = subprocess.run(
            [sys.executable, "-c", STREAM, str(checkpoints["bert"]), str(count)],
            capture_output=True, text=True, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return int(done.stdout.split()[-1])

    peak(10)  # compiles the tokenizer, which the others then read from disk
    small, large = peak(2_000), peak(200_000)
    print(f"peak memory: {small} MB for 2,000 sentences, {large} MB for 200,000")
    assert large - small <= 300


def test_the_demo_shows_no_mistake(tmp_path):
    import tfnlp
    from tfnlp.demo.tour import SENTENCES

    output = tfnlp_command("demo", "--output", tmp_path / "demo")
    answers = tfnlp.load(tmp_path / "demo" / "model").predict(list(SENTENCES))
    assert [[(entity.label, entity.text) for entity in entities] for entities in answers] == [
        [("PER", "Tessa Quarrie"), ("ORG", "Northmere Analytics"), ("LOC", "Port Ellery"), ("LOC", "Lisbon")],
        [("LOC", "Isle Carrow")],
        [("PER", "Bram Oduya"), ("ORG", "Harrow Street Bank"), ("LOC", "Wexmoor")],
    ]
    assert "entity_label: [" in output
    assert "tfnlp train token-classification --model" in output
