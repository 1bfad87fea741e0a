"""The families that have a network of our own: which weights stand where, and what their configurations mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tfnlp.networks.layers import ACTIVATIONS, Attention, Dense, FeedForward, Norm
from tfnlp.networks.output import Output
from tfnlp.networks.rotary import inverse_frequencies
from tfnlp.networks.stacks import Layer, Relative, Stack

# Weights by PyTorch's names. Kernels of dense layers have shape `(in, out)`, as in TensorFlow.
Weights = Mapping[str, Any]


class DecoderNetwork(NamedTuple):
    """A decoder alone."""

    stack: Stack
    output: Output


class EncoderDecoderNetwork(NamedTuple):
    """An encoder, and a decoder that attends to what it has read."""

    encoder: Stack
    stack: Stack
    output: Output


def decoder_network(config: Any, weights: Weights) -> DecoderNetwork | None:
    """Return the network of a causal head; None: the family, or an option of the configuration, has none here."""
    build = _DECODERS.get(config.model_type)
    return build(config, weights) if build is not None else None


def encoder_decoder_network(config: Any, weights: Weights) -> EncoderDecoderNetwork | None:
    """Return the network of a head with an encoder; None: the family, or an option of it, has none here."""
    build = _ENCODER_DECODERS.get(config.model_type)
    return build(config, weights) if build is not None else None


class _Named:
    """Takes weights by the part of their names that a layer has in common."""

    def __init__(self, weights: Weights, prefix: str = "") -> None:
        self._weights, self._prefix = weights, prefix

    def at(self, name: str) -> _Named:
        return _Named(self._weights, f"{self._prefix}{name}.")

    def __getitem__(self, name: str) -> Any:
        return self._weights[f"{self._prefix}{name}"]

    def get(self, name: str) -> Any:
        return self._weights.get(f"{self._prefix}{name}")

    def dense(self, name: str) -> Dense:
        return Dense(self[f"{name}.weight"], self.get(f"{name}.bias"))

    def attention(self, names: Sequence[str], *norms: Norm | None) -> Attention:
        query, key, value, output = (self.dense(name) for name in names)
        return Attention(query, key, value, output, *norms)

    def norm(self, name: str, epsilon: float) -> Norm:
        return Norm(self[f"{name}.weight"], self.get(f"{name}.bias"), epsilon)


def _gpt2(config: Any, weights: Weights) -> DecoderNetwork | None:
    if config.activation_function not in ACTIVATIONS or config.scale_attn_by_inverse_layer_idx:
        return None
    named = _Named(weights, "transformer.")

    def layer(i: int) -> Layer:
        own = named.at(f"h.{i}")
        return Layer(
            Attention(own.dense("attn.c_attn"), None, None, own.dense("attn.c_proj")),
            own.norm("ln_1", config.layer_norm_epsilon),
            FeedForward(own.dense("mlp.c_fc"), own.dense("mlp.c_proj")),
            own.norm("ln_2", config.layer_norm_epsilon),
        )

    stack = Stack(
        tokens=named["wte.weight"],
        layers=tuple(layer(i) for i in range(config.n_layer)),
        num_heads=config.n_head,
        num_key_heads=config.n_head,
        scale=1 / math.sqrt(config.n_embd // config.n_head) if config.scale_attn_weights else 1.0,
        activation=ACTIVATIONS[config.activation_function],
        positions=named["wpe.weight"],
        last_norm=named.norm("ln_f", config.layer_norm_epsilon),
    )
    return DecoderNetwork(stack, Output(table=named["wte.weight"]))


def _opt(config: Any, weights: Weights) -> DecoderNetwork | None:
    is_plain = config.word_embed_proj_dim == config.hidden_size and config.do_layer_norm_before
    if not is_plain or config.activation_function not in ACTIVATIONS or config._remove_final_layer_norm:
        return None
    named = _Named(weights, "model.decoder.")
    stack = Stack(
        tokens=named["embed_tokens.weight"],
        layers=tuple(_fairseq_layer(named.at(f"layers.{i}"), 1e-5) for i in range(config.num_hidden_layers)),
        num_heads=config.num_attention_heads,
        num_key_heads=config.num_attention_heads,
        scale=(config.hidden_size // config.num_attention_heads) ** -0.5,
        activation=ACTIVATIONS[config.activation_function],
        positions=named["embed_positions.weight"],
        first_position=2,
        last_norm=named.norm("final_layer_norm", 1e-5),
    )
    return DecoderNetwork(stack, Output(table=named["embed_tokens.weight"]))


def _llama(config: Any, weights: Weights) -> DecoderNetwork | None:
    frequencies = inverse_frequencies(config)
    if config.hidden_act not in ACTIVATIONS or frequencies is None:
        return None
    named, epsilon = _Named(weights, "model."), config.rms_norm_eps
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads

    window, kinds = getattr(config, "sliding_window", None), getattr(config, "layer_types", None)
    windows = [window] * config.num_hidden_layers
    if kinds is not None:  # Qwen's: only some layers have one
        windows = [window if kind == "sliding_attention" else None for kind in kinds]

    def layer(i: int) -> Layer:
        own = named.at(f"layers.{i}")
        norms = [
            Norm(own[f"self_attn.{name}.weight"], None, epsilon) if own.get(f"self_attn.{name}.weight") is not None
            else None
            for name in ("q_norm", "k_norm")
        ]  # fmt: skip
        return Layer(
            own.attention([f"self_attn.{name}_proj" for name in "qkvo"], *norms),
            Norm(own["input_layernorm.weight"], None, epsilon),
            FeedForward(own.dense("mlp.up_proj"), own.dense("mlp.down_proj"), own.dense("mlp.gate_proj")),
            Norm(own["post_attention_layernorm.weight"], None, epsilon),
            window=windows[i],
        )

    stack = Stack(
        tokens=named["embed_tokens.weight"],
        layers=tuple(layer(i) for i in range(config.num_hidden_layers)),
        num_heads=config.num_attention_heads,
        num_key_heads=config.num_key_value_heads,
        scale=size**-0.5,
        activation=ACTIVATIONS[config.hidden_act],
        inverse_frequencies=frequencies,
        last_norm=Norm(named["norm.weight"], None, epsilon),
    )
    output = Output(table=named["embed_tokens.weight"])
    if not config.tie_word_embeddings:
        output = Output(kernel=weights["lm_head.weight"])
    return DecoderNetwork(stack, output)


def _t5(config: Any, weights: Weights) -> EncoderDecoderNetwork | None:
    if config.dense_act_fn not in ACTIVATIONS:
        return None
    named, epsilon = _Named(weights), config.layer_norm_epsilon

    def attention(own: _Named, kind: str) -> Attention:
        return own.attention([f"{kind}.{name}" for name in "qkvo"])

    def layer(side: str, i: int) -> Layer:
        own, last = named.at(f"{side}.block.{i}"), 2 if side == "decoder" else 1
        up = ("wi_1", "wi_0") if config.is_gated_act else ("wi",)
        kernels = [own.dense(f"layer.{last}.DenseReluDense.{name}") for name in up]
        cross: tuple[Any, ...] = ()
        if side == "decoder":
            cross = (attention(own.at("layer.1"), "EncDecAttention"), own.norm("layer.1.layer_norm", epsilon))
        return Layer(
            attention(own.at("layer.0"), "SelfAttention"),
            own.norm("layer.0.layer_norm", epsilon),
            FeedForward(kernels[0], own.dense(f"layer.{last}.DenseReluDense.wo"), *kernels[1:]),
            own.norm(f"layer.{last}.layer_norm", epsilon),
            *cross,
        )

    def stack(side: str, count: int) -> Stack:
        table = named[f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
        return Stack(
            tokens=named["shared.weight"],
            layers=tuple(layer(side, i) for i in range(count)),
            num_heads=config.num_heads,
            num_key_heads=config.num_heads,
            scale=1.0,
            activation=ACTIVATIONS[config.dense_act_fn],
            is_causal=side == "decoder",
            relative=Relative(table, config.relative_attention_max_distance),
            last_norm=named.norm(f"{side}.final_layer_norm", epsilon),
        )

    output = Output(kernel=weights.get("lm_head.weight"))
    if config.tie_word_embeddings:
        output = Output(table=named["shared.weight"], scale=config.d_model**-0.5)
    return EncoderDecoderNetwork(
        stack("encoder", config.num_layers), stack("decoder", config.num_decoder_layers), output
    )


def _bart(config: Any, weights: Weights) -> EncoderDecoderNetwork | None:
    if config.activation_function not in ACTIVATIONS:
        return None
    kind = config.model_type
    named = _Named(weights, "model.")
    table = named["shared.weight"]

    def stack(side: str, count: int, heads: int) -> Stack:
        own = named.at(side)
        layers = tuple(_fairseq_layer(own.at(f"layers.{i}"), 1e-5, crosses=side == "decoder") for i in range(count))
        return Stack(
            tokens=table,
            layers=layers,
            num_heads=heads,
            num_key_heads=heads,
            scale=(config.d_model // heads) ** -0.5,
            activation=ACTIVATIONS[config.activation_function],
            norm_first=kind in ("mbart", "pegasus", "blenderbot"),
            is_causal=side == "decoder",
            token_scale=math.sqrt(config.d_model) if config.scale_embedding else 1.0,
            positions=own["embed_positions.weight"],
            first_position=2 if kind in ("bart", "mbart") else 0,
            first_norm=own.norm("layernorm_embedding", 1e-5) if kind in ("bart", "mbart") else None,
            last_norm=own.norm("layer_norm", 1e-5) if kind in ("mbart", "pegasus", "blenderbot") else None,
        )

    return EncoderDecoderNetwork(
        stack("encoder", config.encoder_layers, config.encoder_attention_heads),
        stack("decoder", config.decoder_layers, config.decoder_attention_heads),
        Output(table=table, bias=weights["final_logits_bias"]),
    )


def _fairseq_layer(own: _Named, epsilon: float, *, crosses: bool = False) -> Layer:
    def attention(name: str) -> Attention:
        return own.attention([f"{name}.{part}_proj" for part in ("q", "k", "v", "out")])

    cross = (attention("encoder_attn"), own.norm("encoder_attn_layer_norm", epsilon)) if crosses else ()
    return Layer(
        attention("self_attn"),
        own.norm("self_attn_layer_norm", epsilon),
        FeedForward(own.dense("fc1"), own.dense("fc2")),
        own.norm("final_layer_norm", epsilon),
        *cross,
    )


_DECODERS: dict[str, Callable[[Any, Weights], DecoderNetwork | None]] = {
    "gpt2": _gpt2,
    "llama": _llama,
    "mistral": _llama,
    "opt": _opt,
    "qwen2": _llama,
    "qwen3": _llama,
}
_ENCODER_DECODERS: dict[str, Callable[[Any, Weights], EncoderDecoderNetwork | None]] = {
    "bart": _bart,
    "blenderbot": _bart,
    "marian": _bart,
    "mbart": _bart,
    "mt5": _t5,
    "pegasus": _bart,
    "t5": _t5,
}
