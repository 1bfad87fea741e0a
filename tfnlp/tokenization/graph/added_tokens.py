"""Added and special tokens inside a text: found before the text is normalized, and made one character each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfnlp._backend import tf
from tfnlp.errors import UnsupportedTokenizerError
from tfnlp.tokenization.graph import probing, trie
from tfnlp.tokenization.graph.probing import NUM_CODE_POINTS
from tfnlp.tokenization.graph.ragged import ranges, row_index
from tfnlp.tokenization.graph.trie import Table


@dataclass(frozen=True)
class AddedTokens:
    """The added tokens of a tokenizer.

    Attributes:
        ids: their ids.
        trie: their contents, in the codes of `alphabet`; a value is an index into `ids`.
        alphabet: the code points of their contents, ascending; the code of one is its place plus 1. int32.
        first_code_points: those a content begins with. int32.
        white_space: the code points that a token may take along. int32.
        strips_left: whether each takes the white space before it too.
        strips_right: whether each takes the white space after it too.
    """

    ids: tuple[int, ...]
    trie: trie.Trie
    alphabet: Table
    first_code_points: Table
    white_space: Table
    strips_left: tuple[bool, ...]
    strips_right: tuple[bool, ...]


def compile_added_tokens(tokens: Sequence[dict]) -> AddedTokens | None:
    """Compile the `added_tokens` of a `tokenizer.json`; None if there are none.

    Raises:
        UnsupportedTokenizerError: for a token with `single_word` or `normalized`.
    """
    for token in tokens:
        for flag in ("single_word", "normalized"):
            if token[flag]:
                raise UnsupportedTokenizerError(
                    f"The added token {token['content']!r} has `{flag}=True`, which is not reproduced in the graph. "
                    f"Add it with `AddedToken({token['content']!r}, {flag}=False)`."
                )
    tokens = [token for token in tokens if token["content"]]
    if not tokens:
        return None
    contents = [probing.to_code_points(token["content"]) for token in tokens]
    alphabet = np.unique(np.concatenate(contents))
    keys = [(np.searchsorted(alphabet, content) + 1, i) for i, content in enumerate(contents)]
    return AddedTokens(
        ids=tuple(token["id"] for token in tokens),
        trie=trie.build_trie(((codes.tolist(), i) for codes, i in keys), len(alphabet) + 1),
        alphabet=alphabet,
        first_code_points=np.unique([content[0] for content in contents]).astype(np.int32),
        white_space=probing.probe_white_space(),
        strips_left=tuple(token["lstrip"] for token in tokens),
        strips_right=tuple(token["rstrip"] for token in tokens),
    )


def replace_added_tokens(
    added: AddedTokens, code_points: tf.Tensor, segment: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Make each added token in the text one character, `NUM_CODE_POINTS` plus its index.

    Of tokens that overlap, the leftmost counts, and of those that begin together the longest.

    Args:
        added: the compiled tokens.
        code_points: Shape `(characters,)`, int32.
        segment: the text that each character is part of, ascending. Shape `(characters,)`, int32.

    Returns:
        The new code points and, for each, the start and end of what it stands for, as indices into `code_points`;
        all of shape `(new characters,)`, int32.
    """
    may_begin = tf.reduce_any(tf.equal(code_points[:, None], added.first_code_points), axis=1)
    positions = tf.range(tf.size(code_points))

    def unchanged() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        return code_points, positions, positions + 1

    def replaced() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        candidates = tf.cast(tf.where(may_begin)[:, 0], tf.int32)
        ends = tf.gather(_segment_ends(segment), candidates)
        codes = _codes(added, code_points)
        lengths, tokens = trie.longest_matches(added.trie, codes, candidates, ends)
        found = tf.where(lengths > 0)[:, 0]
        starts, lengths, tokens = (tf.gather(x, found) for x in (candidates, lengths, tokens))
        chosen = _leftmost(starts, starts + lengths)
        starts, lengths, tokens = (tf.boolean_mask(x, chosen) for x in (starts, lengths, tokens))
        starts, ends = _stripped(added, code_points, segment, (starts, starts + lengths, tokens))
        return _substituted(code_points, starts, ends, tokens)

    return tf.cond(tf.reduce_any(may_begin), replaced, unchanged)


def _codes(added: AddedTokens, code_points: tf.Tensor) -> tf.Tensor:
    place = tf.minimum(tf.searchsorted(added.alphabet, code_points), added.alphabet.shape[0] - 1)
    return tf.where(tf.equal(tf.gather(added.alphabet, place), code_points), place + 1, 0)


def _segment_ends(segment: tf.Tensor) -> tf.Tensor:
    """Return for each character where its segment ends."""
    return tf.searchsorted(segment, segment, side="right")


def _leftmost(starts: tf.Tensor, ends: tf.Tensor) -> tf.Tensor:
    """Choose among matches, ascending by start, those that do not begin inside a chosen one."""

    def step(i: tf.Tensor, reached: tf.Tensor, chosen: tf.TensorArray) -> tuple:
        fits = starts[i] >= reached
        return i + 1, tf.where(fits, ends[i], reached), chosen.write(i, fits)

    def one_by_one() -> tf.Tensor:
        chosen = tf.TensorArray(tf.bool, tf.size(starts))
        return tf.while_loop(lambda i, *_: i < tf.size(starts), step, (0, 0, chosen))[2].stack()

    overlap = tf.reduce_any(starts[1:] < ends[:-1])
    return tf.cond(overlap, one_by_one, lambda: tf.ones_like(starts, tf.bool))


def _stripped(
    added: AddedTokens, code_points: tf.Tensor, segment: tf.Tensor, matches: tuple[tf.Tensor, tf.Tensor, tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor]:
    """Widen matches, `(starts, ends, tokens)`, over the white space beside them, where the token says so."""
    starts, ends, tokens = matches
    if not (any(added.strips_left) or any(added.strips_right)):
        return starts, ends
    is_space = tf.reduce_any(tf.equal(code_points[:, None], added.white_space), axis=1)
    others = tf.cast(tf.where(~is_space)[:, 0], tf.int32)  # a match is no space, so there are some
    before = tf.gather(tf.concat([[-1], others], 0), tf.searchsorted(others, starts))
    after = tf.gather(tf.concat([others, [tf.size(code_points)]], 0), tf.searchsorted(others, ends))
    own = tf.gather(segment, starts)
    left = tf.maximum(before + 1, tf.searchsorted(segment, own))
    right = tf.minimum(after, tf.searchsorted(segment, own, side="right"))
    right = tf.where(tf.gather(added.strips_right, tokens), right, ends)
    left = tf.where(tf.gather(added.strips_left, tokens), left, starts)
    taken = tf.concat([tf.zeros_like(right[:1]), right[:-1]], 0)  # white space that the match before has taken
    return tf.maximum(left, tf.minimum(taken, starts)), right


def _substituted(
    code_points: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor, tokens: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    size = tf.size(code_points)
    inside = ranges(starts, ends - starts)
    owner = row_index(ends - starts)
    stays = tf.tensor_scatter_nd_update(
        tf.ones([size], tf.bool), inside[:, None], tf.equal(inside, tf.gather(starts, owner))
    )
    new_points = tf.tensor_scatter_nd_update(code_points, starts[:, None], tokens + NUM_CODE_POINTS)
    new_ends = tf.tensor_scatter_nd_update(tf.range(1, size + 1), starts[:, None], ends)
    kept = tf.cast(tf.where(stays)[:, 0], tf.int32)
    return tf.gather(new_points, kept), kept, tf.gather(new_ends, kept)
