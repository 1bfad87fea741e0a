"""Hard text to compare tokenizers on: files of a conformance directory, and random Unicode strings."""

from __future__ import annotations

import bz2
import gzip
import json
import random
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_HEX_SEQUENCE = re.compile(r"(?:[0-9A-F]{4,6})(?: [0-9A-F]{4,6})*")
_ODD = (
    "\u0300\u0301\u0316\u0327\u0334\u0345\u05b0\u064b\u0e38\u0f71\u1b44\ua953\ua9c0\U000111c0\U0001d165\U0001d16d"
    "\u1100\u1161\u11a8\uac00\ufdfa\u0130\u0131\u1e9e\u03a3\u00df\u200d\u200b\u2028\ufeff\ufffd\u00ad\u0000\u3000"
    "[]#@'-./_ \t\n"
)
_SPECIAL = ("[CLS]", "[SEP]", "[MASK]", "[UNK]", "[PAD]", "[unused1]", "##ing", "<s>", "</s>", "<mask>")


def corpus_lines(directory: Path) -> Iterator[str]:
    """Yield every line of every text, JSON string and code point sequence below a directory, packed files too."""
    openers = {".gz": gzip.open, ".bz2": bz2.open}
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        if path.name == "SOURCE.md" or path.name.startswith("LICENSE"):
            continue
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in sorted(archive.namelist()):
                    yield from archive.read(name).decode("utf-8", "replace").splitlines()
            continue
        with openers.get(path.suffix, open)(path, "rb") as file:
            text = file.read().decode("utf-8", "replace")
        if path.suffix == ".json":
            yield from _strings(json.loads(text))
            continue
        for line in text.splitlines():
            yield line
            if path.name == "NormalizationTest.txt":
                yield from map(_from_hex, _HEX_SEQUENCE.findall(line.split("#")[0]))


def random_strings(count: int, seed: int = 0) -> Iterator[str]:
    """Yield strings that mix words, odd characters, special tokens and code points from all of Unicode."""
    source = random.Random(seed)
    for _ in range(count):
        yield "".join(_piece(source) for _ in range(source.randrange(1, 24)))


def _piece(source: random.Random) -> str:
    kind = source.random()
    if kind < 0.25:
        return "".join(source.choices("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLM0123456789", k=source.randrange(1, 9)))
    if kind < 0.4:
        return " "
    if kind < 0.6:
        return source.choice(_ODD)
    if kind < 0.65:
        return source.choice(_SPECIAL)
    top = source.choice((0x250, 0x3000, 0x10000, 0x20000, 0x110000))
    point = source.randrange(top)
    return "" if 0xD800 <= point < 0xE000 else chr(point)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for child in value.values():
            yield from _strings(child)
    elif isinstance(value, list):
        for child in value:
            yield from _strings(child)


def _from_hex(sequence: str) -> str:
    points = [int(point, 16) for point in sequence.split()]
    return "".join(chr(point) for point in points if not 0xD800 <= point < 0xE000)
