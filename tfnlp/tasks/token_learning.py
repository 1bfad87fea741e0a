"""How a task learns to say tokens: over a large vocabulary, by logits of a few tokens at a time.

The functions are methods of tasks whose target is `logits`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfnlp._backend import keras
from tfnlp.checkpoints.weights import variables_by_name
from tfnlp.networks.families.decoders import DecoderNetwork
from tfnlp.networks.families.encoder_decoders import EncoderDecoderNetwork
from tfnlp.networks.heads import network_of
from tfnlp.networks.output import Output
from tfnlp.networks.weights import from_variables
from tfnlp.precision import Precision
from tfnlp.tasks.building import keras_model
from tfnlp.tasks.settings import precision_of
from tfnlp.training.losses import TokenCrossEntropy
from tfnlp.training.recipe import Recipe
from tfnlp.training.vector_loss import VectorCrossEntropy


def training_model(task: Any, precision: Precision | None = None) -> keras.Model:
    """Return the Keras model that learns.

    Its output `logits` are logits only where we don't know how the head makes them; else, under the same name, the
    vectors that `loss` makes logits of, by pieces, since those of a whole batch may not fit into memory.

    Args:
        task: that learns tokens.
        precision: that products are computed in; None: float32.
    """
    precision = precision or precision_of(task.settings)
    if _output(task) is None:
        return task.network_in(precision).model
    key = "training_model", precision
    if key not in task._graphs:
        state = "hidden_states" if task.continues else "decoder_hidden_states"

        def call(run: Callable[..., Any], inputs: Any) -> dict[str, Any]:
            return {"logits": run(inputs, output_hidden_states=True)[state][-1]}

        task._graphs[key] = keras_model(task, precision, call, f"learning_{type(task).__name__.lower()}")
    return task._graphs[key]


def loss(task: Any, recipe: Recipe) -> dict[str, keras.losses.Loss]:
    """Return the cross entropy of the tokens that are to be said."""
    recipe.refuse("label_weights")
    output = _output(task)
    if output is None:
        return {"logits": TokenCrossEntropy(label_smoothing=recipe.label_smoothing)}
    return {"logits": VectorCrossEntropy(output, label_smoothing=recipe.label_smoothing)}


def _output(task: Any) -> Output | None:
    """Return how the head makes logits of its last vectors; None: we don't know."""
    network = network_of(task.auto_class, task.config, from_variables(variables_by_name(task.head)))
    return network.output if isinstance(network, DecoderNetwork | EncoderDecoderNetwork) else None
