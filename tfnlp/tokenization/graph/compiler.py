"""From a `tokenizer.json` to a program of steps. Refuses what it can't reproduce exactly."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from tokenizers import Tokenizer

from tfnlp._backend import tf
from tfnlp.errors import UnsupportedTokenizerError
from tfnlp.tokenization.graph.added_tokens import AddedTokens, compile_added_tokens
from tfnlp.tokenization.graph.characters import Characters
from tfnlp.tokenization.graph.decoding import Decoding, compile_decoding
from tfnlp.tokenization.graph.models.bpe import compile_bpe
from tfnlp.tokenization.graph.models.tokens import Model
from tfnlp.tokenization.graph.models.unigram import compile_unigram
from tfnlp.tokenization.graph.models.word_level import compile_word_level
from tfnlp.tokenization.graph.models.wordpiece import compile_wordpiece
from tfnlp.tokenization.graph.normalizers.compiler import compile_normalizers
from tfnlp.tokenization.graph.pre_tokenizers.byte_level import ByteLevel, Bytes
from tfnlp.tokenization.graph.pre_tokenizers.compiler import compile_pre_tokenizers
from tfnlp.tokenization.graph.template import Templates, compile_templates
from tfnlp.tokenization.graph.trimming import Trimming, compile_trimming

T = TypeVar("T")
Step = Callable[[Characters], Characters]


@dataclasses.dataclass(frozen=True)
class Program:
    """A compiled tokenizer.

    Attributes:
        added_before: the added tokens that are looked for in the text as it comes.
        normalizers: what changes the text.
        added_after: the added tokens that are looked for in the changed text.
        pre_tokenizers: what cuts it into words.
        model: what turns words into tokens.
        trimming: what takes spaces off the offsets; None: nothing does.
        templates: what stands around a text and a pair.
    """

    added_before: AddedTokens | None
    normalizers: tuple[Step, ...]
    added_after: AddedTokens | None
    pre_tokenizers: tuple[Step, ...]
    model: Model
    trimming: Trimming | None
    templates: Templates


def compile_tokenizer(source: str) -> Program:
    """Compile a `tokenizer.json`.

    Raises:
        UnsupportedTokenizerError: if a component or setting can't be reproduced; it names which.
    """
    tokenizer = Tokenizer.from_str(source)
    spec = json.loads(source)
    normalize = tokenizer.normalizer.normalize_str if tokenizer.normalizer else str
    added_before, added_after = compile_added_tokens(spec["added_tokens"], normalize)
    normalizers = compile_normalizers(spec["normalizer"])
    pre_tokenizers = compile_pre_tokenizers(spec["pre_tokenizer"])
    is_bytes = any(isinstance(step, (ByteLevel, Bytes)) for step in (*normalizers, *pre_tokenizers))
    return Program(
        added_before=added_before,
        normalizers=normalizers,
        added_after=added_after,
        pre_tokenizers=pre_tokenizers,
        model=_compile_model(spec["model"], tokenizer, is_bytes=is_bytes),
        trimming=compile_trimming(spec["post_processor"], tokenizer.get_vocab()),
        templates=compile_templates(spec["post_processor"]),
    )


def compile_decoder(tokenizer: Tokenizer, *, word_end: str = "") -> Decoding:
    """Compile the way back from ids to text.

    Raises:
        UnsupportedTokenizerError: if the decoder can't be reproduced; it names which part.
    """
    spec = json.loads(tokenizer.to_str())
    special = {token["content"] for token in spec["added_tokens"] if token["special"]}
    size = max(max(tokenizer.get_vocab().values()) + 1, len(spec["model"]["vocab"]))
    tokens = [tokenizer.id_to_token(token_id) for token_id in range(size)]
    return compile_decoding(spec["decoder"], tokens, special, word_end=word_end)


def _compile_model(model: dict[str, Any], tokenizer: Tokenizer, *, is_bytes: bool) -> Model:
    def is_word(text: str) -> bool:
        return tokenizer.pre_tokenizer is None or len(tokenizer.pre_tokenizer.pre_tokenize_str(text)) == 1

    compilers: dict[str, Callable[[dict[str, Any]], Model]] = {
        "BPE": lambda spec: compile_bpe(spec, bytes_only=is_bytes),
        "Unigram": compile_unigram,
        "WordLevel": compile_word_level,
        "WordPiece": lambda spec: compile_wordpiece(spec, is_word=is_word),
    }
    if model["type"] not in compilers:
        raise UnsupportedTokenizerError(f"The model {model['type']!r} is not reproduced in the graph.")
    return compilers[model["type"]](model)


def for_words(program: Program) -> Program:
    """Return the program for texts that come as words: where words are bytes, each begins with a space."""
    steps = tuple(
        dataclasses.replace(step, add_prefix_space=True) if isinstance(step, ByteLevel) else step
        for step in program.pre_tokenizers
    )
    trimming = program.trimming
    if trimming is not None:
        trimming = dataclasses.replace(trimming, add_prefix_space=True)
    return dataclasses.replace(program, pre_tokenizers=steps, trimming=trimming)


def to_tensors(value: T) -> T:
    """Return the dataclass with every table as a constant tensor, made once and shared by all graphs."""
    changed: Any = value
    if isinstance(value, np.ndarray):
        changed = tf.constant(value)
    elif isinstance(value, tuple):
        changed = tuple(map(to_tensors, value))
    elif dataclasses.is_dataclass(value):
        fields = {field.name: to_tensors(getattr(value, field.name)) for field in dataclasses.fields(value)}
        changed = dataclasses.replace(value, **fields)  # type: ignore[type-var]
    return changed
