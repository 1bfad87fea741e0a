"""`TableRows`: questions and their tables as rows of TAPAS's network. Its tokenizer exists in Python only."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from tfnlp._backend import tf
from tfnlp.data.files import Record
from tfnlp.errors import DataError
from tfnlp.tasks.prediction import PROGRESS_AFTER
from tfnlp.tasks.table_question_answering.records import Supervision

_NUM_TYPES = 7  # of TAPAS's token type ids: segment, column, row, earlier answer, two ranks, relation
_ROW = 2  # the place of the table's row among them


@dataclass(frozen=True)
class TableRows:
    """Encodes questions and tables.

    Attributes:
        hf: the Hugging Face tokenizer of TAPAS.
        supervision: what rows to train on must tell.
    """

    hf: Any
    supervision: Supervision

    def encode(self, table: Any, query: str, *, where: str, drop_rows: bool = False, **answers: Any) -> Any:
        """Return the tokens of a question and its table, a list of one row of each.

        Args:
            table: a `pandas.DataFrame` of texts.
            query: the question.
            where: where the two are from, for messages.
            drop_rows: of a table too long for a row of the network, leave out the last rows.
            answers: what the tokenizer takes of right answers.

        Raises:
            DataError: if the table has too many columns, or is too long.
        """
        try:
            with warnings.catch_warnings():  # of pandas 2, which pandas 3 made an error; 2026-11
                warnings.filterwarnings("ignore", "Series.__getitem__ treating keys as positions", FutureWarning)
                encoded = self.hf(table=table, queries=[query], truncation="drop_rows_to_fit", **answers)
        except ValueError as error:  # too many columns, for example
            raise DataError(f"{where}: TAPAS can't read the table of {query!r:.80}: {error}.") from error
        num_rows = max(types[_ROW] for types in encoded["token_type_ids"][0])
        if num_rows < len(table) and not drop_rows:
            raise DataError(
                f"{where}: {num_rows} of the {len(table)} rows of the table fit into {self.hf.model_max_length} "
                "tokens: leave out rows and columns that the question is not about, or have the last rows left out "
                "by `predict(..., drop_rows=True)`."
            )
        return encoded

    def encode_together(self, records: Sequence[Record], *, drop_rows: bool) -> dict[str, tf.Tensor]:
        """Return the tokens of questions and their tables, filled up to the longest.

        Args:
            records: with `table`, `query`, and `number` for messages.
            drop_rows: as for `encode`.

        Raises:
            DataError: if a table has too many columns, or is too long.
        """
        rows = [
            self.encode(record["table"], record["query"], where=f"question {record['number']}", drop_rows=drop_rows)
            for record in records
        ]
        longest = max(len(row["input_ids"][0]) for row in rows)
        fill = {"input_ids": self.hf.pad_token_id}
        features = {}
        for name in rows[0]:
            first = np.asarray(rows[0][name][0], np.int32)
            matrix = np.full((len(rows), longest, *first.shape[1:]), fill.get(name, 0), np.int32)
            for i, row in enumerate(rows):
                matrix[i, : len(row[name][0])] = row[name][0]
            features[name] = tf.constant(matrix)
        return features

    @cached_property
    def specs(self) -> dict[str, tf.TensorSpec]:
        """What a row to train on consists of."""
        specs = {
            "input_ids": tf.TensorSpec([None], tf.int32),
            "attention_mask": tf.TensorSpec([None], tf.int32),
            "token_type_ids": tf.TensorSpec([None, _NUM_TYPES], tf.int32),
            "labels": tf.TensorSpec([None], tf.int32),
        }
        if self.supervision.by_name:
            specs["aggregation_labels"] = tf.TensorSpec([], tf.int32)
        if self.supervision.by_answer:
            specs |= {
                "numeric_values": tf.TensorSpec([None], tf.float32),
                "numeric_values_scale": tf.TensorSpec([None], tf.float32),
                "float_answer": tf.TensorSpec([], tf.float32),
            }
        return specs

    def dataset(self, records: Iterable[Record], *, batch_size: int, shuffle: bool, seed: int) -> tf.data.Dataset:
        """Return batches of rows to train on, all of one size: the last is filled up with rows that have been before.

        Args:
            records: checked ones, with answers. Their rows are made now, and kept in memory.
            batch_size: rows in a batch.
            shuffle: draw the rows in another order in every epoch.
            seed: of that order.

        Raises:
            DataError: if a table has too many columns, or is too long.
        """
        records = tqdm(records, desc="lay out tables", unit="table", delay=PROGRESS_AFTER)
        rows = [self._row(record, number) for number, record in enumerate(records, start=1)]
        dataset = tf.data.Dataset.from_generator(lambda: iter(rows), output_signature=self.specs)
        if shuffle:
            dataset = dataset.shuffle(len(rows), seed=seed)
        fill = {"input_ids": self.hf.pad_token_id, "numeric_values": math.nan, "numeric_values_scale": 1.0}
        fill = {name: tf.constant(fill.get(name, 0), spec.dtype) for name, spec in self.specs.items()}
        length = max(len(row["input_ids"]) for row in rows)
        shapes = {name: [length if size is None else size for size in spec.shape] for name, spec in self.specs.items()}
        batches = dataset.repeat().padded_batch(batch_size, shapes, fill, drop_remainder=True)
        return batches.take(-(-len(rows) // batch_size)).prefetch(tf.data.AUTOTUNE)

    def _row(self, record: Record, number: int) -> dict[str, Any]:
        places = record["answer_coordinates"]
        encoded = self.encode(
            record["table"], record["query"], where=f"record {number}",
            answer_coordinates=[places], answer_text=[record["answers"]],
        )  # fmt: skip
        row = {name: values[0] for name, values in encoded.items()}
        row |= {"aggregation_labels": record["aggregation_label"], "float_answer": record["float_answer"]}
        return {name: np.asarray(row[name], spec.dtype.as_numpy_dtype) for name, spec in self.specs.items()}
