"""`Characters`: what flows through the tokenizer's steps, and how a step changes, drops, inserts and splits.

All characters of all texts of a batch lie in one vector. A piece is a stretch that a step treats alone: at first a text
or what lies between two added tokens, at last a word.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from tfnlp._backend import tf
from tfnlp.tokenization.graph.probing import NUM_CODE_POINTS
from tfnlp.tokenization.graph.ragged import changes, following, preceding, row_index, row_index_and_column, true_indices


class Added(NamedTuple):
    """The added tokens found in texts; each attribute is int32 of shape `(found,)`.

    Attributes:
        ids: their ids.
        last: the last original character that each stands for.
    """

    ids: tf.Tensor
    last: tf.Tensor


@dataclass(frozen=True)
class Characters:
    """The characters of a batch, one after the other; the first three are int32 of shape `(characters,)`.

    Attributes:
        points: code points; an added token is one character, `NUM_CODE_POINTS` plus its index in `added`.
        source: the character of the original texts that each stands for, or the first of them, as an index.
        piece: the piece that each is part of: ascending numbers, with gaps.
        begins_text: whether a text begins with each original character. Shape `(original characters,)`, bool.
        added: the added tokens in the texts.
    """

    points: tf.Tensor
    source: tf.Tensor
    piece: tf.Tensor
    begins_text: tf.Tensor
    added: Added

    @property
    def begins(self) -> tf.Tensor:
        """Whether each is the first of its piece. Shape `(characters,)`, bool."""
        return changes(self.piece)

    @property
    def ends(self) -> tf.Tensor:
        """Whether each is the last of its piece. Shape `(characters,)`, bool."""
        return following(self.begins, True)

    @property
    def is_added(self) -> tf.Tensor:
        """Whether each stands for an added token. Shape `(characters,)`, bool."""
        return self.points >= NUM_CODE_POINTS

    def with_points(self, points: tf.Tensor) -> Characters:
        """Return them with other code points, one for one."""
        return replace(self, points=points)

    def taken(self, index: tf.Tensor) -> Characters:
        """Return those at these positions."""
        points, source, piece = (tf.gather(column, index) for column in (self.points, self.source, self.piece))
        return replace(self, points=points, source=source, piece=piece)

    def kept(self, mask: tf.Tensor) -> Characters:
        """Return those for which a mask is true."""
        return either(tf.reduce_all(mask), lambda: self, lambda: self.taken(true_indices(mask)))

    def split_at(self, starts: tf.Tensor) -> Characters:
        """Return them in smaller pieces: one begins wherever `starts` is true."""
        return replace(self, piece=tf.cumsum(tf.cast(starts | self.begins, tf.int32)))

    def repeated(self, counts: tf.Tensor) -> tuple[Characters, tf.Tensor]:
        """Return each `counts` times, and for each copy the how-manieth it is."""
        owner, copy = row_index_and_column(counts)
        return self.taken(owner), copy

    def before(self, steps: int = 1) -> tf.Tensor:
        """Return for each the code point `steps` before it in its piece, -1 where there is none."""
        return self._shifted(preceding, steps)

    def after(self, steps: int = 1) -> tf.Tensor:
        """Return for each the code point `steps` after it in its piece, -1 where there is none."""
        return self._shifted(following, steps)

    def _shifted(self, shift: Callable[[tf.Tensor, int], tf.Tensor], steps: int) -> tf.Tensor:
        points, piece = self.points, self.piece
        for _ in range(steps):
            points, piece = shift(points, -1), shift(piece, -1)
        return tf.where(tf.equal(piece, self.piece), points, -1)

    def prepended(self, mask: tf.Tensor, content: tuple[int, ...]) -> Characters:
        """Insert code points before those for which a mask is true; they stand for the same original character."""

        def inserted() -> Characters:
            counts = tf.where(mask, 1 + len(content), 1)
            longer, copy = self.repeated(counts)
            is_new = tf.gather(mask, row_index(counts)) & (copy < len(content))
            return longer.with_points(
                tf.where(is_new, tf.gather(tf.constant(content), tf.minimum(copy, len(content) - 1)), longer.points)
            )

        return either(tf.reduce_any(mask), inserted, lambda: self)


def either(condition: tf.Tensor, then: Callable[[], Characters], otherwise: Callable[[], Characters]) -> Characters:
    """Return what one of two functions returns, as `tf.cond` does for tensors; neither looks for added tokens."""

    def columns(branch: Callable[[], Characters]) -> Callable[[], tuple[tf.Tensor, ...]]:
        def run() -> tuple[tf.Tensor, ...]:
            found = branch()
            rest.append((found.begins_text, found.added))
            return found.points, found.source, found.piece

        return run

    rest: list[tuple[tf.Tensor, Added]] = []
    points, source, piece = tf.cond(condition, columns(then), columns(otherwise))
    return Characters(points, source, piece, *rest[0])
