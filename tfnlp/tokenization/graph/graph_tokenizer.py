"""`GraphTokenizer`: a checkpoint's tokenizer as TensorFlow ops, equal to the Rust one to the last id and offset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tfnlp._backend import tf
from tfnlp.errors import ArgumentError, UnsupportedTokenizerError
from tfnlp.tokenization.graph import template
from tfnlp.tokenization.graph.added_tokens import replace_added_tokens
from tfnlp.tokenization.graph.characters import look_up, reorder_marks, split_words
from tfnlp.tokenization.graph.compiler import compile_tokenizer, to_tensors
from tfnlp.tokenization.graph.ragged import exclusive_cumsum, row_index
from tfnlp.tokenization.graph.wordpiece import tokenize_words
from tfnlp.tokenization.pretrained import load_fast_tokenizer

Texts = Any  # strings, lists of words, or a (ragged) string tensor of either


@dataclass(frozen=True)
class Tokens:
    """The tokens of a batch of texts, one after the other; each attribute is int32 of shape `(tokens,)`.

    Attributes:
        ids: token ids.
        starts: first character, in its text (or its word, where texts come as words).
        ends: the character after the last.
        words: index of the word in its text.
        counts: how many tokens each text has. Shape `(texts,)`.
    """

    ids: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    words: tf.Tensor
    counts: tf.Tensor


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
    """

    def __init__(self, tokenizer: Any) -> None:
        """Compile a tokenizer.

        Args:
            tokenizer: a `tokenizers.Tokenizer`, or a Hugging Face fast tokenizer.

        Raises:
            UnsupportedTokenizerError: if a component or setting of it can't be reproduced exactly; it names which.
        """
        super().__init__(name="graph_tokenizer")
        rust = getattr(tokenizer, "backend_tokenizer", tokenizer)
        if rust is tokenizer and (rust.truncation or rust.padding):  # Hugging Face's own sets them anew at each call
            raise UnsupportedTokenizerError(
                "The tokenizer truncates or pads by itself: call `no_truncation()` and `no_padding()` on it, and pass "
                "`max_length` when you call the graph."
            )
        if getattr(tokenizer, "padding_side", "right") != "right":
            raise UnsupportedTokenizerError("`padding_side='left'` is not reproduced in the graph.")
        if getattr(tokenizer, "truncation_side", "right") != "right":
            raise UnsupportedTokenizerError("`truncation_side='left'` is not reproduced in the graph.")
        with tf.init_scope():
            self._program = to_tensors(compile_tokenizer(rust))
        self._functions: dict[Any, Any] = {}

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path, **options: Any) -> GraphTokenizer:
        """Compile the tokenizer of a directory or Hub name.

        Raises:
            CheckpointError: if there is no tokenizer there.
            UnsupportedTokenizerError: if it can't be reproduced exactly.
        """
        return cls(load_fast_tokenizer(name_or_path, **options))

    def __call__(
        self,
        texts: Texts,
        text_pairs: Texts | None = None,
        *,
        max_length: int | None = None,
        stride: int = 0,
        add_special_tokens: bool = True,
    ) -> dict[str, tf.Tensor]:
        """Tokenize a batch of texts, or of pairs.

        Args:
            texts: strings, shape `(records,)`, or the words of each, ragged of shape `(records, words)`.
            text_pairs: the second text of each record, in the same form.
            max_length: the most tokens in a row, special tokens included. A longer text becomes several rows; of a
                pair it is the second text that is cut, as with `truncation="only_second"`.
            stride: how many tokens of the text two neighbouring rows share.
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
            ArgumentError: if `max_length` leaves no room for text beside special tokens and `stride`.
        """
        batches = [_to_strings(batch) for batch in (texts, text_pairs) if batch is not None]
        if max_length is not None:
            pieces = self._template(pair=len(batches) == 2, add_special_tokens=add_special_tokens)
            template.check_window(max_length, stride, len(template.special_ids(pieces)))
        is_split = tuple(isinstance(batch, tf.RaggedTensor) for batch in batches)
        key = (is_split, max_length is not None, add_special_tokens)
        if key not in self._functions:
            self._functions[key] = self._build_function(*key)
        return self._functions[key](batches, max_length or 0, stride)

    def _template(self, *, pair: bool, add_special_tokens: bool) -> tuple[template.Piece, ...]:
        pieces = self._program.templates.pair if pair else self._program.templates.single
        return tuple(piece for piece in pieces if add_special_tokens or isinstance(piece, template.Text))

    def _build_function(self, is_split: tuple[bool, ...], cuts: bool, add_special_tokens: bool) -> Any:
        """Make the graph of one kind of call; it serves batches and lengths of every size."""
        signature = [
            tf.RaggedTensorSpec([None, None], tf.string, 1) if split else tf.TensorSpec([None], tf.string)
            for split in is_split
        ]
        number = tf.TensorSpec([], tf.int32)
        pieces = self._template(pair=len(is_split) == 2, add_special_tokens=add_special_tokens)

        @tf.function(input_signature=[signature, number, number], autograph=False)
        def tokenize(batches: list[Any], max_length: tf.Tensor, stride: tf.Tensor) -> dict[str, tf.Tensor]:
            tokens = [self._tokenize(batch) for batch in batches]
            counts = [found.counts for found in tokens]
            if cuts:
                budget = max_length - len(template.special_ids(pieces))
                slices = template.windows(counts, len(batches) - 1, budget, stride)
            else:
                slices = template.whole_texts(counts)
            return _assemble(pieces, tokens, slices)

        return tokenize

    def _tokenize(self, batch: tf.Tensor | tf.RaggedTensor) -> Tokens:
        """Turn each text, or each text's words, into tokens."""
        is_split = isinstance(batch, tf.RaggedTensor)
        strings = batch.values if is_split else batch
        decoded = tf.strings.unicode_decode(strings, "UTF-8")  # bytes that are no UTF-8 become U+FFFD
        splits = tf.cast(decoded.row_splits, tf.int32)
        segment = row_index(splits[1:] - splits[:-1])
        points = decoded.values
        begins, ends = tf.range(tf.size(points)), tf.range(1, tf.size(points) + 1)
        if self._program.added_tokens is not None:
            points, begins, ends = replace_added_tokens(self._program.added_tokens, points, segment)

        characters = self._program.characters
        symbols, source = look_up(characters, points)
        stretch = tf.gather(tf.gather(segment, begins), source)
        symbols, source = reorder_marks(characters, symbols, source, stretch)
        symbols, source, word_starts, word_lengths = split_words(characters, symbols, source, stretch)
        ids, word, first, after = tokenize_words(self._program.model, symbols, word_starts, word_lengths)

        start = tf.gather(begins, tf.gather(source, first))
        end = tf.gather(ends, tf.gather(source, after - 1))
        token_segment = tf.gather(segment, start)
        origin = tf.gather(splits, token_segment)
        num_segments = tf.size(splits) - 1
        counts = tf.math.bincount(token_segment, minlength=num_segments, maxlength=num_segments)
        if is_split:
            word_splits = tf.cast(batch.row_splits, tf.int32)
            record = row_index(word_splits[1:] - word_splits[:-1])
            word = token_segment - tf.gather(word_splits, tf.gather(record, token_segment))
            counts = _sums(counts, word_splits)
        else:
            word_segment = tf.gather(segment, tf.gather(begins, tf.gather(source, word_starts)))
            words = tf.math.bincount(word_segment, minlength=num_segments, maxlength=num_segments)
            word = word - tf.gather(exclusive_cumsum(words), token_segment)
        return Tokens(ids, start - origin, end - origin, word, counts)


def _sums(counts: tf.Tensor, splits: tf.Tensor) -> tf.Tensor:
    """Add up the counts of each row."""
    total = tf.concat([[0], tf.cumsum(counts)], 0)
    return tf.gather(total, splits[1:]) - tf.gather(total, splits[:-1])


def _assemble(
    pieces: Sequence[template.Piece], tokens: Sequence[Tokens], slices: template.Slices
) -> dict[str, tf.Tensor]:
    layout = template.lay_out(pieces, slices, [tf.size(found.ids) for found in tokens])
    special = template.special_ids(pieces)
    zeros, none = [0] * len(special), [-1] * len(special)

    def gathered(columns: Sequence[tf.Tensor], of_special: list[int]) -> tf.Tensor:
        return tf.gather(tf.concat([*columns, tf.constant(of_special, tf.int32)], 0), layout.source)

    starts = gathered([found.starts for found in tokens], zeros)
    ends = gathered([found.ends for found in tokens], zeros)
    flat = {
        "input_ids": gathered([found.ids for found in tokens], special),
        "attention_mask": tf.ones_like(layout.source),
        "token_type_ids": layout.type_ids,
        "word_ids": gathered([found.words for found in tokens], none),
        "sequence_ids": layout.sequence_ids,
        "special_tokens_mask": tf.cast(layout.sequence_ids < 0, tf.int32),
        "offsets": tf.stack([starts, ends], 1),
    }
    lengths = tf.cast(layout.row_lengths, tf.int64)
    splits = tf.RaggedTensor.from_row_lengths(flat["input_ids"], lengths, validate=False)
    rows: dict[str, tf.Tensor] = {name: splits.with_values(values) for name, values in flat.items()}
    return rows | {"row_to_record": slices.record}


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
