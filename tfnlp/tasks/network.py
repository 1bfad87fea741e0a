"""`Network`: a Keras model that is run over rows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from tfnlp._backend import keras, tf
from tfnlp.padding import flattened, is_filled, taken
from tfnlp.preprocessor import Preprocessor
from tfnlp.rows import Column, Rows
from tfnlp.running import Features, Outputs, Runner, with_a_row

TOKENS_PER_BATCH = 2048  # the fastest on a CPU of those measured; see docs/speed.md
SERVED_TOKENS = 32768  # in one pass of a SavedModel, padding included

# From the outputs for a batch, its features, and which places of rows hold an element, to what is kept of them, flat.
Kept = Callable[[dict[str, tf.Tensor], Features, tf.Tensor], Outputs]


def per_element(outputs: dict[str, tf.Tensor], features: Features, inside: tf.Tensor) -> Outputs:
    """Keep outputs of shape `(rows, length, ...)` as the elements of rows."""
    del features
    return {name: flattened(values, inside) for name, values in outputs.items()}


def per_row(outputs: dict[str, tf.Tensor], features: Features, inside: tf.Tensor) -> Outputs:
    """Keep outputs of shape `(rows, ...)`, one element a row."""
    del features, inside
    return {name: Column(values) for name, values in outputs.items()}


class Network(Runner):
    """Runs a model over rows.

    Attributes:
        model: features in, a dict of outputs out.
        preprocessor: makes features of rows.
        kept: what is kept of the outputs.
        strategy: whose replicas share batches from Python.
    """

    budget = TOKENS_PER_BATCH

    def __init__(
        self,
        model: keras.Model,
        preprocessor: Preprocessor,
        kept: Kept,
        strategy: tf.distribute.Strategy,
        *,
        served_budget: int = SERVED_TOKENS,
    ) -> None:
        self.model, self.preprocessor, self.kept, self.strategy = model, preprocessor, kept, strategy
        self.served_budget = served_budget
        self._others: dict[Kept, Network] = {}

    @cached_property
    def forward(self) -> Any:
        """The model as one graph for batches of every size: features in, a dict of outputs out."""
        model = self.model

        @tf.function(input_signature=[self.preprocessor.batch_specs])  # some heads (DeBERTa) need AutoGraph
        def forward(features: Features) -> dict[str, tf.Tensor]:
            return model(features, training=False)

        return forward

    def keeping(self, kept: Kept) -> Network:
        """Return the same network, of whose outputs something else is kept; made once."""
        if kept not in self._others:
            other = Network(self.model, self.preprocessor, kept, self.strategy, served_budget=self.served_budget)
            other.forward = self.forward
            self._others[kept] = other
        return self._others[kept]

    @cached_property
    def on_rows(self) -> Any:
        """The model as one graph that takes some of the rows: what is kept of its outputs comes out."""
        preprocessor = self.preprocessor

        @tf.function(input_signature=[self.column_specs, tf.TensorSpec([None], tf.int64)], autograph=False)
        def on_rows(columns: dict[str, Column], chosen: tf.Tensor) -> Outputs:
            batch = {name: taken(column, chosen) for name, column in columns.items()}
            features = preprocessor.features(Rows(batch, None))
            first = next(iter(batch.values()))
            name = next(iter(batch))
            inside = (
                tf.ones([tf.size(chosen), 1], tf.bool)
                if first.splits is None
                else is_filled(first, tf.shape(features[name])[1], preprocessor.padding_side)
            )
            num_rows = tf.size(chosen)
            outputs = self.forward(with_a_row(features))
            return self.kept({name: values[:num_rows] for name, values in outputs.items()}, features, inside)

        return on_rows
