"""Unknown characters as the bytes of their UTF-8, where each byte has a token (`<0x00>` to `<0xFF>`)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tfnlp._backend import tf
from tfnlp.errors import UnsupportedTokenizerError
from tfnlp.tokenization.graph.models.tokens import Tokens, Words
from tfnlp.tokenization.graph.pre_tokenizers.byte_level import num_bytes, utf8
from tfnlp.tokenization.graph.ragged import ranges, row_index
from tfnlp.tokenization.graph.tables import Table


def compile_byte_ids(vocabulary: Mapping[str, int]) -> np.ndarray | None:
    """Return the id of each byte's token, int32; None if the vocabulary has none.

    Raises:
        UnsupportedTokenizerError: if it has some of them only.
    """
    names = [f"<0x{byte:02X}>" for byte in range(256)]
    missing = [name for name in names if name not in vocabulary]
    if len(missing) == len(names):
        return None
    if missing:
        raise UnsupportedTokenizerError(
            f"`byte_fallback` is not reproduced in the graph for a vocabulary that lacks bytes: "
            f"{', '.join(missing[:5])}."
        )
    return np.array([vocabulary[name] for name in names], np.int32)


def with_bytes(words: Words, tokens: Tokens, mask: tf.Tensor, byte_ids: Table) -> Tokens:
    """Put the tokens of its bytes, each as long as the whole, in the place of each token for which a mask is true."""
    lengths = tf.where(mask, tokens.ends - tokens.starts, 1)
    token = row_index(lengths)
    characters = words.characters.taken(ranges(tokens.starts, lengths))
    is_unknown = tf.gather(mask, token)
    size = tf.where(is_unknown, num_bytes(characters), 1)
    _, values = utf8(characters, size)
    character = row_index(size)
    tokens = tokens.taken(tf.gather(token, character))
    ids = tf.where(tf.gather(is_unknown, character), tf.gather(byte_ids, values), tokens.ids)
    return Tokens(ids, tokens.starts, tokens.ends, tokens.words)
