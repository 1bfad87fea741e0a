"""Heads over networks of our own: over the variables of transformers' heads, and over variables made here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tfnlp._backend import keras, tf
from tfnlp.errors import UnsupportedModelError
from tfnlp.networks.families.decoders import (
    DecoderNetwork,
    EncoderDecoderNetwork,
    decoder_network,
    encoder_decoder_network,
)
from tfnlp.networks.families.encoder_heads import EncoderNetwork, encoder_network
from tfnlp.networks.layers import ACTIVATIONS, Mode
from tfnlp.networks.reading import Reading, run_stack
from tfnlp.networks.weights import Named, Weight, from_variables, noted

Network = EncoderNetwork | DecoderNetwork | EncoderDecoderNetwork

_CAUSAL, _SEQ2SEQ = "TFAutoModelForCausalLM", "TFAutoModelForSeq2SeqLM"
# By auto class, the architectures that transformers has no TensorFlow head for and that are made here, by model type.
OWN_HEADS = {
    _CAUSAL: {
        "llama": "TFLlamaForCausalLM",
        "qwen2": "TFQwen2ForCausalLM",
        "qwen3": "TFQwen3ForCausalLM",
    },
    "TFAutoModel": {"modernbert": "TFModernBertModel"},
    **{
        f"TFAutoModelFor{kind}": {"modernbert": f"TFModernBertFor{kind}"}
        for kind in ("MaskedLM", "MultipleChoice", "QuestionAnswering", "SequenceClassification", "TokenClassification")
    },
}
_DECISIVE = ("rope_scaling", "hidden_act", "hidden_activation", "is_decoder")  # whether there is a network


def network_of(auto_class: str, config: Any, named: Named) -> Network | None:
    """Return the network of a head; None: the family, the head, or an option of the configuration, has none.

    Args:
        auto_class: of transformers, that the head is of.
        config: a Hugging Face configuration.
        named: takes the weights of the head.
    """
    if auto_class == _CAUSAL:
        return decoder_network(config, named)
    if auto_class == _SEQ2SEQ:
        return encoder_decoder_network(config, named)
    return encoder_network(auto_class, config, named)


def has_network(auto_class: str, config: Any, named: Named) -> bool:
    """Tell whether a head can be run through `run_network`."""
    return isinstance(network_of(auto_class, config, named), EncoderNetwork | DecoderNetwork)


class HeadOutput(dict[str, Any]):
    """What a head gives, by names, as attributes too.

    Attributes:
        hidden_states: where asked for: what goes into each layer, and what comes out of the last one, as transformers
            gives them. Each of shape `(batch, length, size)`.
        attentions: where asked for: the weights of attention of each layer. Each of shape
            `(batch, heads, length, length)`.
    """

    def __getattr__(self, name: str) -> Any:
        """Return the output of this name."""
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no output {name!r}; there are {', '.join(self)}") from None


def run_network(
    network: EncoderNetwork | DecoderNetwork,
    inputs: Mapping[str, tf.Tensor],
    *,
    training: bool = False,
    output_hidden_states: bool = False,
    output_attentions: bool = False,
) -> HeadOutput:
    """Run a network over whole rows.

    Args:
        network: of an encoder with a head, or of a decoder.
        inputs: `input_ids`, `attention_mask` and, where the family has them, `token_type_ids`. Of shape
            `(batch, length)`, or `(batch, choices, length)` for multiple choice; int32.
        training: whether there is dropout.
        output_hidden_states: whether to give what goes into each layer and what comes out of the last one.
        output_attentions: whether to give the weights of attention.

    Returns:
        `logits`, float32, of shape `(batch, length, count)`, or `(batch, count)` where a head pools, or
        `(batch, choices)`; in their place `start_logits` and `end_logits`, of shape `(batch, length)`, or
        `last_hidden_state`, of shape `(batch, length, size)`.
    """
    shape = tf.shape(inputs["input_ids"])
    flat = {name: tf.reshape(values, [-1, shape[-1]]) for name, values in inputs.items()}
    ids, mask = flat["input_ids"], flat["attention_mask"]
    mode = Mode(training)
    reading = run_stack(
        network.stack, ids, _positions(network, ids, mask), mask, types=flat.get("token_type_ids"), mode=mode
    )
    if isinstance(network, EncoderNetwork):
        outputs = HeadOutput(network.answer(reading.hidden, mask, mode))
        if inputs["input_ids"].shape.rank == 3:
            outputs["logits"] = tf.reshape(outputs["logits"], shape[:2])
    else:
        outputs = HeadOutput(logits=_per_token(network.output(reading.hidden), ids))
    if output_hidden_states:
        outputs["hidden_states"] = tuple(_per_token(state, ids) for state in _states(network, reading))
    if output_attentions:
        outputs["attentions"] = reading.weights
    return outputs


def _states(network: EncoderNetwork | DecoderNetwork, reading: Reading) -> tuple[tf.Tensor, ...]:
    """Return the states that transformers gives: of decoders, the last one is that after the norm."""
    if isinstance(network, EncoderNetwork):
        return reading.states
    return (*reading.states[:-1], reading.hidden)


def _positions(network: EncoderNetwork | DecoderNetwork, ids: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Return the position of each token, from 0. Shape `(rows, length)`, int32."""
    if not isinstance(network, EncoderNetwork):
        return tf.maximum(tf.cumsum(mask, 1) - 1, 0)
    if network.padding_id is None:
        return tf.zeros_like(ids) + tf.range(tf.shape(ids)[1])
    is_counted = tf.cast(tf.not_equal(ids, network.padding_id), tf.int32)
    return tf.cumsum(is_counted, 1) * is_counted - 1


def _per_token(values: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    return tf.reshape(values, [*tf.unstack(tf.shape(ids)), values.shape[-1]])


class HeadNetwork(keras.layers.Layer):
    """Runs the variables of a head through a network of ours; takes and gives what the head does.

    Attributes:
        head: the head, which owns the variables.
        product_dtype: that products are computed in; the rest is float32.
    """

    def __init__(self, head: keras.Model, auto_class: str, named: Named) -> None:
        """Make it.

        Args:
            head: built, with its weights.
            auto_class: of transformers, that it is of.
            named: takes its variables, and says what products are computed in.
        """
        super().__init__(name=head.name, dtype="float32")
        self.head, self.product_dtype = head, named.dtype
        # A function, since Keras would wrap the tuples of a network into its own.
        self._network: Callable[[], Any] = lambda: network_of(auto_class, head.config, named)
        self.built = True

    @tf.autograph.experimental.do_not_convert  # there is nothing to convert, and it takes seconds
    def call(
        self,
        inputs: Mapping[str, tf.Tensor],
        training: bool | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> HeadOutput:
        """Run the network; see `run_network`."""
        return run_network(
            self._network(), inputs, training=bool(training), output_hidden_states=output_hidden_states,
            output_attentions=output_attentions,
        )  # fmt: skip


class _Variables(keras.layers.Layer):
    """Variables by names."""

    def __init__(self, weights: Mapping[str, Weight], scale: float, **options: Any) -> None:
        super().__init__(**options)
        self.named: dict[str, tuple[tf.Variable, bool]] = {}
        for name, weight in weights.items():
            start = keras.initializers.RandomNormal(stddev=scale) if weight.start == "normal" else weight.start
            own = name.removesuffix("weight") + "gamma" if weight.start == "ones" else name
            made = self.add_weight(own, weight.shape, initializer=start, experimental_autocast=False)
            self.named[name] = made, weight.is_turned
        self.built = True


class OwnHead(keras.Model):
    """A head of a family that transformers has no TensorFlow head for: its variables are named as in PyTorch.

    Attributes:
        config: the Hugging Face configuration.
        auto_class: of transformers, that it is of.
        named_weights: its variables by PyTorch's names, and whether PyTorch keeps each the other way round.
    """

    base_model_prefix = "model"
    auto_class: str
    _keys_to_ignore_on_load_missing: tuple[str, ...] = ()
    _keys_to_ignore_on_load_unexpected: tuple[str, ...] = (r"rotary_emb\.inv_freq$",)

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config
        weights = noted(self._described)
        if _is_tied(config, self.auto_class):
            tied = r"^(lm_head|decoder)\.weight$"
            self._keys_to_ignore_on_load_unexpected = (*self._keys_to_ignore_on_load_unexpected, tied)
        prefix = f"{self.base_model_prefix}."
        of_base = {name: weight for name, weight in weights.items() if name.startswith(prefix)}
        of_task = {name: weight for name, weight in weights.items() if name not in of_base}
        scale = config.initializer_range
        self.model = _Variables(of_base, scale, name=self.base_model_prefix)
        self.task_layers = _Variables(of_task, scale, name="task_layers")
        self.named_weights = {**self.model.named, **self.task_layers.named}
        self.built = True

    def _described(self, named: Named) -> EncoderNetwork | DecoderNetwork:
        config = self.config
        network = network_of(self.auto_class, config, named)
        if network is None or isinstance(network, EncoderDecoderNetwork):
            options = {name: getattr(config, name) for name in _DECISIVE if getattr(config, name, None) is not None}
            told = ", ".join(f"`{name}={value!r}`" for name, value in options.items())
            raise UnsupportedModelError(
                f"{config.model_type} with {told} has no network here: it knows {', '.join(ACTIVATIONS)}, and rotary "
                "positions of the types default, linear and llama3 (ModernBERT: default)."
            )
        return network

    @property
    def input_signature(self) -> dict[str, tf.TensorSpec]:
        """Its inputs, as transformers' heads tell theirs."""
        return {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in ("input_ids", "attention_mask")}

    def build_in_name_scope(self) -> None:
        """Do nothing: its weights are there from the start."""

    @tf.autograph.experimental.do_not_convert  # there is nothing to convert, and it takes seconds
    def call(
        self,
        inputs: Mapping[str, tf.Tensor],
        training: bool | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> HeadOutput:
        """Run the network of its weights; see `run_network`."""
        weights = {name: value for name, (value, _) in self.named_weights.items()}
        return run_network(
            self._described(from_variables(weights, tf.as_dtype(self.compute_dtype))), inputs, training=bool(training),
            output_hidden_states=output_hidden_states, output_attentions=output_attentions,
        )  # fmt: skip


def own_head_class(auto_class: str, model_type: str) -> type[OwnHead] | None:
    """Return the class of a head of ours; None: the family has none."""
    name = OWN_HEADS.get(auto_class, {}).get(model_type)
    return None if name is None else type(name, (OwnHead,), {"__doc__": OwnHead.__doc__, "auto_class": auto_class})


def _is_tied(config: Any, auto_class: str) -> bool:
    return auto_class == "TFAutoModelForMaskedLM" or bool(auto_class == _CAUSAL and config.tie_word_embeddings)
