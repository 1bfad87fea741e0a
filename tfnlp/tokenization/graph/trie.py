"""A double-array trie in constant tensors, walked from many positions at once.

Aoe, "An efficient digital search algorithm by using a double-array structure" (1989): the child of node `s` by code
`c` is the slot `base[s] + c`, if `check` there names `s`. A node is its slot, so a step is one gather of each table.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tfnlp._backend import tf

ROOT = 0
NO_VALUE = -1

Table = Any  # a NumPy array, or the constant tensor made of it


@dataclass(frozen=True)
class Trie:
    """A trie's tables, int32, all of shape `(slots,)`: NumPy arrays when built, tensors in the graph.

    Attributes:
        base: for each node, where its children's codes count from.
        check: for each slot, the node it is a child of, or -1.
        value: for each node, the value of the key that ends there, or -1.
    """

    base: Table
    check: Table
    value: Table

    def child(self, node: int, code: int) -> int:
        """Return a node's child, or a node without children where there is none."""
        slot = int(self.base[node]) + code
        return slot if self.check[slot] == node else len(self.base) - 1


def build_trie(keys: Iterable[tuple[Sequence[int], int]], num_codes: int) -> Trie:
    """Build a trie from `(codes, value)` pairs; codes lie in `[1, num_codes)`, 0 never matches, values are >= 0."""
    children: list[dict[int, int]] = [{}]
    values = [NO_VALUE]
    for codes, value in keys:
        node = 0
        for code in codes:
            following = children[node].get(code)
            if following is None:
                following = children[node][code] = len(children)
                children.append({})
                values.append(NO_VALUE)
            node = following
        values[node] = value
    return _pack(children, np.array(values, np.int32), num_codes)


def _pack(children: list[dict[int, int]], values: np.ndarray, num_codes: int) -> Trie:
    """Give every node a slot, the nodes with most children first; those with one child fill the holes."""
    size = 2 * len(children) + 2 * num_codes
    free = np.ones(size + num_codes, bool)
    free[ROOT] = False
    bases = np.zeros(len(children), np.int64)
    slots = np.zeros(len(children), np.int64)
    parents = np.full(len(children), -1, np.int64)
    branching = [node for node, found in enumerate(children) if len(found) > 1]
    lowest, fan_out, start = 1, 0, 1
    for node in sorted(branching, key=lambda node: -len(children[node])):
        codes = np.fromiter(children[node], np.int64)
        if len(codes) != fan_out:  # what was too full for the last node of as many children is too full for this one
            fan_out, start = len(codes), lowest
        bases[node] = _first_fit(free, np.sort(codes), start)
        start = int(bases[node] + codes.min())
        nodes = np.fromiter(children[node].values(), np.int64)
        slots[nodes] = bases[node] + codes
        parents[nodes] = node
        free[slots[nodes]] = False
        while not free[lowest]:
            lowest += 1
    chains = np.array([node for node, found in enumerate(children) if len(found) == 1], np.int64)
    if len(chains):
        codes = np.array([next(iter(children[node])) for node in chains], np.int64)
        nodes = np.array([next(iter(children[node].values())) for node in chains], np.int64)
        slots[nodes] = np.flatnonzero(free[num_codes:])[: len(chains)] + num_codes
        bases[chains] = slots[nodes] - codes
        parents[nodes] = chains
    return _tables(slots, bases, parents, values, num_codes)


def _first_fit(free: np.ndarray, codes: np.ndarray, first_slot: int) -> int:
    """Return the least base at which the slots of all `codes` are free, the least of them from `first_slot` on."""
    start, step = max(first_slot - int(codes[0]), 0), 256
    while True:
        candidates = np.flatnonzero(free[start + codes[0] : start + codes[0] + step]) + start
        for code in codes[1:]:
            candidates = candidates[free[np.minimum(candidates + code, len(free) - 1)]]
        if len(candidates):
            return int(candidates[0])
        start += step


def _tables(slots: np.ndarray, bases: np.ndarray, parents: np.ndarray, values: np.ndarray, num_codes: int) -> Trie:
    size = int(max(slots.max(), bases.max())) + num_codes + 1  # any base plus any code is a slot
    base, check, value = np.zeros(size, np.int32), np.full(size, -1, np.int32), np.full(size, NO_VALUE, np.int32)
    base[slots] = bases
    check[slots[1:]] = slots[parents[1:]]
    value[slots] = values
    return Trie(base, check, value)


def longest_matches(
    trie: Trie, codes: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor, *, root: int = ROOT
) -> tuple[tf.Tensor, tf.Tensor]:
    """Find the longest key that begins at each start and does not pass its end.

    Args:
        trie: the trie.
        codes: the text. Shape `(length,)`, int32.
        starts: positions in `codes`. Shape `(starts,)`, int32.
        ends: for each start, the position that a match may not pass. Shape `(starts,)`, int32.
        root: the node to start from.

    Returns:
        The lengths (0 where no key matches) and values (-1) of the matches, each of shape `(starts,)`, int32.
    """

    def step(
        depth: tf.Tensor, node: tf.Tensor, active: tf.Tensor, lengths: tf.Tensor, values: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        position = tf.gather(starts, active) + depth
        slot = tf.gather(trie.base, node) + tf.gather(codes, position)
        node, active = _keep(tf.equal(tf.gather(trie.check, slot), node), slot, active)
        found = tf.gather(trie.value, node)
        hit, match = _keep(found >= 0, active, found)
        lengths = tf.tensor_scatter_nd_update(lengths, hit[:, None], tf.fill(tf.shape(hit), depth + 1))
        values = tf.tensor_scatter_nd_update(values, hit[:, None], match)
        node, active = _keep(tf.gather(starts, active) + depth + 1 < tf.gather(ends, active), node, active)
        return depth + 1, node, active, lengths, values

    active = tf.cast(tf.where(starts < ends)[:, 0], tf.int32)
    vector = tf.TensorShape([None])
    _, _, _, lengths, values = tf.while_loop(
        lambda depth, node, active, lengths, values: tf.size(active) > 0,
        step,
        (0, tf.fill(tf.shape(active), root), active, tf.zeros_like(starts), tf.fill(tf.shape(starts), NO_VALUE)),
        shape_invariants=(tf.TensorShape([]), vector, vector, starts.shape, starts.shape),
    )
    return lengths, values


def _keep(mask: tf.Tensor, *vectors: tf.Tensor) -> list[tf.Tensor]:
    kept = tf.where(mask)[:, 0]
    return [tf.gather(vector, kept) for vector in vectors]
