"""Heads of families that transformers has no TensorFlow head for: variables named as in PyTorch, and our networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tfnlp._backend import keras, tf
from tfnlp.errors import UnsupportedModelError
from tfnlp.networks.families import DecoderNetwork, decoder_network
from tfnlp.networks.layers import ACTIVATIONS
from tfnlp.networks.rotary import inverse_frequencies
from tfnlp.networks.stacks import run_stack

# By auto class, the architectures that are ours, by model type.
OWN_HEADS = {
    "TFAutoModelForCausalLM": {
        "llama": "TFLlamaForCausalLM",
        "qwen2": "TFQwen2ForCausalLM",
        "qwen3": "TFQwen3ForCausalLM",
    }
}


class Weight(NamedTuple):
    """A weight as PyTorch keeps it.

    Attributes:
        shape: in PyTorch.
        is_kernel: whether it is a dense layer's, which TensorFlow keeps as `(in, out)`.
        is_norm: whether it begins as ones, and never decays.
    """

    shape: tuple[int, ...]
    is_kernel: bool = False
    is_norm: bool = False


class HeadOutput(NamedTuple):
    """What a head gives.

    Attributes:
        logits: Shape `(batch, length, vocabulary)`, float32.
        hidden_states: the last vectors alone, if asked for. Of shape `(batch, length, size)`.
    """

    logits: tf.Tensor
    hidden_states: tuple[tf.Tensor, ...] = ()


class OwnHead(keras.Model):
    """A causal head of Llama's kin.

    Attributes:
        config: the Hugging Face configuration.
        named_weights: its variables by PyTorch's names, and whether each is kept the other way round.
    """

    base_model_prefix = "model"
    _keys_to_ignore_on_load_missing: tuple[str, ...] = ()
    _keys_to_ignore_on_load_unexpected: tuple[str, ...] = (r"rotary_emb\.inv_freq$",)

    def __init__(self, config: Any) -> None:
        super().__init__()
        if inverse_frequencies(config) is None or config.hidden_act not in ACTIVATIONS:
            raise UnsupportedModelError(
                f"{config.model_type} with `rope_scaling={config.rope_scaling}` and `hidden_act={config.hidden_act!r}` "
                f"has no network here: it knows rotary positions of the types default, linear and llama3, and "
                f"{', '.join(ACTIVATIONS)}."
            )
        self.config = config
        if config.tie_word_embeddings:
            self._keys_to_ignore_on_load_unexpected = (*self._keys_to_ignore_on_load_unexpected, r"^lm_head\.weight$")
        self.named_weights: dict[str, tuple[tf.Variable, bool]] = {}
        for name, weight in _llama_weights(config).items():
            drawn = keras.initializers.RandomNormal(stddev=config.initializer_range)
            kind = "ones" if weight.is_norm else "zeros" if len(weight.shape) == 1 else drawn
            shape = weight.shape[::-1] if weight.is_kernel else weight.shape
            own = name.removesuffix("weight") + "gamma" if weight.is_norm else name
            self.named_weights[name] = self.add_weight(own, shape, initializer=kind), weight.is_kernel
        self.built = True

    @property
    def input_signature(self) -> dict[str, tf.TensorSpec]:
        """Its inputs, as transformers' heads tell theirs."""
        return {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in ("input_ids", "attention_mask")}

    def build_in_name_scope(self) -> None:
        """Do nothing: its weights are there from the start."""

    def network(self) -> DecoderNetwork:
        """Return the network of its weights."""
        network = decoder_network(self.config, {name: value for name, (value, _) in self.named_weights.items()})
        assert network is not None, "checked when it was built"
        return network

    def call(
        self, inputs: Mapping[str, tf.Tensor], training: bool | None = None, output_hidden_states: bool = False
    ) -> HeadOutput:
        """Return the logits of what follows each token.

        Args:
            inputs: `input_ids` and `attention_mask`, of shape `(batch, length)`, int32.
            training: there is no dropout, so this changes nothing.
            output_hidden_states: whether to return the last vectors, too.
        """
        del training
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        network = self.network()
        positions = tf.maximum(tf.cumsum(mask, 1) - 1, 0)
        hidden, _ = run_stack(network.stack, ids, positions, mask)
        logits = network.output(hidden)
        num_rows = tf.shape(ids)[0]
        vectors = tf.reshape(hidden, [num_rows, -1, self.config.hidden_size])
        logits = tf.reshape(logits, [num_rows, -1, self.config.vocab_size])
        return HeadOutput(logits, (vectors,) if output_hidden_states else ())


def own_head_class(auto_class: str, model_type: str) -> type[OwnHead] | None:
    """Return the class of a head of ours; None: the family has none."""
    name = OWN_HEADS.get(auto_class, {}).get(model_type)
    return None if name is None else type(name, (OwnHead,), {"__doc__": OwnHead.__doc__})


def _llama_weights(config: Any) -> dict[str, Weight]:
    """Return the weights of a head by name."""
    hidden, inner = config.hidden_size, config.intermediate_size
    size = getattr(config, "head_dim", None) or hidden // config.num_attention_heads
    outer, shared = size * config.num_attention_heads, size * config.num_key_value_heads
    has_bias = config.model_type == "qwen2" or getattr(config, "attention_bias", False)
    dense = {
        "self_attn.q_proj": (outer, hidden, has_bias),
        "self_attn.k_proj": (shared, hidden, has_bias),
        "self_attn.v_proj": (shared, hidden, has_bias),
        "self_attn.o_proj": (hidden, outer, has_bias and config.model_type != "qwen2"),
        "mlp.gate_proj": (inner, hidden, getattr(config, "mlp_bias", False)),
        "mlp.up_proj": (inner, hidden, getattr(config, "mlp_bias", False)),
        "mlp.down_proj": (hidden, inner, getattr(config, "mlp_bias", False)),
    }
    norms = {"input_layernorm": hidden, "post_attention_layernorm": hidden}
    if config.model_type == "qwen3":
        norms |= {"self_attn.q_norm": size, "self_attn.k_norm": size}
    weights = {"model.embed_tokens.weight": Weight((config.vocab_size, hidden))}
    for i in range(config.num_hidden_layers):
        for name, (rows, columns, is_biased) in dense.items():
            weights[f"model.layers.{i}.{name}.weight"] = Weight((rows, columns), is_kernel=True)
            if is_biased:
                weights[f"model.layers.{i}.{name}.bias"] = Weight((rows,))
        for name, count in norms.items():
            weights[f"model.layers.{i}.{name}.weight"] = Weight((count,), is_norm=True)
    weights["model.norm.weight"] = Weight((hidden,), is_norm=True)
    if not config.tie_word_embeddings:
        weights["lm_head.weight"] = Weight((config.vocab_size, hidden), is_kernel=True)
    return weights
