"""WordLevel: each word is one entry of the vocabulary, or unknown."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tfnlp._backend import tf
from tfnlp.errors import UnsupportedTokenizerError
from tfnlp.tokenization.graph.models.tokens import Tokens, Words
from tfnlp.tokenization.graph.models.whole_words import Alphabet, WholeWords, build_alphabet, build_whole_words


@dataclass(frozen=True)
class WordLevel:
    """A compiled vocabulary of words.

    Attributes:
        alphabet: its characters.
        entries: its words.
        unknown_id: the id of all other words.
    """

    alphabet: Alphabet
    entries: WholeWords
    unknown_id: int

    def __call__(self, words: Words) -> Tokens:
        """Look every word up."""
        tokens, is_entry = self.entries(self.alphabet.codes(words.characters.points), words)
        return replace(tokens, ids=tf.where(is_entry, tokens.ids, self.unknown_id))


def compile_word_level(model: dict[str, Any]) -> WordLevel:
    """Compile the `model` of a `tokenizer.json`."""
    vocabulary = model["vocab"]
    if model["unk_token"] not in vocabulary:
        raise UnsupportedTokenizerError(
            f"The unknown token {model['unk_token']!r} is not in the vocabulary: other words could not be encoded."
        )
    alphabet, by_letter = build_alphabet(vocabulary)
    words = {word: token_id for word, token_id in vocabulary.items() if word}
    return WordLevel(alphabet, build_whole_words(words, by_letter), vocabulary[model["unk_token"]])
