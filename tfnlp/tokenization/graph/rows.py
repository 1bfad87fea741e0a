"""Texts to rows: one TensorFlow function for each kind of call, kept for all tokenizers of the same content."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from tfnlp._backend import on_cpu, tf
from tfnlp.tokenization.graph import template
from tfnlp.tokenization.graph.cache import cached
from tfnlp.tokenization.graph.compiler import Program, for_words, to_tensors
from tfnlp.tokenization.graph.ragged import changes, row_index
from tfnlp.tokenization.graph.texts import Tokens, tokenize_texts
from tfnlp.tokenization.graph.trimming import Trimming

UNLIMITED = 1 << 30  # more tokens than a batch has


class Call(NamedTuple):
    """A kind of call, which has a graph of its own.

    Attributes:
        is_split: for one text or two, whether it comes as words.
        truncation: `only_first`, `only_second` or `longest_first`.
        from_left: whether rows are cut from the left.
        add_special_tokens: whether the template's special tokens are added.
    """

    is_split: tuple[bool, ...]
    truncation: str
    from_left: bool
    add_special_tokens: bool


class Rows:
    """Turns batches of texts into rows, by a compiled tokenizer.

    Attributes:
        program: the compiled tokenizer, its tables as tensors.
    """

    def __init__(self, program: Program) -> None:
        with tf.init_scope():
            self.program = to_tensors(program)
        self._functions: dict[Call, Any] = {}

    def __call__(self, call: Call, batches: list[Any], max_length: int, stride: int) -> dict[str, tf.Tensor]:
        """Return the rows of a batch: see `GraphTokenizer.__call__`."""
        if call not in self._functions:
            self._functions[call] = self._build_function(call)
        return self._functions[call](batches, max_length, stride)

    def pieces(self, call: Call) -> tuple[template.Piece, ...]:
        """Return what stands around a call's texts."""
        pieces = self.program.templates.pair if len(call.is_split) == 2 else self.program.templates.single
        return tuple(piece for piece in pieces if call.add_special_tokens or isinstance(piece, template.Text))

    def _trimming(self, is_split: bool) -> Trimming | None:
        return (for_words(self.program) if is_split else self.program).trimming

    def _build_function(self, call: Call) -> Any:
        """Make the graph of one kind of call; it serves batches and lengths of every size."""
        signature = [_spec(split) for split in call.is_split]
        number = tf.TensorSpec([], tf.int32)
        pieces = self.pieces(call)

        @tf.function(input_signature=[signature, number, number], autograph=False)
        @on_cpu
        def tokenize(batches: list[Any], max_length: tf.Tensor, stride: tf.Tensor) -> dict[str, tf.Tensor]:
            tokens = [tokenize_texts(self.program, batch) for batch in batches]
            counts = [found.counts for found in tokens]
            budget = max_length - len(template.special_ids(pieces))
            if call.truncation == "longest_first":
                slices = template.shortened(counts, budget, from_left=call.from_left)
            else:
                moving = int(call.truncation == "only_second")
                slices = template.windows(counts, moving, budget, stride, from_left=call.from_left)
            return _assemble(pieces, tokens, slices, self._trimming(any(call.is_split)))

        return tokenize


@lru_cache(maxsize=8)
def rows_of(source: str, compile_source: Callable[[str], Program]) -> Rows:
    """Return the rows' maker of a tokenizer, from disk if it was compiled before.

    Args:
        source: the tokenizer's content.
        compile_source: what makes a program of it.
    """
    return Rows(cached(source, compile_source))


def _spec(is_split: bool) -> tf.TypeSpec:
    return tf.RaggedTensorSpec([None, None], tf.string, 1) if is_split else tf.TensorSpec([None], tf.string)


def _assemble(
    pieces: Sequence[template.Piece], tokens: Sequence[Tokens], slices: template.Slices, trimming: Trimming | None
) -> dict[str, tf.Tensor]:
    layout = template.lay_out(pieces, slices, [tf.size(found.ids) for found in tokens])
    special = template.special_ids(pieces)
    zeros, none = [0] * len(special), [-1] * len(special)

    def gathered(columns: Sequence[tf.Tensor], of_special: list[int]) -> tf.Tensor:
        return tf.gather(tf.concat([*columns, tf.constant(of_special, tf.int32)], 0), layout.source)

    starts = gathered([found.starts for found in tokens], zeros)
    ends = gathered([found.ends for found in tokens], zeros)
    if trimming is not None:
        leading, trailing = (
            gathered([found.spaces[side] for found in tokens if found.spaces], zeros) for side in (0, 1)
        )
        is_first = changes(row_index(layout.row_lengths)) | changes(layout.sequence_ids)
        starts, ends = trimming.trimmed(starts, ends, leading, trailing, is_first)
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
