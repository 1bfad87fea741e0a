"""Offsets without the spaces that a token of bytes begins or ends with (`trim_offsets`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfnlp._backend import tf
from tfnlp.tokenization.graph import probing
from tfnlp.tokenization.graph.pre_tokenizers.byte_level import byte_characters
from tfnlp.tokenization.graph.tables import CharacterTable, Table, table_of_members


@dataclass(frozen=True)
class Trimming:
    """What the offsets of tokens lose.

    Attributes:
        leading: how many characters of white space each token begins with. Shape `(vocabulary,)`, int32.
        trailing: how many it ends with. Shape `(vocabulary,)`, int32.
        white_space: 1 for each code point of white space.
        add_prefix_space: whether one space before the first token of a text counts as put there by the tokenizer.
    """

    leading: Table
    trailing: Table
    white_space: CharacterTable
    add_prefix_space: bool

    def spaces(
        self, ids: tf.Tensor, is_added: tf.Tensor, points: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Count the white space at the ends of tokens: of the vocabulary's, or of the text's where it is an added one.

        Args:
            ids: Shape `(tokens,)`, int32.
            is_added: whether each is an added token. Shape `(tokens,)`, bool.
            points: all characters of the texts. Shape `(characters,)`, int32.
            starts: the first character of each token, as an index. Shape `(tokens,)`, int32.
            ends: the character after its last. Shape `(tokens,)`, int32.

        Returns:
            How much each begins and ends with. Shape `(tokens,)` each, int32.
        """
        leading, trailing = tf.gather(self.leading, ids), tf.gather(self.trailing, ids)

        def of_text() -> tuple[tf.Tensor, tf.Tensor]:
            is_space = tf.equal(self.white_space(points), 1)
            others = tf.cast(tf.where(~is_space)[:, 0], tf.int32)
            size = tf.size(points)
            after = tf.gather(tf.concat([others, [size]], 0), tf.searchsorted(others, starts))
            before = tf.gather(tf.concat([[-1], others], 0), tf.searchsorted(others, ends))
            first = tf.minimum(after, ends) - starts
            last = ends - tf.maximum(before + 1, starts)
            return tf.where(is_added, first, leading), tf.where(is_added, last, trailing)

        return tf.cond(tf.reduce_any(is_added), of_text, lambda: (leading, trailing))

    def trimmed(
        self, starts: tf.Tensor, ends: tf.Tensor, leading: tf.Tensor, trailing: tf.Tensor, is_first: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Take the white space off.

        Args:
            starts: of tokens, in their text. Shape `(tokens,)`, int32.
            ends: the character after the last. Shape `(tokens,)`, int32.
            leading: how much white space each begins with. Shape `(tokens,)`, int32.
            trailing: how much it ends with. Shape `(tokens,)`, int32.
            is_first: whether each is the first of its row. Shape `(tokens,)`, bool.

        Returns:
            The new starts and ends.
        """
        if self.add_prefix_space:
            is_put_there = (is_first | tf.equal(starts, 0)) & tf.equal(leading, 1)
            leading = tf.where(is_put_there, 0, leading)
        starts = tf.minimum(starts + leading, ends)
        ends = tf.where(ends >= trailing, tf.maximum(ends - trailing, starts), ends)
        return starts, ends


def compile_trimming(post_processor: dict[str, Any] | None, vocabulary: Mapping[str, int]) -> Trimming | None:
    """Compile what the `post_processor` of a `tokenizer.json` does to offsets; None: nothing."""
    found = [part for part in probing.parts_of(post_processor, "processors") if part.get("trim_offsets")]
    if not found:
        return None
    leading, trailing = np.zeros((2, max(vocabulary.values()) + 1), np.int32)
    spaces = "".join(map(chr, probing.probe_white_space())) + chr(byte_characters()[ord(" ")])
    for token, token_id in vocabulary.items():
        leading[token_id] = len(token) - len(token.lstrip(spaces))
        trailing[token_id] = len(token) - len(token.rstrip(spaces))
    return Trimming(leading, trailing, table_of_members(probing.probe_white_space()), found[0]["add_prefix_space"])
