"""Where words break whatever the tokenizer: at punctuation, and in scripts without spaces. NumPy only."""

from __future__ import annotations

import sys
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

# Scripts that put no spaces between words, as ranges of code points, both ends included (Unicode, Blocks.txt).
_UNSPACED = (
    (0x0E00, 0x0FFF),  # Thai, Lao, Tibetan
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # CJK radicals
    (0x3005, 0x3007),
    (0x3040, 0x312F),  # kana, bopomofo
    (0x31A0, 0x31FF),
    (0x3400, 0x4DBF),  # CJK ideographs
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9F),  # half-width katakana
    (0x20000, 0x3FFFF),  # CJK ideographs beyond the first plane
)


def is_unspaced(char: str) -> bool:
    """Tell whether a character is of a script that puts no spaces between words."""
    point = ord(char)
    return any(first <= point <= last for first, last in _UNSPACED)


@cache
def word_breaks() -> np.ndarray:
    """Return the code points at which a class of characters begins or ends: those that never share a word.

    These are punctuation, symbols, white space, and the characters of scripts without spaces. A code point is one of
    them if an odd number of the returned ones is not greater.

    Returns:
        Ascending. Shape `(bounds,)`, int32.
    """
    import numpy as np  # not above: the command line reads this module, and starts at once

    every = "".join(map(unicodedata.category, map(chr, range(sys.maxunicode + 1))))  # two letters for each
    categories = np.frombuffer(every.encode(), "S2")
    is_apart = np.isin(categories.astype("S1"), [b"P", b"S", b"Z"]) | np.isin(categories, [b"Cc", b"Cn", b"Co"])
    for first, last in _UNSPACED:
        is_apart[first : last + 1] = True
    return np.flatnonzero(np.diff(is_apart, prepend=False)).astype(np.int32)
