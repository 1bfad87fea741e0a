"""Which character each character of a changed text stands for, as the Rust tokenizer keeps count of it."""

from __future__ import annotations

from tfnlp._backend import tf
from tfnlp.tokenization.graph.ragged import exclusive_cumsum


def replaced_characters(change: tf.Tensor, piece: tf.Tensor, old_piece: tf.Tensor) -> tf.Tensor:
    """Return for each new character the old one that it stands for, as an index.

    Args:
        change: 0 for a character that takes the next old one's place, 1 for one that is put after that, `-n` for one
            that takes the place of `1 + n`. Shape `(new characters,)`, int32.
        piece: of the new characters, ascending. Shape `(new characters,)`, int32.
        old_piece: of the old characters, ascending. Shape `(old characters,)`, int32.

    Returns:
        Shape `(new characters,)`, int32.
    """
    taken = tf.where(change <= 0, 1 - change, 0)
    reached = exclusive_cumsum(taken)
    begin = tf.gather(reached, tf.searchsorted(piece, piece))
    old_begin = tf.searchsorted(old_piece, piece)
    return old_begin + tf.maximum(reached - begin - tf.cast(change > 0, tf.int32), 0)
