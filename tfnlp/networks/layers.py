"""The parts of transformers: dense layers, norms, activations, attention; functions of their weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

from tfnlp._backend import tf

_HIDDEN = -1e9  # added to scores of attention where a place is hidden

Activation = Callable[[tf.Tensor], tf.Tensor]


class Mode(NamedTuple):
    """How layers are run.

    Attributes:
        is_training: whether there is dropout, and ops are those whose gradients are fast.
        generator: of the random numbers of dropout; None: TensorFlow's global one.
    """

    is_training: bool = False
    generator: tf.random.Generator | None = None

    def drop(self, values: tf.Tensor, rate: float) -> tf.Tensor:
        """Set a share of values to zero and enlarge the others by as much, in training; else leave them as they are."""
        if not (self.is_training and rate):
            return values
        generator = self.generator or tf.random.get_global_generator()
        return tf.nn.experimental.general_dropout(values, rate, uniform_sampler=generator.uniform)


ANSWERING = Mode()


class Dense(NamedTuple):
    """A dense layer.

    Attributes:
        kernel: Shape `(in, out)`.
        bias: Shape `(out,)` or `(1, out)`; None: there is none.
        dtype: that the product is computed in, and comes out in.
    """

    kernel: Any
    bias: Any = None
    dtype: tf.DType = tf.float32

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        """Return the product. From shape `(tokens, in)` to `(tokens, out)`.

        The bias is added right after the product, and by this op, since then TensorFlow makes one kernel of both.
        """
        product = tf.matmul(tf.cast(values, self.dtype), tf.cast(self.kernel, self.dtype))
        if self.bias is None:
            return product
        bias = self.bias if self.bias.shape.rank == 1 else tf.reshape(self.bias, [-1])
        return tf.nn.bias_add(product, tf.cast(bias, self.dtype))


class Norm(NamedTuple):
    """A layer norm, or a norm by the root of the mean square.

    Attributes:
        gamma: Shape `(size,)`.
        beta: Shape `(size,)`; None: there is none.
        epsilon: added to the variance.
        is_centered: whether the mean is taken away first; else it is the root of the mean square (Zhang and Sennrich
            2019).
    """

    gamma: Any
    beta: Any
    epsilon: float
    is_centered: bool = True

    def __call__(self, values: tf.Tensor, mode: Mode = ANSWERING) -> tf.Tensor:
        """Return normalized values of the same shape, `(..., size)`; computed in float32."""
        wide = tf.cast(values, tf.float32)
        is_one_kernel = self.is_centered and self.beta is not None and values.shape.rank == 2 and _fuses_norms()
        in_one = is_one_kernel and not mode.is_training
        scaled = (self._in_one_kernel(wide) if in_one else self._by_ops(wide)) * tf.cast(self.gamma, tf.float32)
        return tf.cast(scaled if self.beta is None else scaled + tf.cast(self.beta, tf.float32), values.dtype)

    def _in_one_kernel(self, values: tf.Tensor) -> tf.Tensor:
        """Normalize so that TensorFlow, on a CPU, makes one kernel of it: as a batch norm of rows as channels."""
        count, size = tf.shape(values)[0], values.shape[-1]
        nothing = tf.constant([], tf.float32)
        normalized = tf.raw_ops.FusedBatchNormV3(
            x=tf.reshape(values, [1, count, size, 1]), scale=tf.ones([count]), offset=tf.zeros([count]), mean=nothing,
            variance=nothing, epsilon=self.epsilon, data_format="NCHW", is_training=True,
        ).y  # fmt: skip
        return tf.reshape(normalized, [count, size])

    def _by_ops(self, values: tf.Tensor) -> tf.Tensor:
        if self.is_centered:
            values = values - tf.reduce_mean(values, -1, keepdims=True)
        variance = tf.reduce_mean(tf.square(values), -1, keepdims=True)
        return values * tf.math.rsqrt(variance + self.epsilon)


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
        is_halved: whether `up` gives both, what goes through the activation and what it is multiplied with.
    """

    up: Dense
    down: Dense
    gate: Dense | None = None
    is_halved: bool = False

    def __call__(
        self, values: tf.Tensor, activation: Activation, mode: Mode = ANSWERING, rate: float = 0.0
    ) -> tf.Tensor:
        """Return what is added. Shape `(tokens, size)`, both; `rate` is that of dropout of the inner values."""
        if self.is_halved:
            through, other = tf.split(self.up(values), 2, -1)
            inner = activation(through) * other
        elif self.gate is not None:
            inner = activation(self.gate(values)) * self.up(values)
        else:
            inner = activation(self.up(values))
        return self.down(mode.drop(inner, rate))


def exact_gelu(values: tf.Tensor) -> tf.Tensor:
    """Return the Gaussian error linear unit, exactly."""
    return tf.nn.gelu(values, approximate=False)


def tanh_gelu(values: tf.Tensor) -> tf.Tensor:
    """Return the Gaussian error linear unit, by the hyperbolic tangent."""
    return tf.nn.gelu(values, approximate=True)


ACTIVATIONS: dict[str, Activation] = {
    "gelu": exact_gelu,
    "gelu_new": tanh_gelu,
    "gelu_pytorch_tanh": tanh_gelu,
    "relu": tf.nn.relu,
    "silu": tf.nn.silu,
    "swish": tf.nn.silu,
    "tanh": tf.nn.tanh,
}


def split_heads(values: tf.Tensor, num_rows: tf.Tensor, num_heads: int) -> tf.Tensor:
    """Take heads apart. From shape `(rows * length, heads * size)` to `(rows, heads, length, size)`."""
    size = values.shape[-1] // num_heads
    length = tf.shape(values)[0] // num_rows
    return tf.transpose(tf.reshape(values, [num_rows, length, num_heads, size]), [0, 2, 1, 3])


class Attended(NamedTuple):
    """What attention gives.

    Attributes:
        values: in the mean that it makes of them. Shape `(rows * length, heads * size)`.
        weights: of that mean. Shape `(rows, heads, length, places)`.
    """

    values: tf.Tensor
    weights: tf.Tensor


def attended(
    queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, bias: tf.Tensor, scale: float,
    mode: Mode = ANSWERING, rate: float = 0.0,
) -> Attended:  # fmt: skip
    """Return values in the mean that attention makes of them.

    Args:
        queries: Shape `(rows, heads, length, size)`.
        keys: of as many heads, or of fewer, each of which serves several. Shape `(rows, key heads, places, size)`.
        values: the same.
        bias: added to scores. Shape `(rows or 1, heads or 1, length or 1, places)`, float32.
        scale: what scores are multiplied with before.
        mode: whether there is dropout of weights.
        rate: of it.
    """
    num_heads, size, num_key_heads = queries.shape[1], queries.shape[3], keys.shape[1]
    num_rows, length, places = tf.shape(queries)[0], tf.shape(queries)[2], tf.shape(keys)[2]
    if num_heads != num_key_heads:
        queries = tf.reshape(queries, [num_rows, num_key_heads, num_heads // num_key_heads * length, size])
    scores = tf.cast(tf.matmul(queries, keys, transpose_b=True), tf.float32) * scale
    if num_heads != num_key_heads:
        scores = tf.reshape(scores, [num_rows, num_heads, length, places])
    weights = tf.nn.softmax(scores + bias)
    shared = tf.cast(mode.drop(weights, rate), values.dtype)
    if num_heads != num_key_heads:
        shared = tf.reshape(shared, [num_rows, num_key_heads, num_heads // num_key_heads * length, places])
    mean = tf.matmul(shared, values)
    if num_heads != num_key_heads:
        mean = tf.reshape(mean, [num_rows, num_heads, length, size])
    return Attended(tf.reshape(tf.transpose(mean, [0, 2, 1, 3]), [num_rows * length, num_heads * size]), weights)


@cache
def _fuses_norms() -> bool:
    """Tell whether TensorFlow makes one kernel of a norm: on a CPU. A GPU's kernel would raise small epsilons."""
    return not tf.config.list_physical_devices("GPU")


def hidden_bias(is_visible: tf.Tensor) -> tf.Tensor:
    """Return what hides places from attention. Shape of `is_visible`, float32."""
    return tf.where(is_visible, 0.0, _HIDDEN)
