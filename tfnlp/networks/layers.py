"""The parts of transformers: dense layers, norms, activations, attention; functions of their weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tfnlp._backend import tf

_HIDDEN = -1e9  # added to scores of attention where a place is hidden


class Dense(NamedTuple):
    """A dense layer.

    Attributes:
        kernel: Shape `(in, out)`.
        bias: Shape `(out,)`; None: there is none.
    """

    kernel: Any
    bias: Any = None

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        """Return the product. From shape `(..., in)` to `(..., out)`."""
        product = tf.matmul(values, self.kernel)
        return product if self.bias is None else product + tf.reshape(self.bias, [-1])


class Norm(NamedTuple):
    """A layer norm, or a norm by the root of the mean square.

    Attributes:
        gamma: Shape `(size,)`.
        beta: Shape `(size,)`; None: the mean is not taken away (Zhang and Sennrich 2019).
        epsilon: added to the variance.
    """

    gamma: Any
    beta: Any
    epsilon: float

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        """Return normalized values of the same shape, `(..., size)`; computed in float32."""
        dtype, values = values.dtype, tf.cast(values, tf.float32)
        if self.beta is not None:
            values = values - tf.reduce_mean(values, -1, keepdims=True)
        variance = tf.reduce_mean(tf.square(values), -1, keepdims=True)
        scaled = values * tf.math.rsqrt(variance + self.epsilon) * tf.cast(self.gamma, tf.float32)
        return tf.cast(scaled if self.beta is None else scaled + tf.cast(self.beta, tf.float32), dtype)


class Attention(NamedTuple):
    """The weights of an attention.

    Attributes:
        query: to queries; or to queries, keys and values together, where `key` and `value` are None.
        key: to keys.
        value: to values.
        output: from all heads to what is added.
        query_norm: of each head's queries; None: there is none.
        key_norm: of each head's keys; None: there is none.
    """

    query: Dense
    key: Dense | None
    value: Dense | None
    output: Dense
    query_norm: Norm | None = None
    key_norm: Norm | None = None


class FeedForward(NamedTuple):
    """The weights of a feed-forward layer.

    Attributes:
        up: to the inner size.
        down: back.
        gate: what goes through the activation in the place of `up`, to be multiplied with it; None: nothing does.
    """

    up: Dense
    down: Dense
    gate: Dense | None = None

    def __call__(self, values: tf.Tensor, activation: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        """Return what is added. Shape `(..., size)`, both."""
        inner = activation(self.up(values)) if self.gate is None else activation(self.gate(values)) * self.up(values)
        return self.down(inner)


def exact_gelu(values: tf.Tensor) -> tf.Tensor:
    """Return the Gaussian error linear unit, exactly."""
    return tf.nn.gelu(values, approximate=False)


def tanh_gelu(values: tf.Tensor) -> tf.Tensor:
    """Return the Gaussian error linear unit, by the hyperbolic tangent."""
    return tf.nn.gelu(values, approximate=True)


ACTIVATIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "gelu": exact_gelu,
    "gelu_new": tanh_gelu,
    "gelu_pytorch_tanh": tanh_gelu,
    "relu": tf.nn.relu,
    "silu": tf.nn.silu,
    "swish": tf.nn.silu,
}


def split_heads(values: tf.Tensor, num_rows: tf.Tensor, num_heads: int) -> tf.Tensor:
    """Take heads apart. From shape `(rows * length, heads * size)` to `(rows, heads, length, size)`."""
    size = values.shape[-1] // num_heads
    length = tf.shape(values)[0] // num_rows
    return tf.transpose(tf.reshape(values, [num_rows, length, num_heads, size]), [0, 2, 1, 3])


def attended(queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, bias: tf.Tensor, scale: float) -> tf.Tensor:
    """Return values in the mean that attention makes of them.

    Args:
        queries: Shape `(rows, heads, length, size)`.
        keys: of as many heads, or of fewer, each of which serves several. Shape `(rows, key heads, places, size)`.
        values: the same.
        bias: added to scores. Shape `(rows or 1, heads or 1, length, places)`.
        scale: what scores are multiplied with before.

    Returns:
        Shape `(rows * length, heads * size)`.
    """
    num_heads, size, num_key_heads = queries.shape[1], queries.shape[3], keys.shape[1]
    num_rows, length, places = tf.shape(queries)[0], tf.shape(queries)[2], tf.shape(keys)[2]
    shared = num_heads // num_key_heads
    grouped = tf.reshape(queries * scale, [num_rows, num_key_heads, shared * length, size])
    scores = tf.matmul(grouped, keys, transpose_b=True)
    scores = tf.cast(tf.reshape(scores, [num_rows, num_heads, length, places]), tf.float32) + bias
    weights = tf.cast(tf.nn.softmax(scores), values.dtype)
    weights = tf.reshape(weights, [num_rows, num_key_heads, shared * length, places])
    mean = tf.reshape(tf.matmul(weights, values), [num_rows, num_heads, length, size])
    return tf.reshape(tf.transpose(mean, [0, 2, 1, 3]), [num_rows * length, num_heads * size])


def hidden_bias(is_visible: tf.Tensor) -> tf.Tensor:
    """Return what hides places from attention. Shape of `is_visible`, float32."""
    return tf.where(is_visible, 0.0, _HIDDEN)


def rotated(values: tf.Tensor, cosines: tf.Tensor, sines: tf.Tensor) -> tf.Tensor:
    """Turn the halves of each head against each other, by position (Su et al. 2021).

    Args:
        values: Shape `(rows, heads, length, size)`.
        cosines: of the angles. Shape `(rows, 1, length, size)`.
        sines: the same.
    """
    first, second = tf.split(values, 2, -1)
    return values * cosines + tf.concat([-second, first], -1) * sines


def relative_buckets(offsets: tf.Tensor, *, num_buckets: int, max_distance: int, both_sides: bool) -> tf.Tensor:
    """Return the bucket of each distance between two places (Raffel et al. 2020).

    Args:
        offsets: of keys from queries. Any shape, int32.
        num_buckets: of all distances.
        max_distance: from which on all share the last bucket.
        both_sides: whether keys after a query have buckets of their own.

    Returns:
        Shape of `offsets`, int32.
    """
    if both_sides:
        num_buckets //= 2
        first = tf.where(offsets > 0, num_buckets, 0)
        distance = tf.abs(offsets)
    else:
        first = tf.zeros_like(offsets)
        distance = tf.maximum(-offsets, 0)
    exact = num_buckets // 2
    ratio = tf.cast(tf.maximum(distance, exact), tf.float32) / exact
    steps = tf.math.log(ratio) / tf.math.log(max_distance / exact) * (num_buckets - exact)
    far = tf.minimum(exact + tf.cast(steps, tf.int32), num_buckets - 1)
    return first + tf.where(distance < exact, distance, far)
