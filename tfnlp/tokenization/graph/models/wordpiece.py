"""WordPiece: the longest vocabulary entry from each position, from a word's start to its end.

Schuster and Nakajima, "Japanese and Korean voice search" (2012), as the Rust tokenizer implements it: a word with a
stretch that no entry covers, or of too many characters, is one unknown token.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tfnlp._backend import tf
from tfnlp.errors import UnsupportedTokenizerError
from tfnlp.tokenization.graph import trie
from tfnlp.tokenization.graph.models.tokens import Tokens, Words, columns_of, in_word_order
from tfnlp.tokenization.graph.models.whole_words import Alphabet, WholeWords, build_alphabet, build_whole_words
from tfnlp.tokenization.graph.ragged import exclusive_cumsum, ranges, row_index, true_indices


@dataclass(frozen=True)
class WordPiece:
    """A compiled WordPiece vocabulary.

    Attributes:
        alphabet: its characters.
        whole: its entries, for words that are one.
        entries: the same; those that continue a word also lie below the node `continuation`, `num_ids` higher.
        continuation: the node from which entries that continue a word are found.
        unknown_id: the id of the unknown token.
        max_word_length: words of more characters are unknown.
        num_ids: one more than the greatest id.
    """

    alphabet: Alphabet
    whole: WholeWords
    entries: trie.Trie
    continuation: int
    unknown_id: int
    max_word_length: int
    num_ids: int

    def __call__(self, words: Words) -> Tokens:
        """Look every word up; split those that are no entry, and not too long."""
        codes = self.alphabet.codes(words.characters.points)
        whole, is_whole = self.whole(codes, words)
        fits = words.lengths <= self.max_word_length
        ones = replace(whole, ids=tf.where(is_whole & fits, whole.ids, self.unknown_id))
        rest = true_indices(~is_whole & fits)

        def some_in_pieces() -> tuple[tf.Tensor, ...]:
            is_covered, pieces = self._pieces(codes, tf.gather(words.starts, rest), tf.gather(words.lengths, rest))
            is_split = tf.scatter_nd(rest[:, None], is_covered, tf.shape(is_whole))
            pieces = replace(pieces, words=tf.gather(rest, pieces.words))
            return columns_of(in_word_order([ones.taken(true_indices(~is_split)), pieces]))

        return Tokens(*tf.cond(tf.size(rest) > 0, some_in_pieces, lambda: columns_of(ones)))

    def _pieces(self, codes: tf.Tensor, starts: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, Tokens]:
        """Cover words with entries, the longest first.

        Returns:
            Whether each word is covered, shape `(words,)`; and the tokens of those that are.
        """
        ends = starts + lengths
        word = row_index(lengths)
        position = ranges(starts, lengths)
        begins = exclusive_cumsum(lengths)
        roots = tf.fill(tf.shape(position), self.continuation)
        roots = tf.tensor_scatter_nd_update(roots, begins[:, None], tf.fill(tf.shape(begins), self.entries.root))
        match_lengths, match_ids = trie.longest_matches(self.entries, codes, position, tf.gather(ends, word), roots)

        def follow(current: tf.Tensor, is_reached: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            is_reached = tf.tensor_scatter_nd_update(is_reached, current[:, None], tf.ones_like(current, tf.bool))
            step = tf.gather(match_lengths, current)
            goes_on = (step > 0) & (tf.gather(position, current) + step < tf.gather(ends, tf.gather(word, current)))
            return tf.boolean_mask(current + step, goes_on), is_reached

        _, is_reached = tf.while_loop(
            lambda current, is_reached: tf.size(current) > 0,
            follow,
            (begins, tf.zeros_like(position, tf.bool)),
            shape_invariants=(tf.TensorShape([None]), position.shape),
        )
        is_hole = tf.cast(is_reached & tf.equal(match_lengths, 0), tf.int32)
        is_covered = tf.equal(tf.math.segment_max(is_hole, word), 0)
        token = true_indices(is_reached & tf.gather(is_covered, word))
        first, size = tf.gather(position, token), tf.gather(match_lengths, token)
        return is_covered, Tokens(
            tf.gather(match_ids, token) % self.num_ids, first, first + size, tf.gather(word, token)
        )


def compile_wordpiece(model: dict[str, Any], *, is_word: Callable[[str], bool]) -> WordPiece:
    """Compile the `model` of a `tokenizer.json`.

    Args:
        model: the model.
        is_word: whether the pre-tokenizer leaves a text in one piece; an entry that it cuts is never a word.
    """
    vocabulary, prefix = model["vocab"], model["continuing_subword_prefix"]
    if model["unk_token"] not in vocabulary:
        raise UnsupportedTokenizerError(
            f"The unknown token {model['unk_token']!r} is not in the vocabulary: other words could not be encoded."
        )
    alphabet, by_letter = build_alphabet(vocabulary)
    continuation = alphabet.size  # a code that no character has
    num_ids = max(vocabulary.values()) + 1
    keys, values = [], []
    for entry, value in vocabulary.items():
        codes = [by_letter[letter] for letter in entry]
        keys.append(codes)
        values.append(value)
        if prefix and entry.startswith(prefix) and entry != prefix:
            keys.append([continuation, *codes[len(prefix) :]])
            values.append(value + num_ids)
    entries = trie.build_trie(keys, values, alphabet.size + 1)
    whole = {word: token_id for word, token_id in vocabulary.items() if word and is_word(word)}
    child = entries.edges.get(entries.root, continuation) if prefix else entries.root  # without it all continue words
    return WordPiece(
        alphabet=alphabet,
        whole=build_whole_words(whole, by_letter),
        entries=entries,
        continuation=child if child >= 0 else entries.leaf,
        unknown_id=vocabulary[model["unk_token"]],
        max_word_length=model["max_input_chars_per_word"],
        num_ids=num_ids,
    )
