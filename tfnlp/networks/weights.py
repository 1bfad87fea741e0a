"""Weights by PyTorch's names: what a family asks for, taken from a head that has them or noted for one to be built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tfnlp._backend import tf
from tfnlp.networks.layers import Attention, Dense, Norm


class Weight(NamedTuple):
    """A weight that a network asks for.

    Attributes:
        shape: as TensorFlow keeps it: kernels of dense layers are `(in, out)`.
        start: what it begins with: `normal`, `zeros`, `ones` or `sines`.
        is_turned: whether PyTorch keeps it the other way round.
        is_kept: whether it is never trained: it plays no part here, or is computed.
    """

    shape: tuple[int, ...]
    start: str = "normal"
    is_turned: bool = False
    is_kept: bool = False


class Named:
    """Takes weights by the part of their names that they have in common.

    A family describes its network by one of these, so names and shapes of its weights are said once: for a head that
    has the variables, and for one that must make them.
    """

    def __init__(self, take: Callable[[str, Weight], Any], prefix: str = "", dtype: tf.DType = tf.float32) -> None:
        """Make it.

        Args:
            take: from a name and what is to stand there to the weight.
            prefix: of all names.
            dtype: that products are computed in.
        """
        self._take, self._prefix, self.dtype = take, prefix, dtype

    def at(self, name: str) -> Named:
        """Return what takes weights whose names go on with this; an empty name changes nothing."""
        return Named(self._take, f"{self._prefix}{name}." if name else self._prefix, self.dtype)

    def vector(self, name: str, size: int, start: str = "zeros") -> Any:
        """Return a weight of shape `(size,)`."""
        return self._take(f"{self._prefix}{name}", Weight((size,), start))

    def table(self, name: str, count: int, size: int) -> Any:
        """Return a table of vectors, of shape `(count, size)`."""
        return self._take(f"{self._prefix}{name}.weight", Weight((count, size)))

    def sines(self, name: str, count: int, size: int) -> Any:
        """Return a table of sines, which is never trained, of shape `(count, size)`."""
        return self._take(f"{self._prefix}{name}.weight", Weight((count, size), "sines", is_kept=True))

    def dense(self, name: str, size_in: int, size_out: int, *, has_bias: bool = True, is_turned: bool = True) -> Dense:
        """Return a dense layer; `is_turned`: PyTorch keeps its kernel as `(out, in)`."""
        kernel = self._take(f"{self._prefix}{name}.weight", Weight((size_in, size_out), is_turned=is_turned))
        return Dense(kernel, self.vector(f"{name}.bias", size_out) if has_bias else None, self.dtype)

    def keep_dense(self, name: str, size_in: int, size_out: int) -> None:
        """Ask for a dense layer that plays no part, and is saved with the others."""
        self._take(f"{self._prefix}{name}.weight", Weight((size_in, size_out), is_turned=True, is_kept=True))
        self._take(f"{self._prefix}{name}.bias", Weight((size_out,), "zeros", is_kept=True))

    def attention(
        self, names: Sequence[str], size: int, *norms: Norm | None, inner: int = 0, has_bias: bool = True
    ) -> Attention:
        """Return attention from the names of its four layers: to queries, keys and values, and back.

        Args:
            names: of layers.
            size: of vectors.
            norms: of queries and keys.
            inner: of all heads together; 0: `size`.
            has_bias: whether layers have one.
        """
        inner = inner or size
        query, key, value = (self.dense(name, size, inner, has_bias=has_bias) for name in names[:3])
        return Attention(query, key, value, self.dense(names[3], inner, size, has_bias=has_bias), *norms)

    def norm(self, name: str, size: int, epsilon: float, *, has_bias: bool = True, is_centered: bool = True) -> Norm:
        """Return a norm; see `Norm`."""
        beta = self.vector(f"{name}.bias", size) if has_bias else None
        return Norm(self.vector(f"{name}.weight", size, "ones"), beta, epsilon, is_centered)


def from_variables(weights: Mapping[str, Any], dtype: tf.DType = tf.float32) -> Named:
    """Return what takes weights that are there, by their names."""
    return Named(lambda name, _: weights[name], dtype=dtype)


# Takes nothing: for what a network is like, before there are weights.
UNWEIGHTED = Named(lambda _, weight: weight)


def noted(describe: Callable[[Named], Any]) -> dict[str, Weight]:
    """Return the weights that a description asks for, by name, in its order."""
    found: dict[str, Weight] = {}

    def note(name: str, weight: Weight) -> Weight:
        return found.setdefault(name, weight)

    describe(Named(note))
    return found
