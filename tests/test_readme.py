"""The README's snippets, run on a tiny checkpoint."""

import json
import re
import runpy
import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.tiny import EXAMPLES, RECORDS
from tfnlp.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def workplace(checkpoints, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(checkpoints["bert"], "bert-base-cased")
    for name in ("train", "dev", "test"):
        sentences = ["".join(f"{w}\t{t}\n" for w, t in zip(r["words"], r["labels"], strict=True)) for r in RECORDS]
        Path(f"{name}.conll").write_text("\n".join(sentences))
        examples = "".join(f"{example['text']},{example['label']}\n" for example in EXAMPLES)
        Path(f"{name}.csv").write_text(f"text,label\n{examples}")
    return tmp_path


def blocks(language):
    fenced = (block.partition("\n") for block in README.split("```")[1::2])
    return [body for name, _, body in fenced if name == language]


def test_python(workplace):
    exec(compile("\n".join(blocks("python")), "README.md", "exec"), {})
    assert (workplace / "serving" / "ner" / "1" / "saved_model.pb").exists()


@pytest.mark.slow
def test_shell(workplace):
    commands = [line for block in blocks("") for line in block.splitlines() if "tfnlp " in line and ".venv" not in line]
    assert len(commands) == 5
    Path("texts.txt").write_text("Ada Lovelace lived in London.\n", encoding="utf-8")
    for command in commands:
        text, _, call = command.rpartition("| ")
        result = CliRunner().invoke(
            app, shlex.split(call, comments=True)[1:], input=text.partition('"')[2].rpartition('"')[0] + "\n"
        )
        assert result.exit_code == 0, result.output
    assert json.loads((workplace / "report.json").read_text())["num_records"] == len(RECORDS)


def test_the_request_and_its_answer_have_the_signature_s_names():
    (answer,) = (json.loads(block) for block in blocks("json"))
    assert set(answer["predictions"][0]) == {
        "entity_label", "entity_text", "entity_start", "entity_end", "entity_score", "num_entities",
    }  # fmt: skip


def test_links_lead_somewhere():
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)h][^)]*)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize(("name", "ending"), [("token_classification", "conll"), ("text_classification", "csv")])
@pytest.mark.slow
def test_examples(workplace, capsys, name, ending):
    example = runpy.run_path(str(ROOT / "examples" / f"{name}.py"))
    example["main"]("bert-base-cased", f"train.{ending}", f"dev.{ending}", "mine")
    assert "micro avg" in capsys.readouterr().out
    assert (workplace / "mine" / "serving" / "1" / "saved_model.pb").exists()
