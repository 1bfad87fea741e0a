"""The command line: arguments in, one call, text out."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

app = typer.Typer(
    help="Train, evaluate, ask and export text models with TensorFlow and Keras.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
train_app = typer.Typer(help="Train a model for a task.", no_args_is_help=True)
app.add_typer(train_app, name="train")

FileFormat = Literal["conll", "conllu", "jsonl"]
ModelOption = Annotated[str, typer.Option("--model", help="Directory or Hub name of a checkpoint.")]
FormatOption = Annotated[FileFormat | None, typer.Option("--format", help="Where a file's name does not tell.")]
ColumnsOption = Annotated[
    str | None, typer.Option(help="What the columns of a CoNLL file hold, as 'word,-,label'; of CoNLL-U, the label's.")
]


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


@train_app.command("token-classification")
def train_token_classification(
    model: ModelOption,
    train: Annotated[Path, typer.Option(help="Training data: .conll, .conllu or .jsonl.")],
    output: Annotated[Path, typer.Option(help="Directory to write the model to.")],
    dev: Annotated[Path | None, typer.Option(help="Data to evaluate after every epoch.")] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 3,
    batch_size: Annotated[int, typer.Option(min=1)] = 16,
    learning_rate: Annotated[float, typer.Option(min=0.0)] = 5e-5,
    warmup: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of steps in which the rate rises.")] = 0.1,
    weight_decay: Annotated[float, typer.Option(min=0.0)] = 0.01,
    label_smoothing: Annotated[float, typer.Option(min=0.0, max=1.0)] = 0.0,
    max_length: Annotated[int | None, typer.Option(help="Most tokens in a row; longer texts become windows.")] = None,
    stride: Annotated[int | None, typer.Option(help="Tokens that neighbouring windows share.")] = None,
    label_all_tokens: Annotated[
        bool | None, typer.Option("--label-all-tokens/--label-first-token", help="Which tokens of a word to label.")
    ] = None,
    patience: Annotated[int | None, typer.Option(help="Stop after so many epochs without a better F1.")] = None,
    columns: ColumnsOption = None,
    format: FormatOption = None,
    seed: int = 0,
) -> None:
    """Label the words of texts: named entities, parts of speech, slots."""
    from tfnlp import TokenClassifier

    options = {"max_length": max_length, "stride": stride, "label_all_tokens": label_all_tokens}
    task = TokenClassifier.from_pretrained(
        model,
        seed=seed,
        **{name: value for name, value in options.items() if value is not None},
    )
    task.fit(
        _records(train, format, columns),
        None if dev is None else _records(dev, format, columns),
        callbacks=_callbacks(patience, dev),
        epochs=epochs,
        batch_size=batch_size,
        learning_rate=learning_rate,
        warmup=warmup,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        seed=seed,
    )
    task.save(output)
    typer.echo(f"saved to {output}")
    if dev is not None:
        _show_report(task.evaluate(_records(dev, format, columns)), f"{dev.name}")


@app.command()
def evaluate(
    directory: Annotated[str, typer.Argument(help="A saved model, or a trained checkpoint.")],
    data: Annotated[Path, typer.Option(help="Labelled data: .conll, .conllu or .jsonl.")],
    report: Annotated[Path | None, typer.Option(help="Also write the report as JSON.")] = None,
    mode: Annotated[
        Literal["default", "strict"], typer.Option(help="How entities are read, as in seqeval.")
    ] = "default",
    columns: ColumnsOption = None,
    format: FormatOption = None,
) -> None:
    """Compare a model's answers with gold labels."""
    import tfnlp

    found = tfnlp.load(directory).evaluate(_records(data, format, columns), mode=mode)
    _show_report(found, data.name)
    if report is not None:
        report.write_text(found.to_json() + "\n", encoding="utf-8")
        typer.echo(f"report written to {report}")


@app.command()
def predict(
    directory: Annotated[str, typer.Argument(help="A saved model, or a trained checkpoint.")],
    file: Annotated[Path | None, typer.Argument(help="One text a line; without it, standard input.")] = None,
    format: Annotated[Literal["jsonl", "table"], typer.Option(help="How to print the answers.")] = "jsonl",
) -> None:
    """Answer for each line of a file or of standard input."""
    import json

    import tfnlp
    from tfnlp.data.readers import read_lines

    lines = read_lines(file) if file is not None else read_lines(sys.stdin.buffer, name="standard input")
    answers = tfnlp.load(directory).predict(lines)
    if format == "table":
        _show_entities(answers)
        return
    for answer in answers:
        typer.echo(json.dumps(answer.to_dict(), ensure_ascii=False))


@app.command()
def export(
    directory: Annotated[str, typer.Argument(help="A saved model, or a trained checkpoint.")],
    output: Annotated[Path, typer.Argument(help="Where to write; for TensorFlow Serving it ends in a version, ner/1.")],
) -> None:
    """Write a SavedModel that takes strings and answers as `predict` does."""
    import tfnlp

    tfnlp.load(directory).export(output)
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
    from tfnlp.data.readers import read_lines
    from tfnlp.tokenization.pretrained import load_tokenizer

    found = check(load_tokenizer(name), list(read_lines(file)) if file is not None else [])
    typer.echo(str(found))
    if report is not None:
        report.write_text(json.dumps(found.to_dict(), ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        typer.echo(f"report written to {report}")
    if not found.is_exact:
        raise typer.Exit(1)


@app.command()
def demo(
    output: Annotated[Path | None, typer.Option(help="Keep the model and the SavedModel here.")] = None,
    seed: int = 0,
) -> None:
    """Train, evaluate, ask and export a small model, without network or download."""
    from tfnlp.demo.tour import run

    run(output, seed=seed, say=typer.echo, show_report=_show_report, show_entities=_show_entities)


def _records(path: Path, format: FileFormat | None, columns: str | None) -> Any:
    from tfnlp.data.readers import read_records

    options: dict[str, Any] = {}
    if columns is not None:
        is_conllu = format == "conllu" or (format is None and ".conllu" in path.suffixes)
        options = {"label": columns} if is_conllu else {"columns": [name.strip() for name in columns.split(",")]}
    return read_records(path, format=format, **options)


def _callbacks(patience: int | None, dev: Path | None) -> list[Any]:
    if patience is None:
        return []
    if dev is None:
        raise typer.BadParameter("--patience needs --dev")
    from tf_keras.callbacks import EarlyStopping

    return [EarlyStopping("val_f1", mode="max", patience=patience, restore_best_weights=True)]


def _show_report(report: Any, name: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=name, caption=report.caption)
    for i, column in enumerate(report.header):
        table.add_column(column, justify="right" if i else "left")
    rows = report.rows()
    for i, row in enumerate(rows):
        averages_follow = i + 1 < len(rows) and rows[i + 1][0].endswith(" avg") and not row[0].endswith(" avg")
        table.add_row(*row, end_section=averages_follow)
    Console(markup=False, highlight=False).print(table)


def _show_entities(answers: Any) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(markup=False, highlight=False)
    for answer in answers:
        console.print(Text(answer.text, style="bold"))
        table = Table("label", "text", "start", "end", "score", box=None, pad_edge=True)
        for entity in answer:
            table.add_row(entity.label, entity.text, str(entity.start), str(entity.end), f"{entity.score:.3f}")
        console.print(table if len(answer) else Text("  no entities", style="dim"))


if __name__ == "__main__":
    main()
