"""`run_stack`: layers over a whole text, or over one token after the other with what was read before."""

from __future__ import annotations

from typing import NamedTuple

from tfnlp._backend import tf
from tfnlp.networks.layers import ANSWERING, Attention, Dense, Mode, Norm, attended, hidden_bias, split_heads
from tfnlp.networks.positions import positions_of, turning
from tfnlp.networks.stacks import Cache, KeysAndValues, Layer, Stack, Tokens, grown


class Reading(NamedTuple):
    """What layers make of tokens.

    Attributes:
        hidden: what comes out of the last one. Shape `(rows * length, size)`.
        remembered: all keys and values, by layer.
        states: what goes into each layer, and what comes out of the last one before its norm. Shapes of `hidden`.
        weights: of attention, by layer. Each of shape `(rows, heads, length, places)`.
    """

    hidden: tf.Tensor
    remembered: tuple[KeysAndValues, ...]
    states: tuple[tf.Tensor, ...]
    weights: tuple[tf.Tensor, ...]


class Past(NamedTuple):
    """What was read before.

    Attributes:
        remembered: keys and values of each layer; None: nothing was read.
        place: of the first new token among the places.
        cache: what puts new keys and values beside those of before.
    """

    remembered: tuple[KeysAndValues, ...] | None = None
    place: tf.Tensor | int = 0
    cache: Cache = grown


NOTHING = Past()


class Texts(NamedTuple):
    """What an encoder has read, for a decoder that attends to it.

    Attributes:
        remembered: keys and values of each layer of the decoder.
        mask: 1 for tokens. Shape `(rows, texts)`, int32.
    """

    remembered: tuple[KeysAndValues, ...]
    mask: tf.Tensor


def run_stack(
    stack: Stack, tokens: Tokens, past: Past = NOTHING, texts: Texts | None = None, mode: Mode = ANSWERING
) -> Reading:
    """Run layers over tokens.

    Args:
        stack: of layers.
        tokens: that were not read before.
        past: what was.
        texts: what an encoder has read; None: there is none.
        mode: whether it is to learn.
    """
    reader = _Reader(stack, tokens, past, texts, mode)
    hidden = stack.embeddings(tokens, mode, stack.rates.embeddings)
    states, remembered, weights = [hidden], [], []
    for i, layer in enumerate(stack.layers):
        found = reader.attend_to_itself(i, layer, reader.before(hidden, layer.attention_norm))
        hidden = reader.after(hidden, found.output, layer.attention_norm, stack.rates.attention)
        if layer.cross is not None:
            added = reader.attend_to_texts(i, layer.cross, reader.before(hidden, layer.cross_norm))
            hidden = reader.after(hidden, added, layer.cross_norm, stack.rates.attention)
        inner = layer.feed_forward(
            reader.before(hidden, layer.feed_forward_norm), stack.activation, mode, stack.rates.inner
        )
        hidden = reader.after(hidden, inner, layer.feed_forward_norm, stack.rates.feed_forward)
        states.append(hidden)
        remembered.append(found.remembered)
        weights.append(found.weights)
    if stack.last_norm is not None:
        hidden = stack.last_norm(hidden, mode)
    return Reading(mode.drop(hidden, stack.rates.last), tuple(remembered), tuple(states), tuple(weights))


def read_texts(encoder: Stack, decoder: Stack, ids: tf.Tensor, mask: tf.Tensor, mode: Mode = ANSWERING) -> Texts:
    """Run an encoder over texts, of shape `(rows, texts)`, int32, and return what a decoder attends to of them."""
    hidden = run_stack(encoder, Tokens(ids, positions_of(tf.ones_like(mask)), mask), mode=mode).hidden
    num_rows = tf.shape(ids)[0]
    remembered = tuple(
        (
            split_heads(layer.cross.key(hidden), num_rows, decoder.num_key_heads),
            split_heads(layer.cross.value(hidden), num_rows, decoder.num_key_heads),
        )
        for layer in decoder.layers
        if layer.cross is not None and layer.cross.key is not None and layer.cross.value is not None
    )
    return Texts(remembered, mask)


class _Attention(NamedTuple):
    """What a layer's attention to its own tokens gives."""

    output: tf.Tensor
    remembered: KeysAndValues
    weights: tf.Tensor


class _Reader:
    """The parts of a layer, and what all layers share: what is visible, and where tokens stand."""

    def __init__(self, stack: Stack, tokens: Tokens, past: Past, texts: Texts | None, mode: Mode) -> None:
        self._stack, self._past, self._texts, self._mode = stack, past, texts, mode
        self._num_rows, length = tf.shape(tokens.ids)[0], tf.shape(tokens.ids)[1]
        windows = {layer.window for layer in stack.layers}
        self._biases = {window: _bias(stack, tokens.mask, past.place, length, window) for window in windows}
        frequencies = [layer.frequencies for layer in stack.layers]
        self._turns = {id(one): turning(one, tokens.positions) for one in frequencies}
        self._vectors = None if stack.distances is None else stack.distances.vectors(length, mode)
        self._bias_of_texts = None if texts is None else hidden_bias(texts.mask[:, None, None] > 0)

    def before(self, hidden: tf.Tensor, norm: Norm | None) -> tf.Tensor:
        """Return what a part of a layer takes."""
        return hidden if norm is None or not self._stack.norm_first else norm(hidden, self._mode)

    def after(self, hidden: tf.Tensor, added: tf.Tensor, norm: Norm | None, rate: float) -> tf.Tensor:
        """Return the sum of what went past a part of a layer and what that gives."""
        total = hidden + tf.cast(self._mode.drop(added, rate), hidden.dtype)
        return total if norm is None or self._stack.norm_first else norm(total, self._mode)

    def attend_to_itself(self, i: int, layer: Layer, values: tf.Tensor) -> _Attention:
        """Attend to all tokens that are read, those of before included; `i` is the layer's number."""
        stack, past, mode, turn = self._stack, self._past, self._mode, self._turns[id(layer.frequencies)]
        is_first = past.remembered is None
        queries, keys, others = _projected(layer.attention, values, self._num_rows, stack, is_long=is_first)
        queries, keys = turn(queries), turn(keys)
        old_keys, old_others = (None, None) if past.remembered is None else past.remembered[i]
        keys, others = past.cache(old_keys, keys, past.place), past.cache(old_others, others, past.place)
        bias = self._biases[layer.window]
        if layer.disentangled is not None:
            assert stack.distances is not None, "a stack with vectors of distances"
            bias += stack.scale * layer.disentangled(queries, keys, self._vectors, mode, stack.distances.rate)
        found = attended(queries, keys, others, bias, stack.scale, mode, stack.rates.weights)
        return _Attention(layer.attention.output(found.values), (keys, others), found.weights)

    def attend_to_texts(self, i: int, cross: Attention, values: tf.Tensor) -> tf.Tensor:
        """Attend to what an encoder has read; `i` is the layer's number."""
        assert self._texts is not None, "a decoder with something to attend to"
        stack = self._stack
        queries = split_heads(cross.query(values), self._num_rows, stack.num_heads)
        texts = self._texts.remembered[i]
        found = attended(queries, *texts, self._bias_of_texts, stack.scale, self._mode, stack.rates.weights)
        return cross.output(found.values)


def _projected(
    weights: Attention, values: tf.Tensor, num_rows: tf.Tensor, stack: Stack, *, is_long: bool
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return queries, keys and values, each of shape `(rows, heads, length, size)`.

    Args:
        weights: of attention.
        values: Shape `(rows * length, size)`.
        num_rows: how many there are.
        stack: of the layer.
        is_long: whether there are so many values that one product is worth putting the three kernels together.
    """
    together = _together(weights) if weights.key is None or is_long else None
    if together is not None:
        flat = together(values)
        shape = [num_rows, tf.shape(values)[0] // num_rows, 3, stack.num_heads, flat.shape[-1] // (3 * stack.num_heads)]
        queries, keys, others = tf.unstack(tf.transpose(tf.reshape(flat, shape), [2, 0, 3, 1, 4]))
    else:
        assert weights.key is not None and weights.value is not None, "three layers"
        queries = split_heads(weights.query(values), num_rows, stack.num_heads)
        keys = split_heads(weights.key(values), num_rows, stack.num_key_heads)
        others = split_heads(weights.value(values), num_rows, stack.num_key_heads)
    if weights.query_norm is not None:
        queries = weights.query_norm(queries)
    if weights.key_norm is not None:
        keys = weights.key_norm(keys)
    return queries, keys, others


def _together(weights: Attention) -> Dense | None:
    """Return one dense layer that gives queries, keys and values; None: they are not of one size."""
    if weights.key is None or weights.value is None:
        return weights.query
    three = (weights.query, weights.key, weights.value)
    if any(layer.kernel.shape != weights.query.kernel.shape for layer in three):
        return None
    bias = None if weights.query.bias is None else tf.concat([layer.bias for layer in three], 0)
    return Dense(tf.concat([layer.kernel for layer in three], 1), bias, weights.query.dtype)


def _bias(stack: Stack, mask: tf.Tensor, place: tf.Tensor | int, length: tf.Tensor, window: int | None) -> tf.Tensor:
    """Return what is added to scores of attention. Shape `(rows, heads or 1, length or 1, places)`, float32."""
    is_read = mask[:, None] > 0
    if not stack.is_causal and window is None and stack.relative is None:
        return hidden_bias(is_read)[:, None]
    offsets = tf.range(tf.shape(mask)[1]) - (place + tf.range(length))[:, None]  # of keys from queries
    is_visible = offsets <= 0 if stack.is_causal else tf.ones_like(offsets, tf.bool)
    if window is not None:
        is_visible &= tf.abs(offsets) < window
    bias = hidden_bias(is_visible & is_read)[:, None]
    return bias if stack.relative is None else bias + stack.relative(offsets, both_sides=not stack.is_causal)
