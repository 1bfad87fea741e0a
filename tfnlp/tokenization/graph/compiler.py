"""From a `tokenizer.json` to a program of tables. Refuses what it can't reproduce exactly."""

from __future__ import annotations

import dataclasses
import json
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from tokenizers import Tokenizer

from tfnlp._backend import tf
from tfnlp.errors import UnsupportedTokenizerError
from tfnlp.tokenization.graph.added_tokens import AddedTokens, compile_added_tokens
from tfnlp.tokenization.graph.characters import Characters, compile_characters
from tfnlp.tokenization.graph.template import Templates, compile_templates
from tfnlp.tokenization.graph.wordpiece import WordPiece, compile_wordpiece, vocabulary_letters

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Program:
    """A compiled tokenizer: what its steps look up."""

    added_tokens: AddedTokens | None
    characters: Characters
    model: WordPiece
    templates: Templates


def compile_tokenizer(tokenizer: Tokenizer) -> Program:
    """Compile a Rust tokenizer.

    Raises:
        UnsupportedTokenizerError: if a component or setting can't be reproduced; it names which.
    """
    return _compile(tokenizer.to_str())


@lru_cache(maxsize=8)
def _compile(source: str) -> Program:
    """Compile a `tokenizer.json`, once for the same content."""
    tokenizer = Tokenizer.from_str(source)
    spec = json.loads(source)
    _require("model", spec["model"], "WordPiece")
    _require("normalizer", spec["normalizer"], "BertNormalizer")
    _require("pre-tokenizer", spec["pre_tokenizer"], "BertPreTokenizer")
    if not spec["model"]["continuing_subword_prefix"]:
        raise UnsupportedTokenizerError("`continuing_subword_prefix=''` is not reproduced in the graph.")
    templates = compile_templates(spec["post_processor"])
    added_tokens = compile_added_tokens(spec["added_tokens"])
    model = spec["model"]
    prefix = model["continuing_subword_prefix"]
    added_ids = added_tokens.ids if added_tokens else ()
    characters = compile_characters(
        tokenizer.normalizer, tokenizer.pre_tokenizer, vocabulary_letters(model["vocab"], prefix), len(added_ids)
    )
    return Program(
        added_tokens=added_tokens,
        characters=characters,
        model=compile_wordpiece(
            model["vocab"],
            prefix=prefix,
            unknown=model["unk_token"],
            max_word_length=model["max_input_chars_per_word"],
            alphabet=characters.alphabet,
            added={characters.first_added + i: token_id for i, token_id in enumerate(added_ids)},
            num_symbols=characters.num_symbols,
        ),
        templates=templates,
    )


def _require(part: str, found: dict[str, Any] | None, wanted: str) -> None:
    kind = found["type"] if found else None
    if kind != wanted:
        raise UnsupportedTokenizerError(
            f"The {part} {kind!r} can't be compiled into the graph; only {wanted!r} can, as BERT, DistilBERT and "
            "ELECTRA have it. Training, evaluation and prediction work with the Rust tokenizer all the same; the "
            "export from raw text does not."
        )


def to_tensors(program: T) -> T:
    """Return the dataclass with every table as a constant tensor, made once and shared by all graphs."""
    changed: dict[str, Any] = {}
    for field in dataclasses.fields(program):  # type: ignore[arg-type]
        value = getattr(program, field.name)
        if isinstance(value, np.ndarray):
            changed[field.name] = tf.constant(value)
        elif dataclasses.is_dataclass(value):
            changed[field.name] = to_tensors(value)
    return dataclasses.replace(program, **changed)  # type: ignore[type-var]
