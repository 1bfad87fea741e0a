"""Marian's tokenizer: SentencePiece itself, with ids from a vocabulary that two languages may share.

There is no Rust tokenizer of it; the reference is transformers' `MarianTokenizer`, which asks SentencePiece for pieces,
looks their ids up, and puts `</s>` at the end. A text may begin with a code of the target language, `>>fr<<`.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tfnlp._backend import tf
from tfnlp.errors import UnsupportedTokenizerError
from tfnlp.tokenization.graph.added_tokens import compile_added_tokens, if_any, piece_ends, substituted
from tfnlp.tokenization.graph.characters import Characters
from tfnlp.tokenization.graph.compiler import Program, Step
from tfnlp.tokenization.graph.decoding import Decoding
from tfnlp.tokenization.graph.models.tokens import Tokens, Words
from tfnlp.tokenization.graph.models.unigram import Unigram, build_unigram
from tfnlp.tokenization.graph.models.whole_words import Alphabet, WholeWords, build_alphabet, build_whole_words
from tfnlp.tokenization.graph.normalizers.charsmap import compile_character_map
from tfnlp.tokenization.graph.normalizers.patterns import Prepend, Strip
from tfnlp.tokenization.graph.pre_tokenizers.metaspace import Metaspace
from tfnlp.tokenization.graph.ragged import true_indices
from tfnlp.tokenization.graph.tables import Table, table_of_members
from tfnlp.tokenization.graph.template import Special, Templates, Text

_SPACE = "▁"
_NORMAL, _USER_DEFINED = 1, 4  # types of pieces
_UNIGRAM = 1  # a type of model
_LEADS = "\0"  # written before a space that SentencePiece drops where its part of a text begins
_ENDS = r"^[\s\p{Z}\x1c-\x1f\x{85}]+|[\s\p{Z}\x1c-\x1f\x{85}]+$"  # what Python's `strip` takes away


@dataclass(frozen=True)
class JointIds:
    """The ids of texts in a vocabulary that is not SentencePiece's own.

    Attributes:
        alphabet: the characters of its names.
        names: its names.
        unknown_id: the id of all others.
    """

    alphabet: Alphabet
    names: WholeWords
    unknown_id: int

    def __call__(self, characters: Characters, starts: tf.Tensor, ends: tf.Tensor) -> tf.Tensor:
        """Look up stretches of characters, none of them empty. Shape `(stretches,)`, int32."""
        words = Words(characters, starts, ends - starts, tf.zeros_like(starts))
        token, is_known = self.names(self.alphabet.codes(characters.points), words)
        return tf.where(is_known, token.ids, self.unknown_id)


@dataclass(frozen=True)
class LanguageCodes:
    """Makes one token of the code that a text begins with: from `>>` to the first `<<`."""

    ids: JointIds

    def __call__(self, characters: Characters) -> Characters:
        """Find the codes."""
        opens = characters.begins & _is_twice(characters, ">")

        def replaced() -> Characters:
            starts = true_indices(opens)
            closes = tf.concat([true_indices(_is_twice(characters, "<")), tf.shape(opens)], 0)
            ends = tf.gather(closes, tf.searchsorted(closes, starts)) + 2
            is_code = ends <= tf.gather(piece_ends(characters), starts)
            starts, ends = tf.boolean_mask(starts, is_code), tf.boolean_mask(ends, is_code)
            return substituted(characters, starts, ends, self.ids(characters, starts, ends))

        return if_any(opens, replaced, characters)


def _is_twice(characters: Characters, letter: str) -> tf.Tensor:
    return tf.equal(characters.points, ord(letter)) & tf.equal(characters.after(), ord(letter))


@dataclass(frozen=True)
class Spaces:
    """Keeps of neighbouring spaces the first, and none that a piece begins with."""

    def __call__(self, characters: Characters) -> Characters:
        """Drop the others."""
        is_space = tf.equal(characters.points, ord(" "))
        return characters.kept(~(is_space & (characters.begins | tf.equal(characters.before(), ord(" ")))))


@dataclass(frozen=True)
class JointUnigram:
    """SentencePiece's best path; the ids of its pieces in the joint vocabulary.

    Attributes:
        pieces: SentencePiece's own model.
        ids: the id of each of its pieces in the joint vocabulary. int32.
        joint: the vocabulary, in which what SentencePiece does not know is looked up too.
    """

    pieces: Unigram
    ids: Table
    joint: JointIds

    def __call__(self, words: Words) -> Tokens:
        """Split texts into tokens."""
        tokens = self.pieces(words)
        is_added = tf.gather(words.characters.is_added, tokens.starts)
        is_unknown = tf.equal(tokens.ids, self.pieces.unknown_id) & ~is_added
        ids = tf.gather(self.ids, tf.where(is_added, self.pieces.unknown_id, tokens.ids))

        def looked_up() -> tf.Tensor:
            index = true_indices(is_unknown)
            found = self.joint(words.characters, tf.gather(tokens.starts, index), tf.gather(tokens.ends, index))
            return tf.tensor_scatter_nd_update(ids, index[:, None], found)

        return replace(tokens, ids=tf.cond(tf.reduce_any(is_unknown), looked_up, lambda: ids))


def marian_source(tokenizer: Any, *, target: bool = False) -> str:
    """Return what a `MarianTokenizer` is made of, as JSON.

    Args:
        tokenizer: transformers' tokenizer.
        target: for the language that is translated to, as `text_target` is tokenized.
    """
    pieces = tokenizer.spm_target if target else tokenizer.spm_source
    vocabulary = tokenizer.target_encoder if target and tokenizer.separate_vocabs else tokenizer.encoder
    added = [
        {
            "content": token.content,
            "id": token_id,
            "lstrip": token.lstrip,
            "rstrip": token.rstrip,
            "single_word": token.single_word,
            "normalized": False,
        }
        for token_id, token in tokenizer.added_tokens_decoder.items()
    ]
    content = {
        "type": "Marian",
        "pieces": base64.b64encode(pieces.serialized_model_proto()).decode(),
        "vocabulary": vocabulary | {token["content"]: token["id"] for token in added},
        "added": added,
        "unknown": tokenizer.unk_token_id,
        "end": tokenizer.eos_token_id,
    }
    return json.dumps(content)


def compile_marian(source: str) -> Program:
    """Compile what `marian_source` returns.

    Raises:
        UnsupportedTokenizerError: if a setting of the SentencePiece model can't be reproduced; it names which.
    """
    content = json.loads(source)
    model = _read_model(base64.b64decode(content["pieces"]))
    alphabet, by_letter = build_alphabet(content["vocabulary"])
    joint = JointIds(alphabet, build_whole_words(content["vocabulary"], by_letter), content["unknown"])
    return Program(
        added_before=compile_added_tokens(content["added"], str)[0],
        normalizers=(LanguageCodes(joint), *_compile_normalizer(model.normalizer_spec)),
        added_after=None,
        pre_tokenizers=(),
        model=_compile_pieces(model, content["vocabulary"], joint),
        trimming=None,
        templates=Templates(
            single=(Text(0, 0), Special(content["end"], 0)),
            pair=(Text(0, 0), Text(1, 0), Special(content["end"], 0)),
        ),
    )


def _read_model(blob: bytes) -> Any:
    """Read a SentencePiece model, and refuse settings that Marian's models do not have."""
    from sentencepiece import sentencepiece_model_pb2

    messages: Any = sentencepiece_model_pb2
    model = messages.ModelProto.FromString(blob)
    trainer, normalizer = model.trainer_spec, model.normalizer_spec
    wrong = {
        "model_type": trainer.model_type != _UNIGRAM,
        "byte_fallback": trainer.byte_fallback,
        "treat_whitespace_as_suffix": trainer.treat_whitespace_as_suffix,
        "user_defined_symbols": any(piece.type == _USER_DEFINED for piece in model.pieces),
        "add_dummy_prefix": not normalizer.add_dummy_prefix,
        "remove_extra_whitespaces": not normalizer.remove_extra_whitespaces,
        "escape_whitespaces": not normalizer.escape_whitespaces,
        "denormalizer_spec": bool(model.denormalizer_spec.precompiled_charsmap),
    }
    for name in (name for name, is_wrong in wrong.items() if is_wrong):
        raise UnsupportedTokenizerError(f"A SentencePiece model with its setting of {name!r} is not reproduced.")
    if b"  " in normalizer.precompiled_charsmap:
        raise UnsupportedTokenizerError(
            "A `precompiled_charsmap` that puts two spaces in the place of a text is not reproduced."
        )
    return model


def _compile_normalizer(spec: Any) -> tuple[Step, ...]:
    space = ord(_SPACE)
    character_map = (compile_character_map(spec.precompiled_charsmap),) if spec.precompiled_charsmap else ()
    return (
        *character_map,
        Spaces(),
        Prepend((space,)),
        Metaspace(space, prepend_scheme="never", split=False),
        Strip(table_of_members(np.array([space])), left=False, right=True),
    )


def _compile_pieces(model: Any, vocabulary: dict[str, int], joint: JointIds) -> JointUnigram:
    names = {piece.piece: i for i, piece in enumerate(model.pieces) if piece.type == _NORMAL}
    scores = np.array([piece.score for piece in model.pieces], np.float32)
    (unknown_id,) = (i for i, piece in enumerate(model.pieces) if piece.type == model.SentencePiece.UNKNOWN)
    ids = [vocabulary.get(piece.piece, joint.unknown_id) for piece in model.pieces]
    unigram = build_unigram(names, scores, lowest=scores[list(names.values())].min(), unknown_id=unknown_id)
    return JointUnigram(unigram, np.array(ids, np.int32), joint)


def compile_marian_decoder(tokenizer: Any) -> Decoding:
    """Compile the way from ids back to text, in the language that is translated to."""
    names = dict(tokenizer.decoder) | {i: token.content for i, token in tokenizer.added_tokens_decoder.items()}
    special = set(tokenizer.all_special_tokens)
    tokens = [names.get(token_id) for token_id in range(max(names) + 1)]
    written = np.full(len(tokens), b"", object)
    for token_id, token in enumerate(tokens):
        if token is not None:
            written[token_id] = _written(token, tokenizer.spm_target, special).encode()
    after_special = f"({'|'.join(map(re.escape, sorted(special)))}) (?:{_LEADS} )+"
    return Decoding(
        first=written,
        middle=written,
        last=written,
        only=written,
        is_known=np.array([token is not None for token in tokens]),
        is_special=np.array([token in special for token in tokens]),
        byte_values=None,
        replacements=((after_special, r"\1 "), (_LEADS, ""), (_ENDS, "")),
    )


def _written(token: str, pieces: Any, special: set[str]) -> str:
    if token in special:
        return f"{token} "
    piece_id = pieces.piece_to_id(token)
    if pieces.is_control(piece_id):
        return ""
    leads = token.startswith(_SPACE) and not pieces.is_unknown(piece_id)
    return leads * _LEADS + token.replace(_SPACE, " ")
