"""`Tokenizer`: a checkpoint's tokenizer, run as a graph where it can be compiled and by Rust where it can't."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tfnlp._backend import tf
from tfnlp.errors import ArgumentError, ExportError, UnsupportedTokenizerError
from tfnlp.padding import Side
from tfnlp.preprocessor import Preprocessor
from tfnlp.rows import Column, Rows
from tfnlp.tokenization.checking import check_tokenizer
from tfnlp.tokenization.graph.graph_tokenizer import GraphTokenizer
from tfnlp.tokenization.graph.template import check_window
from tfnlp.tokenization.pretrained import load_tokenizer
from tfnlp.tokenization.rust_rows import as_lists, rows_by_rust, spaced_before

_UNLIMITED = 1_000_000  # transformers writes 1e30 for "no maximum"


_COLUMNS = ("input_ids", "token_type_ids", "word_ids", "special_tokens_mask", "sequence_ids")


class Tokenizer(Preprocessor):
    """Makes rows of texts for one checkpoint.

    Attributes:
        hf: the Hugging Face fast tokenizer.
    """

    def __init__(self, hf: Any) -> None:
        self.hf = hf
        self.padding_side = hf.padding_side
        self._unsupported: UnsupportedTokenizerError | None = None

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, **options: Any) -> Tokenizer:
        """Load the tokenizer of a directory or Hub name.

        Raises:
            CheckpointError: if there is none.
            UnsupportedTokenizerError: if it exists in Python only.
        """
        return cls(load_tokenizer(name_or_path, **options))

    def __repr__(self) -> str:
        how = "in the graph" if self._compiled is not None else "by Rust"
        return f"Tokenizer({type(self.hf).__name__}, {len(self.hf)} tokens, run {how})"

    @property
    def graph(self) -> GraphTokenizer:
        """The tokenizer as TensorFlow ops.

        Raises:
            UnsupportedTokenizerError: if it can't be compiled exactly.
        """
        if self._compiled is None:
            assert self._unsupported is not None
            raise self._unsupported
        return self._compiled

    @property
    def is_compiled(self) -> bool:
        """Whether it can be run as TensorFlow ops."""
        return self._compiled is not None

    @cached_property
    def _compiled(self) -> GraphTokenizer | None:
        try:
            return GraphTokenizer(self.hf)
        except UnsupportedTokenizerError as error:
            self._unsupported = error  # raised when the graph itself is asked for
            return None

    @property
    def input_names(self) -> list[str]:
        """The inputs the checkpoint's network wants, by Hugging Face's names."""
        known = ("input_ids", "attention_mask", "token_type_ids")
        return [name for name in known if name in self.hf.model_input_names]

    @property
    def pad_id(self) -> int:
        """The id that fills up short rows; the mask hides it, so 0 serves where the tokenizer has none."""
        return self.hf.pad_token_id or 0

    @property
    def unknown_id(self) -> int:
        """The id of the unknown token, or -1, which no token has."""
        return -1 if self.hf.unk_token_id is None else self.hf.unk_token_id

    @property
    def max_length(self) -> int | None:
        """The most tokens of a row that the checkpoint was made for, or None."""
        return self.hf.model_max_length if self.hf.model_max_length < _UNLIMITED else None

    @cached_property
    def token_lengths(self) -> np.ndarray | None:
        """The characters of each vocabulary entry as it is written, where entries that continue a word are marked.

        An entry longer than the text it stands for bears the mark (`##ing`). Shape `(vocabulary,)`, int32. None: the
        vocabulary marks no such entries.
        """
        if not getattr(self.hf.backend_tokenizer.model, "continuing_subword_prefix", None):
            return None
        entries = self.hf.get_vocab()
        lengths = np.zeros(max(entries.values()) + 1, np.int32)
        lengths[list(entries.values())] = [len(entry) for entry in entries]
        return lengths

    def check_window(self, max_length: int, stride: int) -> None:
        """Raise `ArgumentError` if `max_length` leaves no room for new text beside `stride` and special tokens."""
        check_window(max_length, stride, self.hf.num_special_tokens_to_add())

    # A preprocessor

    @property
    def specs(self) -> dict[str, tf.TensorSpec]:
        """Each input is as long as the row. Shape `(length,)`, int32."""
        return {name: tf.TensorSpec([None], tf.int32) for name in self.input_names}

    @property
    def num_tokens(self) -> int:
        """How many tokens there are."""
        return len(self.hf)

    @property
    def fills(self) -> dict[str, int | float]:
        """The padding token; everything else is filled up with 0."""
        return {"input_ids": self.pad_id}

    @property
    def column_names(self) -> list[str]:
        """The columns of rows that features are made of: the mask tells tokens from padding, and is made here."""
        return ["input_ids", *(name for name in self.input_names if name not in ("input_ids", "attention_mask"))]

    def features(
        self, rows: Rows, size: tf.Tensor | int | None = None, side: Side | None = None
    ) -> dict[str, tf.Tensor]:
        """Make a network's inputs of rows.

        Args:
            rows: of tensors.
            size: to which rows are filled up; None: that of the longest.
            side: where they are filled up; None: on the tokenizer's own side.

        Returns:
            Shape `(rows, size)`, int32, each.
        """
        ids = rows.columns["input_ids"]
        mask = Column(tf.ones_like(ids.values), ids.splits)
        return super().features(rows._replace(columns={**rows.columns, "attention_mask": mask}), size, side)

    def check(self, samples: Sequence[str]) -> None:
        """Compare the tokenizer in the graph with the checkpoint's own.

        Raises:
            UnsupportedTokenizerError: if the tokenizer can't be compiled.
            ExportError: if the two differ on a text.
        """
        result = check_tokenizer(self.hf, samples, decodes=False)
        if result.unsupported is not None:
            raise UnsupportedTokenizerError(result.unsupported)
        if result.differences:
            raise ExportError(f"The tokenizer in the graph differs from the checkpoint's own:\n{result}")

    def rows(
        self,
        texts: Any,
        text_pairs: Any = None,
        *,
        max_length: int | None = None,
        stride: int = 0,
        truncation: str | None = None,
        add_special_tokens: bool = True,
    ) -> Rows:
        """Tokenize texts, or lists of words, or pairs of texts.

        In a graph, or where the tokenizer is compiled, it is run as TensorFlow ops; else by Rust.

        Args:
            texts: strings, or lists of words; or tensors of strings, shape `(batch,)`, ragged if they are words.
            text_pairs: the second text of each.
            max_length: the most tokens in a row; a longer text becomes several.
            stride: how many tokens two neighbouring rows of a text share.
            truncation: of a pair, which text is cut into several rows (`only_second`, as is usual, or `only_first`), or
                `longest_first`, by which a pair has one row.
            add_special_tokens: whether to add those of the checkpoint's template.

        Returns:
            Rows of tensors, with these columns, all int32:

            - `input_ids`, and `token_type_ids` by the checkpoint's template
            - `word_ids`: the index of each token's word in its text, -1 for special tokens
            - `starts`, `ends`: `[start, end)` in characters of the text; of the word, where texts come as words
            - `special_tokens_mask`: 1 for tokens of the template
            - `sequence_ids`: 0 for tokens of the text, 1 for those of its pair, -1 for tokens of the template

        Raises:
            ArgumentError: if `max_length` leaves no room for text beside `stride` and special tokens, or for a window
                beside the other text of a pair.
            UnsupportedTokenizerError: in a graph, if the tokenizer can't be compiled.
        """
        if self._compiled is None and tf.executing_eagerly():
            if max_length is not None:
                self.check_window(max_length, stride)
            pairs = None if text_pairs is None else as_lists(text_pairs)
            texts = as_lists(texts)
            are_words = bool(texts) and not isinstance(texts[0], str)
            return rows_by_rust(
                self._for_words if are_words else self.hf, texts, pairs, are_words=are_words, max_length=max_length,
                stride=stride, truncation=truncation, add_special_tokens=add_special_tokens,
            )  # fmt: skip
        try:
            encoded = self.graph(
                texts, text_pairs, max_length=max_length, stride=stride, truncation=truncation,
                add_special_tokens=add_special_tokens,
            )  # fmt: skip
        except tf.errors.InvalidArgumentError as error:
            if text_pairs is None or "leaves no room" not in str(error):
                raise
            fixed = as_lists(text_pairs if truncation == "only_first" else texts)
            longest = max(fixed, key=lambda text: len(self.hf(text, add_special_tokens=False)["input_ids"]))
            raise ArgumentError(
                f"one text of a pair leaves no room for a window of the other: {longest!r:.80}, with "
                f"`max_length={max_length}` and `stride={stride}`. Raise the one, lower the other, or shorten the text."
            ) from error
        splits = encoded["input_ids"].row_splits
        starts, ends = tf.unstack(encoded["offsets"].values, axis=1)
        flat = {name: encoded[name].values for name in _COLUMNS} | {"starts": starts, "ends": ends}
        return Rows({name: Column(values, splits) for name, values in flat.items()}, encoded["row_to_record"])

    def opened_rows(self, texts: Any) -> Rows:
        """Tokenize texts that go on: without the special tokens that the checkpoint's template puts after a text.

        Args:
            texts: strings, or a tensor of them, shape `(batch,)`.

        Returns:
            Rows, as of `rows`.
        """
        rows = self.rows(texts)
        mask = self.hf("a", return_special_tokens_mask=True)["special_tokens_mask"]
        closing = next((i for i, is_special in enumerate(reversed(mask)) if not is_special), 0)
        if not closing:
            return rows
        columns = {}
        for name, column in rows.columns.items():
            ragged = tf.RaggedTensor.from_row_splits(column.values, column.splits, validate=False)[:, :-closing]
            columns[name] = Column(ragged.values, ragged.row_splits)
        return rows._replace(columns=columns)

    @cached_property
    def _for_words(self) -> Any:
        return spaced_before(self.hf)

    def save(self, directory: str | Path) -> None:
        """Write the tokenizer's files."""
        self.hf.save_pretrained(str(directory))


class TextTokenizer(Tokenizer):
    """A tokenizer of networks that make texts: these have no types of tokens, and learn with padding on the right."""

    def __init__(self, hf: Any) -> None:
        super().__init__(hf)
        self.padding_side = "right"

    @property
    def input_names(self) -> list[str]:
        """The tokens, and which of them are none."""
        return ["input_ids", "attention_mask"]
