"""From the `normalizer` of a `tokenizer.json` to steps."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

from tfnlp.errors import UnsupportedTokenizerError
from tfnlp.tokenization.graph import probing
from tfnlp.tokenization.graph.characters import Characters
from tfnlp.tokenization.graph.matching import compile_pattern
from tfnlp.tokenization.graph.normalizers.clusters import compile_cluster_map
from tfnlp.tokenization.graph.normalizers.patterns import Prepend, Replace, Strip
from tfnlp.tokenization.graph.normalizers.per_character import compile_per_character
from tfnlp.tokenization.graph.normalizers.unicode_forms import compile_shortcut, compile_unicode_form
from tfnlp.tokenization.graph.pre_tokenizers.byte_level import Bytes
from tfnlp.tokenization.graph.tables import table_of_members

Step = Callable[[Characters], Characters]
Spec = dict[str, Any]
_DECOMPOSITIONS = ("NFD", "NFKD")


def compile_normalizers(spec: Spec | None) -> tuple[Step, ...]:
    """Compile a normalizer.

    Raises:
        UnsupportedTokenizerError: if a part of it can't be reproduced; it names which.
    """
    steps: list[Step] = []
    for is_simple, group in groupby(_parts(spec), key=_is_simple):
        parts = list(group)
        steps += _simple_steps(parts) if is_simple else [step for part in parts for step in _compile(part)]
    return tuple(steps)


def _compile(part: Spec) -> list[Step]:
    if part["type"] not in _COMPILERS:
        raise UnsupportedTokenizerError(f"The normalizer {part['type']!r} is not reproduced in the graph.")
    return _COMPILERS[part["type"]](part)


def _simple_steps(parts: list[Spec]) -> list[Step]:
    """Compile parts that decompose, or look at each character alone; around one decomposition, with a shortcut."""
    steps: list[Step] = []
    for decomposes, group in groupby(parts, key=lambda part: part["type"] in _DECOMPOSITIONS):
        inner = list(group)
        steps += [step for part in inner for step in _compile(part)] if decomposes else [_together(inner)]
    if len(steps) == 1 or sum(part["type"] in _DECOMPOSITIONS for part in parts) != 1:
        return steps
    return [compile_shortcut(_rust_sequence(parts), tuple(steps))]


def _parts(spec: Spec | None) -> list[Spec]:
    """Return the parts of a sequence, and of sequences in it, one after the other."""
    if spec is None:
        return []
    if spec["type"] == "Sequence":
        return [part for inner in spec["normalizers"] for part in _parts(inner)]
    if spec["type"] == "BertNormalizer":
        return _bert_parts(spec)
    return [spec]


def _bert_parts(spec: Spec) -> list[Spec]:
    """Where accents are stripped, the text is decomposed first; the rest looks at each character alone."""
    strips = spec["strip_accents"] if spec["strip_accents"] is not None else spec["lowercase"]
    if not strips:
        return [spec]
    clean = {**spec, "strip_accents": False, "lowercase": False}
    strip = {**spec, "strip_accents": True, "clean_text": False, "handle_chinese_chars": False}
    return [clean, {"type": "NFD"}, strip]


def _is_simple(part: Spec) -> bool:
    if part["type"] == "Replace":
        return len(part["pattern"].get("String", "")) == 1
    return part["type"] in ("Lowercase", "StripAccents", "Nmt", "BertNormalizer", *_DECOMPOSITIONS)


def _together(parts: list[Spec]) -> Step:
    """Compile parts that look at each character alone into one step."""
    return compile_per_character(_rust_sequence(parts))


def _rust_sequence(parts: list[Spec]) -> Callable[[str], str]:
    return probing.rust_component("normalizer", {"type": "Sequence", "normalizers": parts}).normalize_str


def _replace(spec: Spec) -> list[Step]:
    content = tuple(probing.to_code_points(spec["content"]).tolist())
    return [Replace(compile_pattern(spec["pattern"]), content)]


def _strip(spec: Spec) -> list[Step]:
    return [Strip(table_of_members(probing.probe_white_space()), spec["strip_left"], spec["strip_right"])]


def _prepend(spec: Spec) -> list[Step]:
    content = tuple(probing.to_code_points(spec["prepend"]).tolist())
    return [Prepend(content)] if content else []


_COMPILERS: dict[str, Callable[[Spec], list[Step]]] = {
    "NFC": lambda spec: [compile_unicode_form("NFC")],
    "NFD": lambda spec: [compile_unicode_form("NFD")],
    "NFKC": lambda spec: [compile_unicode_form("NFKC")],
    "NFKD": lambda spec: [compile_unicode_form("NFKD")],
    "Precompiled": lambda spec: [compile_cluster_map(spec["precompiled_charsmap"])],
    "Replace": _replace,
    "Strip": _strip,
    "Prepend": _prepend,
    "ByteLevel": lambda spec: [Bytes()],
}
