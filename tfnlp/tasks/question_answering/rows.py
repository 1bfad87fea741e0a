"""`QuestionRows`: questions with windows of their contexts, and in each row the token that stands for no answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfnlp._backend import tf
from tfnlp.data.readers import Record
from tfnlp.tokenization.encoded import Encoded
from tfnlp.tokenization.tokenizer import Tokenizer


@dataclass(frozen=True)
class QuestionRows:
    """Encodes questions with contexts, a long context as windows, from Python and in the graph.

    Attributes:
        tokenizer: makes the rows.
        max_length: the most tokens in a row.
        stride: how many tokens of a context two neighbouring rows share.
    """

    tokenizer: Tokenizer
    max_length: int
    stride: int

    def encode(self, records: Sequence[Record]) -> Encoded:
        """Encode questions with their contexts.

        Raises:
            ArgumentError: if a question leaves no room for its context.
        """
        questions, contexts = ([record[name] for record in records] for name in ("question", "context"))
        return self.tokenizer.encode(questions, contexts, **self._options)

    def encode_in_graph(self, question: tf.Tensor, context: tf.Tensor) -> dict[str, tf.Tensor]:
        """Encode questions with their contexts, with TensorFlow ops.

        Args:
            question: Shape `(batch,)`, string.
            context: Shape `(batch,)`, string.

        Returns:
            Ragged columns of shape `(rows, tokens)`, and `row_to_record`, of shape `(rows,)`, int32.
        """
        return self.tokenizer.graph(question, context, **self._options)

    def null_places(self, encoded: Encoded) -> np.ndarray:
        """Return the place in its row of the token that stands for no answer. Shape `(rows,)`, int32."""
        places = np.zeros(encoded.num_rows, np.int32)
        token = np.flatnonzero((encoded.input_ids == self._null_id) & (encoded.sequence_ids < 0))[::-1]
        places[encoded.rows[token]] = token - encoded.splits[encoded.rows[token]]
        return places

    def nulls_in_graph(self, rows: dict[str, tf.Tensor]) -> tf.Tensor:
        """Return the token of each row that stands for no answer, as an index of all tokens. Shape `(rows,)`, int32."""
        ids = rows["input_ids"]
        begins = tf.cast(ids.row_starts(), tf.int32)
        is_null = tf.equal(ids.values, self._null_id) & tf.less(rows["sequence_ids"].values, 0)
        index = tf.where(is_null, tf.range(tf.size(ids.values)), tf.size(ids.values))
        found = tf.math.unsorted_segment_min(index, ids.value_rowids(), tf.size(begins))
        return tf.where(found < tf.size(ids.values), found, begins)

    @property
    def _options(self) -> dict[str, Any]:
        return {"max_length": self.max_length, "stride": self.stride, "truncation": "only_second"}

    @property
    def _null_id(self) -> int:
        """The id of the token that stands for no answer; -1: the first of each row does."""
        return -1 if self.tokenizer.hf.cls_token_id is None else self.tokenizer.hf.cls_token_id
