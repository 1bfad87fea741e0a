"""BERT's arrangement, with a norm after each part, which many encoders have: how each calls the parts of a layer."""

from __future__ import annotations

from typing import Any, NamedTuple

from tfnlp.networks.layers import ACTIVATIONS, FeedForward
from tfnlp.networks.stacks import Embeddings, Layer, Rates, Stack
from tfnlp.networks.weights import Named


def activation_of(config: Any) -> str:
    """Return the name of the activation of an encoder's feed-forward layers."""
    names = ("hidden_activation", "activation", "hidden_act")  # ModernBERT's, DistilBERT's, all others'
    return next(value for value in (getattr(config, name, None) for name in names) if value is not None)


class Names(NamedTuple):
    """How a family calls the parts of a layer.

    Attributes:
        attention: to queries, keys and values, and back.
        attention_norm: after it.
        feed_forward: to the inner size, and back.
        feed_forward_norm: after that.
        inner: the field of the configuration with the inner size.
        epsilon: of norms; None: the configuration's.
    """

    attention: tuple[str, str, str, str]
    attention_norm: str
    feed_forward: tuple[str, str]
    feed_forward_norm: str
    inner: str = "intermediate_size"
    epsilon: float | None = None

    def epsilon_of(self, config: Any) -> float:
        """Return what norms add to the variance."""
        return config.layer_norm_eps if self.epsilon is None else self.epsilon


def _of_bert(*names: str) -> Names:
    """Return the names of BERT and of those whose attention alone is named otherwise."""
    query, key, value, output = (f"attention.{name}" for name in names)
    inner = ("intermediate.dense", "output.dense")
    return Names((query, key, value, output), "attention.output.LayerNorm", inner, "output.LayerNorm")


BERT = _of_bert("self.query", "self.key", "self.value", "output.dense")
DEBERTA = _of_bert("self.query_proj", "self.key_proj", "self.value_proj", "output.dense")
MPNET = _of_bert("attn.q", "attn.k", "attn.v", "attn.o")._replace(attention_norm="attention.LayerNorm")
DISTILBERT = Names(
    ("attention.q_lin", "attention.k_lin", "attention.v_lin", "attention.out_lin"),
    "sa_layer_norm",
    ("ffn.lin1", "ffn.lin2"),
    "output_layer_norm",
    inner="hidden_dim",
    epsilon=1e-12,
)
ALBERT = Names(
    ("attention.query", "attention.key", "attention.value", "attention.dense"),
    "attention.LayerNorm",
    ("ffn", "ffn_output"),
    "full_layer_layer_norm",
)


def layer_of(config: Any, named: Named, names: Names) -> Layer:
    """Return a layer of BERT's arrangement, by the names of a family."""
    size, inner, epsilon = config.hidden_size, getattr(config, names.inner), names.epsilon_of(config)
    up, down = names.feed_forward
    return Layer(
        named.attention(names.attention, size),
        named.norm(names.attention_norm, size, epsilon),
        FeedForward(named.dense(up, size, inner), named.dense(down, inner, size)),
        named.norm(names.feed_forward_norm, size, epsilon),
    )


def embeddings_of(config: Any, named: Named, width: int, names: Names) -> Embeddings:
    """Return the sum of the vectors of tokens and of positions, with a norm."""
    own = named.at("embeddings")
    return Embeddings(
        own.table("word_embeddings", config.vocab_size, width),
        positions=own.table("position_embeddings", config.max_position_embeddings, width),
        norm=own.norm("LayerNorm", width, names.epsilon_of(config)),
    )


def rates_of(config: Any) -> Rates:
    """Return BERT's rates of dropout."""
    rate = config.hidden_dropout_prob
    return Rates(rate, config.attention_probs_dropout_prob, rate, rate)


def post_norm(config: Any, embeddings: Embeddings, layers: tuple[Layer, ...], rates: Rates) -> Stack:
    """Return BERT's arrangement of layers."""
    return Stack(
        embeddings,
        layers,
        num_heads=config.num_attention_heads,
        num_key_heads=config.num_attention_heads,
        scale=(config.hidden_size // config.num_attention_heads) ** -0.5,
        activation=ACTIVATIONS[activation_of(config)],
        norm_first=False,
        is_causal=False,
        rates=rates,
    )
