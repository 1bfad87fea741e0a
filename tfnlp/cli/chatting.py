"""`tfnlp chat`: a chat in the terminal, whose answers appear as they are made."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from tfnlp.cli.display import show_stream
from tfnlp.cli.options import options_of, with_options
from tfnlp.generation.options import GenerationOptions


def _chat(
    *,
    directory: Annotated[str, typer.Argument(help="A saved model, or a checkpoint that was trained on chats.")],
    system: Annotated[str | None, typer.Option(help="What the model is told before the chat begins.")] = None,
    **options: Any,
) -> None:
    """Chat with a model, a line at a time. An empty line, or the end of the input, ends it."""
    import tfnlp

    task = tfnlp.load(directory)
    if not isinstance(task, tfnlp.CausalLM):
        raise tfnlp.ArgumentError(f"{directory} holds a {type(task).__name__}, which does not chat.")
    given = {name: value for name, value in options.items() if value is not None}
    messages = [] if system is None else [{"role": "system", "content": system}]
    while line := _asked():
        messages.append({"role": "user", "content": line})
        answer = show_stream(task, messages, **given)
        messages.append({"role": "assistant", "content": answer.strip()})


def _asked() -> str:
    """Return the next line that is typed, or that a file holds; empty at its end."""
    if sys.stdin.isatty():
        typer.secho("> ", nl=False, fg="green")
    return sys.stdin.readline().strip()


chat = with_options(_chat, options_of(GenerationOptions, without=("compile", "num_beams", "num_return_sequences")))
