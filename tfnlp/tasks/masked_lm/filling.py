"""The tokens of a vocabulary as words in a text: what stands in the place of a mask."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from tfnlp.errors import ArgumentError
from tfnlp.outputs import Fill

_WORD_BEGINS = ("▁", "Ġ")


class Filler:
    """Puts tokens in the places of masks.

    Attributes:
        hf: the Hugging Face tokenizer.
        num_tokens: how many of its tokens the network knows.
    """

    def __init__(self, hf: Any, num_tokens: int) -> None:
        self.hf, self.num_tokens = hf, num_tokens

    @cached_property
    def tokens(self) -> list[str]:
        """All tokens as text."""
        return self.hf.batch_decode([[i] for i in range(self.num_tokens)])

    def candidate_ids(self, candidates: Sequence[str]) -> np.ndarray:
        """Return the token of each candidate, as it stands at the beginning of a word. Shape `(candidates,)`, int64.

        Raises:
            ArgumentError: if there is none, or one is not one token.
        """
        if isinstance(candidates, str) or not candidates:
            raise ArgumentError(f"`candidates` must be a list of words, at least one; it is {candidates!r}.")
        ids = []
        for word in candidates:
            spaced = self.hf(f" {word}", add_special_tokens=False)["input_ids"]
            if spaced == [self.hf.unk_token_id] and word != self.hf.unk_token:
                raise ArgumentError(f"the candidate {word!r} is not in the vocabulary.")
            if len(spaced) != 1 and self.hf.get_vocab().get(word) is None:
                pieces = self.hf.convert_ids_to_tokens(spaced)
                raise ArgumentError(f"the candidate {word!r} is {len(spaced)} tokens, {pieces}: it must be one.")
            ids.append(spaced[0] if len(spaced) == 1 else self.hf.get_vocab()[word])
        return np.array(list(dict.fromkeys(ids)))

    def fill(self, token_id: int, score: float, text: str, span: tuple[int, int]) -> Fill:
        """Put a token in the place of a mask.

        Args:
            token_id: its id.
            score: its probability.
            text: with the mask.
            span: of the mask, `[start, end)` in characters.
        """
        token = self.tokens[token_id]
        space = text[slice(*span)]
        space = space[: len(space) - len(space.lstrip())]  # before the mask, where the tokenizer counts it as its own
        piece = self.hf.convert_ids_to_tokens(token_id)
        prefix = getattr(self.hf.backend_tokenizer.model, "continuing_subword_prefix", None)
        is_special = token_id in self.hf.all_special_ids
        joins = piece.startswith(prefix) if prefix else not (is_special or piece.startswith(_WORD_BEGINS))
        filled = token.strip().removeprefix(prefix or "") if joins else space + token.strip()
        return Fill(token_id, token.strip(), score, text[: span[0]] + filled + text[span[1] :])


@lru_cache(maxsize=4)
def filler_of(hf: Any, num_tokens: int) -> Filler:
    """Return the filler of a tokenizer with so many tokens, which are written as text once."""
    return Filler(hf, num_tokens)
