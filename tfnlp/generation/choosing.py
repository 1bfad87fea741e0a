"""Which decoder runs a head: a network of our own where the family has one, else the head itself."""

from __future__ import annotations

from typing import Any

from tfnlp.checkpoints.weights import variables_by_name
from tfnlp.generation.decoders import Decoder
from tfnlp.generation.heads import Seq2SeqDecoder, decoder_of
from tfnlp.generation.networks import NetworkDecoder, NetworkSeq2SeqDecoder
from tfnlp.networks.families.decoders import decoder_network
from tfnlp.networks.families.encoder_decoders import encoder_decoder_network
from tfnlp.networks.weights import from_variables


def causal_decoder(head: Any, room: int, *, has_room: bool) -> Decoder | None:
    """Return a decoder that continues prompts.

    Args:
        head: with its weights.
        room: the most tokens that it takes.
        has_room: whether its cache has room for all tokens from the start, as XLA wants it.

    Returns:
        None: there is none with such a cache.
    """
    network = decoder_network(head.config, from_variables(variables_by_name(head)))
    if network is not None:
        return NetworkDecoder(network, room, has_room=has_room)
    return None if has_room else decoder_of(head, room=room)


def seq2seq_decoder(head: Any, start_id: int, room: int, *, has_room: bool) -> Decoder | None:
    """Return a decoder that answers prompts; `start_id` is the token that answers start with, the rest as above."""
    network = encoder_decoder_network(head.config, from_variables(variables_by_name(head)))
    if network is not None:
        return NetworkSeq2SeqDecoder(network, start_id, room, has_room=has_room)
    return None if has_room else Seq2SeqDecoder(head, start_id, room)
