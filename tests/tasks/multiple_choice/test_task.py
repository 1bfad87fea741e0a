import json

import pytest

import tfnlp
from tests.commands import predict, run_example, train
from tests.tiny import LONG_TEXT, PROMPTS, TEXTS, UNNAMED, write_checkpoint
from tfnlp import MultipleChoice
from tfnlp.errors import ArgumentError, DataError
from tfnlp.export import ask

CHOICES = ["Ada", "the cat", "Paris !"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return write_checkpoint("bert", tmp_path_factory.mktemp("random") / "bert", head="MultipleChoice", **UNNAMED)


@pytest.fixture(scope="module")
def task(directory):
    return MultipleChoice.from_pretrained(directory, max_length=24, stride=6)


def test_the_loss_equals_pytorch_s(task):
    torch = pytest.importorskip("torch")
    ((features, targets),) = task.dataset(PROMPTS, batch_size=8)
    logits = task.forward(features)["logits"].numpy()[:, 0]
    found = task.loss(tfnlp.Recipe())["logits"](targets["logits"], logits[:, None])
    sizes = [len(record["choices"]) for record in PROMPTS]
    parts = torch.split(torch.tensor(logits), sizes)
    right = (0, 1, 1, 1)
    losses = [torch.nn.functional.cross_entropy(part, torch.tensor(i)) for part, i in zip(parts, right, strict=True)]
    assert float(found) == pytest.approx(float(sum(losses) / 4), abs=1e-5)
    assert task.evaluate(PROMPTS).loss == pytest.approx(float(found), abs=1e-5)


@pytest.mark.slow
def test_long_prompts_are_windows(task, tmp_path):
    long = (LONG_TEXT, ["Ada", "the cat"])
    (chunk,) = task.training_rows(task.source([{"prompt": LONG_TEXT, "choices": long[1], "label": 1}]))
    assert len(chunk.splits) - 1 > 10
    assert chunk.groups.tolist() == [0, len(chunk.splits) - 1]
    assert chunk.targets["logits"].values[0].tolist() == [0, 0]
    assert chunk.targets["logits"].values[-1].tolist() == [1, 1]
    task.export(tmp_path / "1", samples=[long, (TEXTS[0], CHOICES)])
    served = ask(tmp_path / "1", prompt=TEXTS[:1], choices=[[*CHOICES, ""]])
    answer = task.predict((TEXTS[0], CHOICES))
    assert served["choice"].tolist() == [answer.index]
    assert served["scores"][0, answer.index] == pytest.approx(answer.score, abs=1e-5)
    assert served["scores"][0, 3] == 0


def test_lists_and_generators(task):
    inputs = [(text, CHOICES[: 2 + i % 2]) for i, text in enumerate(TEXTS)]
    answers = task.predict(inputs)
    assert list(task.predict(iter(inputs))) == answers
    assert task.predict({"prompt": TEXTS[0], "choices": CHOICES[:2]}).index == answers[0].index
    assert sum(choice.score for choice in task.predict(inputs[1], top_k=5)) == pytest.approx(1)


def test_wrong_input(task):
    with pytest.raises(DataError, match=r"^prompt 1: `choices` must be at least two; there are 1\.$"):
        task.predict(("Where?", ["here"]))
    with pytest.raises(ArgumentError, match=r"^one text of a pair leaves no room"):
        task.predict(("Where?", ["here", LONG_TEXT]))
    with pytest.raises(ArgumentError, match=r"^`top_k` must be at least 1; it is 0\.$"):
        task.predict((TEXTS[0], CHOICES), top_k=0)
    with pytest.raises(ArgumentError, match=r"^`label_smoothing` is for tasks with labels"):
        task.fit(PROMPTS, label_smoothing=0.1, verbose=0)


@pytest.mark.slow  # as that of QuestionAnswerer
def test_the_command_and_the_example(directory, tmp_path, capsys):
    file = tmp_path / "prompts.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in PROMPTS))
    assert "accuracy" in train("multiple-choice", directory, file, tmp_path / "out", "--max-length", "40")
    lines = predict(tmp_path / "out", file)
    assert [line["text"] for line in lines] == [c.text for c in tfnlp.load(tmp_path / "out").predict(PROMPTS)]
    run_example("multiple_choice", directory, file, file, tmp_path / "example")
    assert "Choice(" in capsys.readouterr().out
