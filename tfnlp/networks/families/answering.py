"""What heads of encoders make of vectors: the kinds of answers that families have, by the names of their weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tfnlp.networks.answers import Answer, Step
from tfnlp.networks.layers import ACTIVATIONS, Activation
from tfnlp.networks.output import Output
from tfnlp.networks.stacks import Stack
from tfnlp.networks.weights import Named

TOKENS, TEXTS, ANSWERS, CHOICES, MASKED, VECTORS, FOLLOWING = (
    f"TFAutoModel{name}"
    for name in (
        "ForTokenClassification", "ForSequenceClassification", "ForQuestionAnswering", "ForMultipleChoice",
        "ForMaskedLM", "", "ForNextSentencePrediction",
    )
)  # fmt: skip
SPANS = ("start_logits", "end_logits")

# From a configuration, what takes weights, and an encoder; None: an option of the configuration has no network here.
Builder = Callable[[Any, Named, Stack], Answer | None]


def _rate(config: Any, *names: str) -> float:
    """Return the first rate of these that is set; 0 where there are no names."""
    return next((rate for rate in (getattr(config, name, None) for name in names) if rate is not None), 0.0)


def vectors(pooler: str | None = None) -> Builder:
    """Return what gives vectors as they are; `pooler` is the name of a layer that is kept for other heads."""

    def answer(config: Any, named: Named, stack: Stack) -> Answer:
        del stack
        if pooler is not None:
            named.keep_dense(pooler, config.hidden_size, config.hidden_size)
        return Answer(("last_hidden_state",))

    return answer


def tokens(*rates: str) -> Builder:
    """Return what labels each token; `rates` are fields of the rate of dropout: the first that is set holds."""

    def answer(config: Any, named: Named, stack: Stack) -> Answer:
        del stack
        dense = named.dense("classifier", config.hidden_size, config.num_labels)
        return Answer(steps=(Step(dense, rate=_rate(config, *rates)),))

    return answer


def spans(*rates: str) -> Builder:
    """Return what finds where answers start and end; `rates` as of `tokens`."""

    def answer(config: Any, named: Named, stack: Stack) -> Answer:
        del stack
        dense = named.dense("qa_outputs", config.hidden_size, config.num_labels)
        return Answer(SPANS, (Step(dense, rate=_rate(config, *rates)),))

    return answer


def pooled(
    pooler: str,
    last: str = "classifier",
    *,
    activation: str = "tanh",
    rates: tuple[str, ...],
    first_rates: tuple[str, ...] = (),
    count: int | None = None,
) -> Builder:
    """Return what answers by a row's first vector, through two layers.

    Args:
        pooler: the name of the first layer.
        last: of the last one.
        activation: between the two, or the field of the configuration that tells it.
        rates: fields of the rate of dropout before the last one.
        first_rates: the same before the first one.
        count: of what is answered; None: the labels.
    """

    def answer(config: Any, named: Named, stack: Stack) -> Answer | None:
        del stack
        size, through = config.hidden_size, ACTIVATIONS.get(getattr(config, activation, activation))
        if through is None:
            return None
        first = Step(named.dense(pooler, size, size), through, rate=_rate(config, *first_rates))
        dense = named.dense(last, size, config.num_labels if count is None else count)
        return Answer(steps=(first, Step(dense, rate=_rate(config, *rates))), pooling="first")

    return answer


def summarized(rate: str) -> Builder:
    """Return ELECTRA's choice among texts, as far as it is by the first vector; `rate` as of `pooled`."""
    by_first = pooled("sequence_summary.summary", activation="summary_activation", rates=(rate,), count=1)

    def answer(config: Any, named: Named, stack: Stack) -> Answer | None:
        is_by_first = config.summary_type == "first" and config.summary_use_proj
        return by_first(config, named, stack) if is_by_first else None

    return answer


def masked(dense: str, norm: str, bias: str, *, activation: str | None = None, epsilon: float | None = None) -> Builder:
    """Return what tells tokens by the table of their vectors.

    Args:
        dense: the name of the layer before.
        norm: of the norm after it.
        bias: of the logits' bias.
        activation: after that layer; None: the configuration's.
        epsilon: of the norm; None: the configuration's.
    """

    def answer(config: Any, named: Named, stack: Stack) -> Answer | None:
        if not getattr(config, "legacy", True):  # DeBERTa's other head
            return None
        width = getattr(config, "embedding_size", config.hidden_size)
        through: Activation = stack.activation if activation is None else ACTIVATIONS[activation]
        step = Step(
            named.dense(dense, config.hidden_size, width),
            through,
            named.norm(norm, width, config.layer_norm_eps if epsilon is None else epsilon),
        )
        output = Output(table=stack.embeddings.tokens, bias=named.vector(bias, config.vocab_size))
        return Answer(steps=(step,), output=output)

    return answer


def modernbert(auto_class: str) -> Builder:
    """Return ModernBERT's answer: by a layer with a norm, which all its heads have."""

    def answer(config: Any, named: Named, stack: Stack) -> Answer | None:
        size, pooling, through = config.hidden_size, None, ACTIVATIONS.get(config.classifier_activation)
        if through is None:
            return None
        step = Step(
            named.dense("head.dense", size, size, has_bias=config.classifier_bias),
            through,
            named.norm("head.norm", size, config.norm_eps, has_bias=config.norm_bias),
        )
        if auto_class == MASKED:
            bias = named.vector("decoder.bias", config.vocab_size) if config.decoder_bias else None
            return Answer(steps=(step,), output=Output(table=stack.embeddings.tokens, bias=bias))
        if auto_class in (TEXTS, CHOICES):
            pooling = "first" if config.classifier_pooling == "cls" else "mean"
        count = 1 if auto_class == CHOICES else config.num_labels
        last = Step(named.dense("classifier", size, count), rate=config.classifier_dropout)
        return Answer(SPANS if auto_class == ANSWERS else ("logits",), (step, last), pooling)

    return answer
