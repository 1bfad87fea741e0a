"""The command line over models that make texts."""

import json

import pytest

import tfnlp
from tests.test_cli import run
from tests.tiny import TEXTS, UNNAMED, build_task

TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    directory = tmp_path_factory.mktemp("lm")
    options = {"initializer_range": 0.3, "eos_token_id": 2, **UNNAMED}
    task = build_task(tfnlp.CausalLM, "gpt2", directory, options, max_length=48)
    task.tokenizer.hf.chat_template = TEMPLATE
    task.configure_generation(max_new_tokens=5)
    task.save(directory / "saved")
    return directory / "saved"


def test_predict_streams(saved):
    lm = tfnlp.load(saved)
    streamed = run("predict", saved, "--format", "text", input="\n".join(TEXTS[:2]))
    assert streamed.output == "".join(f"{lm.predict(text).text}\n" for text in TEXTS[:2])
    line = json.loads(run("predict", saved, input=TEXTS[0]).output.splitlines()[0])
    assert set(line) == {"text", "generated_text", "score", "ids"}


@pytest.mark.slow
def test_chat(saved):
    lm = tfnlp.load(saved)
    found = run("chat", saved, "--system", "be kind", "--max-new-tokens", "4", input="hi\nwho\n\n")
    system = [{"role": "system", "content": "be kind"}]
    first, history = lm.chat("hi", history=system, max_new_tokens=4)
    second, _ = lm.chat("who", history=history, max_new_tokens=4)
    assert [line.strip() for line in found.output.split("\n")[:2]] == [first, second]


@pytest.mark.slow
def test_train(saved, tmp_path):
    data = tmp_path / "texts.txt"
    data.write_text("\n".join(TEXTS))
    options = ("--model", saved, "--train", data, "--dev", data, "--output", tmp_path / "out", "--epochs", 1)
    found = run("train", "causal-lm", *options, "--line-by-line")
    assert found.exit_code == 0 and "perplexity" in found.output
    assert tfnlp.load(tmp_path / "out").settings.line_by_line
