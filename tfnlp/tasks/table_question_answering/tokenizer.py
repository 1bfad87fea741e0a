"""`TableTokenizer`: TAPAS's tokenizer, which lays a table out beside a question. It exists in Python only."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from tfnlp._backend import tf
from tfnlp.checkpoints.tapas import ROW
from tfnlp.errors import DataError, UnsupportedTokenizerError
from tfnlp.preprocessor import Preprocessor
from tfnlp.tokenization.pretrained import load_table_tokenizer

_NUM_TYPES = 7  # after those: earlier answer, two ranks of numbers, relation of a number to the question


class TableTokenizer(Preprocessor):
    """Makes rows of tables and questions.

    Attributes:
        hf: the Hugging Face tokenizer of TAPAS.
    """

    def __init__(self, hf: Any) -> None:
        self.hf = hf
        hf.deprecation_warnings["Truncation-not-explicitly-activated"] = True  # it is, but by the table's rows

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, **options: Any) -> TableTokenizer:
        """Load the tokenizer of a directory or Hub name.

        Raises:
            CheckpointError: if there is none.
            VersionError: if pandas is missing, or newer than the tokenizer knows.
        """
        return cls(load_table_tokenizer(name_or_path, **options))

    @property
    def specs(self) -> dict[str, tf.TensorSpec]:
        """Ids and mask, shape `(length,)`, and types, shape `(length, 7)`; int32."""
        ids = tf.TensorSpec([None], tf.int32)
        return {"input_ids": ids, "attention_mask": ids, "token_type_ids": tf.TensorSpec([None, _NUM_TYPES], tf.int32)}

    @property
    def num_tokens(self) -> int:
        """How many tokens there are."""
        return len(self.hf)

    @property
    def max_length(self) -> int:
        """The most tokens of a row that the checkpoint was made for."""
        return self.hf.model_max_length

    @property
    def is_compiled(self) -> bool:
        """It can't be."""
        return False

    @property
    def fills(self) -> dict[str, int | float]:
        """The padding token; everything else is filled up with 0."""
        return {"input_ids": self.hf.pad_token_id}

    def encode(
        self, table: Any, query: str, *, where: str, max_length: int, drop_rows: bool = False, **answers: Any
    ) -> dict[str, list[Any]]:
        """Tokenize a question and its table.

        Args:
            table: a `pandas.DataFrame` of texts.
            query: the question.
            where: where the two are from, for messages.
            max_length: the most tokens.
            drop_rows: of a table that is too long, leave out the last rows.
            answers: what the Hugging Face tokenizer takes of right answers.

        Returns:
            What `specs` names, and what the tokenizer makes of answers; an element for each token.

        Raises:
            DataError: if the table has too many columns, or is too long.
        """
        try:
            with warnings.catch_warnings():  # of pandas 2, which pandas 3 made an error; 2026-11
                warnings.filterwarnings("ignore", "Series.__getitem__ treating keys as positions", FutureWarning)
                encoded = self.hf(
                    table=table,
                    queries=[query],
                    truncation="drop_rows_to_fit",
                    max_length=max_length,
                    **answers,
                )
        except ValueError as error:  # too many columns, for example
            raise DataError(f"{where}: TAPAS can't read its table: {error}.") from error
        num_rows = max(types[ROW] for types in encoded["token_type_ids"][0])
        if num_rows < len(table) and not drop_rows:
            other = "" if answers else ", or have the last rows left out by `predict(..., drop_rows=True)`"
            raise DataError(
                f"{where}: {num_rows} of the {len(table)} rows of the table fit into {max_length} tokens: leave out "
                f"rows and columns that the question is not about{other}."
            )
        return {name: values[0] for name, values in encoded.items()}

    def check(self, samples: Sequence[Any]) -> NoReturn:
        """Say why it can't be exported.

        Raises:
            UnsupportedTokenizerError: always.
        """
        raise UnsupportedTokenizerError(
            "TAPAS can't be served from raw text: its tokenizer exists in Python only. Encode tables with "
            "`tokenizer.hf` beside the server, and serve `head` on token ids."
        )

    def save(self, directory: str | Path) -> None:
        """Write the tokenizer's files."""
        self.hf.save_pretrained(str(directory))
