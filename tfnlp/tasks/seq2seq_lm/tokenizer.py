"""`Seq2SeqTokenizer`: the tokenizer of a network with a decoder, which reads targets in training."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from tfnlp._backend import tf
from tfnlp.errors import ArgumentError
from tfnlp.rows import Column
from tfnlp.tokenization.tokenizer import TextTokenizer

# Their decoders start with the last token of the target, which is its language, instead of one that is always the same.
_START_WITH_LAST = ("mbart",)


class Seq2SeqTokenizer(TextTokenizer):
    """Makes rows of texts, with the decoder's tokens beside them."""

    own_sizes = frozenset({"decoder_input_ids"})

    @property
    def specs(self) -> dict[str, tf.TensorSpec]:
        """Those of a tokenizer, and the decoder's tokens, as many as there are. Shape `(length,)`, int32."""
        return {**super().specs, "decoder_input_ids": tf.TensorSpec([None], tf.int32)}

    @property
    def fills(self) -> dict[str, int | float]:
        """The padding token."""
        return {**super().fills, "decoder_input_ids": self.pad_id}

    @property
    def column_names(self) -> list[str]:
        """The columns of rows that features are made of."""
        return ["input_ids", "decoder_input_ids"]

    @cached_property
    def of_texts(self) -> TextTokenizer:
        """The same without a decoder's tokens, for texts whose targets are to be made."""
        return TextTokenizer(self.hf)

    def target_ids(self, targets: Sequence[str]) -> Column:
        """Tokenize targets, in the target language, with special tokens. Returns NumPy arrays."""
        rows = self.hf(text_target=list(targets), verbose=False)["input_ids"]
        splits = np.cumsum([0, *map(len, rows)])
        return Column(np.array([token for row in rows for token in row], np.int32), splits)

    def set_languages(self, source: str, target: str) -> int | None:
        """Choose languages, of a tokenizer of many.

        Args:
            source: of texts; empty: as it is.
            target: of what is to be made; empty: as it is.

        Returns:
            The token of the target language, if it is chosen.

        Raises:
            ArgumentError: if the tokenizer has no such language.
        """
        known: dict[str, int] = getattr(self.hf, "lang_code_to_id", None) or {}
        for name, language in (("source_lang", source), ("target_lang", target)):
            if language and language not in known:
                there = f"it knows {', '.join(sorted(known))}" if known else "it has no languages to choose from"
                raise ArgumentError(f"`{name}={language!r}`: the tokenizer does not know this language; {there}.")
        if source:
            self.hf.src_lang = source
        if target:
            self.hf.tgt_lang = target
        return known[target] if target else None


def decoder_inputs(labels: Column, config: Any, start_id: int) -> np.ndarray:
    """Return what a decoder reads to say the labels: each one place later, after what it starts with.

    Args:
        labels: the tokens of targets. NumPy arrays.
        config: of the network.
        start_id: the token that decoders start with.

    Returns:
        Of the shape of the labels, int32.
    """
    shifted = np.roll(labels.values, 1)
    starts, ends = labels.splits[:-1], labels.splits[1:]
    first = labels.values[ends - 1] if config.model_type in _START_WITH_LAST else start_id
    shifted[starts] = first
    return shifted.astype(np.int32)
