"""Normalizers that find something in the text: `Replace`, `Strip`, `Prepend`."""

from __future__ import annotations

from dataclasses import dataclass

from tfnlp._backend import tf
from tfnlp.tokenization.graph.characters import Characters, either
from tfnlp.tokenization.graph.matching import Pattern
from tfnlp.tokenization.graph.ragged import preceding, row_index
from tfnlp.tokenization.graph.tables import CharacterTable


@dataclass(frozen=True)
class Replace:
    """Puts other text in the place of every match.

    Attributes:
        pattern: what to find.
        content: the code points to put there; they stand for the last character of the match.
    """

    pattern: Pattern
    content: tuple[int, ...]

    def __call__(self, characters: Characters) -> Characters:
        """Replace all matches."""
        spans = self.pattern(characters)
        is_last = spans.is_match & (characters.ends | tf.concat([spans.starts[1:], [True]], 0)[: tf.size(spans.starts)])

        def replaced() -> Characters:
            counts = tf.where(spans.is_match, tf.where(is_last, len(self.content), 0), 1)
            longer, copy = characters.repeated(counts)
            if not self.content:
                return longer
            is_new = tf.gather(spans.is_match, row_index(counts))
            content = tf.gather(tf.constant(self.content), tf.minimum(copy, len(self.content) - 1))
            return longer.with_points(tf.where(is_new, content, longer.points))

        return either(tf.reduce_any(spans.is_match), replaced, lambda: characters)


@dataclass(frozen=True)
class Strip:
    """Drops the white space that a piece begins or ends with.

    Attributes:
        white_space: 1 for each code point of white space.
        left: whether to drop it at the start.
        right: whether to drop it at the end.
    """

    white_space: CharacterTable
    left: bool
    right: bool

    def __call__(self, characters: Characters) -> Characters:
        """Drop white space at the ends of pieces."""
        is_space = tf.equal(self.white_space(characters.points), 1)
        kept = tf.ones_like(is_space)
        if self.left:
            kept &= ~_runs_from(is_space, characters.begins)
        if self.right:
            kept &= ~_runs_from(is_space[::-1], characters.ends[::-1])[::-1]
        return characters.kept(kept)


def _runs_from(mask: tf.Tensor, begins: tf.Tensor) -> tf.Tensor:
    """Tell which are part of an unbroken run of true values that starts where `begins` is true."""
    piece = tf.cumsum(tf.cast(begins, tf.int32))
    broken = tf.cumsum(tf.cast(~mask, tf.int32))
    before = tf.boolean_mask(preceding(broken, 0), begins)
    return tf.equal(broken, tf.gather(before, piece - 1))


@dataclass(frozen=True)
class Prepend:
    """Puts text before every piece.

    Attributes:
        content: its code points.
    """

    content: tuple[int, ...]

    def __call__(self, characters: Characters) -> Characters:
        """Put the text there."""
        return characters.prepended(characters.begins & ~characters.is_added, self.content)
