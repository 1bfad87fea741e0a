"""WordPiece: the longest vocabulary entry from each position, from a word's start to its end.

Schuster and Nakajima, "Japanese and Korean voice search" (2012), as the Rust tokenizer implements it: a word with a
stretch that no entry covers, or of too many characters, is one unknown token.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tfnlp._backend import tf
from tfnlp.tokenization.graph import trie
from tfnlp.tokenization.graph.ragged import ranges, row_index


@dataclass(frozen=True)
class WordPiece:
    """A compiled WordPiece vocabulary.

    Attributes:
        trie: the entries.
        continuation: the node of the trie from which entries that continue a word are found.
        unknown_id: the id of the unknown token.
        max_word_length: words of more characters are unknown.
    """

    trie: trie.Trie
    continuation: int
    unknown_id: int
    max_word_length: int


def vocabulary_letters(vocabulary: Mapping[str, int], prefix: str) -> set[str]:
    """Return the characters of all entries, without the prefix of those that continue a word."""
    return {letter for entry in vocabulary for letter in entry.removeprefix(prefix) or entry} | set(prefix)


def compile_wordpiece(
    vocabulary: Mapping[str, int],
    *,
    prefix: str,
    unknown: str,
    max_word_length: int,
    alphabet: Mapping[str, int],
    added: Mapping[int, int],
    num_symbols: int,
) -> WordPiece:
    """Compile a vocabulary.

    Args:
        vocabulary: entries to ids.
        prefix: what entries that continue a word begin with.
        unknown: the entry of the unknown token.
        max_word_length: in characters.
        alphabet: the symbol of each character.
        added: the symbol of each added token, to its id.
        num_symbols: how many symbols there are.
    """
    continuation = num_symbols  # a code that no character has

    def keys() -> Iterator[tuple[list[int], int]]:
        for entry, value in vocabulary.items():
            rest = entry.removeprefix(prefix)
            if entry and all(letter in alphabet for letter in entry):
                yield [alphabet[letter] for letter in entry], value
            if rest and rest != entry and all(letter in alphabet for letter in rest):
                yield [continuation, *(alphabet[letter] for letter in rest)], value
        for symbol, value in added.items():
            yield [symbol], value

    entries = trie.build_trie(keys(), num_symbols + 1)
    return WordPiece(
        trie=entries,
        continuation=entries.child(trie.ROOT, continuation),
        unknown_id=vocabulary[unknown],
        max_word_length=max_word_length,
    )


def tokenize_words(
    model: WordPiece, symbols: tf.Tensor, starts: tf.Tensor, lengths: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Split words into tokens.

    Most words are one entry, so the first walk is from the words' starts alone; only words that it does not cover are
    walked from each of their other characters.

    Args:
        model: the compiled vocabulary.
        symbols: the characters of all words. Shape `(symbols,)`, int32.
        starts: where each word begins. Shape `(words,)`, int32.
        lengths: how long each word is, at least 1. Shape `(words,)`, int32.

    Returns:
        For each token its id, its word's index, and its start and end in `symbols`; shape `(tokens,)`, int32.
    """
    fits = lengths <= model.max_word_length
    ends = starts + tf.where(fits, lengths, 0)
    first_lengths, first_ids = trie.longest_matches(model.trie, symbols, starts, ends)
    is_whole = tf.equal(first_lengths, lengths)
    ids = tf.where(is_whole, first_ids, model.unknown_id)
    word_ends = starts + lengths
    begun = tf.cast(tf.where((first_lengths > 0) & ~is_whole)[:, 0], tf.int32)

    def one_token_each() -> tuple[tf.Tensor, ...]:
        return ids, tf.range(tf.size(starts)), starts, word_ends

    def some_in_pieces() -> tuple[tf.Tensor, ...]:
        rest_starts = tf.gather(starts + first_lengths, begun)
        is_covered, piece_starts, piece_ids, piece_lengths = _continuations(
            model, symbols, rest_starts, tf.gather(word_ends, begun)
        )
        split = tf.boolean_mask(begun, is_covered)[:, None]
        first = tf.boolean_mask(begun, is_covered)
        all_ids = tf.tensor_scatter_nd_update(ids, split, tf.gather(first_ids, first))
        all_ends = tf.tensor_scatter_nd_update(word_ends, split, tf.gather(starts + first_lengths, first))
        return _in_text_order(
            starts,
            tf.concat([starts, piece_starts], 0),
            tf.concat([all_ids, piece_ids], 0),
            tf.concat([all_ends, piece_starts + piece_lengths], 0),
            tf.size(symbols),
        )

    return tf.cond(tf.size(begun) > 0, some_in_pieces, one_token_each)


def _continuations(
    model: WordPiece, symbols: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    """Cover the rests of words, `[starts, ends)`, with entries that continue a word.

    Returns:
        Whether each rest is covered, shape `(rests,)`; then start, id and length of each token of those that are.
    """
    lengths = ends - starts
    rest = row_index(lengths)
    position = ranges(starts, lengths)
    match_lengths, match_ids = trie.longest_matches(
        model.trie, symbols, position, tf.gather(ends, rest), root=model.continuation
    )

    def follow(current: tf.Tensor, is_reached: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        is_reached = tf.tensor_scatter_nd_update(is_reached, current[:, None], tf.ones_like(current, tf.bool))
        step = tf.gather(match_lengths, current)
        goes_on = (step > 0) & (tf.gather(position, current) + step < tf.gather(ends, tf.gather(rest, current)))
        return tf.boolean_mask(current + step, goes_on), is_reached

    _, is_reached = tf.while_loop(
        lambda current, is_reached: tf.size(current) > 0,
        follow,
        (tf.cumsum(lengths, exclusive=True), tf.zeros_like(position, tf.bool)),
        shape_invariants=(tf.TensorShape([None]), position.shape),
    )
    is_hole = tf.cast(is_reached & tf.equal(match_lengths, 0), tf.int32)
    is_covered = tf.equal(tf.math.unsorted_segment_max(is_hole, rest, tf.size(starts)), 0)
    token = tf.where(is_reached & tf.gather(is_covered, rest))[:, 0]
    return (is_covered, *(tf.gather(vector, token) for vector in (position, match_ids, match_lengths)))


def _in_text_order(
    word_starts: tf.Tensor, starts: tf.Tensor, ids: tf.Tensor, ends: tf.Tensor, size: tf.Tensor
) -> tuple[tf.Tensor, ...]:
    """Order tokens by their starts, which differ; the first ones are those that begin the words."""
    place = tf.scatter_nd(starts[:, None], tf.range(1, tf.size(starts) + 1), [size])
    start = tf.cast(tf.where(place > 0)[:, 0], tf.int32)
    token = tf.gather(place, start) - 1
    word = tf.cumsum(tf.cast(token < tf.size(word_starts), tf.int32)) - 1
    return tf.gather(ids, token), word, start, tf.gather(ends, token)
