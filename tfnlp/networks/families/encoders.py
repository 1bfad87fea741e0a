"""Encoders: which weights stand where, and what their configurations mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tfnlp.networks.families.post_norm import (
    ALBERT,
    BERT,
    DEBERTA,
    DISTILBERT,
    MPNET,
    activation_of,
    embeddings_of,
    layer_of,
    post_norm,
    rates_of,
)
from tfnlp.networks.layers import ACTIVATIONS, Attention, Dense, FeedForward
from tfnlp.networks.positions import Disentangled, Distances, Relative
from tfnlp.networks.rotary import plain_frequencies, rotary_options
from tfnlp.networks.stacks import Embeddings, Layer, Rates, Stack
from tfnlp.networks.weights import Named

_MPNET_PADDING = 1  # whatever the configuration says
_MPNET_MAX_DISTANCE = 128


def encoder_stack(config: Any, named: Named) -> Stack | None:
    """Return the layers of an encoder; None: the family, or an option of the configuration, has none here.

    Args:
        config: a Hugging Face configuration.
        named: takes the weights of the encoder, without the prefix that those of heads have.
    """
    build = _ENCODERS.get(config.model_type)
    if build is None or getattr(config, "is_decoder", False) or activation_of(config) not in ACTIVATIONS:
        return None
    return build(config, named)


def padding_id(config: Any) -> int | None:
    """Return the token that has no position, in families that count the others; None: places are positions."""
    if config.model_type == "mpnet":
        return _MPNET_PADDING
    return config.pad_token_id if config.model_type in _ROBERTA_KIN else None


def _bert(config: Any, named: Named) -> Stack | None:
    if getattr(config, "position_embedding_type", "absolute") != "absolute":
        return None
    size, padding = config.hidden_size, padding_id(config)
    width = getattr(config, "embedding_size", size)
    embeddings = embeddings_of(config, named, width, BERT)._replace(
        types=named.table("embeddings.token_type_embeddings", config.type_vocab_size, width),
        first_position=0 if padding is None else padding + 1,
        projection=None if width == size else named.dense("embeddings_project", width, size),
    )
    layers = (layer_of(config, named.at(f"encoder.layer.{i}"), BERT) for i in range(config.num_hidden_layers))
    return post_norm(config, embeddings, tuple(layers), rates_of(config))


def _distilbert(config: Any, named: Named) -> Stack:
    layers = (layer_of(config, named.at(f"transformer.layer.{i}"), DISTILBERT) for i in range(config.n_layers))
    rates = Rates(config.dropout, config.attention_dropout, feed_forward=config.dropout)
    return post_norm(config, embeddings_of(config, named, config.dim, DISTILBERT), tuple(layers), rates)


def _albert(config: Any, named: Named) -> Stack | None:
    if getattr(config, "position_embedding_type", "absolute") != "absolute":
        return None
    width, num_layers = config.embedding_size, config.num_hidden_layers
    groups = [
        [
            layer_of(config, named.at(f"encoder.albert_layer_groups.{group}.albert_layers.{i}"), ALBERT)
            for i in range(config.inner_group_num)
        ]
        for group in range(config.num_hidden_groups)
    ]
    embeddings = embeddings_of(config, named, width, ALBERT)._replace(
        types=named.table("embeddings.token_type_embeddings", config.type_vocab_size, width),
        projection=named.dense("encoder.embedding_hidden_mapping_in", width, config.hidden_size),
    )
    layers = (one for i in range(num_layers) for one in groups[i * config.num_hidden_groups // num_layers])
    # PyTorch never calls the dropout of feed-forward layers.
    return post_norm(config, embeddings, tuple(layers), rates_of(config)._replace(feed_forward=0.0))


def _mpnet(config: Any, named: Named) -> Stack:
    count, heads = config.relative_attention_num_buckets, config.num_attention_heads
    relative = Relative(named.table("encoder.relative_attention_bias", count, heads), _MPNET_MAX_DISTANCE)
    embeddings = embeddings_of(config, named, config.hidden_size, MPNET)._replace(first_position=_MPNET_PADDING + 1)
    layers = (layer_of(config, named.at(f"encoder.layer.{i}"), MPNET) for i in range(config.num_hidden_layers))
    return post_norm(config, embeddings, tuple(layers), rates_of(config))._replace(relative=relative)


def _deberta_v2(config: Any, named: Named) -> Stack | None:
    if getattr(config, "conv_kernel_size", 0) or getattr(config, "attention_head_size", None):
        return None
    size, epsilon, rate = config.hidden_size, config.layer_norm_eps, config.hidden_dropout_prob
    width = getattr(config, "embedding_size", size)
    own, encoder = named.at("embeddings"), named.at("encoder")
    kinds = (config.pos_att_type or ()) if config.relative_attention else ()

    def layer(i: int) -> Layer:
        one = encoder.at(f"layer.{i}")
        plain = layer_of(config, one, DEBERTA)
        return (
            plain._replace(disentangled=_disentangled(config, one.at("attention.self"), plain, kinds))
            if kinds
            else plain
        )

    positions = None
    if config.position_biased_input:
        positions = own.table("position_embeddings", config.max_position_embeddings, width)
    embeddings = Embeddings(
        own.table("word_embeddings", config.vocab_size, width),
        types=own.table("token_type_embeddings", config.type_vocab_size, width) if config.type_vocab_size else None,
        positions=positions,
        norm=own.norm("LayerNorm", size, epsilon),
        projection=None if width == size else own.dense("embed_proj", width, size, has_bias=False),
        projects_first=True,
        hides_padding=True,
    )
    distances = None
    if config.relative_attention:
        longest = (
            config.max_relative_positions if config.max_relative_positions >= 1 else config.max_position_embeddings
        )
        num_buckets = max(getattr(config, "position_buckets", -1), 0)
        has_norm = "layer_norm" in getattr(config, "norm_rel_ebd", "none").lower()
        distances = Distances(
            encoder.table("rel_embeddings", 2 * (num_buckets or longest), size),
            encoder.norm("LayerNorm", size, epsilon) if has_norm else None,
            longest,
            num_buckets,
            rate,
        )
    layers = tuple(layer(i) for i in range(config.num_hidden_layers))
    stack = post_norm(config, embeddings, layers, rates_of(config))
    return stack._replace(scale=stack.scale / math.sqrt(1 + len(kinds)), distances=distances)


def _disentangled(config: Any, own: Named, layer: Layer, kinds: tuple[str, ...]) -> Disentangled:
    """Return what meets vectors of distances: layers of its own, or those of contents."""
    size = config.hidden_size
    key: Dense | None = layer.attention.key
    query: Dense | None = layer.attention.query
    if not getattr(config, "share_att_key", False):
        key = own.dense("pos_key_proj", size, size) if "c2p" in kinds else None
        query = own.dense("pos_query_proj", size, size) if "p2c" in kinds else None
    return Disentangled(key if "c2p" in kinds else None, query if "p2c" in kinds else None)


def _modernbert(config: Any, named: Named) -> Stack | None:
    rotary = {kind: rotary_options(config, kind) for kind in ("full_attention", "sliding_attention")}
    if any(options.get("rope_type", "default") != "default" for options in rotary.values()):
        return None
    size, inner, heads = config.hidden_size, int(config.intermediate_size), config.num_attention_heads
    own, head_size = named.at("embeddings"), size // heads
    far, near = (plain_frequencies(head_size, options["rope_theta"]) for options in rotary.values())

    kinds = getattr(config, "layer_types", None) or [  # transformers 5 lists them
        "sliding_attention" if i % config.global_attn_every_n_layers else "full_attention"
        for i in range(config.num_hidden_layers)
    ]

    def norm(one: Named, name: str) -> Any:
        return one.norm(name, size, config.norm_eps, has_bias=config.norm_bias)

    def layer(i: int) -> Layer:
        one = named.at(f"layers.{i}")
        attention, mlp = one.at("attn"), one.at("mlp")
        is_local = kinds[i] == "sliding_attention"
        return Layer(
            Attention(
                attention.dense("Wqkv", size, 3 * size, has_bias=config.attention_bias), None, None,
                attention.dense("Wo", size, size, has_bias=config.attention_bias),
            ),
            norm(one, "attn_norm") if i else None,
            FeedForward(
                mlp.dense("Wi", size, 2 * inner, has_bias=config.mlp_bias),
                mlp.dense("Wo", inner, size, has_bias=config.mlp_bias),
                is_halved=True,
            ),
            norm(one, "mlp_norm"),
            window=config.local_attention // 2 + 1 if is_local else None,
            frequencies=near if is_local else far,
        )  # fmt: skip

    return Stack(
        Embeddings(own.table("tok_embeddings", config.vocab_size, size), norm=norm(own, "norm")),
        tuple(layer(i) for i in range(config.num_hidden_layers)),
        num_heads=heads,
        num_key_heads=heads,
        scale=head_size**-0.5,
        activation=ACTIVATIONS[config.hidden_activation],
        is_causal=False,
        last_norm=norm(named, "final_norm"),
        rates=Rates(
            config.embedding_dropout, config.attention_dropout, config.attention_dropout, inner=config.mlp_dropout
        ),
    )


_ROBERTA_KIN = ("camembert", "roberta", "xlm-roberta")
_ENCODERS: dict[str, Callable[[Any, Named], Stack | None]] = {
    "albert": _albert,
    "bert": _bert,
    "deberta-v2": _deberta_v2,
    "distilbert": _distilbert,
    "electra": _bert,
    "modernbert": _modernbert,
    "mpnet": _mpnet,
    **dict.fromkeys(_ROBERTA_KIN, _bert),
}
