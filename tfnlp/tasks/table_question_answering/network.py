"""TAPAS's network as it is trained: with transformers' own loss."""

from __future__ import annotations

from typing import Any

from tfnlp._backend import keras, tf
from tfnlp.errors import ArgumentError
from tfnlp.tasks.table_question_answering.records import Supervision

_BY_ANSWER = ("cell_selection_preference", "huber_loss_delta")  # what the loss of numbers needs


def training_model(head: Any, supervision: Supervision, dataset: tf.data.Dataset) -> keras.Model:
    """Return the Keras model that is trained: what `dataset` yields in, logits out.

    Its loss is transformers' of TAPAS, which must know the size of a batch before it runs (4.57.6 compares sizes
    in Python); so it is made for the batches of one dataset.

    Raises:
        ArgumentError: if the configuration lacks a number that the loss needs.
    """
    missing = [name for name in _BY_ANSWER if supervision.by_answer and getattr(head.config, name) is None]
    if missing:
        raise ArgumentError(f"the configuration lacks {missing}, which learning from numbers needs.")
    inputs = {
        name: keras.Input(spec.shape[1:], spec.shape[0], name, spec.dtype)
        for name, spec in dataset.element_spec.items()
    }
    outputs = head(inputs)
    model = keras.Model(inputs, outputs.logits, name="tablequestionanswerer")
    model.add_loss(tf.reduce_mean(outputs.loss))
    return model
