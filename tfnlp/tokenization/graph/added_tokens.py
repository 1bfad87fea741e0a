"""Added and special tokens inside a text: found before or after the text is normalized, and made one character each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tfnlp._backend import tf
from tfnlp.tokenization.graph import probing, trie
from tfnlp.tokenization.graph.characters import Added, Characters
from tfnlp.tokenization.graph.leftmost import leftmost
from tfnlp.tokenization.graph.probing import NUM_CODE_POINTS
from tfnlp.tokenization.graph.ragged import changes, ranges, true_indices
from tfnlp.tokenization.graph.tables import CharacterTable, Table, build_character_table

_WHITE_SPACE, _WORD = 1, 2


@dataclass(frozen=True)
class AddedTokens:
    """Added tokens that are looked for at the same time.

    Attributes:
        trie: their contents, in the codes of `alphabet`; a value is an index into `ids` and the flags below.
        ids: their ids. int32.
        alphabet: the code points of their contents, ascending; the code of one is its place plus 1. int32.
        first_code_points: those a content begins with. int32.
        kinds: of each code point, whether it is white space or part of a word.
        single_word: whether each counts only where no word goes on before or after it.
        strips_left: whether each takes the white space before it too.
        strips_right: whether each takes the white space after it too.
    """

    trie: trie.Trie
    ids: Table
    alphabet: Table
    first_code_points: Table
    kinds: CharacterTable
    single_word: tuple[bool, ...]
    strips_left: tuple[bool, ...]
    strips_right: tuple[bool, ...]

    def __call__(self, characters: Characters) -> Characters:
        """Make each added token in the text one character, and a piece by itself.

        Of tokens that overlap, the leftmost counts, and of those that begin together the longest.
        """
        may_begin = tf.reduce_any(tf.equal(characters.points[:, None], self.first_code_points), axis=1)

        def replaced() -> Characters:
            candidates = true_indices(may_begin)
            ends = tf.gather(piece_ends(characters), candidates)
            codes = self._codes(characters.points)
            lengths, tokens = trie.longest_matches(self.trie, codes, candidates, ends)
            found = tf.where(lengths > 0)[:, 0]
            starts, lengths, tokens = (tf.gather(x, found) for x in (candidates, lengths, tokens))
            matches = _Matches(starts, starts + lengths, tokens)
            matches = matches.kept(leftmost(matches.starts, matches.ends))
            if any(self.single_word):
                matches = self._whole_words(characters, matches)
            if any(self.strips_left) or any(self.strips_right):
                matches = self._stripped(characters, matches)
            return substituted(characters, matches.starts, matches.ends, tf.gather(self.ids, matches.tokens))

        return if_any(may_begin, replaced, characters)

    def _codes(self, points: tf.Tensor) -> tf.Tensor:
        place = tf.minimum(tf.searchsorted(self.alphabet, points), self.alphabet.shape[0] - 1)
        return tf.where(tf.equal(tf.gather(self.alphabet, place), points), place + 1, 0)

    def _whole_words(self, characters: Characters, matches: _Matches) -> _Matches:
        """Drop the matches of single words beside which a word goes on."""
        is_word = tf.equal(self.kinds(characters.points), _WORD)
        outside = tf.zeros([1], tf.bool)
        goes_on_before = tf.concat([outside, is_word[:-1]], 0) & ~characters.begins
        goes_on_after = tf.concat([is_word & ~characters.begins, outside], 0)
        beside = tf.gather(goes_on_before, matches.starts) | tf.gather(goes_on_after, matches.ends)
        return matches.kept(~(beside & tf.gather(self.single_word, matches.tokens)))

    def _stripped(self, characters: Characters, matches: _Matches) -> _Matches:
        """Widen matches over the white space beside them, where the token says so."""
        starts, ends, tokens = matches.starts, matches.ends, matches.tokens
        is_space = tf.equal(self.kinds(characters.points), _WHITE_SPACE)
        others = true_indices(~is_space)
        before = tf.gather(tf.concat([[-1], others], 0), tf.searchsorted(others, starts))
        after = tf.gather(tf.concat([others, [tf.size(is_space)]], 0), tf.searchsorted(others, ends))
        own = tf.gather(characters.piece, starts)
        left = tf.maximum(before + 1, tf.searchsorted(characters.piece, own))
        right = tf.minimum(after, tf.searchsorted(characters.piece, own, side="right"))
        right = tf.where(tf.gather(self.strips_right, tokens), tf.maximum(right, ends), ends)
        left = tf.where(tf.gather(self.strips_left, tokens), tf.minimum(left, starts), starts)
        taken = tf.concat([tf.zeros_like(right[:1]), right[:-1]], 0)  # white space that the match before has taken
        return _Matches(tf.maximum(left, tf.minimum(taken, starts)), right, tokens)


@dataclass(frozen=True)
class _Matches:
    starts: tf.Tensor
    ends: tf.Tensor
    tokens: tf.Tensor

    def kept(self, mask: tf.Tensor) -> _Matches:
        return _Matches(*(tf.boolean_mask(values, mask) for values in (self.starts, self.ends, self.tokens)))


def compile_added_tokens(
    tokens: Sequence[dict], normalize: Callable[[str], str]
) -> tuple[AddedTokens | None, AddedTokens | None]:
    """Compile the `added_tokens` of a `tokenizer.json`.

    Args:
        tokens: the tokens.
        normalize: what the tokenizer's normalizer makes of a text.

    Returns:
        Those to look for before normalization and after it; None where there are none.
    """
    before = [(token, token["content"]) for token in tokens if not token["normalized"]]
    after = [(token, normalize(token["content"])) for token in tokens if token["normalized"]]
    groups = [[(token, content) for token, content in group if content] for group in (before, after)]
    return _compile_group(groups[0]), _compile_group(groups[1])


def _compile_group(tokens: Sequence[tuple[dict, str]]) -> AddedTokens | None:
    if not tokens:
        return None
    contents = [probing.to_code_points(content) for _, content in tokens]
    letters = np.unique(np.concatenate(contents))
    kinds = np.zeros(NUM_CODE_POINTS, np.int32)
    if any(token["lstrip"] or token["rstrip"] for token, _ in tokens):
        kinds[probing.probe_white_space()] = _WHITE_SPACE
    if any(token["single_word"] for token, _ in tokens):
        kinds[probing.probe_word_characters()] = _WORD
    # Of equal contents the first counts, as in the Rust tokenizer; in the trie it is the last.
    order = range(len(tokens) - 1, -1, -1)
    return AddedTokens(
        trie=trie.build_trie(
            [(np.searchsorted(letters, contents[i]) + 1).tolist() for i in order], order, len(letters) + 1
        ),
        alphabet=letters,
        ids=np.array([token["id"] for token, _ in tokens], np.int32),
        first_code_points=np.unique([content[0] for content in contents]).astype(np.int32),
        kinds=build_character_table(kinds),
        single_word=tuple(token["single_word"] for token, _ in tokens),
        strips_left=tuple(token["lstrip"] for token, _ in tokens),
        strips_right=tuple(token["rstrip"] for token, _ in tokens),
    )


def piece_ends(characters: Characters) -> tf.Tensor:
    """Return for each character where its piece ends. Shape `(characters,)`, int32."""
    return tf.searchsorted(characters.piece, characters.piece, side="right")


def substituted(characters: Characters, starts: tf.Tensor, ends: tf.Tensor, ids: tf.Tensor) -> Characters:
    """Put an added token, which is one character and a piece by itself, in the place of each match.

    Args:
        characters: the characters.
        starts: where matches begin; they do not overlap. Shape `(matches,)`, int32.
        ends: where they end. Shape `(matches,)`, int32.
        ids: the added token of each. Shape `(matches,)`, int32.
    """
    size = tf.size(characters.points)
    inside = ranges(starts, ends - starts)
    is_start = tf.scatter_nd(starts[:, None], tf.ones_like(starts, tf.bool), [size])
    is_inside = tf.scatter_nd(inside[:, None], tf.ones_like(inside, tf.bool), [size])
    leaves = changes(is_inside) & ~is_inside  # the first character after a match
    number = NUM_CODE_POINTS + tf.size(characters.added.ids) + tf.range(tf.size(starts))
    last = tf.gather(characters.source, ends - 1)
    marked = replace(
        characters,
        points=tf.tensor_scatter_nd_update(characters.points, starts[:, None], number),
        added=Added(*(tf.concat(pair, 0) for pair in zip(characters.added, (ids, last), strict=True))),
    )
    return marked.split_at(is_start | leaves).kept(is_start | ~is_inside)


def if_any(mask: tf.Tensor, then: Callable[[], Characters], characters: Characters) -> Characters:
    """Return what a function that may add tokens returns if any of a mask is true, else the characters as they are."""

    def columns(found: Characters) -> tuple[tf.Tensor, ...]:
        return found.points, found.source, found.piece, *found.added

    points, source, piece, ids, last = tf.cond(
        tf.reduce_any(mask), lambda: columns(then()), lambda: columns(characters)
    )
    return Characters(points, source, piece, characters.begins_text, Added(ids, last))
