"""The masks of texts: where they stand, and what a network says of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from tfnlp._backend import tf
from tfnlp.errors import DataError
from tfnlp.tasks.network import row_batches
from tfnlp.tasks.windows import answering_tokens
from tfnlp.tokenization.tokenizer import Tokenizer


class FoundMasks(NamedTuple):
    """The masks of some texts, in order.

    Attributes:
        records: the text of each.
        spans: its place there, `[start, end)` in characters.
        probabilities: of all tokens in that place. Shape `(tokens,)` each, float32.
    """

    records: list[int]
    spans: list[tuple[int, int]]
    probabilities: list[np.ndarray]

    def check(self, num_texts: int, token: str, start: int, *, several: bool) -> None:
        """Raise `DataError` if one of so many texts has no mask, or more than one unless it may have several.

        Args:
            num_texts: how many texts there are.
            token: the mask as the tokenizer writes it.
            start: the number of the first text, for messages.
            several: whether a text may have several masks.
        """
        for i, count in enumerate(np.bincount(self.records, minlength=num_texts).tolist()):
            if not count:
                raise DataError(f"text {start + i}: there is no {token} in it to fill.")
            if count > 1 and not several:
                raise DataError(
                    f"text {start + i}: expected one {token}, found {count}. Pass `several_masks=True` for the "
                    "fills of each."
                )


def find_masks(
    texts: Sequence[str],
    tokenizer: Tokenizer,
    probabilities: Callable[..., tf.Tensor],
    *,
    max_length: int,
    stride: int,
) -> FoundMasks:
    """Find the masks of texts, and run a network for what may stand in their places.

    Args:
        texts: in which to look; a long one becomes windows.
        tokenizer: of the network.
        probabilities: of features, and places `(row, token)`, returns those of all tokens there.
        max_length: the most tokens in a row.
        stride: how many tokens two neighbouring windows share.
    """
    encoded = tokenizer.encode(texts, max_length=max_length, stride=stride)
    chosen = answering_tokens(encoded.sequence_ids, 0, encoded.rows.astype(np.int32), encoded.row_to_record, stride)
    is_chosen = np.zeros(len(encoded.input_ids), bool)
    is_chosen[chosen.numpy()] = True
    is_mask = is_chosen & (encoded.input_ids == tokenizer.hf.mask_token_id)
    found: dict[int, np.ndarray] = {}  # by token
    for rows, batch in row_batches(encoded.features(tokenizer.input_names), encoded.splits, tokenizer.pad_id):
        inside = [np.flatnonzero(is_mask[slice(*encoded.splits[row : row + 2])]) for row in rows]
        places = [(i, place) for i, in_row in enumerate(inside) for place in in_row]
        if places:
            scores = probabilities(batch, tf.constant(places, tf.int32)).numpy()
            tokens = [int(encoded.splits[rows[i]] + place) for i, place in places]
            found.update(zip(tokens, scores, strict=True))
    order = sorted(found)
    spans = [(int(encoded.starts[i]), int(encoded.ends[i])) for i in order]
    return FoundMasks([int(encoded.records[i]) for i in order], spans, [found[i] for i in order])
