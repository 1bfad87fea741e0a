"""SentencePiece's way with spaces: each becomes a visible character, and words begin with it.

Kudo and Richardson, "SentencePiece: A simple and language independent subword tokenizer" (2018).
"""

from __future__ import annotations

from dataclasses import dataclass

from tfnlp._backend import tf
from tfnlp.tokenization.graph.characters import Characters

PREPEND_SCHEMES = ("always", "first", "never")


@dataclass(frozen=True)
class Metaspace:
    """Replaces spaces, puts one before a piece that has none, and cuts before each.

    Attributes:
        replacement: the code point that stands for a space.
        prepend_scheme: before which pieces it is put: `always`, the `first` of a text, or `never`.
        split: whether to cut.
    """

    replacement: int
    prepend_scheme: str
    split: bool

    def __call__(self, characters: Characters) -> Characters:
        """Replace, put before, and cut."""
        points = tf.where(tf.equal(characters.points, ord(" ")), self.replacement, characters.points)
        characters = characters.with_points(points)
        if self.prepend_scheme != "never":
            lacks = characters.begins & tf.not_equal(points, self.replacement) & ~characters.is_added
            if self.prepend_scheme == "first":
                lacks &= tf.gather(characters.begins_text, characters.source)
            characters = characters.prepended(lacks, (self.replacement,))
        return characters.split_at(tf.equal(characters.points, self.replacement)) if self.split else characters
