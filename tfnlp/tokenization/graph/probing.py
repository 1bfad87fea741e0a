"""Ask the parts of a Rust tokenizer what they do to every Unicode character. NumPy only.

Each question is asked for many characters at once: a call for each of them would take 15 seconds. And it is asked once
for each of the stretches of planes 4 to 16 that Unicode leaves empty or to private use: all of such a stretch is alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from tokenizers import Tokenizer, normalizers, pre_tokenizers

NUM_CODE_POINTS = 0x110000
SURROGATES = slice(0xD800, 0xE000)  # code points that are no characters: no UTF-8 text holds them
# Each begins a stretch of code points that are alike; the two before the end of a plane are no characters.
_ALIKE = [(plane + (0x1000 if plane == 0xE0000 else 0), plane + 0xFFFE) for plane in range(0x40000, 0x110000, 0x10000)]
_BLOCK = 512
_SEPARATOR = 0x2603  # a snowman: a base character that no normalizer touches, which is checked

WORD, SPACE, PUNCTUATION = 0, 1, 2


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

    @property
    def stays(self) -> np.ndarray:
        """Whether the run of each code point is itself. Shape `(0x110000,)`, bool."""
        first = self.values[np.minimum(self.starts, len(self.values) - 1)]
        is_same = (self.lengths == 1) & (first == np.arange(NUM_CODE_POINTS))
        is_same[SURROGATES] = True  # no text holds them
        return is_same


def to_code_points(text: str) -> np.ndarray:
    """Return the code points of a text, int32."""
    return np.frombuffer(text.encode("utf-32-le"), np.int32)


def to_text(code_points: np.ndarray) -> str:
    """Return the text of code points."""
    return code_points.astype("<u4").tobytes().decode("utf-32-le")


def rust_component(part: str, spec: dict[str, Any]) -> Any:
    """Return the Rust `normalizer`, `pre_tokenizer` or `decoder` of a specification, as in a `tokenizer.json`."""
    names = ("normalizer", "pre_tokenizer", "post_processor", "decoder", "truncation", "padding")
    model = {"type": "WordLevel", "vocab": {}, "unk_token": ""}
    whole: dict[str, Any] = {"version": "1.0", "added_tokens": [], **dict.fromkeys(names), "model": model, part: spec}
    return getattr(Tokenizer.from_str(json.dumps(whole)), part)


def parts_of(spec: dict[str, Any] | None, name: str) -> list[dict[str, Any]]:
    """Return the parts of a `Sequence`, which are under `name`, and of sequences in it, one after the other."""
    if spec is None:
        return []
    if spec["type"] == "Sequence":
        return [inner for part in spec[name] for inner in parts_of(part, name)]
    return [spec]


def probe_runs(normalize: Callable[[str], str]) -> Runs:
    """Find what a normalizer that works on each character alone makes of every code point."""
    blocks = _blocks()
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
    lengths[SURROGATES] = 0
    starts[points] = bounds[:-1] + 1 + NUM_CODE_POINTS
    lengths[points] = np.diff(bounds) - 1
    for first, end in _ALIKE:
        if lengths[first] and normalize(chr(first)) != chr(first):
            raise ValueError(f"the normalizer gives U+{first:X} a meaning, which Unicode leaves to private use")
        lengths[first:end] = lengths[first]
    return Runs(starts, lengths, np.concatenate([np.arange(NUM_CODE_POINTS, dtype=np.int32), answer]))


def spread(numbers: np.ndarray) -> np.ndarray:
    """Give the code points of each stretch that is alike the number of its first, in place."""
    for first, end in _ALIKE:
        numbers[first:end] = numbers[first]
    return numbers


def probe_kinds(pre_tokenizer: pre_tokenizers.PreTokenizer) -> np.ndarray:
    """Tell for each code point whether it belongs to a word, separates words, or stands alone.

    Returns:
        `WORD`, `SPACE` or `PUNCTUATION`. Shape `(0x110000,)`, int32.
    """
    kinds = np.zeros(NUM_CODE_POINTS, np.int32)
    for block in _blocks():
        kinds[block] = _kinds_of_block(pre_tokenizer, block)
    return spread(kinds)


def probe_members(splits: pre_tokenizers.PreTokenizer) -> np.ndarray:
    """Tell which characters a pre-tokenizer that removes some of them removes.

    Returns:
        1 for a character that it removes, 0 for one that it keeps. Shape `(0x110000,)`, int32.
    """
    members = np.zeros(NUM_CODE_POINTS, np.int32)
    for block in _blocks():
        removed = np.ones(len(block), np.int32)
        for _, (start, end) in splits.pre_tokenize_str(to_text(block)):
            removed[start:end] = 0
        members[block] = removed
    return spread(members)


def _kinds_of_block(pre_tokenizer: pre_tokenizers.PreTokenizer, points: np.ndarray) -> np.ndarray:
    """Ask about each character twice in a row: only in a word do the two stay together."""
    kinds = np.full(2 * len(points), SPACE, np.int32)
    for _, (start, end) in pre_tokenizer.pre_tokenize_str(to_text(np.repeat(points, 2))):
        kinds[start:end] = PUNCTUATION if end - start == 1 else WORD
    return kinds[::2]


@cache
def probe_white_space() -> np.ndarray:
    """Return the code points that are white space to the Rust tokenizer, int32."""
    return np.flatnonzero(probe_members(pre_tokenizers.WhitespaceSplit())).astype(np.int32)


@cache
def probe_word_characters() -> np.ndarray:
    r"""Return the code points that are part of a word (`\w`) to the Rust tokenizer, int32."""
    members = np.zeros(NUM_CODE_POINTS, bool)
    for block in _blocks():
        asked = np.full((len(block), 3), ord(" "), np.int32)
        asked[:, 0], asked[:, 1] = ord("a"), block
        for _, (start, end) in pre_tokenizers.Whitespace().pre_tokenize_str(to_text(asked.ravel())):
            members[block[start // 3]] |= end - start == 2
    return np.flatnonzero(spread(members)).astype(np.int32)


def probe_digits() -> np.ndarray:
    """Return 1 for each code point that is a number to the Rust tokenizer. Shape `(0x110000,)`, int32."""
    return (probe_kinds(pre_tokenizers.Digits(individual_digits=True)) == PUNCTUATION).astype(np.int32)


@cache
def probe_scripts() -> np.ndarray:
    """Return a number for the script of each code point, 0 for those that go with any. Shape `(0x110000,)`, int32."""
    points = characters()
    goes_with_any = _joins_script(ord("a"), points) & _joins_script(0x431, points)
    scripts = np.zeros(NUM_CODE_POINTS, np.int32)
    found = points[~goes_with_any]
    spans = pre_tokenizers.UnicodeScripts().pre_tokenize_str(to_text(found))
    ends = np.append([start for _, (start, _) in spans[1:]], len(found))
    firsts = np.append(0, ends[:-1])
    run_scripts = np.zeros(len(firsts), np.int32)
    while not run_scripts.all():
        open_runs = np.flatnonzero(run_scripts == 0)
        alike = open_runs[_joins_script(found[firsts[open_runs[0]]], found[firsts[open_runs]])]
        run_scripts[alike] = run_scripts.max() + 1
    scripts[found] = np.repeat(run_scripts, ends - firsts)
    return spread(scripts)


def _joins_script(first: int, points: np.ndarray) -> np.ndarray:
    """Tell which characters stay together with one before them where scripts are told apart."""
    asked = np.full((len(points), 3), ord("\n"), np.int32)
    asked[:, 0], asked[:, 1] = first, points
    begins = np.zeros(asked.size + 1, bool)
    begins[[start for _, (start, _) in pre_tokenizers.UnicodeScripts().pre_tokenize_str(to_text(asked.ravel()))]] = True
    return ~begins[1:-1:3]


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
    classes[characters()] = [unicodedata.combining(chr(point)) for point in characters()]
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
def characters() -> np.ndarray:
    """Return the characters to ask about, ascending: of stretches that are alike the first."""
    is_asked = np.ones(NUM_CODE_POINTS, bool)
    is_asked[SURROGATES] = False
    for first, end in _ALIKE:
        is_asked[first + 1 : end] = False
    return np.flatnonzero(is_asked)


@cache
def _blocks() -> list[np.ndarray]:
    return np.split(characters(), range(_BLOCK, len(characters()), _BLOCK))
