"""Chosen cells of tables as answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tfnlp.outputs import TableAnswer
from tfnlp.tasks.table_question_answering.records import number_in


def table_answer(table: Any, places: Sequence[tuple[int, int]], aggregator: str, *, is_none: bool) -> TableAnswer:
    """Write down the cells that were chosen, and what is done with them.

    Args:
        table: a `pandas.DataFrame` of texts.
        places: row and column of each cell.
        aggregator: what is done with the cells; empty: the checkpoint knows nothing to be done.
        is_none: whether it is that nothing is done.
    """
    cells = tuple(str(table.iat[place]) for place in places)
    prefix = "" if is_none or not aggregator else f"{aggregator} > "
    value = aggregated(aggregator, cells)
    return TableAnswer(prefix + ", ".join(cells), tuple((row, col) for row, col in places), cells, aggregator, value)


def aggregated(name: str, cells: Sequence[str]) -> float | None:
    """Return the number that comes out of cells; None: nothing is done with them, or they are no numbers."""
    if name == "COUNT":
        return float(len(cells))
    numbers = [number_in(cell) for cell in cells]
    known = [number for number in numbers if number is not None]
    if name not in ("SUM", "AVERAGE") or not known or len(known) < len(numbers):
        return None
    return math.fsum(known) / (len(known) if name == "AVERAGE" else 1)
