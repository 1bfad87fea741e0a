"""Positions of image patches at sizes other than the checkpoint's, interpolated as PyTorch does."""

from __future__ import annotations

from functools import partial
from typing import Any

from tfnlp._backend import tf

_SHARPNESS = -0.75  # of PyTorch's cubic; TensorFlow's is -0.5
# Layers that interpolate their positions, and how many positions before those of patches stay as they are.
_LAYERS = {"TFViTEmbeddings": 1, "TFViTMAEEmbeddings": 1, "TFDeiTEmbeddings": 2}


def repair_positions(layer: Any) -> None:
    """Let a layer interpolate its positions as its PyTorch twin does, if it is one that interpolates."""
    num_special = _LAYERS.get(type(layer).__name__)
    if num_special is not None:
        layer.interpolate_pos_encoding = partial(_interpolated, layer, num_special)


def _interpolated(layer: Any, num_special: int, embeddings: tf.Tensor, height: Any, width: Any) -> tf.Tensor:
    """Return positions for images of a size.

    Args:
        layer: holds `position_embeddings`, of shape `(1, positions, dim)`, and `config.patch_size`.
        num_special: how many positions come before those of patches.
        embeddings: of special tokens and patches; only their number would matter, and the size says it.
        height: of images, in pixels.
        width: of images, in pixels.

    Returns:
        Shape `(1, special + patches, dim)`.
    """
    del embeddings
    table, patch = layer.position_embeddings, layer.config.patch_size
    side = round((table.shape[1] - num_special) ** 0.5)
    grid = tf.reshape(table[0, num_special:], [side, side, -1])
    rows, columns = _cubic(side, height // patch), _cubic(side, width // patch)
    grid = tf.einsum("ri,cj,ijd->rcd", rows, columns, grid)
    patches = tf.reshape(grid, [1, -1, table.shape[2]])
    return tf.concat([table[:, :num_special], patches], 1)


def _cubic(size: int, new_size: Any) -> tf.Tensor:
    """Return the weights of `torch.nn.functional.interpolate(mode="bicubic")` along one axis. Shape `(new, old)`."""
    place = (tf.range(new_size, dtype=tf.float32) + 0.5) * (size / tf.cast(new_size, tf.float32)) - 0.5
    taps = tf.floor(place)[:, None] + tf.constant([-1.0, 0.0, 1.0, 2.0])
    distance = tf.abs(place[:, None] - taps)
    a = _SHARPNESS
    near = ((a + 2) * distance - (a + 3)) * distance**2 + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    weights = tf.where(distance <= 1, near, far)
    index = tf.clip_by_value(tf.cast(taps, tf.int32), 0, size - 1)
    return tf.reduce_sum(tf.one_hot(index, size) * weights[:, :, None], 1)
