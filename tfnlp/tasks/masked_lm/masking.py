"""Masked language modelling: which tokens are hidden, and by what (Devlin et al. 2019)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tfnlp._backend import tf
from tfnlp.labels import IGNORE_ID
from tfnlp.rows import Column

_MASKED, _RANDOM = 0.8, 0.1  # of the chosen tokens; the others stay


@dataclass(frozen=True)
class Masking:
    """How tokens are hidden.

    Attributes:
        probability: of each unit, a token or a word, in (0, 1).
        mask_id: the id of the mask token.
        num_tokens: of the vocabulary, of which one is put in a token's place in a tenth of the cases.
    """

    probability: float
    mask_id: int
    num_tokens: int

    def __call__(self, ids: tf.Tensor, units: tf.Tensor, uniform: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Hide tokens.

        Args:
            ids: Shape `(batch, length)`, int32.
            units: the same number for neighbours that are hidden together; -100 for tokens that are never hidden.
                Shape `(batch, length)`, int32.
            uniform: random numbers in [0, 1). Shape `(batch, length, 3)`, float32.

        Returns:
            The ids with some hidden, and the labels: the ids of those that were chosen, -100 elsewhere. Both of shape
            `(batch, length)`, int32.
        """
        begins = tf.concat([tf.ones_like(units[:, :1], tf.bool), tf.not_equal(units[:, 1:], units[:, :-1])], 1)
        unit = tf.cumsum(tf.cast(begins, tf.int32), axis=1) - 1
        by_unit = tf.gather(uniform[..., 0], unit, batch_dims=1)
        is_chosen = (by_unit < self.probability) & tf.not_equal(units, IGNORE_ID)
        labels = tf.where(is_chosen, ids, IGNORE_ID)
        others = tf.cast(uniform[..., 2] * float(self.num_tokens), tf.int32)
        others = tf.minimum(others, self.num_tokens - 1)  # rounding
        kind = uniform[..., 1]
        hidden = tf.where(kind < _MASKED, self.mask_id, tf.where(kind < _MASKED + _RANDOM, others, ids))
        return tf.where(is_chosen, hidden, ids), labels


def repeatable_uniform(ids: Column) -> Column:
    """Return numbers for `Masking` that look random but depend on the tokens of each row alone.

    Args:
        ids: of rows. NumPy arrays.

    Returns:
        In [0, 1). Of shape `(tokens, 3)`, float32, in the same rows.
    """
    uniform = np.zeros((len(ids.values), 3), np.float32)
    for start, end in pairwise(ids.splits.tolist()):
        generator = np.random.default_rng(zlib.crc32(ids.values[start:end].tobytes()))
        uniform[start:end] = generator.random((end - start, 3), np.float32)
    return Column(uniform, ids.splits)
