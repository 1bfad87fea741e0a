"""Ask the parts of a Rust tokenizer what they do to every Unicode character. NumPy only.

Each question is asked for many characters at once: a call for each of them would take 15 seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from tokenizers import normalizers, pre_tokenizers

NUM_CODE_POINTS = 0x110000
_SURROGATES = slice(0xD800, 0xE000)  # code points that are no characters: no UTF-8 text holds them
_BLOCK = 512
_SEPARATOR = 0x2603  # a snowman: a base character that no normalizer touches, which is checked

WORD, SPACE, PUNCTUATION, DROPPED = 0, 1, 2, 3


@dataclass(frozen=True)
class Runs:
    """For each code point, a run of code points.

    Attributes:
        starts: where in `values` each run begins. Shape `(0x110000,)`, int64.
        lengths: how long each run is. Shape `(0x110000,)`, int64.
        values: all runs, one after the other. Shape `(total,)`, int32.
    """

    starts: np.ndarray
    lengths: np.ndarray
    values: np.ndarray


def to_code_points(text: str) -> np.ndarray:
    """Return the code points of a text, int32."""
    return np.frombuffer(text.encode("utf-32-le"), np.int32)


def to_text(code_points: np.ndarray) -> str:
    """Return the text of code points."""
    return code_points.astype("<u4").tobytes().decode("utf-32-le")


def probe_runs(normalize: Callable[[str], str]) -> Runs:
    """Find what a normalizer that works on each character alone makes of every code point."""
    blocks = np.split(_characters(), range(_BLOCK, len(_characters()), _BLOCK))
    is_same = np.array([normalize(text) == text for text in map(to_text, blocks)])
    points = np.concatenate([block for block, same in zip(blocks, is_same, strict=True) if not same] or [blocks[0]])
    points = points[points != _SEPARATOR]
    asked = np.full(2 * len(points) + 1, _SEPARATOR, np.int32)
    asked[1::2] = points
    answer = to_code_points(normalize(to_text(asked)))
    bounds = np.flatnonzero(answer == _SEPARATOR)
    if len(bounds) != len(points) + 1:
        raise ValueError("the normalizer changes or makes the separator U+2603; its answers can't be told apart")
    starts = np.arange(NUM_CODE_POINTS, dtype=np.int64)  # the run of a code point that stays is itself
    lengths = np.ones(NUM_CODE_POINTS, np.int64)
    lengths[_SURROGATES] = 0
    starts[points] = bounds[:-1] + 1 + NUM_CODE_POINTS
    lengths[points] = np.diff(bounds) - 1
    return Runs(starts, lengths, np.concatenate([np.arange(NUM_CODE_POINTS, dtype=np.int32), answer]))


def probe_kinds(pre_tokenizer: pre_tokenizers.PreTokenizer, points: np.ndarray) -> np.ndarray:
    """Tell for each of these code points whether it belongs to a word, separates words, or stands alone.

    Returns:
        `WORD`, `SPACE` or `PUNCTUATION` for each code point asked about, int32.
    """
    kinds = [_kinds_of_block(pre_tokenizer, block) for block in np.split(points, range(_BLOCK, len(points), _BLOCK))]
    return np.concatenate(kinds)


def _kinds_of_block(pre_tokenizer: pre_tokenizers.PreTokenizer, points: np.ndarray) -> np.ndarray:
    """Ask about each character twice in a row: only in a word do the two stay together."""
    kinds = np.full(2 * len(points), SPACE, np.int32)
    for _, (start, end) in pre_tokenizer.pre_tokenize_str(to_text(np.repeat(points, 2))):
        kinds[start:end] = PUNCTUATION if end - start == 1 else WORD
    return kinds[::2]


@cache
def probe_white_space() -> np.ndarray:
    """Return the code points that are white space to the Rust tokenizer, int32."""
    points = np.array([point for point in range(NUM_CODE_POINTS) if chr(point).isspace()], np.int32)
    return points[probe_kinds(pre_tokenizers.WhitespaceSplit(), points) == SPACE]


@cache
def probe_decomposition() -> Runs:
    """Return the canonical decomposition of each code point."""
    return probe_runs(normalizers.NFD().normalize_str)


@cache
def probe_combining_classes() -> np.ndarray:
    """Return the canonical combining class of each code point, as the Rust normalizer orders marks by it.

    The classes are Python's, which never change once given; that the normalizer knows the mark (its Unicode version
    may be older) is asked of it: a mark it knows trades places with one of another class.

    Returns:
        Classes, 0 for a character that no mark passes. Shape `(0x110000,)`, int32.
    """
    import unicodedata

    classes = np.zeros(NUM_CODE_POINTS, np.int32)
    classes[_characters()] = [unicodedata.combining(chr(point)) for point in _characters()]
    marks = np.flatnonzero(classes)
    low, high = "\u0334", "\u0345"  # of the classes 1 and 240, the least and the greatest
    normalize = normalizers.NFD().normalize_str
    decomposition = probe_decomposition()
    for mark in marks:
        alone = to_text(decomposition.values[decomposition.starts[mark] :][: decomposition.lengths[mark]])
        asked = chr(mark) + low if classes[mark] > 1 else high + chr(mark)
        in_order = low + alone if classes[mark] > 1 else alone + high
        if normalize("a" + asked) != "a" + in_order:
            classes[mark] = 0
    return classes


@cache
def _characters() -> np.ndarray:
    is_character = np.ones(NUM_CODE_POINTS, bool)
    is_character[_SURROGATES] = False
    return np.flatnonzero(is_character)
