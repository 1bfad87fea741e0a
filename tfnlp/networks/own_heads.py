"""Heads that transformers has no code for: variables named as in PyTorch, made here and run through our networks."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from tfnlp._backend import keras, tf
from tfnlp.errors import UnsupportedModelError
from tfnlp.networks.families.decoders import CAUSAL_CLASSES
from tfnlp.networks.families.encoder_decoders import SEQ2SEQ_CLASSES, EncoderDecoderNetwork
from tfnlp.networks.families.encoder_heads import class_prefix_of, encoder_prefix_of, families_of
from tfnlp.networks.heads import CAUSAL, SEQ2SEQ, Network, OverNetwork, network_of
from tfnlp.networks.layers import ACTIVATIONS
from tfnlp.networks.positions import sines
from tfnlp.networks.weights import UNWEIGHTED, Named, Weight, from_variables, noted

# Families that transformers never had a TensorFlow head for; the others have one in transformers 4.
WITHOUT_HEAD = ("llama", "modernbert", "qwen2", "qwen3")
# What decides whether there is a network.
_DECISIVE = (
    "rope_scaling", "rope_parameters", "hidden_act", "hidden_activation", "activation_function",
    "classifier_activation", "is_decoder",
)  # fmt: skip


class _Variables(keras.layers.Layer):
    """Variables by names."""

    def __init__(self, weights: Mapping[str, Weight], config: Any, **options: Any) -> None:
        super().__init__(**options)
        named: dict[str, tuple[tf.Variable, bool]] = {}
        for name, weight in weights.items():
            own = name.removesuffix("weight") + "gamma" if weight.start == "ones" else name
            made = self.add_weight(
                own, weight.shape, initializer=_initializer(config, name, weight), trainable=not weight.is_kept,
                experimental_autocast=False,
            )  # fmt: skip
            named[name] = made, weight.is_turned
        self.named = MappingProxyType(named)  # no dict, which Keras would track: each weight has one place
        self.built = True


class OwnHead(OverNetwork, keras.Model):
    """A head that transformers has no code for: its variables are made here, named as in PyTorch.

    Attributes:
        config: the Hugging Face configuration.
        auto_class: of transformers, that it is of.
        base_model_prefix: of the names of variables that are not of the task alone.
    """

    auto_class: str
    _keys_to_ignore_on_load_missing: tuple[str, ...] = (r"embed_positions\.weight$",)  # sines
    # What PyTorch computes, and what it ties to another weight.
    _keys_to_ignore_on_load_unexpected: tuple[str, ...] = (
        r"rotary_emb\.inv_freq$",
        r"(^|\.)(decoder|lm_head|generator_lm_head|vocab_projector)\.(weight|bias)$",
        r"(encoder|decoder)\.embed_tokens\.weight$",
    )

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        self.base_model_prefix = prefix_of(config.model_type)
        weights = noted(self._described)
        prefix = f"{self.base_model_prefix}."
        of_base = {name: weight for name, weight in weights.items() if name.startswith(prefix)} or weights
        of_task = {name: weight for name, weight in weights.items() if name not in of_base}
        base = _Variables(of_base, config, name=self.base_model_prefix)
        setattr(self, self.base_model_prefix, base)
        self.task_layers = _Variables(of_task, config, name="task_layers")
        self.built = True

    def _described(self, named: Named) -> Network:
        config = self.config
        network = network_of(self.auto_class, config, named)
        if network is None:
            options = {name: getattr(config, name) for name in _DECISIVE if getattr(config, name, None) is not None}
            told = ", ".join(f"`{name}={value!r}`" for name, value in options.items())
            raise UnsupportedModelError(
                f"{config.model_type} with {told} has no network here: it knows {', '.join(ACTIVATIONS)}, and rotary "
                "positions of the types default, linear and llama3 (ModernBERT: default)."
            )
        return network

    @property
    def named_weights(self) -> dict[str, tuple[tf.Variable, bool]]:
        """Its variables by PyTorch's names, and whether PyTorch keeps each the other way round."""
        return {**getattr(self, self.base_model_prefix).named, **self.task_layers.named}

    @property
    def input_signature(self) -> dict[str, tf.TensorSpec]:
        """Its inputs, as transformers' heads tell theirs."""
        names = ["input_ids", "attention_mask"]
        network = self._described(UNWEIGHTED)
        if isinstance(network, EncoderDecoderNetwork):
            names.append("decoder_input_ids")
        elif network.stack.embeddings.types is not None:
            names.append("token_type_ids")
        return {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in names}

    def build_in_name_scope(self) -> None:
        """Do nothing: its weights are there from the start."""

    def network(self) -> Network:
        """Return the network of its variables."""
        weights = {name: value for name, (value, _) in self.named_weights.items()}
        return self._described(from_variables(weights, tf.as_dtype(self.compute_dtype)))


@cache
def own_heads(auto_class: str) -> dict[str, str]:
    """Return the names of classes of heads that can be made here, as transformers calls them, by model type."""
    kinds = {CAUSAL: CAUSAL_CLASSES, SEQ2SEQ: SEQ2SEQ_CLASSES}
    if auto_class in kinds:
        return kinds[auto_class]
    kind = auto_class.removeprefix("TFAutoModel") or "Model"
    return {name: f"TF{class_prefix_of(name)}{kind}" for name in families_of(auto_class)}


def own_head_class(auto_class: str, model_type: str) -> type[OwnHead]:
    """Return the class of a head of ours, one of `own_heads`."""
    name = own_heads(auto_class)[model_type]
    return type(name, (OwnHead,), {"__doc__": OwnHead.__doc__, "auto_class": auto_class})


def _initializer(config: Any, name: str, weight: Weight) -> Any:
    if weight.start == "sines":
        return lambda shape, dtype: tf.constant(sines(*shape), dtype)
    if weight.start == "normal":
        return keras.initializers.RandomNormal(stddev=_spread(config, name, weight.shape))
    return weight.start


def _spread(config: Any, name: str, shape: tuple[int, ...]) -> float:
    """Return the standard deviation that a weight is drawn with, as transformers draws it in PyTorch."""
    for field in ("initializer_range", "init_std"):
        if hasattr(config, field):
            return getattr(config, field)
    if name == "shared.weight":  # of T5 from here on
        return config.initializer_factor
    size = shape[0] * config.d_kv if name.endswith(".q.weight") else shape[0]
    return config.initializer_factor * (config.d_model if "relative" in name else size) ** -0.5


def prefix_of(model_type: str) -> str:
    """Return what PyTorch's names of weights begin with that are not of the task alone."""
    return "transformer" if model_type in ("gpt2", "t5", "mt5") else encoder_prefix_of(model_type) or "model"
