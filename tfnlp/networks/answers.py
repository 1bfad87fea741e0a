"""`Answer`: what a head makes of an encoder's vectors."""

from __future__ import annotations

from typing import NamedTuple

from tfnlp._backend import tf
from tfnlp.networks.layers import Activation, Dense, Mode, Norm
from tfnlp.networks.output import Output


class Step(NamedTuple):
    """A dense layer with what stands around it.

    Attributes:
        dense: the layer.
        activation: after it; None: there is none.
        norm: after that; None: there is none.
        rate: of dropout before it.
    """

    dense: Dense
    activation: Activation | None = None
    norm: Norm | None = None
    rate: float = 0.0

    def __call__(self, values: tf.Tensor, mode: Mode) -> tf.Tensor:
        """Return what it makes of values. From shape `(count, in)` to `(count, out)`, float32."""
        values = self.dense(mode.drop(values, self.rate))
        values = values if self.activation is None else self.activation(values)
        values = tf.cast(values, tf.float32)
        return values if self.norm is None else self.norm(values, mode)


class Answer(NamedTuple):
    """What a head makes of an encoder's vectors.

    Attributes:
        names: of its outputs, as transformers' heads call them; two are the halves of what comes out, one is all.
        steps: one after the other.
        pooling: how the vectors of a row become one: the `first`, or the `mean`; None: each is answered.
        output: from vectors to the logits of a vocabulary, at the end; None: there is none.
    """

    names: tuple[str, ...] = ("logits",)
    steps: tuple[Step, ...] = ()
    pooling: str | None = None
    output: Output | None = None

    def __call__(self, hidden: tf.Tensor, mask: tf.Tensor, mode: Mode) -> dict[str, tf.Tensor]:
        """Return outputs by name, float32.

        Args:
            hidden: Shape `(rows * length, size)`.
            mask: Shape `(rows, length)`, int32.
            mode: whether it is to learn.

        Returns:
            Each of shape `(rows, length, count)`, or `(rows, count)` where vectors are pooled, or `(rows, length)`
            where there are two.
        """
        shape = tf.shape(mask)
        if self.pooling is not None:
            hidden = _pooled(tf.reshape(hidden, [shape[0], shape[1], hidden.shape[-1]]), mask, self.pooling)
        for step in self.steps:
            hidden = step(hidden, mode)
        if self.output is not None:
            hidden = self.output(hidden)
        if self.pooling is None:
            hidden = tf.reshape(hidden, [shape[0], shape[1], hidden.shape[-1]])
        parts = [hidden] if len(self.names) == 1 else tf.unstack(hidden, axis=-1)
        return dict(zip(self.names, parts, strict=True))


def _pooled(vectors: tf.Tensor, mask: tf.Tensor, pooling: str) -> tf.Tensor:
    if pooling == "first":
        return vectors[:, 0]
    weights = tf.cast(mask, vectors.dtype)[:, :, None]
    return tf.reduce_sum(vectors * weights, 1) / tf.reduce_sum(weights, 1)
