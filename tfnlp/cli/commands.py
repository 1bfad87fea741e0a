"""The command line: arguments in, one call, text out."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from tfnlp.cli.chatting import chat
from tfnlp.cli.display import show_answers, show_report, stream_texts
from tfnlp.cli.options import with_options
from tfnlp.cli.reading import READING, read_data, read_inputs
from tfnlp.cli.training import train_app

app = typer.Typer(
    help="Train, evaluate, ask and export text models with TensorFlow and Keras.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(train_app, name="train")


def _show_version(asked: bool) -> None:
    if asked:
        from tfnlp import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Train, evaluate, ask and export text models with TensorFlow and Keras."""


def main() -> None:
    """Run the command line; an error of tfnlp is one message, not a traceback."""
    from tfnlp.errors import TfnlpError

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("tfnlp").setLevel(logging.INFO)
    try:
        app()
    except TfnlpError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        sys.exit(1)


def _evaluate(
    *,
    directory: Annotated[str, typer.Argument(help="A saved model, or a trained checkpoint.")],
    data: Annotated[
        list[Path],
        typer.Option(help="Labelled data: a file, or a pattern in quotes. Give it again for more files."),
    ],
    report: Annotated[Path | None, typer.Option(help="Also write the report as JSON.")] = None,
    mode: Annotated[
        Literal["default", "strict"] | None, typer.Option(help="How entities are read, as in seqeval.")
    ] = None,
    **reading: Any,
) -> None:
    """Compare a model's answers with gold labels."""
    import tfnlp

    task = tfnlp.load(directory)
    if mode is not None and not isinstance(task, tfnlp.TokenClassifier):
        raise tfnlp.ArgumentError(f"--mode says nothing to a {type(task).__name__}.")
    records = read_data(task, data, **reading)
    found = task.evaluate(records) if mode is None else task.evaluate(records, mode=mode)
    show_report(found, Path(records.path).name)
    if report is not None:
        _write_report(found.to_json(), report)


def _write_report(text: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
    typer.echo(f"report written to {path}")


app.command("chat")(chat)
app.command("evaluate")(with_options(_evaluate, list(READING.values())))


@app.command()
def predict(
    directory: Annotated[str, typer.Argument(help="A saved model, or a trained checkpoint.")],
    file: Annotated[
        Path | None, typer.Argument(help="One text a line, or a .jsonl file; without it, lines of standard input.")
    ] = None,
    format: Annotated[
        Literal["jsonl", "table", "text"],
        typer.Option(help="How to print the answers; 'text': of models that make texts, as they come."),
    ] = "jsonl",
    candidate_labels: Annotated[
        str | None,
        typer.Option(help="Classify by these labels, 'pets,politics', with a model of natural language inference."),
    ] = None,
) -> None:
    """Answer for each line of a file or of standard input."""
    import json
    from itertools import tee

    import tfnlp

    asked, shown = tee(read_inputs(file))
    if candidate_labels is not None:
        labels = [label.strip() for label in candidate_labels.split(",") if label.strip()]
        answers = tfnlp.ZeroShotClassifier.from_pretrained(directory).predict(asked, labels)
    else:
        task = tfnlp.load(directory)
        if isinstance(task, tfnlp.ZeroShotClassifier):
            raise tfnlp.ArgumentError("this model asks for the labels to choose among: --candidate-labels a,b.")
        if format == "text":
            stream_texts(task, asked)
            return
        answers = task.predict(asked)
    if format == "table":
        show_answers(shown, answers)
        return
    for given, answer in zip(shown, answers, strict=True):
        question = given if isinstance(given, dict) else {"text": given}
        found = answer.to_dict() if hasattr(answer, "to_dict") else {"embedding": answer.tolist()}
        typer.echo(json.dumps(question | found, ensure_ascii=False))


@app.command()
def export(
    directory: Annotated[str, typer.Argument(help="A saved model, or a trained checkpoint.")],
    output: Annotated[Path, typer.Argument(help="Where to write; for TensorFlow Serving it ends in a version, ner/1.")],
    inputs: Annotated[
        list[str] | None, typer.Option("--input", help="An option that requests may give, as temperature; repeatable.")
    ] = None,
    warm_up: Annotated[
        Path | None, typer.Option(help="Texts, one a line, that TensorFlow Serving answers while it loads the model.")
    ] = None,
    max_entities: Annotated[
        int | None, typer.Option(help="Entities of each text, of a TokenClassifier: outputs of that width.")
    ] = None,
) -> None:
    """Write a SavedModel that takes strings and answers as `predict` does."""
    import tfnlp

    task = tfnlp.load(directory)
    settings = {} if max_entities is None else {"max_entities": max_entities}
    texts = () if warm_up is None else list(read_inputs(warm_up))
    task.export(output, inputs=inputs or (), warm_up=texts, **settings)
    typer.echo(f"exported to {output}, loaded again and compared with predict: equal")


@app.command("check-tokenizer")
def check_tokenizer(
    name: Annotated[str, typer.Argument(help="Directory or Hub name of a checkpoint.")],
    file: Annotated[Path | None, typer.Argument(help="Text to compare on, beside the built-in hard text.")] = None,
    report: Annotated[Path | None, typer.Option(help="Also write all differences as JSON.")] = None,
) -> None:
    """Compile a tokenizer into the graph, and compare it with the original, text by text."""
    import json

    from tfnlp import check_tokenizer as check
    from tfnlp.data.files import read_lines
    from tfnlp.tokenization.pretrained import load_tokenizer

    result = check(load_tokenizer(name), list(read_lines(file)) if file is not None else [])
    typer.echo(str(result))
    if report is not None:
        _write_report(json.dumps(result.to_dict(), ensure_ascii=False, indent=2), report)
    if not result.is_exact:
        raise typer.Exit(1)


@app.command()
def demo(
    output: Annotated[Path | None, typer.Option(help="Keep the model and the SavedModel here.")] = None,
    seed: int = 0,
) -> None:
    """Train, evaluate, ask and export a small model, without network or download."""
    from tfnlp.demo.tour import demonstrate

    demonstrate(output, seed=seed, say=typer.echo, show_report=show_report, show_answers=show_answers)
