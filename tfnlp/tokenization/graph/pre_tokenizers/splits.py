"""Pre-tokenizers that cut where a pattern matches, or where the script changes."""

from __future__ import annotations

from dataclasses import dataclass

from tfnlp._backend import tf
from tfnlp.tokenization.graph.characters import Characters
from tfnlp.tokenization.graph.matching import Pattern, Spans
from tfnlp.tokenization.graph.ragged import changes, preceding
from tfnlp.tokenization.graph.tables import CharacterTable

BEHAVIORS = ("Removed", "Isolated", "Contiguous", "MergedWithPrevious", "MergedWithNext")


@dataclass(frozen=True)
class Split:
    """Cuts each piece into matches and what lies between.

    Attributes:
        pattern: what to find.
        behavior: what becomes of matches, one of `BEHAVIORS`, which mean what they mean in `tokenizers`.
        invert: whether what lies between counts as the match.
    """

    pattern: Pattern
    behavior: str
    invert: bool = False

    def __call__(self, characters: Characters) -> Characters:
        """Cut."""
        spans = self.pattern(characters)
        if self.invert:
            spans = Spans(~spans.is_match, spans.starts)
        return cut(characters, spans, self.behavior)


def cut(characters: Characters, spans: Spans, behavior: str) -> Characters:
    """Cut pieces at spans, as a behavior says."""
    is_match, starts = spans.is_match, spans.starts
    begins = characters.begins
    if behavior == "Removed":
        return characters.split_at(starts).kept(~is_match | characters.is_added)
    if behavior == "Isolated":
        return characters.split_at(starts)
    if behavior == "Contiguous":
        return characters.split_at(changes(is_match))
    if behavior == "MergedWithPrevious":  # the first match after other text stays with that
        return characters.split_at(starts & (~is_match | preceding(is_match, True) | begins))
    return characters.split_at(starts & (is_match | ~preceding(is_match, False)))


@dataclass(frozen=True)
class ScriptChange:
    """Cuts where the script changes, as SentencePiece's trainer did (`UnicodeScripts`).

    Attributes:
        scripts: the script of each code point; 0 for those that belong to any.
    """

    scripts: CharacterTable

    def __call__(self, characters: Characters) -> Characters:
        """Cut. What stands before a piece's first character of a script is dropped, as the Rust component does."""
        script = self.scripts(characters.points)
        has_script = script > 0
        last = tf.cumsum(tf.cast(has_script, tf.int32))
        known = tf.boolean_mask(script, has_script)
        scripts = tf.gather(tf.concat([[0], known], 0), last)  # of each, or of the last before it that has one
        piece = tf.cumsum(tf.cast(characters.begins, tf.int32)) - 1
        before = tf.boolean_mask(preceding(last, 0), characters.begins)
        is_led = last > tf.gather(before, piece)
        starts = has_script & (changes(scripts) | ~preceding(is_led, False) | characters.begins)
        return characters.split_at(starts).kept(is_led | characters.is_added)
