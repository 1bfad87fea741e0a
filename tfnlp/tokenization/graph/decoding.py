"""Token ids back to text: a string for each token, by its place in the row, joined and repaired."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfnlp._backend import tf
from tfnlp.errors import UnsupportedTokenizerError
from tfnlp.tokenization.graph.pre_tokenizers.byte_level import byte_characters
from tfnlp.tokenization.graph.probing import parts_of, rust_component
from tfnlp.tokenization.graph.tables import Table

_BYTE_TOKEN = re.compile("<0x([0-9A-F]{2})>")
_REPLACEMENT = "\ufffd"
# What Hugging Face's `clean_up_tokenization` replaces, in its order.
_CLEAN_UP = ((" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"), (" 'm", "'m"),
             (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"))  # fmt: skip


@dataclass(frozen=True)
class Decoding:
    """What each token is written as.

    Attributes:
        first: at the start of a row. Shape `(vocabulary,)`, string (bytes, not always whole characters).
        middle: after another token. Shape `(vocabulary,)`, string.
        last: at the end of a row of several. Shape `(vocabulary,)`, string.
        only: alone. Shape `(vocabulary,)`, string.
        is_known: whether there is such a token. Shape `(vocabulary,)`, bool.
        is_special: whether it is left out when special tokens are skipped. Shape `(vocabulary,)`, bool.
        byte_values: the byte that each stands for, -1 for other tokens; None: none stands for a byte. int32.
        replacements: what is replaced in the whole text at last, as regular expressions with what comes instead.
    """

    first: Table
    middle: Table
    last: Table
    only: Table
    is_known: Table
    is_special: Table
    byte_values: Table | None
    replacements: tuple[tuple[str, str], ...]

    def __call__(self, ids: tf.RaggedTensor, *, skip_special_tokens: bool, clean_up: bool) -> tf.Tensor:
        """Write rows of ids as texts.

        Args:
            ids: Shape `(rows, tokens)`, int32.
            skip_special_tokens: leave special tokens out.
            clean_up: take away spaces before punctuation and English contractions, as Hugging Face does.

        Returns:
            Shape `(rows,)`, string.
        """
        known = tf.clip_by_value(ids.values, 0, self.is_known.shape[0] - 1)
        is_written = tf.equal(known, ids.values) & tf.gather(self.is_known, known)
        if skip_special_tokens:
            is_written &= ~tf.gather(self.is_special, known)
        rows = tf.ragged.boolean_mask(ids, ids.with_values(is_written))
        row = tf.cast(rows.value_rowids(), tf.int32)
        begins = tf.concat([[True], tf.not_equal(row[1:], row[:-1])], 0)[: tf.size(row)]
        ends = tf.concat([begins[1:], [True]], 0)[: tf.size(row)]
        pieces = tf.where(
            begins,
            tf.where(ends, tf.gather(self.only, rows.values), tf.gather(self.first, rows.values)),
            tf.where(ends, tf.gather(self.last, rows.values), tf.gather(self.middle, rows.values)),
        )
        if self.byte_values is not None:
            pieces = self._with_bytes(rows.values, row, pieces)
        text = tf.strings.unsorted_segment_join(pieces, row, tf.cast(ids.nrows(), tf.int32))
        text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
        wanted = [(re.escape(before), after) for before, after in _CLEAN_UP] if clean_up else []
        for pattern, after in (*self.replacements, *wanted):
            text = tf.strings.regex_replace(text, pattern, after)
        return text

    def _with_bytes(self, ids: tf.Tensor, row: tf.Tensor, pieces: tf.Tensor) -> tf.Tensor:
        """Write tokens that stand for bytes: neighbours that make whole characters as those, others as U+FFFD."""
        assert self.byte_values is not None
        is_byte = tf.gather(self.byte_values, ids) >= 0
        changes = tf.not_equal(row[1:], row[:-1]) | tf.not_equal(is_byte[1:], is_byte[:-1])
        run = tf.cumsum(tf.cast(tf.concat([[True], changes], 0)[: tf.size(row)], tf.int32)) - 1
        values = tf.gather(tf.constant([bytes([byte]) for byte in range(256)]), tf.gather(self.byte_values, ids) % 256)
        joined = tf.strings.unsorted_segment_join(values, run, tf.reduce_max(tf.concat([run, [-1]], 0)) + 1)
        is_whole = tf.equal(joined, tf.strings.unicode_transcode(joined, "UTF-8", "UTF-8", errors="replace"))
        return tf.where(is_byte, tf.where(tf.gather(is_whole, run), values, _REPLACEMENT.encode()), pieces)


def compile_decoding(
    spec: dict[str, Any] | None, tokens: Sequence[str | None], special: Collection[str], *, word_end: str = ""
) -> Decoding:
    """Compile the `decoder` of a `tokenizer.json`.

    Args:
        spec: the decoder; None: tokens are joined by spaces.
        tokens: of each id, added ones too; None: there is no such token.
        special: those that may be skipped.
        word_end: what the Hugging Face tokenizer at last replaces by a space (CLIP's `</w>`); "": nothing.

    Raises:
        UnsupportedTokenizerError: if a part of it can't be reproduced; it names which.
    """
    parts = parts_of(spec, "decoders")
    names = [part["type"] for part in parts]
    for name in names:
        if name not in _KNOWN:
            raise UnsupportedTokenizerError(f"The decoder {name!r} is not reproduced in the graph.")
    of_whole = next((i for i, name in enumerate(names) if name in ("ByteFallback", "Fuse")), len(parts))
    late = [part for part in parts[of_whole:] if part["type"] not in ("ByteFallback", "Fuse")]
    if any(part["type"] != "Strip" for part in late) or (late and "Fuse" not in names):
        raise UnsupportedTokenizerError(
            f"The decoders {', '.join(names)}, in this order, are not reproduced in the graph."
        )
    written = np.full((4, len(tokens)), b"", object)
    write = _writer(parts[:of_whole], has_decoder=spec is not None)
    for token_id, token in enumerate(tokens):
        if token is not None:
            written[:, token_id] = write(token)
    is_known = np.array([token is not None for token in tokens])
    is_special = np.array([token in special for token in tokens])
    replacements = [pattern for part in late for pattern in _strips(part)]
    if word_end:
        replacements += [(re.escape(word_end), " "), (r"^\s+|\s+$", "")]
    byte_values = _byte_values(written[1]) if "ByteFallback" in names else None
    first, middle, last, only = written
    return Decoding(first, middle, last, only, is_known, is_special, byte_values, tuple(replacements))


_KNOWN = ("WordPiece", "ByteLevel", "Metaspace", "BPEDecoder", "Replace", "ByteFallback", "Fuse", "Strip")


def _writer(parts: list[dict[str, Any]], *, has_decoder: bool) -> Callable[[str], list[bytes]]:
    """Return the function from a token to what is written of it: first, in the middle, last, and alone."""
    if any(part["type"] == "ByteLevel" for part in parts):
        if len(parts) > 1:
            raise UnsupportedTokenizerError("The decoder 'ByteLevel' beside others is not reproduced in the graph.")
        return lambda token: [_bytes_of(token)] * 4
    if not has_decoder:
        return lambda token: [token.encode(), b" " + token.encode(), b" " + token.encode(), token.encode()]
    if not parts:
        return lambda token: [token.encode()] * 4
    decode = rust_component("decoder", {"type": "Sequence", "decoders": parts}).decode
    begins, ends = len(decode(["x", "x"])) - len(decode(["x"])), len(decode(["x"]))

    def write(token: str) -> list[bytes]:
        first, last, only = decode([token, "x"])[:-begins], decode(["x", token])[ends:], decode([token])
        middle = decode(["x", token, "x"])[ends:-begins]
        return [piece.encode() for piece in (first, middle, last, only)]

    return write


_BYTES = {chr(point): byte for byte, point in enumerate(byte_characters())}


def _bytes_of(token: str) -> bytes:
    if all(letter in _BYTES for letter in token):
        return bytes(_BYTES[letter] for letter in token)
    return token.encode()


def _byte_values(written: np.ndarray) -> np.ndarray:
    found = [_BYTE_TOKEN.fullmatch(token.decode()) for token in written]
    return np.array([int(match[1], 16) if match else -1 for match in found], np.int32)


def _strips(part: dict[str, Any]) -> list[tuple[str, str]]:
    one = re.escape(part["content"])
    return [(f"^{one}{{0,{part['start']}}}", ""), (f"{one}{{0,{part['stop']}}}$", "")]
