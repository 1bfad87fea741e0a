"""`TextRows`: from a network that reads rows, outputs of whole texts or pairs; from Python and in the graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tfnlp._backend import tf
from tfnlp.tasks.network import features_in_graph, outputs_in_steps, row_outputs
from tfnlp.tokenization.encoded import Encoded
from tfnlp.tokenization.tokenizer import Tokenizer

Windows = Literal["mean", "first"]
Truncation = Literal["only_second", "only_first", "longest_first"]


@dataclass(frozen=True)
class TextRows:
    """Encodes texts as rows, a long one as several, and makes the outputs of rows those of texts.

    Attributes:
        tokenizer: makes the rows.
        max_length: the most tokens in a row.
        stride: how many tokens of a text two neighbouring rows share.
        truncation: of a pair, which text becomes several rows, or `longest_first`: both are cut, to one row.
        windows: of a text with several rows, whether the `mean` of their outputs counts, or the `first`'s alone.
    """

    tokenizer: Tokenizer
    max_length: int
    stride: int
    truncation: Truncation = "only_second"
    windows: Windows = "mean"

    def encode(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> Encoded:
        """Encode texts, or pairs of them, as those rows that count.

        Raises:
            ArgumentError: if one text of a pair leaves no room for the other.
        """
        encoded = self.tokenizer.encode(texts, text_pairs, **self._options(is_pair=text_pairs is not None))
        return encoded if self.windows == "mean" else encoded.taken(encoded.first_rows)

    def outputs(
        self, forward: Callable[..., dict[str, tf.Tensor]], encoded: Encoded, num_texts: int
    ) -> dict[str, np.ndarray]:
        """Run a network whose outputs have one size for rows of every length.

        Args:
            forward: features in, a dict of outputs out.
            encoded: by `encode`.
            num_texts: how many texts, or pairs, the rows are of.

        Returns:
            The mean over each text's rows. Shape `(num_texts, size)`, float32.
        """
        found: dict[str, np.ndarray] = {}
        for rows, outputs in row_outputs(forward, self.tokenizer, encoded):
            for name, values in outputs.items():
                sums = found.setdefault(name, np.zeros((num_texts, values.shape[1]), np.float32))
                np.add.at(sums, encoded.row_to_record[rows], values)
        num_rows = np.bincount(encoded.row_to_record, minlength=num_texts)[:, None].astype(np.float32)
        return {name: sums / num_rows for name, sums in found.items()}

    def outputs_in_graph(
        self, forward: Any, texts: tf.Tensor, text_pairs: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Encode texts and run a network as `encode` and `outputs` do, with TensorFlow ops.

        Args:
            forward: a TensorFlow function with one input signature: features in, a dict of outputs out.
            texts: Shape `(batch,)`, string.
            text_pairs: the second text of each. Shape `(batch,)`, string.

        Returns:
            Shape `(batch, size)`, float32.
        """
        rows = self.tokenizer.graph(texts, text_pairs, **self._options(is_pair=text_pairs is not None))
        text = rows["row_to_record"]
        if self.windows == "first":
            is_first = tf.concat([[True], text[1:] != text[:-1]], 0)[: tf.size(text)]
            rows = {name: tf.ragged.boolean_mask(rows[name], is_first) for name in self.tokenizer.input_names}
            text = tf.boolean_mask(text, is_first)
        outputs = outputs_in_steps(forward, features_in_graph(self.tokenizer, rows))
        return {name: tf.math.unsorted_segment_mean(values, text, tf.size(texts)) for name, values in outputs.items()}

    def _options(self, *, is_pair: bool) -> dict[str, Any]:
        truncation = self.truncation if is_pair else None
        stride = 0 if truncation == "longest_first" else self.stride
        return {"max_length": self.max_length, "stride": stride, "truncation": truncation}
