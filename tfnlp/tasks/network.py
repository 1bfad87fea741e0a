"""Running a network over rows: in batches of like length from Python, a few rows at a time in the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tfnlp._backend import tf
from tfnlp.data.pipeline import RowChunk, padded, token_batches
from tfnlp.tokenization.encoded import Encoded
from tfnlp.tokenization.tokenizer import Tokenizer

TOKENS_PER_BATCH = 2048  # the fastest on a CPU of those measured; see docs/speed.md
SERVED_TOKENS = 32768  # in one pass of a SavedModel, padding included


def row_batches(
    columns: dict[str, np.ndarray], splits: np.ndarray, pad_id: int
) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
    """Yield rows in batches of like length: their indices, and features of shape `(batch, length)`, filled up."""
    for rows in token_batches(np.diff(splits), TOKENS_PER_BATCH):
        yield rows, padded(RowChunk(columns, splits), rows, {"input_ids": pad_id})


def row_outputs(
    forward: Callable[..., dict[str, tf.Tensor]], tokenizer: Tokenizer, encoded: Encoded
) -> Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]:
    """Run a network over rows, in batches of like length.

    Args:
        forward: features in, a dict of outputs out.
        tokenizer: that made the rows.
        encoded: the rows.

    Yields:
        Indices of rows, shape `(batch,)`, and the network's outputs for them, of shape `(batch, ...)`, float32.
    """
    for rows, features in row_batches(encoded.features(tokenizer.input_names), encoded.splits, tokenizer.pad_id):
        yield rows, {name: values.numpy() for name, values in forward(features).items()}


def all_token_outputs(forward: Callable[..., Any], tokenizer: Tokenizer, encoded: Encoded) -> dict[str, np.ndarray]:
    """Run a network whose outputs are per token. Returns arrays of shape `(tokens, ...)`, in the tokens' order."""
    found: dict[str, np.ndarray] = {}
    for rows, outputs in row_outputs(forward, tokenizer, encoded):
        for name, values in outputs.items():
            tokens = found.setdefault(name, np.zeros((len(encoded.input_ids), *values.shape[2:]), np.float32))
            for row, row_values in zip(rows, values, strict=True):
                start, end = encoded.splits[row : row + 2]
                tokens[start:end] = row_values[: end - start]
    return found


def features_in_graph(tokenizer: Tokenizer, rows: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Make the network's inputs of the rows that the tokenizer's graph gives.

    Args:
        tokenizer: that made the rows.
        rows: ragged, of shape `(rows, tokens)`, int32.

    Returns:
        int32 tensors of shape `(rows, longest)`; of empty rows alone, `(rows, 1)`: no network takes rows of nothing.
    """
    fill = {"input_ids": tokenizer.pad_id}
    features = {name: rows[name].to_tensor(fill.get(name, 0)) for name in tokenizer.input_names}
    lacking = tf.maximum(1 - tf.shape(features["input_ids"])[1], 0)
    return {
        name: tf.pad(values, [[0, 0], [0, lacking]], constant_values=fill.get(name, 0))
        for name, values in features.items()
    }


def outputs_in_steps(
    forward: Any, features: dict[str, tf.Tensor], *, budget: int | None = None
) -> dict[str, tf.Tensor]:
    """Run a network in the graph, over so many rows at a time that a very long text does not exhaust memory.

    Args:
        forward: a TensorFlow function with one input signature: features in, a dict of outputs out.
        features: int32 tensors of shape `(rows, length)`; there may be no row.
        budget: the most tokens at a time, padding included; None: as many as most networks can take.

    Returns:
        The network's outputs, of shape `(rows, ...)`.
    """
    graph = forward.get_concrete_function()
    shapes, dtypes = graph.output_shapes, graph.output_dtypes
    num_rows = tf.shape(features["input_ids"])[0]
    is_empty = tf.cast(tf.equal(num_rows, 0), tf.int32)  # then a row of padding is run, and left out
    features = {name: tf.pad(values, [[0, is_empty], [0, 0]]) for name, values in features.items()}
    size = tf.shape(features["input_ids"])
    step = tf.maximum(1, (budget or SERVED_TOKENS) // tf.maximum(size[1], 1))
    num_steps = (size[0] + step - 1) // step

    def run(i: tf.Tensor, found: dict[str, tf.TensorArray]) -> tuple[tf.Tensor, dict[str, tf.TensorArray]]:
        outputs = forward({name: values[i * step : (i + 1) * step] for name, values in features.items()})
        return i + 1, {name: array.write(i, outputs[name]) for name, array in found.items()}

    arrays = {name: tf.TensorArray(dtypes[name], num_steps, infer_shape=False) for name in shapes}
    _, found = tf.while_loop(lambda i, _: i < num_steps, run, (0, arrays), parallel_iterations=1)
    return {name: tf.ensure_shape(array.concat(), shapes[name])[:num_rows] for name, array in found.items()}
