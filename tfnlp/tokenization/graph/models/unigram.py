"""Unigram: the tokens of a word whose scores have the greatest sum, found by the Viterbi algorithm.

Kudo, "Subword regularization" (2018), as the Rust tokenizer implements it (and SentencePiece, in float32 and over a
whole text): sums from the start, the longer token where two sums are equal, neighbours that are unknown fused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from tokenizers import models

from tfnlp._backend import tf
from tfnlp.errors import UnsupportedTokenizerError
from tfnlp.tokenization.graph import trie
from tfnlp.tokenization.graph.models.byte_fallback import compile_byte_ids, with_bytes
from tfnlp.tokenization.graph.models.tokens import Tokens, Words, columns_of, fuse, in_word_order
from tfnlp.tokenization.graph.models.whole_words import (
    Alphabet,
    WholeWords,
    build_alphabet,
    build_entries,
    build_whole_words,
)
from tfnlp.tokenization.graph.ragged import (
    changes,
    exclusive_cumsum,
    following,
    preceding,
    ranges,
    row_index,
    true_indices,
)
from tfnlp.tokenization.graph.tables import Table

_UNKNOWN_PENALTY = 10.0
_IMPOSSIBLE = -np.inf


@dataclass(frozen=True)
class Unigram:
    """A compiled vocabulary with scores.

    Attributes:
        alphabet: its characters.
        entries: its tokens.
        whole: words that are one token; None: they are not looked up.
        scores: of each token; then of an unknown character, and of none at all. In the type that sums have.
        greatest_score: the greatest of their magnitudes.
        unknown_id: the id of the unknown token.
        byte_ids: the token of each byte, for characters that are unknown. int32; None: no such tokens.
    """

    alphabet: Alphabet
    entries: trie.Trie
    whole: WholeWords | None
    scores: Table
    greatest_score: float
    unknown_id: int
    byte_ids: Table | None

    @property
    def _unknown(self) -> int:
        """What stands for the unknown token until it is known which characters are unknown."""
        return int(self.scores.shape[0]) - 2

    def __call__(self, words: Words) -> Tokens:
        """Look every word up; find the best path through those that are not one token."""
        codes = self.alphabet.codes(words.characters.points)
        whole, is_whole = self._whole_words(codes, words)

        def with_paths() -> tuple[tf.Tensor, ...]:
            index = true_indices(~is_whole)
            pieces = self._best_paths(codes, tf.gather(words.starts, index), tf.gather(words.lengths, index))
            pieces = replace(pieces, words=tf.gather(index, pieces.words))
            pieces = self._with_unknown(words, pieces)
            kept = true_indices(is_whole)
            return columns_of(in_word_order([whole.taken(kept), pieces]))

        return Tokens(*tf.cond(tf.reduce_all(is_whole), lambda: columns_of(whole), with_paths))

    def _whole_words(self, codes: tf.Tensor, words: Words) -> tuple[Tokens, tf.Tensor]:
        """Return a token for each word, and whether the word is one."""
        if self.whole is not None:
            return self.whole(codes, words)
        index = tf.range(tf.size(words.starts))
        return Tokens(index, words.starts, words.ends, index), tf.gather(words.characters.is_added, words.starts)

    def _best_paths(self, codes: tf.Tensor, word_starts: tf.Tensor, word_lengths: tf.Tensor) -> Tokens:
        """Find the best path through each word.

        No path passes over a boundary that no match crosses, so the words fall into blocks there, whose paths are
        found at once. But a block's sums then start from 0, and where two come close, rounding could make another
        choice than sums from the word's start: such words are done again in one piece.
        """
        row = row_index(word_lengths)
        position = ranges(word_starts, word_lengths)
        starts = exclusive_cumsum(word_lengths)
        matches = trie.all_matches(self.entries, tf.gather(codes, position), tf.gather(starts + word_lengths, row))
        matches = tf.concat([tf.where(matches[:1] < 0, self._unknown, matches[:1]), matches[1:]], 0)
        begins_word = changes(row)
        begins = begins_word | ~_is_crossed(matches)
        block_starts = true_indices(begins)
        block_lengths = tf.concat([block_starts[1:], tf.shape(row)], 0) - block_starts
        by_end = tf.transpose(matches[::-1])  # (characters, longest): the longest match first
        by_end = tf.where(by_end < 0, self._unknown + 1, by_end)
        close = self._rounding(tf.reduce_max(block_lengths), tf.reduce_max(word_lengths))
        lengths, is_close = self._forward(by_end, block_starts, block_lengths, close)
        is_unsure = is_close & ~tf.gather(begins_word, block_starts)
        unsure = tf.unique(tf.boolean_mask(tf.gather(row, block_starts), is_unsure))[0]

        def again() -> tf.Tensor:
            whole_starts, whole_lengths = tf.gather(starts, unsure), tf.gather(word_lengths, unsure)
            renewed, _ = self._forward(by_end, whole_starts, whole_lengths, close)
            return tf.where(renewed > 0, renewed, lengths)

        lengths = tf.cond(tf.size(unsure) > 0, again, lambda: lengths)
        ends = _path_ends(lengths, block_starts, block_starts + block_lengths - 1)
        length = tf.gather(lengths, ends)
        ids = tf.gather(tf.reshape(matches, [-1]), (length - 1) * tf.size(row) + ends)
        start = tf.gather(position, ends + 1 - length)
        return Tokens(ids, start, start + length, tf.gather(row, ends))

    def _rounding(self, longest_block: tf.Tensor, longest_word: tf.Tensor) -> tf.Tensor:
        """Bound what rounding does to the difference of two paths through a block, in sums from its word's start.

        Each of at most `longest_block` additions on either path rounds by half a unit in the last place of the sum;
        four times that allows for the rounding of the blocks' own sums too.
        """
        dtype = self.scores.dtype
        greatest_sum = tf.cast(longest_word, dtype) * self.greatest_score
        unit = float(np.finfo(dtype.as_numpy_dtype).eps)
        return 4 * unit * tf.cast(longest_block, dtype) * greatest_sum

    def _forward(
        self, by_end: tf.Tensor, starts: tf.Tensor, lengths: tf.Tensor, close: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Find for each character of some stretches the length of the token that the best path to its end ends with.

        Args:
            by_end: the matches that end with each character, the longest first. Shape `(characters, longest)`, int32.
            starts: where each stretch begins. Shape `(stretches,)`, int32.
            lengths: how long it is. Shape `(stretches,)`, int32.
            close: the greatest difference of sums that counts as close.

        Returns:
            Lengths, 0 for characters outside of the stretches, shape `(characters,)`, int32; and for each stretch
            whether two sums came close.
        """
        longest = tf.shape(by_end)[1]
        size, count = tf.shape(by_end)[0], tf.size(starts)
        nothing = tf.constant(_IMPOSSIBLE, self.scores.dtype)

        def step(
            t: tf.Tensor, active: tf.Tensor, sums: tf.Tensor, most: tf.Tensor, at: tf.TensorArray, best: tf.TensorArray
        ) -> tuple:
            """Extend the active stretches by a character. `sums`: of the paths to each of the last characters."""
            position = tf.gather(starts, active) + t
            candidates = sums + tf.gather(self.scores, tf.gather(by_end, position))  # (active, longest)
            choice = tf.argmax(candidates, 1, output_type=tf.int32)
            greatest = tf.reduce_max(candidates, 1)
            rivals = tf.reduce_sum(tf.cast(candidates >= greatest[:, None] - close, tf.int32), 1)
            most = tf.tensor_scatter_nd_max(most, active[:, None], rivals)
            at, best = at.write(t, position), best.write(t, longest - choice)
            sums = tf.concat([sums[:, 1:], greatest[:, None]], 1)
            goes_on = true_indices(tf.gather(lengths, active) > t + 1)
            return t + 1, tf.gather(active, goes_on), tf.gather(sums, goes_on), most, at, best

        sums = tf.concat([tf.fill([count, longest - 1], nothing), tf.zeros([count, 1], self.scores.dtype)], 1)
        arrays = [tf.TensorArray(tf.int32, 1, True, infer_shape=False, element_shape=[None]) for _ in range(2)]
        _, _, _, most, at, best = tf.while_loop(
            lambda t, active, *_: tf.size(active) > 0,
            step,
            (0, tf.range(count), sums, tf.zeros_like(starts), *arrays),
            shape_invariants=(
                tf.TensorShape([]),
                tf.TensorShape([None]),
                tf.TensorShape([None, None]),
                starts.shape,
                tf.TensorShape(None),
                tf.TensorShape(None),
            ),
        )
        return tf.scatter_nd(at.concat()[:, None], best.concat(), [size]), most > 1

    def _with_unknown(self, words: Words, tokens: Tokens) -> Tokens:
        """Fuse unknown neighbours, and put the unknown token, or the tokens of their bytes, in their place."""
        is_none = tf.equal(tokens.ids, self._unknown)
        is_unknown = is_none | tf.equal(tokens.ids, self.unknown_id)  # the text may hold the very name of that token

        def known() -> tuple[tf.Tensor, ...]:
            joins = is_unknown & preceding(is_unknown, False) & ~changes(tokens.words)
            marked = replace(tokens, ids=tf.where(joins | following(joins, False), self._unknown, tokens.ids))
            fused = fuse(marked, is_unknown)
            is_none = tf.equal(fused.ids, self._unknown)
            if self.byte_ids is not None:
                return columns_of(with_bytes(words, fused, is_none, self.byte_ids))
            return columns_of(replace(fused, ids=tf.where(is_none, self.unknown_id, fused.ids)))

        return Tokens(*tf.cond(tf.reduce_any(is_unknown), known, lambda: columns_of(tokens)))


def _is_crossed(matches: tf.Tensor) -> tf.Tensor:
    """Tell before which characters a match goes on that began earlier. Shape `(characters,)`, bool."""
    longest = tf.shape(matches)[0]
    position = tf.range(tf.shape(matches)[1])
    length = longest - tf.argmax(tf.cast(matches[::-1] >= 0, tf.int32), 0, output_type=tf.int32)
    inner = length - 1  # the boundaries that the longest match ending here crosses
    opens = tf.math.bincount(position - inner + 1, minlength=tf.size(position) + 1)
    closes = tf.math.bincount(position + 1, minlength=tf.size(position) + 1)
    return tf.cumsum(opens - closes)[: tf.size(position)] > 0


def _path_ends(lengths: tf.Tensor, firsts: tf.Tensor, lasts: tf.Tensor) -> tf.Tensor:
    """Follow best paths back from the ends of stretches to their starts. Returns where tokens end, ascending."""

    def step(current: tf.Tensor, first: tf.Tensor, is_end: tf.Tensor) -> tuple[tf.Tensor, ...]:
        is_end = tf.tensor_scatter_nd_update(is_end, current[:, None], tf.ones_like(current, tf.bool))
        before = current - tf.gather(lengths, current)
        goes_on = before >= first
        return tf.boolean_mask(before, goes_on), tf.boolean_mask(first, goes_on), is_end

    vector = tf.TensorShape([None])
    _, _, is_end = tf.while_loop(
        lambda current, first, is_end: tf.size(current) > 0,
        step,
        (lasts, firsts, tf.zeros_like(lengths, tf.bool)),
        shape_invariants=(vector, vector, lengths.shape),
    )
    return true_indices(is_end)


def compile_unigram(model: dict[str, Any]) -> Unigram:
    """Compile the `model` of a `tokenizer.json`."""
    unknown_id = model["unk_id"]
    if unknown_id is None:
        raise UnsupportedTokenizerError("A Unigram model without an unknown token (`unk_id`) can't encode every text.")
    pieces = [(name, score) for name, score in model["vocab"]]
    vocabulary = {name: i for i, (name, _) in enumerate(pieces) if name}
    scores = np.array([score for _, score in pieces])
    byte_fallback = model.get("byte_fallback", False)
    rust = models.Unigram(pieces, unknown_id, byte_fallback)
    return build_unigram(
        vocabulary,
        scores,
        lowest=scores.min(),
        unknown_id=unknown_id,
        whole={name: found[0].id for name in vocabulary if len(found := rust.tokenize(name)) == 1},
        byte_ids=compile_byte_ids(vocabulary) if byte_fallback else None,
    )


def build_unigram(
    vocabulary: dict[str, int],
    scores: np.ndarray,
    *,
    lowest: float,
    unknown_id: int,
    whole: dict[str, int] | None = None,
    byte_ids: np.ndarray | None = None,
) -> Unigram:
    """Build the tables of a vocabulary.

    Args:
        vocabulary: the tokens that a text may hold, with their ids.
        scores: of each id, in the type that sums have.
        lowest: the score below which unknown characters lie.
        unknown_id: the id of the unknown token.
        whole: words that are one token, with its id; None: words are not looked up.
        byte_ids: the token of each byte, for characters that are unknown. int32.
    """
    alphabet, by_letter = build_alphabet(vocabulary)
    unknown_score = scores.dtype.type(lowest) - scores.dtype.type(_UNKNOWN_PENALTY)
    return Unigram(
        alphabet=alphabet,
        entries=build_entries(vocabulary, by_letter),
        whole=None if whole is None else build_whole_words(whole, by_letter),
        scores=np.append(scores, np.array([unknown_score, _IMPOSSIBLE], scores.dtype)),
        greatest_score=float(np.abs([*scores, unknown_score]).max()),
        unknown_id=unknown_id,
        byte_ids=byte_ids,
    )
