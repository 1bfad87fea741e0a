"""From the `pre_tokenizer` of a `tokenizer.json` to steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tokenizers import pre_tokenizers

from tfnlp.errors import UnsupportedTokenizerError
from tfnlp.tokenization.graph import probing
from tfnlp.tokenization.graph.characters import Characters
from tfnlp.tokenization.graph.matching import OfKinds, compile_pattern, english_words
from tfnlp.tokenization.graph.pre_tokenizers.byte_level import ByteLevel
from tfnlp.tokenization.graph.pre_tokenizers.metaspace import Metaspace
from tfnlp.tokenization.graph.pre_tokenizers.splits import ScriptChange, Split
from tfnlp.tokenization.graph.tables import build_character_table

Step = Callable[[Characters], Characters]
Spec = dict[str, Any]


def compile_pre_tokenizers(spec: Spec | None) -> tuple[Step, ...]:
    """Compile a pre-tokenizer.

    Raises:
        UnsupportedTokenizerError: if a part of it can't be reproduced; it names which.
    """
    if spec is None:
        return ()
    if spec["type"] == "Sequence":
        return tuple(step for part in spec["pretokenizers"] for step in compile_pre_tokenizers(part))
    if spec["type"] not in _COMPILERS:
        raise UnsupportedTokenizerError(f"The pre-tokenizer {spec['type']!r} is not reproduced in the graph.")
    return (_COMPILERS[spec["type"]](spec),)


def _bert(spec: Spec) -> Step:
    kinds = build_character_table(probing.probe_kinds(pre_tokenizers.BertPreTokenizer()))
    return Split(OfKinds(kinds, (probing.SPACE,), (probing.PUNCTUATION,)), "Removed")


def _byte_level(spec: Spec) -> Step:
    words = english_words(takes_space=True) if spec["use_regex"] else None
    return ByteLevel(spec["add_prefix_space"], words)


def _class(members: pre_tokenizers.PreTokenizer, behavior: str) -> Split:
    """Split at single characters, those that `members` removes."""
    return Split(OfKinds(build_character_table(probing.probe_members(members)), (1,), (1,)), behavior)


def _whitespace(spec: Spec) -> Step:
    kinds = probing.probe_members(pre_tokenizers.Whitespace())  # what is in no word and no other run: white space
    kinds[probing.probe_word_characters()] = 2
    return Split(OfKinds(build_character_table(kinds), (1,)), "Removed")


def _digits(spec: Spec) -> Step:
    numeric = probing.probe_digits()
    behavior = "Isolated" if spec["individual_digits"] else "Contiguous"
    return Split(OfKinds(build_character_table(numeric), (1,), (1,)), behavior)


def _punctuation(spec: Spec) -> Step:
    return _class(pre_tokenizers.Punctuation("removed"), spec["behavior"])


def _split(spec: Spec) -> Step:
    return Split(compile_pattern(spec["pattern"]), spec["behavior"], spec["invert"])


def _metaspace(spec: Spec) -> Step:
    return Metaspace(ord(spec["replacement"]), spec["prepend_scheme"], spec["split"])


_COMPILERS: dict[str, Callable[[Spec], Step]] = {
    "BertPreTokenizer": _bert,
    "ByteLevel": _byte_level,
    "Whitespace": _whitespace,
    "WhitespaceSplit": lambda spec: _class(pre_tokenizers.WhitespaceSplit(), "Removed"),
    "Punctuation": _punctuation,
    "Digits": _digits,
    "Split": _split,
    "CharDelimiterSplit": lambda spec: Split(compile_pattern({"String": spec["delimiter"]}), "Removed"),
    "Metaspace": _metaspace,
    "UnicodeScripts": lambda spec: ScriptChange(build_character_table(probing.probe_scripts())),
}
