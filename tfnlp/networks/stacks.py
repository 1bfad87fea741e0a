"""`Stack`: the layers of a decoder or an encoder, as a family describes them."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from tfnlp._backend import tf, update_slice
from tfnlp.networks.layers import Activation, Attention, Dense, FeedForward, Mode, Norm
from tfnlp.networks.positions import Disentangled, Distances, Relative

KeysAndValues = tuple[tf.Tensor, tf.Tensor]  # each of shape `(rows, heads, places, size)`


class Rates(NamedTuple):
    """Of dropout in training.

    Attributes:
        embeddings: of what goes into the first layer.
        weights: of attention's weights.
        attention: of what attention gives, before it is added.
        feed_forward: the same of feed-forward layers.
        inner: of the inner values of these.
        last: of what comes out of the last norm.
    """

    embeddings: float = 0.0
    weights: float = 0.0
    attention: float = 0.0
    feed_forward: float = 0.0
    inner: float = 0.0
    last: float = 0.0


class Tokens(NamedTuple):
    """Tokens of rows that were not read before.

    Attributes:
        ids: Shape `(rows, length)`, int32.
        positions: from 0 in each text. Shape `(rows, length)`, int32.
        mask: 1 for all tokens that are read, those of before included; 0 for padding and free places. Shape
            `(rows, places)`, int32.
        types: None: all of the first. Shape `(rows, length)`, int32.
    """

    ids: tf.Tensor
    positions: tf.Tensor
    mask: tf.Tensor
    types: tf.Tensor | None = None


class Embeddings(NamedTuple):
    """From ids of tokens to vectors.

    Attributes:
        tokens: the vector of each. Shape `(vocabulary, size)`.
        scale: what these are multiplied with.
        types: the vector of each token type; None: there are none. Shape `(types, size)`.
        positions: the vector of each position; None: they are not added. Shape `(positions, size)`.
        first_position: the row of the first position in that table.
        norm: of the sum; None: there is none.
        projection: to another size; None: there is none.
        projects_first: whether before the norm.
        hides_padding: whether vectors of padding are zeros.
    """

    tokens: Any
    scale: float = 1.0
    types: Any = None
    positions: Any = None
    first_position: int = 0
    norm: Norm | None = None
    projection: Dense | None = None
    projects_first: bool = False
    hides_padding: bool = False

    def __call__(self, tokens: Tokens, mode: Mode, rate: float) -> tf.Tensor:
        """Return vectors, with dropout by a rate. Shape `(rows * length, size)`."""
        hidden = tf.gather(self.tokens, tf.reshape(tokens.ids, [-1]))
        hidden = hidden if self.scale == 1 else hidden * self.scale
        if self.positions is not None:
            hidden += tf.gather(self.positions, tf.reshape(tokens.positions, [-1]) + self.first_position)
        if self.types is not None:
            types = tf.zeros_like(tokens.ids) if tokens.types is None else tokens.types
            hidden += tf.gather(self.types, tf.reshape(types, [-1]))
        if self.projection is not None and self.projects_first:
            hidden = tf.cast(self.projection(hidden), hidden.dtype)
        if self.norm is not None:
            hidden = self.norm(hidden, mode)
        if self.hides_padding:
            hidden *= tf.cast(tf.reshape(tokens.mask, [-1, 1]), hidden.dtype)
        hidden = mode.drop(hidden, rate)
        if self.projection is not None and not self.projects_first:
            hidden = tf.cast(self.projection(hidden), hidden.dtype)
        return hidden


class Layer(NamedTuple):
    """The weights of a layer.

    Attributes:
        attention: of tokens to each other.
        attention_norm: before it, or after it, as the stack's `norm_first` says; None: there is none.
        feed_forward: of each token alone.
        feed_forward_norm: before or after it.
        cross: attention to what an encoder has read; None: there is none.
        cross_norm: before or after it.
        window: how many tokens before it, itself included, each sees, and as many after it unless the stack is causal;
            None: all.
        frequencies: of rotary positions. Shape `(head size / 2,)`, float32; None: there are none.
        disentangled: what it makes of vectors of distances; None: there are none.
    """

    attention: Attention
    attention_norm: Norm | None
    feed_forward: FeedForward
    feed_forward_norm: Norm
    cross: Attention | None = None
    cross_norm: Norm | None = None
    window: int | None = None
    frequencies: np.ndarray | None = None
    disentangled: Disentangled | None = None


class Stack(NamedTuple):
    """Layers with all that stands before and after them.

    Attributes:
        embeddings: from ids to the vectors that the first layer takes.
        layers: one after the other; one that is shared stands there as often as it is run.
        num_heads: of attention.
        num_key_heads: of keys and values, each for several of these.
        scale: what scores of attention are multiplied with.
        activation: of feed-forward layers.
        norm_first: whether a norm stands before what it belongs to, inside its detour; else after the sum.
        is_causal: whether a token sees none after it.
        relative: positions as a bias by distance; None: there are none.
        distances: vectors of distances; None: there are none.
        last_norm: of what comes out of the last layer; None: there is none.
        rates: of dropout.
    """

    embeddings: Embeddings
    layers: tuple[Layer, ...]
    num_heads: int
    num_key_heads: int
    scale: float
    activation: Activation
    norm_first: bool = True
    is_causal: bool = True
    relative: Relative | None = None
    distances: Distances | None = None
    last_norm: Norm | None = None
    rates: Rates = Rates()


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
