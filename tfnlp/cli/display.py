"""Tables on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def show_report(report: Any, name: str) -> None:
    """Print a report as a table."""
    from rich.table import Table

    table = Table(title=name, caption=report.caption)
    for i, column in enumerate(report.header):
        table.add_column(column, justify="right" if i else "left")
    rows = report.rows()
    for i, row in enumerate(rows):
        averages_follow = i + 1 < len(rows) and rows[i + 1][0].endswith(" avg") and not row[0].endswith(" avg")
        table.add_row(*row, end_section=averages_follow)
    _console().print(table)


def show_answers(inputs: Iterable[Any], answers: Iterable[Any]) -> None:
    """Print what was asked, each with a table of the answer's parts: entities, or labels."""
    from rich.table import Table
    from rich.text import Text

    console = _console()
    for given, answer in zip(inputs, answers, strict=True):
        console.print(Text(given if isinstance(given, str) else str(given), style="bold"))
        if hasattr(answer, "tolist"):  # a vector
            console.print(Text(str(answer)))
            continue
        parts = [part.to_dict() for part in ([answer] if hasattr(answer, "score") else answer)]
        if not parts:
            console.print(Text("  nothing found", style="dim"))
            continue
        table = Table(*parts[0], box=None, pad_edge=True)
        for part in parts:
            table.add_row(*(f"{value:.3f}" if isinstance(value, float) else str(value) for value in part.values()))
        console.print(table)


def stream_texts(task: Any, inputs: Iterable[Any]) -> None:
    """Print the text that is made of each input, piece by piece as it comes.

    Raises:
        ArgumentError: if the task makes no texts.
    """
    from tfnlp.errors import ArgumentError

    if not hasattr(task, "stream"):
        raise ArgumentError(f"--format text is for models that make texts; this is a {type(task).__name__}.")
    for given in inputs:
        show_stream(task, given)


def show_stream(task: Any, given: Any, **options: Any) -> str:
    """Print the text that is made of an input, piece by piece as it comes, and return it."""
    import typer

    pieces = []
    for piece in task.stream(given, **options, num_beams=1, num_return_sequences=1):
        typer.echo(piece, nl=False)
        pieces.append(piece)
    typer.echo()
    return "".join(pieces)


def _console() -> Any:
    from rich.console import Console

    return Console(markup=False, highlight=False)
