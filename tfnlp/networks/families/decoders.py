"""Decoders: which weights stand where, and what their configurations mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from tfnlp.networks.layers import ACTIVATIONS, Attention, FeedForward, Norm
from tfnlp.networks.output import Output
from tfnlp.networks.rotary import inverse_frequencies
from tfnlp.networks.stacks import Embeddings, Layer, Rates, Stack
from tfnlp.networks.weights import Named


class DecoderNetwork(NamedTuple):
    """A decoder alone."""

    stack: Stack
    output: Output


def decoder_network(config: Any, named: Named) -> DecoderNetwork | None:
    """Return the network of a causal head; None: the family, or an option of the configuration, has none here."""
    build = _DECODERS.get(config.model_type)
    return build(config, named) if build is not None else None


def _gpt2(config: Any, named: Named) -> DecoderNetwork | None:
    if config.activation_function not in ACTIVATIONS or config.scale_attn_by_inverse_layer_idx:
        return None
    base, size, inner = named.at("transformer"), config.n_embd, config.n_inner or 4 * config.n_embd

    def layer(i: int) -> Layer:
        own = base.at(f"h.{i}")
        return Layer(
            Attention(
                own.dense("attn.c_attn", size, 3 * size, is_turned=False), None, None,
                own.dense("attn.c_proj", size, size, is_turned=False),
            ),
            own.norm("ln_1", size, config.layer_norm_epsilon),
            FeedForward(
                own.dense("mlp.c_fc", size, inner, is_turned=False),
                own.dense("mlp.c_proj", inner, size, is_turned=False),
            ),
            own.norm("ln_2", size, config.layer_norm_epsilon),
        )  # fmt: skip

    tokens = base.table("wte", config.vocab_size, size)
    stack = Stack(
        Embeddings(tokens, positions=base.table("wpe", config.n_positions, size)),
        layers=tuple(layer(i) for i in range(config.n_layer)),
        num_heads=config.n_head,
        num_key_heads=config.n_head,
        scale=1 / math.sqrt(size // config.n_head) if config.scale_attn_weights else 1.0,
        activation=ACTIVATIONS[config.activation_function],
        last_norm=base.norm("ln_f", size, config.layer_norm_epsilon),
        rates=Rates(config.embd_pdrop, config.attn_pdrop, config.resid_pdrop, config.resid_pdrop),
    )
    return DecoderNetwork(stack, Output(table=tokens))


def _opt(config: Any, named: Named) -> DecoderNetwork | None:
    is_plain = config.word_embed_proj_dim == config.hidden_size and config.do_layer_norm_before
    if not is_plain or config.activation_function not in ACTIVATIONS or config._remove_final_layer_norm:
        return None
    base, size = named.at("model.decoder"), config.hidden_size
    sizes = (size, config.ffn_dim)
    tokens = base.table("embed_tokens", config.vocab_size, size)
    stack = Stack(
        Embeddings(
            tokens, positions=base.table("embed_positions", config.max_position_embeddings + 2, size), first_position=2
        ),
        layers=tuple(fairseq_layer(base.at(f"layers.{i}"), *sizes) for i in range(config.num_hidden_layers)),
        num_heads=config.num_attention_heads,
        num_key_heads=config.num_attention_heads,
        scale=(size // config.num_attention_heads) ** -0.5,
        activation=ACTIVATIONS[config.activation_function],
        last_norm=base.norm("final_layer_norm", size, 1e-5),
        rates=Rates(0.0, config.attention_dropout, config.dropout, config.dropout),
    )
    return DecoderNetwork(stack, Output(table=tokens))


def _llama(config: Any, named: Named) -> DecoderNetwork | None:
    frequencies = inverse_frequencies(config)
    if config.hidden_act not in ACTIVATIONS or frequencies is None:
        return None
    base, size, inner, epsilon = named.at("model"), config.hidden_size, config.intermediate_size, config.rms_norm_eps
    kind, num_heads, num_key_heads = config.model_type, config.num_attention_heads, config.num_key_value_heads
    head_size = getattr(config, "head_dim", None) or size // num_heads
    all_heads, key_heads = head_size * num_heads, head_size * num_key_heads
    has_bias = kind == "qwen2" or getattr(config, "attention_bias", False)
    mlp_bias = getattr(config, "mlp_bias", False)

    window, kinds = getattr(config, "sliding_window", None), getattr(config, "layer_types", None)
    windows = [window] * config.num_hidden_layers
    if kinds is not None:  # Qwen's: only some layers have one
        windows = [window if kind == "sliding_attention" else None for kind in kinds]

    def norm(own: Named, name: str, count: int = size) -> Norm:
        return own.norm(name, count, epsilon, has_bias=False, is_centered=False)

    def layer(i: int) -> Layer:
        own = base.at(f"layers.{i}")
        attention, mlp = own.at("self_attn"), own.at("mlp")
        norms = [norm(attention, name, head_size) for name in ("q_norm", "k_norm")] if kind == "qwen3" else []
        return Layer(
            Attention(
                attention.dense("q_proj", size, all_heads, has_bias=has_bias),
                attention.dense("k_proj", size, key_heads, has_bias=has_bias),
                attention.dense("v_proj", size, key_heads, has_bias=has_bias),
                attention.dense("o_proj", all_heads, size, has_bias=has_bias and kind != "qwen2"),
                *norms,
            ),
            norm(own, "input_layernorm"),
            FeedForward(
                mlp.dense("up_proj", size, inner, has_bias=mlp_bias),
                mlp.dense("down_proj", inner, size, has_bias=mlp_bias),
                mlp.dense("gate_proj", size, inner, has_bias=mlp_bias),
            ),
            norm(own, "post_attention_layernorm"),
            window=windows[i],
            frequencies=frequencies,
        )

    tokens = base.table("embed_tokens", config.vocab_size, size)
    stack = Stack(
        Embeddings(tokens),
        layers=tuple(layer(i) for i in range(config.num_hidden_layers)),
        num_heads=num_heads,
        num_key_heads=num_key_heads,
        scale=head_size**-0.5,
        activation=ACTIVATIONS[config.hidden_act],
        last_norm=norm(base, "norm"),
        rates=Rates(weights=config.attention_dropout),
    )
    if config.tie_word_embeddings:
        return DecoderNetwork(stack, Output(table=tokens))
    return DecoderNetwork(stack, Output(kernel=named.dense("lm_head", size, config.vocab_size, has_bias=False).kernel))


def fairseq_layer(own: Named, size: int, inner: int, *, crosses: bool = False) -> Layer:
    """Return a layer of those that come from fairseq; `crosses`: it attends to what an encoder has read, too."""

    def attention(name: str) -> Attention:
        return own.at(name).attention([f"{part}_proj" for part in ("q", "k", "v", "out")], size)

    cross = (attention("encoder_attn"), own.norm("encoder_attn_layer_norm", size, 1e-5)) if crosses else ()
    return Layer(
        attention("self_attn"),
        own.norm("self_attn_layer_norm", size, 1e-5),
        FeedForward(own.dense("fc1", size, inner), own.dense("fc2", inner, size)),
        own.norm("final_layer_norm", size, 1e-5),
        *cross,
    )


_DECODERS: dict[str, Callable[[Any, Named], DecoderNetwork | None]] = {
    "gpt2": _gpt2,
    "llama": _llama,
    "mistral": _llama,
    "opt": _opt,
    "qwen2": _llama,
    "qwen3": _llama,
}
# Heads of decoders as transformers names them.
CAUSAL_CLASSES = {
    "gpt2": "TFGPT2LMHeadModel",
    "llama": "TFLlamaForCausalLM",
    "mistral": "TFMistralForCausalLM",
    "opt": "TFOPTForCausalLM",
    "qwen2": "TFQwen2ForCausalLM",
    "qwen3": "TFQwen3ForCausalLM",
}
