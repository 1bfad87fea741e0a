"""The command line and the examples, as users run them."""

import json
import runpy
from pathlib import Path

from typer.testing import CliRunner

from tfnlp.cli import app

EXAMPLES = Path(__file__).parents[1] / "examples"


def run_command(*words, text=None):
    """Run a command that must succeed, with `text` as its standard input; return what it prints and logs."""
    found = CliRunner().invoke(app, list(map(str, words)), input=text)
    assert found.exit_code == 0, found.output
    return found


def train(task, model, file, output, *options):
    """Train for an epoch, evaluated on the same file; return what is printed and logged."""
    files = ("--model", model, "--train", file, "--dev", file, "--output", output)
    return run_command("train", task, *files, "--epochs", "1", *options).output


def predict(*words, text=None):
    """Return the answers that `predict` prints, a dict each."""
    return [json.loads(line) for line in run_command("predict", *words, text=text).stdout.splitlines()]


def run_example(name, *arguments):
    """Run the `main` of an example."""
    runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"](*map(str, arguments))
