"""Rows from tokens: special tokens around one text or a pair, type ids, truncation, windows with stride."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tfnlp._backend import tf
from tfnlp.errors import ArgumentError, UnsupportedTokenizerError
from tfnlp.tokenization.graph.ragged import exclusive_cumsum, ranges, row_index, row_index_and_column


@dataclass(frozen=True)
class Special:
    """A special token of a template, and its type id."""

    id: int
    type_id: int


@dataclass(frozen=True)
class Text:
    """The place of a text in a template: 0 for the first, 1 for the second; and its type id."""

    index: int
    type_id: int


Piece = Special | Text


@dataclass(frozen=True)
class Templates:
    """What stands around one text and around a pair."""

    single: tuple[Piece, ...]
    pair: tuple[Piece, ...]


_PLAIN = Templates(single=(Text(0, 0),), pair=(Text(0, 0), Text(1, 1)))


def compile_templates(post_processor: dict[str, Any] | None) -> Templates:
    """Compile the `post_processor` of a `tokenizer.json`.

    Raises:
        UnsupportedTokenizerError: for one that is not reproduced.
    """
    if post_processor is None:
        return _PLAIN
    if post_processor["type"] not in _COMPILERS:
        raise UnsupportedTokenizerError(
            f"The post-processor {post_processor['type']!r} is not reproduced in the graph."
        )
    return _COMPILERS[post_processor["type"]](post_processor)


def _sequence(spec: dict[str, Any]) -> Templates:
    found = [part for part in spec["processors"] if part["type"] != "ByteLevel"]
    if len(found) > 1:
        names = ", ".join(part["type"] for part in found)
        raise UnsupportedTokenizerError(f"Several post-processors in a row are not reproduced in the graph: {names}.")
    return compile_templates(found[0]) if found else _PLAIN


def _bert(spec: dict[str, Any]) -> Templates:
    cls, sep = spec["cls"][1], spec["sep"][1]
    single = (Special(cls, 0), Text(0, 0), Special(sep, 0))
    return Templates(single=single, pair=(*single, Text(1, 1), Special(sep, 1)))


def _roberta(spec: dict[str, Any]) -> Templates:
    cls, sep = spec["cls"][1], spec["sep"][1]
    single = (Special(cls, 0), Text(0, 0), Special(sep, 0))
    return Templates(single=single, pair=(*single, Special(sep, 0), Text(1, 0), Special(sep, 0)))


def _template(spec: dict[str, Any]) -> Templates:
    ids = {name: token["ids"] for name, token in spec["special_tokens"].items()}
    return Templates(single=tuple(_pieces(spec["single"], ids)), pair=tuple(_pieces(spec["pair"], ids)))


def _pieces(template: Sequence[dict[str, Any]], ids: dict[str, list[int]]) -> list[Piece]:
    pieces: list[Piece] = []
    for piece in template:
        if "Sequence" in piece:
            pieces.append(Text("AB".index(piece["Sequence"]["id"]), piece["Sequence"]["type_id"]))
        else:
            token = piece["SpecialToken"]
            pieces += [Special(token_id, token["type_id"]) for token_id in ids[token["id"]]]
    return pieces


_COMPILERS: dict[str, Callable[[dict[str, Any]], Templates]] = {
    "ByteLevel": lambda spec: _PLAIN,
    "BertProcessing": _bert,
    "RobertaProcessing": _roberta,
    "TemplateProcessing": _template,
    "Sequence": _sequence,
}


@dataclass(frozen=True)
class Slices:
    """For each row, which of a text's tokens it holds.

    Attributes:
        record: the record of each row. Shape `(rows,)`, int32.
        starts: the first token, for each text of the record. Shape `(rows,)` each, int32.
        lengths: how many tokens, for each text of the record. Shape `(rows,)` each, int32.
    """

    record: tf.Tensor
    starts: tuple[tf.Tensor, ...]
    lengths: tuple[tf.Tensor, ...]


def windows(
    counts: Sequence[tf.Tensor], moving: int, budget: tf.Tensor, stride: tf.Tensor, *, from_left: bool = False
) -> Slices:
    """Rows that together hold every token of the moving text, cut where the Rust tokenizer cuts.

    Args:
        counts: the tokens of each text. Shape `(records,)`, int32.
        moving: which text is cut into windows; the other stands whole in each of its record's rows.
        budget: the tokens a row has room for, over all texts.
        stride: the tokens of the moving text that two neighbouring windows share.
        from_left: whether the first window is the text's end, and what it lacks is on its left.
    """
    rooms = budget - sum((count for i, count in enumerate(counts) if i != moving), tf.zeros_like(counts[0]))
    step = rooms - stride
    narrow = tf.reduce_any((counts[moving] > rooms) & (step < 1))
    message = "`max_length` leaves no room for a window: raise it, or lower `stride`. Tokens left for text:"
    check = tf.debugging.Assert(~narrow, [message, tf.reduce_min(rooms), "stride:", stride])
    with tf.control_dependencies([check]):
        step = tf.maximum(step, 1)
    more = tf.maximum(counts[moving] - rooms, 0)
    record, index = row_index_and_column(1 + (more + step - 1) // step)
    offset = index * tf.gather(step, record)
    starts, lengths = [], []
    for i, count in enumerate(counts):
        begin, size = tf.gather(exclusive_cumsum(count), record), tf.gather(count, record)
        if i == moving:
            length = tf.minimum(size - offset, tf.gather(rooms, record))
            begin += size - offset - length if from_left else offset
            size = length
        starts.append(begin)
        lengths.append(size)
    return Slices(record, tuple(starts), tuple(lengths))


def shortened(counts: Sequence[tf.Tensor], budget: tf.Tensor, *, from_left: bool = False) -> Slices:
    """One row a record: of a pair that is too long the longer text is cut, then both alike (`longest_first`).

    Args:
        counts: the tokens of each text of the pair. Shape `(records,)`, int32.
        budget: the tokens a row has room for, over both texts.
        from_left: whether a text loses its first tokens instead of its last.
    """
    shorter = tf.minimum(*counts)
    least = tf.where(shorter > budget, shorter, tf.maximum(shorter, budget - shorter))
    is_over = shorter + least > budget
    shorter = tf.where(is_over, budget // 2, shorter)
    least = tf.where(is_over, budget // 2 + budget % 2, least)
    fits = counts[0] + counts[1] <= budget
    is_swapped = counts[0] > counts[1]
    kept = tf.where(is_swapped, least, shorter), tf.where(is_swapped, shorter, least)
    starts, lengths = [], []
    for count, size in zip(counts, kept, strict=True):
        length = tf.where(fits, count, tf.minimum(count, size))
        starts.append(exclusive_cumsum(count) + (count - length if from_left else 0))
        lengths.append(length)
    return Slices(tf.range(tf.size(shorter)), tuple(starts), tuple(lengths))


@dataclass(frozen=True)
class Layout:
    """Where each position of each row comes from.

    Attributes:
        row_lengths: Shape `(rows,)`, int32.
        source: an index into the pool: the tokens of the first texts, of the second texts, the special tokens.
            Shape `(positions,)`, int32.
        type_ids: Shape `(positions,)`, int32.
        sequence_ids: 0 or 1 for a token of the first or second text, -1 for a special token. Shape `(positions,)`.
    """

    row_lengths: tf.Tensor
    source: tf.Tensor
    type_ids: tf.Tensor
    sequence_ids: tf.Tensor


def lay_out(template: Sequence[Piece], slices: Slices, num_tokens: Sequence[tf.Tensor]) -> Layout:
    """Fill a template for each row: every piece is a slice of the pool, so a row is a few slices one after the other.

    Args:
        template: the pieces.
        slices: the tokens of each row.
        num_tokens: how many tokens the first texts have together, and the second ones.
    """
    pool = [0, *tf.unstack(tf.cumsum(tf.stack(list(num_tokens))), num=len(num_tokens))]
    one = tf.ones_like(slices.record)
    starts, lengths, special = [], [], 0
    for piece in template:
        if isinstance(piece, Text):
            starts.append(pool[piece.index] + slices.starts[piece.index])
            lengths.append(slices.lengths[piece.index])
        else:
            starts.append((pool[-1] + special) * one)
            lengths.append(one)
            special += 1
    starts, lengths = tf.stack(starts, 1), tf.stack(lengths, 1)  # (rows, pieces)
    flat = tf.reshape(lengths, [-1])
    piece = row_index(flat) % len(template)
    type_ids = [piece.type_id for piece in template]
    sequence_ids = [piece.index if isinstance(piece, Text) else -1 for piece in template]
    return Layout(
        row_lengths=tf.reduce_sum(lengths, 1),
        source=ranges(tf.reshape(starts, [-1]), flat),
        type_ids=tf.gather(tf.constant(type_ids), piece),
        sequence_ids=tf.gather(tf.constant(sequence_ids), piece),
    )


def check_window(max_length: int, stride: int, num_special: int) -> None:
    """Raise `ArgumentError` if rows of `max_length` have no room for new text beside special tokens and `stride`."""
    room = max_length - num_special
    if not 0 <= stride < room:
        raise ArgumentError(
            f"`max_length={max_length}` has room for {room} tokens of text beside the special tokens; `stride` must "
            f"be in [0, {room}), and is {stride}."
        )


def special_ids(template: Sequence[Piece]) -> list[int]:
    """Return the ids of a template's special tokens, in order."""
    return [piece.id for piece in template if isinstance(piece, Special)]
