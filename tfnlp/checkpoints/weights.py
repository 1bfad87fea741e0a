"""Weights of a head from files and to files: finds the files, matches names, turns layouts, reports what differs."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfnlp._backend import keras, tf
from tfnlp.checkpoints.upstream import constant_variables, pytorch_aliases, pytorch_layout, pytorch_name
from tfnlp.errors import CheckpointError
from tfnlp.networks.own_heads import OwnHead
from tfnlp.tensor_files import write_tensors

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadingReport:
    """How a checkpoint's weights fit a head; names are PyTorch's.

    Attributes:
        missing: weights of the head that the checkpoint lacks; they were initialised anew.
        unused: weights of the checkpoint that the head has no place for.
        mismatched: `(name, shape in the checkpoint, shape in the head)`; these too were initialised anew.
        not_numbers: weights that hold NaN or infinity.
    """

    missing: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...] = ()
    not_numbers: tuple[str, ...] = ()

    @property
    def fresh(self) -> tuple[str, ...]:
        """The weights that were initialised anew."""
        return (*self.missing, *(name for name, _, _ in self.mismatched))

    def log(self, source: str, head: str) -> None:
        """Log a line for each kind of difference."""
        if self.missing:
            logger.warning("%s: %s lacks these weights, initialised anew: %s", head, source, ", ".join(self.missing))
        for name, found, wanted in self.mismatched:
            logger.warning("%s: %s is %s in %s, not %s; initialised anew", head, name, found, source, wanted)
        if self.not_numbers:
            logger.warning(
                "%s: these weights of %s hold NaN or infinity, so answers mean nothing: %s",
                head, source, ", ".join(self.not_numbers),
            )  # fmt: skip
        if self.unused:
            logger.info("%s: weights of %s without a place here: %s", head, source, ", ".join(self.unused))


@dataclass(frozen=True)
class _Place:
    """A variable of a head and where PyTorch keeps it."""

    variable: Any
    names: tuple[str, ...]
    axes: tuple[int, ...] | None

    @property
    def pytorch_shape(self) -> tuple[int, ...]:
        shape = tuple(self.variable.shape)
        return shape if self.axes is None else tuple(shape[axis] for axis in self.axes)


def assign_weights(model: keras.Model, weights: Mapping[str, np.ndarray]) -> LoadingReport:
    """Set a built head's variables from weights in PyTorch's names and layout.

    Args:
        model: a Hugging Face TensorFlow head.
        weights: by name; any float type.
    """
    by_name = {_modern_name(name): name for name in weights if not name.endswith("num_batches_tracked")}
    prefix = f"{model.base_model_prefix}."
    bare = not any(name.startswith(model.base_model_prefix) for name in by_name)
    missing, mismatched, not_numbers, used = [], [], [], set()
    constant = {id(variable) for variable in constant_variables(model)}
    for place in _places(model):
        names = [name.removeprefix(prefix) if bare else name for name in place.names]
        name = next((name for name in names if name in by_name), None)
        if name is None:
            if id(place.variable) not in constant:
                missing.append(place.names[0])
            continue
        used.add(name)
        array = _as_shape(weights[by_name[name]], place)
        if array is None:
            mismatched.append((place.names[0], tuple(weights[by_name[name]].shape), place.pytorch_shape))
            continue
        array = array.astype(place.variable.dtype.as_numpy_dtype)
        if not np.isfinite(array).all():
            not_numbers.append(place.names[0])
        place.variable.assign(array)
    unused = sorted(set(by_name) - used)
    if not used and by_name:
        raise CheckpointError(
            f"none of the {len(by_name)} weights of the checkpoint has a place in {type(model).__name__}, which has "
            f"{len(model.weights)}: {', '.join(unused[:3])} ... This is another architecture's checkpoint, or one that "
            "transformers' TensorFlow head can't load."
        )
    return LoadingReport(
        missing=tuple(_without(missing, model._keys_to_ignore_on_load_missing)),
        unused=tuple(_without(unused, [*(model._keys_to_ignore_on_load_unexpected or ()), r"position_ids$"])),
        mismatched=tuple(mismatched),
        not_numbers=tuple(not_numbers),
    )


def head_variables(model: keras.Model) -> list[Any]:
    """Return the variables of a built head that are not part of its base model."""
    base = {id(variable) for variable in getattr(model, model.base_model_prefix, model).weights}
    return [variable for variable in model.weights if id(variable) not in base]


def output_bias(model: keras.Model, size: int) -> Any:
    """Return the bias of a built head's last layer, of shape `(size,)`; None if that layer has none."""
    biases = [variable for variable in head_variables(model) if variable.shape == (size,) and "bias" in variable.name]
    return biases[-1] if biases else None


def variables_named(model: keras.Model, names: Sequence[str]) -> list[Any]:
    """Return the variables of these names; where a file of TensorFlow's own layout was read, names are of layers."""
    wanted = set(names)
    layers = {layer.name for layer in model.layers} & wanted
    return [
        place.variable
        for place in _places(model)
        if wanted.intersection(place.names) or layers.intersection(place.variable.name.split("/"))
    ]


def variables_by_name(model: keras.Model) -> dict[str, Any]:
    """Return the variables of a built head by PyTorch's names; kernels of dense layers have shape `(in, out)`."""
    return {name: place.variable for place in _places(model) for name in place.names}


def initialise(variables: Sequence[Any], seed: int, *, scale: float) -> None:
    """Draw weights anew so that they depend on the seed alone; biases and norms keep their constant start.

    As transformers draws them in PyTorch. In TensorFlow it cuts what is more than twice `scale` off, which leaves 0.88
    of the spread.

    Args:
        variables: freshly built.
        seed: any integer.
        scale: the standard deviation.
    """
    for i, variable in enumerate(variables):
        if len(variable.shape) < 2:
            continue
        drawn = tf.random.stateless_normal(variable.shape, (seed, i), stddev=scale)
        variable.assign(tf.cast(drawn, variable.dtype))


def pytorch_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """Return a head's weights in PyTorch's names and layout."""
    arrays = {}
    for place in _places(model):
        array = place.variable.numpy()
        array = array if place.axes is None else array.transpose(place.axes)
        name = pytorch_name(place.names[0])
        arrays[name] = np.ascontiguousarray(pytorch_layout(name, array))
        if name.endswith("running_var"):  # PyTorch counts batches too, and warns where a file lacks the count
            arrays[name.removesuffix("running_var") + "num_batches_tracked"] = np.array(0, np.int64)
    return arrays


def save_safetensors(model: keras.Model, path: str | Path) -> None:
    """Write a head's weights to a safetensors file that PyTorch users load as it is."""
    write_tensors(pytorch_weights(model), path, metadata={"format": "pt"})


def _places(model: keras.Model) -> Iterator[_Place]:
    """Yield each variable of a head with its names in PyTorch and the order of its axes there.

    The axes turn a variable's array into PyTorch's; their `argsort` turns it back.
    """
    if isinstance(model, OwnHead):
        yield from (
            _Place(value, (name,), (1, 0) if turned else None) for name, (value, turned) in model.named_weights.items()
        )
        return
    from transformers.modeling_tf_pytorch_utils import convert_tf_weight_name_to_pt_weight_name

    rename = getattr(model, "tf_to_pt_weight_rename", lambda name: (name,))
    for variable in model.trainable_weights + model.non_trainable_weights:
        name, transpose = convert_tf_weight_name_to_pt_weight_name(variable.name, tf_weight_shape=variable.shape)
        names = tuple(alias for renamed in rename(name) for alias in pytorch_aliases(model.config, renamed))
        yield _Place(variable, names, _axes(variable, transpose.value))


def _axes(variable: Any, transpose: str) -> tuple[int, ...] | None:
    if transpose == "no":
        return None
    if transpose == "conv2d":
        return (3, 2, 0, 1)
    if "depthwise_kernel" in variable.name:  # (width, channels, 1) there, (channels, 1, width) in PyTorch
        return (1, 2, 0)
    return tuple(reversed(range(len(variable.shape))))


def _as_shape(array: np.ndarray, place: _Place) -> np.ndarray | None:
    """Turn an array into a variable's layout; None if it does not fit."""
    shape = tuple(place.variable.shape)
    if place.axes is not None and array.ndim == len(place.axes):
        array = array.transpose(np.argsort(place.axes))
    squeezed = tuple(size for size in array.shape if size != 1)
    if array.shape != shape and squeezed != tuple(size for size in shape if size != 1):
        return None
    return array.reshape(shape)


def _modern_name(name: str) -> str:
    """Return today's name of a weight that an old file calls otherwise."""
    if name.endswith(("LayerNorm.gamma", "layer_norm.gamma")):
        return name.removesuffix("gamma") + "weight"
    if name.endswith(("LayerNorm.beta", "layer_norm.beta")):
        return name.removesuffix("beta") + "bias"
    name = name.replace("running_var", "moving_variance").replace("running_mean", "moving_mean")
    return re.sub(r"parametrizations\.(\w+)\.original([01])$", lambda m: f"{m[1]}_{'gv'[int(m[2])]}", name)


def _without(names: list[str], patterns: list[str] | None) -> list[str]:
    return [name for name in names if not any(re.search(pattern, name) for pattern in patterns or ())]
