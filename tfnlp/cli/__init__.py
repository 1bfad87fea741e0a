"""The command line: arguments in, one call, text out."""

from tfnlp.cli.commands import app, main

__all__ = ["app", "main"]
