"""TAPAS's loss for batches of every size: transformers' own head compares sizes in Python, which a graph can't."""

from __future__ import annotations

import sys
from typing import Any

from tfnlp._backend import keras, tf
from tfnlp.replicas import averaged

Tensors = dict[str, tf.Tensor]

IS_COUNTED = "is_counted"
SEGMENT, COLUMN, ROW = 0, 1, 2  # places among TAPAS's token types; columns and rows are counted from 1


class TapasLoss(keras.layers.Layer):
    """Runs TAPAS's head in training, and adds its loss (Herzig et al. 2020; `TFTapasForQuestionAnswering.call`).

    The parts are transformers': the layers of the head, and the functions of its module.
    """

    def __init__(self, head: Any) -> None:
        super().__init__(name="tapas_loss")
        self.head = head

    def call(self, inputs: Tensors, training: bool | None = None) -> tf.Tensor:
        """Add the loss of a batch.

        Args:
            inputs: the head's: `input_ids`, `attention_mask`, `token_type_ids`, and what is to be learnt: `labels`, and
                `aggregation_labels`, or `numeric_values`, `numeric_values_scale` and `float_answer`; and `is_counted`,
                1 for rows whose loss counts. Shape `(batch,)`, float32.
            training: whether dropout is on.

        Returns:
            The logits of tokens, of which those outside of the chosen column are very low. Shape `(batch, length)`.
        """
        head, config = self.head, self.head.config
        tapas = sys.modules[type(head).__module__]
        names = ("input_ids", "attention_mask", "token_type_ids")
        hidden, pooled = head.tapas(**{name: inputs[name] for name in names}, training=training)[:2]
        hidden = head.dropout(hidden, training=training)
        inside = tf.cast(inputs["attention_mask"], tf.float32)
        types, labels = inputs["token_type_ids"], inputs["labels"]
        rows = _index(tapas, types[:, :, ROW], config.max_num_rows)
        columns = _index(tapas, types[:, :, COLUMN], config.max_num_columns)
        cells = tapas.ProductIndexMap(rows, columns)
        cell_mask, _ = tapas.reduce_mean(inside, cells)
        logits = head.compute_token_logits(hidden)
        column_logits = head.compute_column_logits(hidden, cells, cell_mask, config.allow_empty_column_selection)
        if config.average_logits_per_cell:
            logits = tapas.gather(tapas.reduce_mean(logits, cells)[0], cells)
        losses, logits = tapas._single_column_cell_selection_loss(
            logits, column_logits, labels, cells, columns, cell_mask
        )
        is_aggregated = None
        if "float_answer" in inputs:  # cells are learnt where the answer is none that aggregation gives
            is_aggregated = tapas._calculate_aggregate_mask(
                inputs["float_answer"], pooled, config.cell_selection_preference, labels, head.aggregation_classifier
            )
            losses *= 1.0 - is_aggregated
        losses = tf.zeros_like(losses) if config.disable_per_token_loss else losses
        if config.num_aggregation_labels:
            losses += self._aggregation_losses(inputs, pooled, logits, is_aggregated)
        is_counted = inputs[IS_COUNTED]
        losses = tf.where(is_counted > 0, losses, 0.0)
        self.add_loss(averaged(tf.reduce_sum(losses), tf.reduce_sum(is_counted)))
        return logits

    def _aggregation_losses(
        self, inputs: Tensors, pooled: tf.Tensor, logits: tf.Tensor, is_aggregated: tf.Tensor | None
    ) -> tf.Tensor:
        """Return each row's loss of what is done with cells; with `float_answer`, of the number that comes out too."""
        config = self.head.config
        tapas = sys.modules[type(self.head).__module__]
        aggregation = self.head.aggregation_classifier(pooled)
        by_answer = is_aggregated is not None
        losses = tapas._calculate_aggregation_loss(
            aggregation, is_aggregated, inputs.get("aggregation_labels"), by_answer,
            config.num_aggregation_labels, config.aggregation_loss_weight,
        )  # fmt: skip
        if by_answer:
            chosen = tapas.tfp.distributions.Bernoulli(logits=logits)
            in_table = tf.cast(inputs["token_type_ids"][:, :, ROW] > 0, tf.float32)
            of_numbers, is_small = tapas._calculate_regression_loss(
                inputs["float_answer"], is_aggregated, chosen, inputs["numeric_values"],
                inputs["numeric_values_scale"], in_table, aggregation, config,
            )  # fmt: skip
            losses = (losses + of_numbers) * is_small
        return losses


def _index(tapas: Any, ids: tf.Tensor, size: int) -> Any:
    return tapas.IndexMap(indices=tf.minimum(ids, size - 1), num_segments=size, batch_dims=1)
