"""`Tokenizer`: a checkpoint's tokenizer, run as a graph where it can be compiled and by Rust where it can't."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers

from tfnlp._backend import tf
from tfnlp.errors import ArgumentError, UnsupportedTokenizerError
from tfnlp.tokenization.encoded import Encoded
from tfnlp.tokenization.graph.graph_tokenizer import GraphTokenizer
from tfnlp.tokenization.graph.template import check_window
from tfnlp.tokenization.pretrained import load_tokenizer

_UNLIMITED = 1_000_000  # transformers writes 1e30 for "no maximum"


class Tokenizer:
    """Encodes texts for one checkpoint.

    Attributes:
        hf: the Hugging Face fast tokenizer.
    """

    def __init__(self, hf: Any) -> None:
        self.hf = hf
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

    def encode(
        self,
        texts: Sequence[Any],
        text_pairs: Sequence[str] | None = None,
        *,
        max_length: int | None = None,
        stride: int = 0,
        truncation: str | None = None,
    ) -> Encoded:
        """Encode texts, or lists of words, or pairs of texts, with special tokens.

        Args:
            texts: strings, or lists of words.
            text_pairs: the second text of each.
            max_length: the most tokens in a row; a longer text becomes several.
            stride: how many tokens two neighbouring rows of a text share.
            truncation: of a pair, which text is cut into several rows (`only_second`, as is usual, or `only_first`), or
                `longest_first`, by which a pair has one row.

        Raises:
            ArgumentError: if `max_length` leaves no room for text beside `stride` and special tokens, or for a window
                beside the other text of a pair.
        """
        if self._compiled is None:
            return self._encode_in_rust(texts, text_pairs, max_length, stride, truncation)
        pairs = None if text_pairs is None else list(text_pairs)
        try:
            found = self._compiled(list(texts), pairs, max_length=max_length, stride=stride, truncation=truncation)
        except tf.errors.InvalidArgumentError as error:
            if pairs is None or "leaves no room" not in str(error):
                raise
            fixed = pairs if truncation == "only_first" else texts
            longest = max(fixed, key=lambda text: len(self.hf(text, add_special_tokens=False)["input_ids"]))
            raise ArgumentError(
                f"one text of a pair leaves no room for a window of the other: {longest!r:.80}, with "
                f"`max_length={max_length}` and `stride={stride}`. Raise the one, lower the other, or shorten the text."
            ) from error
        ids = found["input_ids"]
        offsets = found["offsets"].values.numpy()
        return Encoded(
            splits=ids.row_splits.numpy(),
            row_to_record=found["row_to_record"].numpy(),
            input_ids=ids.values.numpy(),
            token_type_ids=found["token_type_ids"].values.numpy(),
            word_ids=found["word_ids"].values.numpy(),
            starts=offsets[:, 0],
            ends=offsets[:, 1],
            special_tokens_mask=found["special_tokens_mask"].values.numpy(),
            sequence_ids=found["sequence_ids"].values.numpy(),
        )

    @cached_property
    def _for_words(self) -> Any:
        """The same tokenizer for texts that come as words: one of bytes must put the space before each itself."""
        if getattr(self.hf, "add_prefix_space", True):
            return self.hf
        spec = json.loads(self.hf.backend_tokenizer.to_str())
        pre_tokenizer, post_processor = spec["pre_tokenizer"], spec["post_processor"] or {}
        parts = [
            *pre_tokenizer.get("pretokenizers", [pre_tokenizer]),
            *post_processor.get("processors", [post_processor]),
        ]
        for part in parts:
            if "add_prefix_space" in part:
                part["add_prefix_space"] = True
        spaced = copy.deepcopy(self.hf)
        spaced.add_prefix_space = True
        spaced._tokenizer = tokenizers.Tokenizer.from_str(json.dumps(spec))
        return spaced

    def _encode_in_rust(
        self,
        texts: Sequence[Any],
        text_pairs: Sequence[str] | None,
        max_length: int | None,
        stride: int,
        truncation: str | None,
    ) -> Encoded:
        if max_length is not None:
            self.check_window(max_length, stride)
        words = bool(len(texts)) and not isinstance(texts[0], str)
        is_cut = max_length is not None
        cut = "only_first" if text_pairs is None else truncation or "only_second"
        found = (self._for_words if words else self.hf)(
            list(texts),
            None if text_pairs is None else list(text_pairs),
            is_split_into_words=words,
            truncation=cut if is_cut else False,
            max_length=max_length,
            stride=stride,
            return_overflowing_tokens=is_cut and cut != "longest_first",
            verbose=False,
        )
        rows = found.encodings
        offsets = _joined([row.offsets for row in rows]).reshape(-1, 2)
        return Encoded(
            splits=np.cumsum([0, *(len(row.ids) for row in rows)]),
            row_to_record=np.asarray(found.get("overflow_to_sample_mapping", range(len(rows))), np.int32),
            input_ids=_joined([row.ids for row in rows]),
            token_type_ids=_joined([row.type_ids for row in rows]),
            word_ids=_joined([[-1 if word is None else word for word in row.word_ids] for row in rows]),
            starts=offsets[:, 0],
            ends=offsets[:, 1],
            special_tokens_mask=_joined([row.special_tokens_mask for row in rows]),
            sequence_ids=_joined([[-1 if text is None else text for text in row.sequence_ids] for row in rows]),
        )

    def is_subword(self, texts: Sequence[str], encoded: Encoded, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Tell which tokens continue a word, as transformers' pipeline tells it.

        Args:
            texts: the whole text of each record.
            encoded: their rows.
            starts: the first character of each token in its record's text. Shape `(tokens,)`.
            ends: the character after the last. Shape `(tokens,)`.

        Returns:
            Shape `(tokens,)`, bool.
        """
        if self.token_lengths is not None:
            is_marked = self.token_lengths[encoded.input_ids] != ends - starts
            return is_marked & (encoded.input_ids != self.unknown_id)
        sizes = np.array([len(text) for text in texts], np.int64)
        is_space = np.array([char == " " for text in texts for char in text] + [True])
        position = (np.cumsum(sizes) - sizes)[encoded.records] + starts
        is_apart = (starts == 0) | is_space[position - 1] | is_space[np.minimum(position, len(is_space) - 1)]
        return ~is_apart & (encoded.input_ids != self.unknown_id)

    def is_subword_in_graph(
        self, text: tf.Tensor, record: tf.Tensor, ids: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor
    ) -> tf.Tensor:
        """Tell which tokens continue a word, as `is_subword` does, with TensorFlow ops.

        Args:
            text: the whole text of each record. Shape `(records,)`, string.
            record: of each token. Shape `(tokens,)`, int32.
            ids: of each token. Shape `(tokens,)`, int32.
            starts: the first character of each token in its record's text. Shape `(tokens,)`, int32.
            ends: the character after the last. Shape `(tokens,)`, int32.

        Returns:
            Shape `(tokens,)`, bool.
        """
        if self.token_lengths is not None:
            is_marked = tf.not_equal(tf.gather(self.token_lengths, ids), ends - starts)
            return is_marked & tf.not_equal(ids, self.unknown_id)
        characters = tf.strings.unicode_decode(text, "UTF-8")
        is_space = tf.concat([tf.equal(characters.values, ord(" ")), [True]], 0)
        position = tf.gather(tf.cast(characters.row_splits, tf.int32), record) + starts
        is_apart = (
            tf.equal(starts, 0) | tf.gather(is_space, tf.maximum(position - 1, 0)) | tf.gather(is_space, position)
        )
        return ~is_apart & tf.not_equal(ids, self.unknown_id)

    def save(self, directory: str | Path) -> None:
        """Write the tokenizer's files."""
        self.hf.save_pretrained(str(directory))


def _joined(rows: Sequence[Sequence[Any]]) -> np.ndarray:
    return np.array([value for row in rows for value in row], np.int32)
