"""How the Keras models of a task are built. The functions are methods of `Task`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfnlp._backend import keras, tf
from tfnlp.precision import Precision
from tfnlp.tasks.network import Network
from tfnlp.tasks.settings import precision_of


def head(task: Any) -> Any:
    """The Hugging Face TensorFlow head.

    Raises:
        LabelError: if its labels are not known yet.
    """
    labels = task.learned.labels
    if labels is not None and not task.checkpoint.is_built:
        labels.write(task.config)
    is_fresh = labels is not None and labels.is_fresh
    return task.checkpoint.build(num_tokens=task.preprocessor.num_tokens, fresh_head=is_fresh)


def network_in(task: Any, precision: Precision) -> Network:
    """Return what runs the model over rows, its products computed in this precision; built once.

    Raises:
        ArgumentError: if there is no such precision, or the head has no network of ours, which knows others.
    """
    if precision not in task._networks:
        made = keras_model(task, precision, task.call_head, type(task).__name__.lower())
        task._networks[precision] = Network(made, task.preprocessor, task.kept, task.checkpoint.strategy)
    return task._networks[precision]


def network(task: Any) -> Network:
    """What runs the model over rows, by the task's own settings."""
    return task.network_in(precision_of(task.settings))


def model(task: Any) -> keras.Model:
    """The plain Keras model: a dict of int32 tensors of shape `(batch, length)` in, a dict of tensors out."""
    return task.network.model


def forward(task: Any) -> Callable[..., dict[str, tf.Tensor]]:
    """The model as one graph for batches of every size: features in, a dict of outputs out."""
    return task.network.forward


def keras_model(task: Any, precision: Precision, call: Callable[..., dict[str, Any]], name: str) -> keras.Model:
    """Return a Keras model over the head: a dict of features in, a dict of float32 tensors out.

    Args:
        task: that has the head.
        precision: that products are computed in.
        call: from what runs the head and its inputs to outputs by name.
        name: of the model.
    """
    _ = task.head
    run = task.checkpoint.network(precision)
    with task.checkpoint.scope():
        inputs = {n: keras.Input(spec.shape, dtype=spec.dtype, name=n) for n, spec in task.preprocessor.specs.items()}
        outputs = {
            name: keras.layers.Activation("linear", dtype="float32", name=name)(values)  # also if mixed
            for name, values in call(run, inputs).items()
        }
        return keras.Model(inputs, outputs, name=name)
