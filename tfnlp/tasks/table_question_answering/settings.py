"""What the task of this package remembers beside the network."""

from __future__ import annotations

from dataclasses import dataclass

from tfnlp.tasks.settings import Settings


@dataclass(frozen=True)
class TableQuestionAnswererSettings(Settings):
    """What it remembers beside the network.

    Attributes:
        drop_rows: of a table that is too long to answer from, leave out the last rows, as transformers does; else it
            is an error.
    """

    drop_rows: bool = False
