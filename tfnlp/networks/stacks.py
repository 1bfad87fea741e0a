"""`Stack`: the layers of a decoder or an encoder, run over a whole text or over one token after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np

from tfnlp._backend import tf, update_slice
from tfnlp.networks.layers import (
    Attention,
    FeedForward,
    Norm,
    attended,
    hidden_bias,
    relative_buckets,
    rotated,
    split_heads,
)

KeysAndValues = tuple[tf.Tensor, tf.Tensor]  # each of shape `(rows, heads, places, size)`


class Layer(NamedTuple):
    """The weights of a layer.

    Attributes:
        attention: of tokens to each other.
        attention_norm: before it, or after it, as the stack's `norm_first` says.
        feed_forward: of each token alone.
        feed_forward_norm: before or after it.
        cross: attention to what an encoder has read; None: there is none.
        cross_norm: before or after it.
        window: how many tokens before it each sees, itself included; None: all.
    """

    attention: Attention
    attention_norm: Norm
    feed_forward: FeedForward
    feed_forward_norm: Norm
    cross: Attention | None = None
    cross_norm: Norm | None = None
    window: int | None = None


class Relative(NamedTuple):
    """Positions as a bias on attention, by distance (T5).

    Attributes:
        table: Shape `(buckets, heads)`.
        max_distance: from which on all share the last bucket.
    """

    table: Any
    max_distance: int


class Stack(NamedTuple):
    """Layers with all that stands before and after them.

    Attributes:
        tokens: the vector of each token. Shape `(vocabulary, size)`.
        layers: one after the other.
        num_heads: of attention.
        num_key_heads: of keys and values, each for several of these.
        scale: what scores of attention are multiplied with.
        activation: of feed-forward layers.
        norm_first: whether a norm stands before what it belongs to, inside its detour; else after the sum.
        is_causal: whether a token sees none after it.
        token_scale: what the vectors of tokens are multiplied with.
        positions: the vector of each position; None: they are not added. Shape `(positions, size)`.
        first_position: the row of the first position in that table.
        inverse_frequencies: of rotary positions. Shape `(head size / 2,)`, float32; None: there are none.
        relative: positions by distance; None: there are none.
        first_norm: of vectors with positions; None: there is none.
        last_norm: of what comes out of the last layer; None: there is none.
    """

    tokens: Any
    layers: tuple[Layer, ...]
    num_heads: int
    num_key_heads: int
    scale: float
    activation: Callable[[tf.Tensor], tf.Tensor]
    norm_first: bool = True
    is_causal: bool = True
    token_scale: float = 1.0
    positions: Any = None
    first_position: int = 0
    inverse_frequencies: np.ndarray | None = None
    relative: Relative | None = None
    first_norm: Norm | None = None
    last_norm: Norm | None = None


class Cache(Protocol):
    """Puts new keys, or values, beside those of before."""

    def __call__(self, before: tf.Tensor | None, new: tf.Tensor, place: tf.Tensor | int) -> tf.Tensor:
        """Return all keys, or values; `place` is that of the first new one."""
        ...


def grown(before: tf.Tensor | None, new: tf.Tensor, place: tf.Tensor | int) -> tf.Tensor:
    """Put new keys behind those of before. Shape `(rows, heads, places, size)`."""
    del place
    return new if before is None else tf.concat([before, new], 2)


def written(before: tf.Tensor | None, new: tf.Tensor, place: tf.Tensor | int) -> tf.Tensor:
    """Write new keys over free places, in a graph that XLA compiles. Shape of `before`."""
    assert before is not None, "room was made"
    return update_slice(before, new, tf.stack([0, 0, place, 0]))


def run_stack(
    stack: Stack,
    ids: tf.Tensor,
    positions: tf.Tensor,
    mask: tf.Tensor,
    *,
    place: tf.Tensor | int = 0,
    cache: Cache = grown,
    before: tuple[KeysAndValues, ...] | None = None,
    across: tuple[KeysAndValues, ...] | None = None,
    across_mask: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tuple[KeysAndValues, ...]]:
    """Run layers over tokens.

    Args:
        stack: of layers.
        ids: of tokens that were not read before. Shape `(rows, length)`, int32.
        positions: of these, from 0 in each text. Shape `(rows, length)`, int32.
        mask: 1 for all tokens that are read, those of before included; 0 for padding and free places. Shape
            `(rows, places)`, int32.
        place: of the first of `ids` among the places.
        cache: what puts new keys and values beside those of before.
        before: keys and values of each layer, of tokens that were read before; None: there are none.
        across: keys and values of each layer, of what an encoder has read.
        across_mask: 1 for its tokens. Shape `(rows, texts)`, int32.

    Returns:
        What comes out of the last layer, shape `(rows * length, size)`, and all keys and values.
    """
    num_rows, length = tf.shape(ids)[0], tf.shape(ids)[1]
    hidden = tf.gather(stack.tokens, tf.reshape(ids, [-1])) * stack.token_scale
    if stack.positions is not None:
        hidden += tf.gather(stack.positions, tf.reshape(positions, [-1]) + stack.first_position)
    if stack.first_norm is not None:
        hidden = stack.first_norm(hidden)
    biases = {window: _bias(stack, mask, place, length, window) for window in {one.window for one in stack.layers}}
    turn = _turning(stack, positions)
    across_bias = None if across_mask is None else hidden_bias(across_mask[:, None, None] > 0)
    remembered = []
    for i, layer in enumerate(stack.layers):
        old = (None, None) if before is None else before[i]

        def to_itself(values: tf.Tensor, layer: Layer = layer, old: Any = old) -> tf.Tensor:
            queries, keys, others = _projected(layer.attention, values, num_rows, stack)
            queries, keys = turn(queries), turn(keys)
            keys, others = cache(old[0], keys, place), cache(old[1], others, place)
            remembered.append((keys, others))
            return layer.attention.output(attended(queries, keys, others, biases[layer.window], stack.scale))

        def to_texts(values: tf.Tensor, layer: Layer = layer, i: int = i) -> tf.Tensor:
            assert layer.cross is not None and across is not None and across_bias is not None
            queries = split_heads(layer.cross.query(values), num_rows, stack.num_heads)
            return layer.cross.output(attended(queries, *across[i], across_bias, stack.scale))

        hidden = _detour(hidden, to_itself, layer.attention_norm, stack.norm_first)
        if layer.cross is not None:
            hidden = _detour(hidden, to_texts, layer.cross_norm, stack.norm_first)
        hidden = _detour(
            hidden, lambda values, own=layer.feed_forward: own(values, stack.activation), layer.feed_forward_norm,
            stack.norm_first,
        )  # fmt: skip
    if stack.last_norm is not None:
        hidden = stack.last_norm(hidden)
    return hidden, tuple(remembered)


def keys_across(stack: Stack, hidden: tf.Tensor, num_rows: tf.Tensor) -> tuple[KeysAndValues, ...]:
    """Return keys and values of each layer of a decoder, of what an encoder has read: shape `(rows * texts, size)`."""
    return tuple(
        (
            split_heads(layer.cross.key(hidden), num_rows, stack.num_key_heads),
            split_heads(layer.cross.value(hidden), num_rows, stack.num_key_heads),
        )
        for layer in stack.layers
        if layer.cross is not None and layer.cross.key is not None and layer.cross.value is not None
    )


def _detour(
    hidden: tf.Tensor, step: Callable[[tf.Tensor], tf.Tensor], norm: Norm | None, norm_first: bool
) -> tf.Tensor:
    assert norm is not None
    return hidden + step(norm(hidden)) if norm_first else norm(hidden + step(hidden))


def _projected(
    weights: Attention, values: tf.Tensor, num_rows: tf.Tensor, stack: Stack
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return queries, keys and values, each of shape `(rows, heads, length, size)`."""
    if weights.key is None or weights.value is None:
        flat = tf.split(weights.query(values), 3, -1)
    else:
        flat = [layer(values) for layer in (weights.query, weights.key, weights.value)]
    heads = (stack.num_heads, stack.num_key_heads, stack.num_key_heads)
    queries, keys, others = (split_heads(one, num_rows, count) for one, count in zip(flat, heads, strict=True))
    if weights.query_norm is not None:
        queries = weights.query_norm(queries)
    if weights.key_norm is not None:
        keys = weights.key_norm(keys)
    return queries, keys, others


def _bias(stack: Stack, mask: tf.Tensor, place: tf.Tensor | int, length: tf.Tensor, window: int | None) -> tf.Tensor:
    """Return what is added to scores of attention. Shape `(rows, heads or 1, length, places)`, float32."""
    places = tf.range(tf.shape(mask)[1])
    offsets = places - (place + tf.range(length))[:, None]  # of keys from queries
    is_visible = tf.ones_like(offsets, tf.bool)
    if stack.is_causal:
        is_visible = offsets <= 0
        if window is not None:
            is_visible &= offsets > -window
    bias = hidden_bias(is_visible & (mask[:, None] > 0))[:, None]
    if stack.relative is None:
        return bias
    table, max_distance = stack.relative
    buckets = relative_buckets(
        offsets, num_buckets=table.shape[0], max_distance=max_distance, both_sides=not stack.is_causal
    )
    return bias + tf.cast(tf.transpose(tf.gather(table, buckets), [2, 0, 1]), tf.float32)


def _turning(stack: Stack, positions: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return what turns queries and keys by position, or leaves them as they are."""
    if stack.inverse_frequencies is None:
        return lambda values: values
    angles = tf.cast(positions, tf.float32)[:, None, :, None] * tf.constant(stack.inverse_frequencies, tf.float32)
    angles = tf.concat([angles, angles], -1)
    cosines, sines = tf.cos(angles), tf.sin(angles)
    return lambda values: rotated(values, tf.cast(cosines, values.dtype), tf.cast(sines, values.dtype))
