"""The one place that imports TensorFlow and tf_keras: switches oneDNN on, checks versions, hands both out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from importlib import metadata
from pathlib import Path
from typing import Any

from tfnlp.errors import VersionError

# TensorFlow leaves oneDNN off on processors without VNNI, where it is still 1.1 to 1.3 times faster. It reads the
# variable when it is imported; a value that the user has set stays.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

_TENSORFLOW = ((2, 20), (2, 22))
_TRANSFORMERS = ((4, 57), (6, 0))


def _version(package: str) -> tuple[int, int]:
    try:
        major, minor = metadata.version(package).split(".")[:2]
    except metadata.PackageNotFoundError:
        raise VersionError(f"tfnlp needs the package {package!r}, which is not installed.") from None
    return int(major), int(minor)


def check_versions() -> None:
    """Raise `VersionError` if TensorFlow, tf-keras or transformers is missing or of a version that can't work."""
    tensorflow, tf_keras, transformers = map(_version, ("tensorflow", "tf_keras", "transformers"))
    for name, found, (low, high) in (
        ("tensorflow", tensorflow, _TENSORFLOW),
        ("transformers", transformers, _TRANSFORMERS),
    ):
        if not low <= found < high:
            wanted = f"{name}>={low[0]}.{low[1]},<{high[0]}.{high[1]}"
            raise VersionError(f"tfnlp works with {wanted}; {found[0]}.{found[1]} is installed.")
    if tf_keras != tensorflow:
        raise VersionError(
            f"tf-keras must have TensorFlow's minor version: tensorflow {tensorflow[0]}.{tensorflow[1]} needs "
            f"tf-keras=={tensorflow[0]}.{tensorflow[1]}.*, and {tf_keras[0]}.{tf_keras[1]} is installed."
        )


check_versions()

import tensorflow as tf
import tf_keras as keras


@cache
def has_transformers_heads() -> bool:
    """Tell whether the transformers that is installed has TensorFlow heads: version 5 has none."""
    return _version("transformers") < (5, 0)


def has_bfloat16() -> bool:
    """Tell whether products are computed in bfloat16 here, by a GPU or by this processor; True if we can't tell."""
    flags = Path("/proc/cpuinfo")  # Linux
    if tf.config.list_physical_devices("GPU") or not flags.exists():
        return True
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(flags.read_text(encoding="utf-8").split()))


def on_cpu(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let what a function traces be on the CPU.

    Operations on strings have no other place, and those between them would have their inputs copied to a GPU and back.
    A graph that is called inside `tf.device` does not follow it; one that is traced inside does. Where there are
    several workers, nothing is placed: each has such a CPU, and TensorFlow would not know which is meant.
    """

    @wraps(function)
    def placed(*arguments: Any) -> Any:
        if is_clustered():
            return function(*arguments)
        with tf.device("CPU:0"):
            return function(*arguments)

    return placed


def is_clustered() -> bool:
    """Tell whether this process is one of several workers, of which TensorFlow knows all devices."""
    places = {device.name.rsplit("/", 1)[0] for device in tf.config.list_logical_devices("CPU")}
    return len(places) > 1


@contextmanager
def as_traced() -> Iterator[None]:
    """Run graphs in this thread as they were traced.

    TensorFlow optimizes a graph when it is first run, which takes longer than many runs of one that is long and cheap.
    """
    from tensorflow.python.eager import context

    current = context.context()
    before = current.function_call_options
    current.function_call_options = _unoptimized(before.executor_type)
    try:
        yield
    finally:
        current.function_call_options = before


@cache
def _unoptimized(executor_type: str | None) -> Any:
    from tensorflow.core.protobuf import config_pb2
    from tensorflow.python.eager import context

    config = config_pb2.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return context.FunctionCallOptions(executor_type, config)


def update_slice(values: tf.Tensor, part: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """Write a part over values from a place on, in a graph that XLA compiles: it writes no more than the part."""
    from tensorflow.compiler.tf2xla.ops import gen_xla_ops

    return gen_xla_ops.xla_dynamic_update_slice(values, part, start)


__all__ = [
    "as_traced",
    "has_bfloat16",
    "has_transformers_heads",
    "is_clustered",
    "keras",
    "on_cpu",
    "tf",
    "update_slice",
]
