"""Patterns: how a text falls into matches and what lies between, without a regular expression at run time.

A regular expression is reproduced if it is one class of characters, once or repeated, or one of the few that
tokenizers are published with; the members of a class are asked of the Rust tokenizer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from tokenizers import Regex, pre_tokenizers

from tfnlp._backend import tf
from tfnlp.errors import UnsupportedTokenizerError
from tfnlp.tokenization.graph import probing
from tfnlp.tokenization.graph.characters import Characters
from tfnlp.tokenization.graph.leftmost import leftmost
from tfnlp.tokenization.graph.ragged import changes, following, preceding, true_indices
from tfnlp.tokenization.graph.tables import CharacterTable, build_character_table, table_of_members


@dataclass(frozen=True)
class Spans:
    """How characters fall into matches and what lies between them; both of shape `(characters,)`, bool.

    Attributes:
        is_match: whether each is part of a match.
        starts: whether a match, or what lies between two, begins with it.
    """

    is_match: tf.Tensor
    starts: tf.Tensor


class Pattern(Protocol):
    """Finds matches that do not overlap, from the start of each piece to its end."""

    def __call__(self, characters: Characters) -> Spans:
        """Find the matches."""
        ...


@dataclass(frozen=True)
class OfKinds:
    """Matches by kinds of characters: neighbours of one kind belong together, or each stands alone.

    Attributes:
        kinds: the kind of each code point, from 0.
        matching: the kinds that match.
        single: the kinds of which each character is a match by itself.
        least: runs shorter than this do not match.
    """

    kinds: CharacterTable
    matching: tuple[int, ...]
    single: tuple[int, ...] = ()
    least: int = 1

    def __call__(self, characters: Characters) -> Spans:
        """Find the matches."""
        kind = self.kinds(characters.points)
        starts = characters.begins | changes(kind)
        is_match = _is_one_of(kind, self.matching)
        if self.least > 1:
            run = tf.cumsum(tf.cast(starts, tf.int32)) - 1
            lengths = tf.math.bincount(run)
            is_match &= tf.gather(lengths, run) >= self.least
            starts = characters.begins | changes(is_match)
        return Spans(is_match, starts | _is_one_of(kind, self.single))


@dataclass(frozen=True)
class Runs:
    r"""Matches runs of two or more characters of a class, and some of its characters alone: `\s{2,}|[\n\r\t]`.

    Attributes:
        kinds: 1 for a character of the class, 2 for one that matches alone, 0 for others.
    """

    kinds: CharacterTable

    def __call__(self, characters: Characters) -> Spans:
        """Find the matches."""
        kind = self.kinds(characters.points)
        is_inside = kind > 0
        run = tf.cumsum(tf.cast(characters.begins | changes(is_inside), tf.int32)) - 1
        is_long = tf.gather(tf.math.bincount(run), run) > 1
        is_match = is_inside & (is_long | tf.equal(kind, 2))
        return Spans(is_match, characters.begins | changes(is_match))


def _is_one_of(kind: tf.Tensor, kinds: tuple[int, ...]) -> tf.Tensor:
    found = tf.zeros_like(kind, tf.bool)
    for one in kinds:
        found |= tf.equal(kind, one)
    return found


@dataclass(frozen=True)
class Literal:
    """Matches a given text of several characters.

    Attributes:
        content: its code points.
    """

    content: tuple[int, ...]

    def __call__(self, characters: Characters) -> Spans:
        """Find the matches; of those that overlap the leftmost."""
        size = len(self.content)
        begins = tf.equal(characters.points, self.content[0])
        for i, point in enumerate(self.content[1:], start=1):
            begins &= tf.equal(characters.after(i), point)
        first = true_indices(begins)
        first = tf.boolean_mask(first, leftmost(first, first + size))
        inside = tf.reshape(first[:, None] + tf.range(size), [-1])
        mask = tf.zeros_like(begins)
        is_match = tf.tensor_scatter_nd_update(mask, inside[:, None], tf.ones_like(inside, tf.bool))
        is_first = tf.tensor_scatter_nd_update(mask, first[:, None], tf.ones_like(first, tf.bool))
        return Spans(is_match, characters.begins | is_first | changes(is_match))


LETTER, NUMBER, SPACE, OTHER = 0, 1, 2, 3
_CONTRACTIONS = ("s", "t", "m", "d", "re", "ve", "ll")


@dataclass(frozen=True)
class EnglishWords:
    """The patterns of GPT-2 and of CLIP: letters, numbers, others and English contractions.

    Attributes:
        kinds: whether each code point is a letter, a number, white space or other.
        takes_space: whether a match takes along one space before it, and white space matches too (GPT-2).
        single_numbers: whether each number is a match by itself (CLIP).
    """

    kinds: CharacterTable
    takes_space: bool
    single_numbers: bool

    def __call__(self, characters: Characters) -> Spans:
        """Find the matches."""
        kind = self.kinds(characters.points)
        starts = characters.begins | changes(kind)
        is_space = tf.equal(kind, SPACE)
        if self.takes_space:
            starts &= is_space | tf.not_equal(characters.before(), ord(" "))
            starts |= is_space & ~following(is_space, True) & ~characters.ends  # the last before a word
        if self.single_numbers:
            starts |= tf.equal(kind, NUMBER)
        starts = tf.cond(
            tf.reduce_any(tf.equal(characters.points, ord("'"))),
            lambda: self._with_contractions(characters, kind, starts),
            lambda: starts,
        )
        return Spans(tf.ones_like(is_space) if self.takes_space else ~is_space, starts)

    def _with_contractions(self, characters: Characters, kind: tf.Tensor, starts: tf.Tensor) -> tf.Tensor:
        """Join the letters of a contraction to its apostrophe, where a match begins with that."""
        apostrophe = starts & tf.equal(characters.points, ord("'"))
        first, second = characters.after(1), characters.after(2)
        length = tf.zeros_like(kind)
        for letters in _CONTRACTIONS:
            found = tf.equal(first, ord(letters[0]))
            if len(letters) == 2:
                found &= tf.equal(second, ord(letters[1]))
            length = tf.where(apostrophe & found, len(letters), length)
        joined = preceding(length, 0) > 0  # the first letter
        joined |= tf.equal(preceding(preceding(length, 0), 0), 2)  # the second
        rest = tf.equal(preceding(preceding(length, 0), 0), 1)
        rest |= tf.equal(preceding(preceding(preceding(length, 0), 0), 0), 2)
        rest &= tf.equal(kind, LETTER) & ~characters.begins
        return (starts & ~joined) | rest


_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_CLIP = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
# One class: a character, an escape such as \s or \p{L}, or a set in brackets; then how often.
_ONE_CLASS = re.compile(
    r"(?P<one>[^\\.^$|?*+()\[\]{}]|\\[^pP1-9bBAzZG]|\\[pP]\{\^?\w+\}|\[(?:[^\\\[\]&]|\\.)+\])(?P<many>\+|\{(?P<least>\d+),\})?"
)


def compile_regex(regex: str) -> Pattern:
    """Compile a regular expression.

    Raises:
        UnsupportedTokenizerError: if it is none of those that are reproduced.
    """
    if regex in (_GPT2, _CLIP):
        return english_words(takes_space=regex == _GPT2)
    found = _ONE_CLASS.fullmatch(regex)
    runs = _compile_runs(regex) if found is None else None
    if runs is not None:
        return runs
    if not found:
        raise UnsupportedTokenizerError(
            f"The pattern {regex!r} is not reproduced in the graph: only one class of characters, once or repeated, "
            "runs of a class or one of its characters, and the patterns of GPT-2 and CLIP are."
        )
    kinds = build_character_table(_members(found["one"]))
    return OfKinds(kinds, (1,), () if found["many"] else (1,), int(found["least"] or 1))


def _compile_runs(regex: str) -> Runs | None:
    """Compile runs of a class, or one of some of its characters; None: the expression is something else."""
    parts = [_ONE_CLASS.fullmatch(part) for part in regex.split("|")]
    if len(parts) != 2 or parts[0] is None or parts[1] is None:
        return None
    if parts[0]["least"] != "2" or parts[1]["many"]:
        return None
    of_class, alone = _members(parts[0]["one"]), _members(parts[1]["one"])
    return None if np.any(alone > of_class) else Runs(build_character_table(of_class + alone))


def compile_pattern(pattern: dict[str, str]) -> Pattern:
    """Compile the `pattern` of a `tokenizer.json`: `{"String": text}` or `{"Regex": expression}`."""
    if "Regex" in pattern:
        return compile_regex(pattern["Regex"])
    content = probing.to_code_points(pattern["String"])
    if len(content) != 1:
        if not len(content):
            raise UnsupportedTokenizerError("A pattern of no characters is not reproduced in the graph.")
        return Literal(tuple(content.tolist()))
    return OfKinds(table_of_members(content), (1,), (1,))


def english_words(*, takes_space: bool) -> EnglishWords:
    """Return the pattern of GPT-2 (`takes_space`) or of CLIP."""
    kinds = np.full(probing.NUM_CODE_POINTS, OTHER, np.int32)
    for kind, one in ((LETTER, r"\p{L}"), (NUMBER, r"\p{N}"), (SPACE, r"\s")):
        kinds[_members(one) == 1] = kind
    return EnglishWords(build_character_table(kinds, of_added_tokens=OTHER), takes_space, not takes_space)


def _members(regex: str) -> np.ndarray:
    """Ask which characters a class has. Returns 1 for each code point that matches, int32."""
    return probing.probe_members(pre_tokenizers.Split(Regex(regex), "removed"))
