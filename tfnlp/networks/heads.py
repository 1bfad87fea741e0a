"""Heads over networks of our own: what they take, give, and how the variables of a head are run through one."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

from tfnlp._backend import keras, tf
from tfnlp.networks.families.decoders import DecoderNetwork, decoder_network
from tfnlp.networks.families.encoder_decoders import EncoderDecoderNetwork, encoder_decoder_network
from tfnlp.networks.families.encoder_heads import EncoderNetwork, encoder_network
from tfnlp.networks.layers import ANSWERING, Mode
from tfnlp.networks.positions import positions_of
from tfnlp.networks.reading import Reading, read_texts, run_stack
from tfnlp.networks.stacks import Tokens
from tfnlp.networks.weights import UNWEIGHTED, Named

Network = EncoderNetwork | DecoderNetwork | EncoderDecoderNetwork

CAUSAL, SEQ2SEQ = "TFAutoModelForCausalLM", "TFAutoModelForSeq2SeqLM"


def network_of(auto_class: str, config: Any, named: Named) -> Network | None:
    """Return the network of a head; None: the family, the head, or an option of the configuration, has none.

    Args:
        auto_class: of transformers, that the head is of.
        config: a Hugging Face configuration.
        named: takes the weights of the head.
    """
    if auto_class == CAUSAL:
        return decoder_network(config, named)
    if auto_class == SEQ2SEQ:
        return encoder_decoder_network(config, named)
    return encoder_network(auto_class, config, named)


def has_network(auto_class: str, config: Any) -> bool:
    """Tell whether a head of this configuration can be run through `run_network`."""
    return isinstance(network_of(auto_class, config, UNWEIGHTED), EncoderNetwork | DecoderNetwork)


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
    network: Network,
    inputs: Mapping[str, tf.Tensor],
    *,
    mode: Mode = ANSWERING,
    output_hidden_states: bool = False,
    output_attentions: bool = False,
) -> HeadOutput:
    """Run a network over whole rows.

    Args:
        network: of an encoder with a head, of a decoder, or of both.
        inputs: `input_ids`, `attention_mask` and, where the family has them, `token_type_ids` or `decoder_input_ids`.
            Of shape `(batch, length)`, or `(batch, choices, length)` for multiple choice; int32.
        mode: whether there is dropout.
        output_hidden_states: whether to give what goes into each layer and what comes out of the last one.
        output_attentions: whether to give the weights of attention.

    Returns:
        `logits`, float32, of shape `(batch, length, count)`, or `(batch, count)` where a head pools, or
        `(batch, choices)`; in their place `start_logits` and `end_logits`, of shape `(batch, length)`, or
        `last_hidden_state`, of shape `(batch, length, size)`.
    """
    if isinstance(network, EncoderDecoderNetwork):
        return _run_both(network, inputs, mode, output_hidden_states=output_hidden_states)
    shape = tf.shape(inputs["input_ids"])
    flat = {name: tf.reshape(values, [-1, shape[-1]]) for name, values in inputs.items()}
    ids, mask = flat["input_ids"], flat["attention_mask"]
    tokens = Tokens(ids, _positions(network, ids, mask), mask, flat.get("token_type_ids"))
    reading = run_stack(network.stack, tokens, mode=mode)
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


def _run_both(
    network: EncoderDecoderNetwork, inputs: Mapping[str, tf.Tensor], mode: Mode, *, output_hidden_states: bool
) -> HeadOutput:
    """Run an encoder over texts and a decoder over what is to be said of them, each token seeing those before it."""
    ids, mask, said = inputs["input_ids"], inputs["attention_mask"], inputs["decoder_input_ids"]
    texts, own = read_texts(network.encoder, network.stack, ids, mask, mode), tf.ones_like(said)
    reading = run_stack(network.stack, Tokens(said, positions_of(own), own), texts=texts, mode=mode)
    outputs = HeadOutput(logits=_per_token(network.output(reading.hidden), said))
    if output_hidden_states:
        outputs["decoder_hidden_states"] = tuple(_per_token(state, said) for state in _states(network, reading))
    return outputs


def _states(network: Network, reading: Reading) -> tuple[tf.Tensor, ...]:
    """Return the states that transformers gives: of decoders, the last one is that after the norm."""
    if isinstance(network, EncoderNetwork):
        return reading.states
    return (*reading.states[:-1], reading.hidden)


def _positions(network: EncoderNetwork | DecoderNetwork, ids: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Return the position of each token, from 0. Shape `(rows, length)`, int32."""
    if not isinstance(network, EncoderNetwork):
        return positions_of(mask)
    if network.padding_id is None:
        return positions_of(tf.ones_like(ids))
    is_counted = tf.cast(tf.not_equal(ids, network.padding_id), tf.int32)
    return tf.cumsum(is_counted, 1) * is_counted - 1


def _per_token(values: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    return tf.reshape(values, [*tf.unstack(tf.shape(ids)), values.shape[-1]])


class OverNetwork(abc.ABC):
    """What is called as a head is, and runs a network.

    Attributes:
        generator: of the random numbers of dropout; None: TensorFlow's global one.
    """

    generator: tf.random.Generator | None = None

    @abc.abstractmethod
    def network(self) -> Network:
        """Return the network: anew each time, since Keras would wrap its tuples into its own."""

    @tf.autograph.experimental.do_not_convert  # there is nothing to convert, and it takes seconds
    def call(
        self,
        inputs: Mapping[str, tf.Tensor],
        training: bool | None = None,
        output_hidden_states: bool = False,
        output_attentions: bool = False,
    ) -> HeadOutput:
        """Run the network; see `run_network`."""
        asked = {"output_hidden_states": output_hidden_states, "output_attentions": output_attentions}
        return run_network(self.network(), inputs, mode=Mode(bool(training), self.generator), **asked)


class HeadNetwork(OverNetwork, keras.layers.Layer):
    """Runs the variables of a head through a network of ours; takes and gives what the head does.

    Attributes:
        head: the head, which owns the variables.
    """

    def __init__(self, head: keras.Model, auto_class: str, named: Named) -> None:
        """Make it.

        Args:
            head: built, with its weights.
            auto_class: of transformers, that it is of.
            named: takes its variables, and says what products are computed in.
        """
        super().__init__(name=head.name, dtype="float32")
        self.head, self._auto_class, self._named = head, auto_class, named
        self.built = True

    def network(self) -> Network:
        """Return the network of the head's variables."""
        network = network_of(self._auto_class, self.head.config, self._named)
        assert network is not None, "one that there is; see `has_network`"
        return network
