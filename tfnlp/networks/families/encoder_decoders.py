"""Encoders with decoders: which weights stand where, and what their configurations mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from tfnlp.networks.families.decoders import fairseq_layer
from tfnlp.networks.layers import ACTIVATIONS, Attention, FeedForward, Norm
from tfnlp.networks.output import Output
from tfnlp.networks.positions import Relative
from tfnlp.networks.stacks import Embeddings, Layer, Rates, Stack
from tfnlp.networks.weights import Named


class EncoderDecoderNetwork(NamedTuple):
    """An encoder, and a decoder that attends to what it has read."""

    encoder: Stack
    stack: Stack
    output: Output


def encoder_decoder_network(config: Any, named: Named) -> EncoderDecoderNetwork | None:
    """Return the network of a head with an encoder; None: the family, or an option of it, has none here."""
    build = _ENCODER_DECODERS.get(config.model_type)
    return build(config, named) if build is not None else None


def _t5(config: Any, named: Named) -> EncoderDecoderNetwork | None:
    if config.dense_act_fn not in ACTIVATIONS:
        return None
    size, inner, heads = config.d_model, config.d_ff, config.d_kv * config.num_heads
    tokens = named.table("shared", config.vocab_size, size)

    def norm(own: Named, name: str = "layer_norm") -> Norm:
        return own.norm(name, size, config.layer_norm_epsilon, has_bias=False, is_centered=False)

    def attention(own: Named) -> Attention:
        return own.attention("qkvo", size, inner=heads, has_bias=False)

    def layer(side: str, i: int) -> Layer:
        own = named.at(f"{side}.block.{i}")
        first, last = own.at("layer.0"), own.at("layer.2" if side == "decoder" else "layer.1")
        feed, up = last.at("DenseReluDense"), ("wi_1", "wi_0") if config.is_gated_act else ("wi",)
        kernels = [feed.dense(name, size, inner, has_bias=False) for name in up]
        gate = kernels[1] if config.is_gated_act else None
        cross: tuple[Any, ...] = ()
        if side == "decoder":
            cross = (attention(own.at("layer.1.EncDecAttention")), norm(own.at("layer.1")))
        return Layer(
            attention(first.at("SelfAttention")),
            norm(first),
            FeedForward(kernels[0], feed.dense("wo", inner, size, has_bias=False), gate),
            norm(last),
            *cross,
        )

    def stack(side: str, count: int) -> Stack:
        first = named.at(f"{side}.block.0.layer.0.SelfAttention")
        table = first.table("relative_attention_bias", config.relative_attention_num_buckets, config.num_heads)
        rate = config.dropout_rate
        return Stack(
            Embeddings(tokens),
            layers=tuple(layer(side, i) for i in range(count)),
            num_heads=config.num_heads,
            num_key_heads=config.num_heads,
            scale=1.0,
            activation=ACTIVATIONS[config.dense_act_fn],
            is_causal=side == "decoder",
            relative=Relative(table, config.relative_attention_max_distance),
            last_norm=norm(named.at(side), "final_layer_norm"),
            rates=Rates(rate, rate, rate, rate, inner=rate, last=rate),
        )

    encoder, decoder = stack("encoder", config.num_layers), stack("decoder", config.num_decoder_layers)
    if config.tie_word_embeddings:
        return EncoderDecoderNetwork(encoder, decoder, Output(table=tokens, scale=size**-0.5))
    output = named.dense("lm_head", size, config.vocab_size, has_bias=False)
    return EncoderDecoderNetwork(encoder, decoder, Output(kernel=output.kernel))


def _bart(config: Any, named: Named) -> EncoderDecoderNetwork | None:
    if config.activation_function not in ACTIVATIONS:
        return None
    kind, size = config.model_type, config.d_model
    base = named.at("model")
    tokens = base.table("shared", config.vocab_size, size)
    has_first_norm, has_last_norm = kind in ("bart", "mbart"), kind in ("mbart", "pegasus", "blenderbot")
    offset = 2 if kind in ("bart", "mbart") else 0

    def positions(own: Named) -> Any:
        table = own.sines if kind in ("marian", "pegasus") else own.table
        return table("embed_positions", config.max_position_embeddings + offset, size)

    def stack(side: str, count: int, heads: int, inner: int) -> Stack:
        own = base.at(side)
        is_decoder = side == "decoder"
        layers = (fairseq_layer(own.at(f"layers.{i}"), size, inner, crosses=is_decoder) for i in range(count))
        return Stack(
            Embeddings(
                tokens,
                scale=math.sqrt(size) if config.scale_embedding else 1.0,
                positions=positions(own),
                first_position=offset,
                norm=own.norm("layernorm_embedding", size, 1e-5) if has_first_norm else None,
            ),
            layers=tuple(layers),
            num_heads=heads,
            num_key_heads=heads,
            scale=(size // heads) ** -0.5,
            activation=ACTIVATIONS[config.activation_function],
            norm_first=has_last_norm,
            is_causal=is_decoder,
            last_norm=own.norm("layer_norm", size, 1e-5) if has_last_norm else None,
            rates=Rates(
                config.dropout, config.attention_dropout, config.dropout, config.dropout, config.activation_dropout
            ),
        )

    return EncoderDecoderNetwork(
        stack("encoder", config.encoder_layers, config.encoder_attention_heads, config.encoder_ffn_dim),
        stack("decoder", config.decoder_layers, config.decoder_attention_heads, config.decoder_ffn_dim),
        Output(table=tokens, bias=named.vector("final_logits_bias", config.vocab_size)),
    )


_ENCODER_DECODERS: dict[str, Callable[[Any, Named], EncoderDecoderNetwork | None]] = {
    "bart": _bart,
    "blenderbot": _bart,
    "marian": _bart,
    "mbart": _bart,
    "mt5": _t5,
    "pegasus": _bart,
    "t5": _t5,
}
# Their heads as transformers names them.
SEQ2SEQ_CLASSES = {
    "bart": "TFBartForConditionalGeneration",
    "blenderbot": "TFBlenderbotForConditionalGeneration",
    "marian": "TFMarianMTModel",
    "mbart": "TFMBartForConditionalGeneration",
    "mt5": "TFMT5ForConditionalGeneration",
    "pegasus": "TFPegasusForConditionalGeneration",
    "t5": "TFT5ForConditionalGeneration",
}
