"""A trie in constant tensors, walked from many positions at once: a step is one look-up of all (node, code) pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tfnlp._backend import tf
from tfnlp.tokenization.graph.tables import PairTable, build_pair_table

NO_VALUE = -1


@dataclass(frozen=True)
class Trie:
    """A trie.

    Attributes:
        edges: the child of each node by each code. The node of a key is its value; all other nodes come after those.
        root: the node to start from.
        leaf: a node without children.
    """

    edges: PairTable
    root: int
    leaf: int


def build_trie(keys: Sequence[Sequence[int]], values: Sequence[int], num_codes: int) -> Trie:
    """Build a trie.

    Args:
        keys: codes in `[1, num_codes)`; code 0 never matches. Empty keys are left out; of equal keys the last counts.
        values: of each key, at least 0; no two keys have the same.
        num_codes: one more than the greatest code.
    """
    lengths = np.array([len(key) for key in keys], np.int64)
    flat = np.fromiter((code for key in keys for code in key), np.int64, int(lengths.sum()))
    begins = np.cumsum(lengths) - lengths
    node = np.zeros(len(keys), np.int64)
    parents, codes, num_nodes = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 1
    alive = np.flatnonzero(lengths)
    depth = 0
    while len(alive):
        edge = node[alive] * num_codes + flat[begins[alive] + depth]
        distinct, child = np.unique(edge, return_inverse=True)
        node[alive] = num_nodes + child
        parents.append(distinct // num_codes)
        codes.append(distinct % num_codes)
        num_nodes += len(distinct)
        depth += 1
        alive = alive[lengths[alive] > depth]
    has_length = lengths > 0
    root = int(max(values, default=0)) + 1
    number = np.full(num_nodes, -1, np.int64)
    number[node[has_length]] = np.asarray(values, np.int64)[has_length]
    number[number < 0] = root + np.arange((number < 0).sum())  # the root is the first of them
    edges = build_pair_table(number[np.concatenate(parents)], np.concatenate(codes), number[1:], num_codes)
    return Trie(edges, root, root + num_nodes)


def longest_matches(
    trie: Trie, codes: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor, roots: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Find the longest key that begins at each start and does not pass its end.

    Args:
        trie: the trie.
        codes: the text. Shape `(length,)`, int32.
        starts: positions in `codes`. Shape `(starts,)`, int32.
        ends: for each start, the position that a match may not pass. Shape `(starts,)`, int32.
        roots: the node from which each is matched; None: the root for all. Shape `(starts,)`, int32.

    Returns:
        The lengths (0 where no key matches) and values (-1) of the matches, each of shape `(starts,)`, int32.
    """
    walk = _walk(trie, codes, starts, ends, tf.fill(tf.shape(starts), trie.root) if roots is None else roots)
    size = tf.size(starts)
    lengths = tf.maximum(tf.math.unsorted_segment_max(walk.depth, walk.start, size), 0)
    is_longest = tf.equal(tf.gather(lengths, walk.start), walk.depth)
    start, value = _keep(is_longest, walk.start, walk.value)
    return lengths, tf.scatter_nd(start[:, None], value + 1, [size]) - 1


def all_matches(trie: Trie, codes: tf.Tensor, ends: tf.Tensor) -> tf.Tensor:
    """Find every key that begins anywhere and does not pass its end.

    Args:
        trie: the trie.
        codes: the text. Shape `(length,)`, int32.
        ends: for each position, the position that a match may not pass. Shape `(length,)`, int32.

    Returns:
        At `[d, i]` the value of the key of length `d + 1` that ends with character `i`, or -1. Shape
        `(longest, length)`, int32, where `longest` is that of the text's matches, and at least 1.
    """
    starts = tf.range(tf.size(codes))
    walk = _walk(trie, codes, starts, ends, tf.fill(tf.shape(starts), trie.root))
    longest = tf.maximum(tf.reduce_max(walk.depth), 1)
    last = walk.start + walk.depth - 1
    return tf.scatter_nd(tf.stack([walk.depth - 1, last], 1), walk.value + 1, [longest, tf.size(codes)]) - 1


@dataclass(frozen=True)
class _Walk:
    """Every key found: the start it was found from, its length, and its value; each of shape `(found,)`, int32."""

    start: tf.Tensor
    depth: tf.Tensor
    value: tf.Tensor


def _walk(trie: Trie, codes: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor, roots: tf.Tensor) -> _Walk:
    """Follow the text from all starts at once, code by code, until no key goes on."""
    last = tf.size(codes) - 1

    def step(
        depth: tf.Tensor, node: tf.Tensor, start: tf.Tensor, position: tf.Tensor, end: tf.Tensor, *found: tf.TensorArray
    ) -> tuple:
        code = tf.where(position < end, tf.gather(codes, tf.minimum(position, last)), 0)
        node = trie.edges(node, code)
        node, start, position, end = _keep(node >= 0, node, start, position, end)
        hit, value = _keep(node < trie.root, start, node)
        columns = (hit, tf.fill(tf.shape(hit), depth), value)
        arrays = [array.write(depth - 1, column) for array, column in zip(found, columns, strict=True)]
        return depth + 1, node, start, position + 1, end, *arrays

    found = [tf.TensorArray(tf.int32, 1, dynamic_size=True, infer_shape=False, element_shape=[None]) for _ in range(3)]
    vector, unknown = tf.TensorShape([None]), tf.TensorShape(None)
    results = tf.while_loop(
        lambda depth, node, *_: (tf.size(node) > 0) | tf.equal(depth, 1),
        step,
        (1, roots, tf.range(tf.size(starts)), starts, ends, *found),
        shape_invariants=(tf.TensorShape([]), vector, vector, vector, vector, unknown, unknown, unknown),
    )
    start, depth, value = (array.concat() for array in results[-3:])
    return _Walk(start, depth, value)


def _keep(mask: tf.Tensor, *vectors: tf.Tensor) -> list[tf.Tensor]:
    kept = tf.where(mask)[:, 0]
    return [tf.gather(vector, kept) for vector in vectors]
