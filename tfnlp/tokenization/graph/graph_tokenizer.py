"""`GraphTokenizer`: a checkpoint's tokenizer as TensorFlow ops, equal to the Rust one to the last id and offset."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from tfnlp._backend import tf
from tfnlp.errors import ArgumentError, UnsupportedTokenizerError
from tfnlp.tokenization.graph.compiler import Program, compile_decoder, compile_tokenizer, to_tensors
from tfnlp.tokenization.graph.decoding import Decoding
from tfnlp.tokenization.graph.marian import compile_marian, compile_marian_decoder, marian_source
from tfnlp.tokenization.graph.rows import UNLIMITED, Call, rows_of
from tfnlp.tokenization.graph.template import check_window, special_ids
from tfnlp.tokenization.pretrained import is_marian, load_tokenizer

Texts = Any  # strings, lists of words, or a (ragged) string tensor of either


class GraphTokenizer(tf.Module):
    """A tokenizer made of core TensorFlow ops.

    Works alike in eager code, in `tf.data`, in a `tf.function` and in a SavedModel, and needs no other package there.

    >>> from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    >>> rust = Tokenizer(models.WordPiece({"[UNK]": 0, "new": 1, "york": 2, "##er": 3}, unk_token="[UNK]"))
    >>> rust.normalizer, rust.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    >>> tokenizer = GraphTokenizer(rust)
    >>> encoded = tokenizer(["New Yorker"])
    >>> encoded["input_ids"].to_list(), encoded["offsets"].to_list()
    ([[1, 2, 3]], [[[0, 3], [4, 8], [8, 10]]])

    Attributes:
        hf: the tokenizer that was compiled.
        padding_side: where `pad` fills up rows, `right` or `left`.
        truncation_side: where windows begin to be cut, `right` or `left`.
        pad_values: what `pad` fills each column up with.
    """

    def __init__(self, tokenizer: Any, *, target: bool = False) -> None:
        """Compile a tokenizer.

        Args:
            tokenizer: a `tokenizers.Tokenizer`, a Hugging Face fast tokenizer, or its tokenizer for Marian.
            target: of a tokenizer for Marian, compile that of the language that is translated to.

        Raises:
            UnsupportedTokenizerError: if a component or setting of it can't be reproduced exactly; it names which.
        """
        super().__init__(name="graph_tokenizer")
        self.hf = tokenizer
        self.padding_side: str = getattr(tokenizer, "padding_side", "right")
        self.truncation_side: str = getattr(tokenizer, "truncation_side", "right")
        self.pad_values = {
            "input_ids": getattr(tokenizer, "pad_token_id", None) or 0,
            "token_type_ids": getattr(tokenizer, "pad_token_type_id", 0),
            "special_tokens_mask": 1,
            "word_ids": -1,
            "sequence_ids": -1,
        }
        self._cleans_up = bool(getattr(tokenizer, "clean_up_tokenization_spaces", False))
        self._rows = rows_of(*_source(tokenizer, target=target))

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, **options: Any) -> GraphTokenizer:
        """Compile the tokenizer of a directory or Hub name.

        Raises:
            CheckpointError: if there is no tokenizer there.
            UnsupportedTokenizerError: if it can't be reproduced exactly.
        """
        return cls(load_tokenizer(name_or_path, **options))

    def __call__(
        self,
        texts: Texts,
        text_pairs: Texts | None = None,
        *,
        max_length: int | None = None,
        stride: int = 0,
        truncation: str | None = None,
        add_special_tokens: bool = True,
    ) -> dict[str, tf.Tensor]:
        """Tokenize a batch of texts, or of pairs.

        Args:
            texts: strings, shape `(records,)`, or the words of each, ragged of shape `(records, words)`.
            text_pairs: the second text of each record, in the same form.
            max_length: the most tokens in a row, special tokens included. A longer text becomes several rows.
            stride: how many tokens of the text two neighbouring rows share.
            truncation: of a pair, which text is cut into several rows: `only_second`, as is usual, or `only_first`; or
                `longest_first`, by which a pair has but one row, and loses what is too long.
            add_special_tokens: whether to add the special tokens of the checkpoint's template.

        Returns:
            Ragged tensors of shape `(rows, tokens)`, int32:

            - `input_ids`, `attention_mask`, `token_type_ids`
            - `word_ids`: the index of the word in its text, -1 for special tokens
            - `sequence_ids`: 0 or 1, the text of the pair; -1 for special tokens
            - `special_tokens_mask`: 1 for tokens of the template
            - `offsets`, of shape `(rows, tokens, 2)`: `[start, end)` in Unicode characters of the text; of the word,
              where texts come as words; (0, 0) for special tokens

            and `row_to_record`, of shape `(rows,)`: the record that each row is part of.

        Raises:
            ArgumentError: if `max_length` leaves no room for text beside special tokens and `stride`, or `truncation`
                is none of these.
        """
        batches = [_to_strings(batch) for batch in (texts, text_pairs) if batch is not None]
        call = Call(
            is_split=tuple(isinstance(batch, tf.RaggedTensor) for batch in batches),
            truncation=_truncation(truncation, len(batches)) if max_length is not None else "only_first",
            from_left=self.truncation_side == "left",
            add_special_tokens=add_special_tokens,
        )
        if max_length is not None:
            check_window(max_length, stride, len(special_ids(self._rows.pieces(call))))
        return self._rows(call, batches, UNLIMITED if max_length is None else max_length, stride)

    def decode(
        self,
        ids: Any,
        *,
        skip_special_tokens: bool = True,
        clean_up_tokenization_spaces: bool | None = None,
    ) -> tf.Tensor:
        """Write token ids as text.

        Args:
            ids: a matrix or ragged rows of ids, or lists of them. Shape `(rows, tokens)`, integers. Ids that are no
                token's are left out, as padding with -100 is.
            skip_special_tokens: leave special tokens out.
            clean_up_tokenization_spaces: take away spaces before punctuation and English contractions; None: as the
                checkpoint says.

        Returns:
            Shape `(rows,)`, string.

        Raises:
            UnsupportedTokenizerError: if the tokenizer's decoder can't be reproduced; it names which part.
        """
        rows = ids if isinstance(ids, (tf.Tensor, tf.RaggedTensor)) else tf.ragged.constant(ids, ragged_rank=1)
        if isinstance(rows, tf.Tensor):
            rows = tf.RaggedTensor.from_tensor(rows)
        cleans = self._cleans_up if clean_up_tokenization_spaces is None else clean_up_tokenization_spaces
        return self._decoding(tf.cast(rows, tf.int32), skip_special_tokens=skip_special_tokens, clean_up=cleans)

    @cached_property
    def _decoding(self) -> Decoding:
        with tf.init_scope():
            return to_tensors(_compile_decoder(self.hf))

    @property
    def pieces(self) -> tf.Tensor:
        """What each token is written as, after another one. Shape `(vocabulary,)`, string (of bytes, in parts).

        Raises:
            UnsupportedTokenizerError: if the tokenizer's decoder can't be reproduced.
        """
        decoding = self._decoding
        if decoding.byte_values is None:
            return decoding.middle
        every_byte = tf.constant([bytes([value]) for value in range(256)])
        return tf.where(decoding.byte_values >= 0, tf.gather(every_byte, decoding.byte_values % 256), decoding.middle)

    def pad(self, encoded: dict[str, tf.Tensor], length: int | None = None) -> dict[str, tf.Tensor]:
        """Fill up rows to matrices, on the tokenizer's padding side.

        Args:
            encoded: what a call returned.
            length: of the rows; None: that of the longest.

        Returns:
            The same names, each of shape `(rows, length)`, and `offsets` of shape `(rows, length, 2)`.
        """
        dense = {}
        for name, rows in encoded.items():
            if not isinstance(rows, tf.RaggedTensor):
                dense[name] = rows
                continue
            left = self.padding_side == "left"
            shape = [None, length, *rows.shape[2:]] if length is not None else None
            filled = rows[:, ::-1] if left else rows
            filled = filled.to_tensor(self.pad_values.get(name, 0), shape=shape)
            dense[name] = filled[:, ::-1] if left else filled
        return dense


def _source(tokenizer: Any, *, target: bool) -> tuple[str, Callable[[str], Program]]:
    """Return a tokenizer's content, and what compiles it."""
    if is_marian(tokenizer):
        return marian_source(tokenizer, target=target), compile_marian
    if target:
        raise ArgumentError("`target` is for Marian's tokenizers, which have one for each language.")
    rust = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if rust is tokenizer and (rust.truncation or rust.padding):  # Hugging Face's own sets them anew at each call
        raise UnsupportedTokenizerError(
            "The tokenizer truncates or pads by itself: call `no_truncation()` and `no_padding()` on it, and pass "
            "`max_length` when you call the graph."
        )
    return rust.to_str(), compile_tokenizer


def _compile_decoder(tokenizer: Any) -> Decoding:
    if is_marian(tokenizer):
        return compile_marian_decoder(tokenizer)
    rust = getattr(tokenizer, "backend_tokenizer", tokenizer)
    is_clip = hasattr(tokenizer, "_wrap_decode_method_backend_tokenizer")
    return compile_decoder(rust, word_end=rust.model.end_of_word_suffix if is_clip else "")


def _truncation(wanted: str | None, num_texts: int) -> str:
    allowed = ("only_second", "only_first", "longest_first")
    if wanted is not None and wanted not in allowed:
        raise ArgumentError(f"`truncation` must be one of {', '.join(map(repr, allowed))}, and is {wanted!r}.")
    if num_texts == 1:
        return "only_first"
    return wanted or "only_second"


def _to_strings(batch: Texts) -> tf.Tensor | tf.RaggedTensor:
    if isinstance(batch, tf.RaggedTensor):
        return batch
    if not tf.is_tensor(batch):
        if isinstance(batch, (str, bytes)):
            raise ArgumentError("`texts` must be a batch of texts; put a single text into a list.")
        batch = list(batch)
        if batch and not isinstance(batch[0], (str, bytes)):
            return tf.ragged.constant(batch, tf.string, ragged_rank=1)
        batch = tf.constant(batch, tf.string)
    return tf.RaggedTensor.from_tensor(batch) if batch.shape.rank == 2 else batch
