"""`Ends`: what ends a sequence: a token, or a text that several tokens may spell."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tfnlp._backend import tf


@dataclass(frozen=True)
class Ends:
    """Tells which sequences have ended with the token that was written last.

    Attributes:
        token_ids: of which each ends a sequence.
        strings: of which each ends a sequence, once it stands in its text and the last token has a part of it.
        pieces: what each token is written as, after another one; needed for strings. Shape `(vocabulary,)`, string.
    """

    token_ids: tuple[int, ...]
    strings: tuple[str, ...] = ()
    pieces: tf.Tensor | None = None

    def __call__(self, tokens: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        """Tell which sequences have ended.

        Args:
            tokens: Shape `(rows, size)`, int32.
            length: how many places of each row are written, at least one. Scalar, int32.

        Returns:
            Shape `(rows,)`, bool.
        """
        last = tf.gather(tokens, length - 1, axis=1)
        is_end = tf.reduce_any(tf.equal(last[:, None], tf.constant(self.token_ids, tf.int32)), 1)
        if not self.strings:
            return is_end
        longest = max(len(text.encode()) for text in self.strings)
        window = tokens[:, tf.maximum(length - longest - 1, 0) : length]
        is_known = window < tf.shape(self.pieces)[0]  # a network may have more tokens than its tokenizer
        pieces = tf.where(is_known, tf.gather(self.pieces, tf.where(is_known, window, 0)), "")
        text, last_size = tf.strings.reduce_join(pieces, 1), tf.strings.length(pieces[:, -1])
        for wanted in self.strings:
            size = last_size + (len(wanted.encode()) - 1)  # all of it ends in the last token
            tail = tf.strings.substr(text, -tf.minimum(size, tf.strings.length(text)), size)
            by_bytes = tf.strings.unicode_transcode(tail, "ISO-8859-1", "UTF-8")  # a piece may be half a character
            is_end |= tf.strings.regex_full_match(by_bytes, f"(?s).*{re.escape(wanted.encode().decode('latin-1'))}.*")
        return is_end
