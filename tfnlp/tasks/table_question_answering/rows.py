"""Questions and their tables as rows of TAPAS's network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfnlp.data.batches import Target
from tfnlp.data.files import Record
from tfnlp.preprocessor import Preprocessor
from tfnlp.rows import Column, Rows
from tfnlp.tasks.table_question_answering.records import Supervision
from tfnlp.tasks.table_question_answering.tokenizer import TableTokenizer


def table_targets(supervision: Supervision) -> dict[str, Target]:
    """Return what TAPAS learns, by the names of transformers.

    `labels` tell whether a token is in a right cell. Numbers come with a scale: by how many tokens of a cell each is
    divided.
    """
    targets = {"labels": Target(per_element=True, fill=0)}
    if supervision.by_name:
        targets["aggregation_labels"] = Target()
    if supervision.by_answer:
        targets["numeric_values"] = Target(per_element=True, dtype="float32", fill=math.nan)
        targets["numeric_values_scale"] = Target(per_element=True, dtype="float32", fill=1.0)
        targets["float_answer"] = Target(dtype="float32")
    return targets


def table_rows(encoded: Sequence[dict[str, Any]], preprocessor: Preprocessor) -> Rows:
    """Return what `TableTokenizer.encode` gives for each question as a row. NumPy arrays."""
    splits = np.cumsum([0, *(len(row["input_ids"]) for row in encoded)])
    columns = {
        name: Column(_joined([row[name] for row in encoded], spec.dtype.as_numpy_dtype, spec.shape[1:]), splits)
        for name, spec in preprocessor.specs.items()
    }
    return Rows(columns, np.arange(len(encoded), dtype=np.int32))


def training_row(record: Record, number: int, tokenizer: TableTokenizer, supervision: Supervision, length: int) -> Rows:
    """Return the row of a question with its answer.

    Args:
        record: a checked one.
        number: its own, from 1, for messages.
        tokenizer: lays the table out.
        supervision: what the checkpoint learns from.
        length: the most tokens in a row.

    Raises:
        DataError: if the table has too many columns, or is too long.
    """
    encoded = tokenizer.encode(
        record["table"], record["query"], where=f"record {number}", max_length=length,
        answer_coordinates=[record["answer_coordinates"]], answer_text=[record["answers"]],
    )  # fmt: skip
    rows = table_rows([encoded], tokenizer)
    whole = {"aggregation_labels": record["aggregation_label"], "float_answer": record["float_answer"]}
    targets = {}
    for name, target in table_targets(supervision).items():
        values = np.asarray(encoded[name] if target.per_element else [whole[name]], target.dtype)
        targets[name] = Column(values, rows.splits if target.per_element else None)
    return rows._replace(targets=targets)


def _joined(parts: Sequence[Any], dtype: Any, shape: Any) -> np.ndarray:
    return np.concatenate([np.asarray(part, dtype).reshape(-1, *shape) for part in parts])
