"""Heads of encoders: what each family makes of its vectors, by transformers' auto classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tfnlp.networks.answers import Answer, Step
from tfnlp.networks.families.encoders import encoder_stack, padding_id
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
_SPANS = ("start_logits", "end_logits")


class EncoderNetwork(NamedTuple):
    """An encoder with a head.

    Attributes:
        stack: its layers.
        answer: what the head makes of them.
        padding_id: the token that has no position, where the others are counted; None: places are positions.
    """

    stack: Stack
    answer: Answer
    padding_id: int | None


class _Family(NamedTuple):
    """How a family names its parts.

    Attributes:
        prefix: of the encoder's weights in a head.
        heads: what makes the answer, by auto class.
    """

    prefix: str
    heads: Mapping[str, Callable[[Any, Named, Stack], Answer]]


def encoder_network(auto_class: str, config: Any, named: Named) -> EncoderNetwork | None:
    """Return the network of a head; None: the family, the head, or an option of the configuration, has none here.

    Args:
        auto_class: of transformers, that the head is of.
        config: a Hugging Face configuration.
        named: takes the weights of the head.
    """
    family = _FAMILIES.get(config.model_type)
    if family is None or auto_class not in family.heads:
        return None
    stack = encoder_stack(config, named.at(family.prefix))
    if stack is None:
        return None
    return EncoderNetwork(stack, family.heads[auto_class](config, named, stack), padding_id(config))


def families_of(auto_class: str) -> tuple[str, ...]:
    """Return the model types that have a network here for an auto class."""
    return tuple(name for name, family in _FAMILIES.items() if auto_class in family.heads)


def _rate(config: Any, *names: str) -> float:
    """Return the first rate of these that is set; 0 where there are no names."""
    return next((rate for rate in (getattr(config, name, None) for name in names) if rate is not None), 0.0)


def _vectors(config: Any, named: Named, stack: Stack) -> Answer:
    del config, named, stack
    return Answer(("last_hidden_state",))


def _tokens(*rates: str) -> Callable[[Any, Named, Stack], Answer]:
    def answer(config: Any, named: Named, stack: Stack) -> Answer:
        del stack
        dense = named.dense("classifier", config.hidden_size, config.num_labels)
        return Answer(steps=(Step(dense, rate=_rate(config, *rates)),))

    return answer


def _spans(*rates: str) -> Callable[[Any, Named, Stack], Answer]:
    def answer(config: Any, named: Named, stack: Stack) -> Answer:
        del stack
        dense = named.dense("qa_outputs", config.hidden_size, config.num_labels)
        return Answer(_SPANS, (Step(dense, rate=_rate(config, *rates)),))

    return answer


def _pooled(
    pooler: str,
    last: str = "classifier",
    *,
    activation: str = "tanh",
    rates: tuple[str, ...],
    first_rates: tuple[str, ...] = (),
    count: int | None = None,
) -> Callable[[Any, Named, Stack], Answer]:
    """Return what answers by a row's first vector, through two layers.

    Args:
        pooler: the name of the first layer.
        last: of the last one.
        activation: between the two, or the field of the configuration that tells it.
        rates: fields of the rate of dropout before the last one.
        first_rates: the same before the first one.
        count: of what is answered; None: the labels.
    """

    def answer(config: Any, named: Named, stack: Stack) -> Answer:
        del stack
        size = config.hidden_size
        first = Step(
            named.dense(pooler, size, size),
            ACTIVATIONS[getattr(config, activation, activation)],
            rate=_rate(config, *first_rates),
        )
        dense = named.dense(last, size, config.num_labels if count is None else count)
        return Answer(steps=(first, Step(dense, rate=_rate(config, *rates))), pooling="first")

    return answer


def _masked(
    dense: str, norm: str, bias: str, *, activation: str | None = None, epsilon: float | None = None
) -> Callable[[Any, Named, Stack], Answer]:
    """Return what tells tokens by the table of their vectors.

    Args:
        dense: the name of the layer before.
        norm: of the norm after it.
        bias: of the logits' bias.
        activation: after that layer; None: the configuration's.
        epsilon: of the norm; None: the configuration's.
    """

    def answer(config: Any, named: Named, stack: Stack) -> Answer:
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


def _modernbert(auto_class: str) -> Callable[[Any, Named, Stack], Answer]:
    def answer(config: Any, named: Named, stack: Stack) -> Answer:
        size, pooling = config.hidden_size, None
        step = Step(
            named.dense("head.dense", size, size, has_bias=config.classifier_bias),
            ACTIVATIONS[config.classifier_activation],
            named.norm("head.norm", size, config.norm_eps, has_bias=config.norm_bias),
        )
        if auto_class == MASKED:
            bias = named.vector("decoder.bias", config.vocab_size) if config.decoder_bias else None
            return Answer(steps=(step,), output=Output(table=stack.embeddings.tokens, bias=bias))
        if auto_class in (TEXTS, CHOICES):
            pooling = "first" if config.classifier_pooling == "cls" else "mean"
        count = 1 if auto_class == CHOICES else config.num_labels
        last = Step(named.dense("classifier", size, count), rate=config.classifier_dropout)
        return Answer(_SPANS if auto_class == ANSWERS else ("logits",), (step, last), pooling)

    return answer


_HIDDEN_RATE = ("hidden_dropout_prob",)
_CLASSIFIER_RATES = ("classifier_dropout", "hidden_dropout_prob")
_LM_HEAD = _masked("lm_head.dense", "lm_head.layer_norm", "lm_head.bias", activation="gelu")
_PREDICTIONS = _masked("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.bias")
_BERT = _Family(
    "bert",
    {
        VECTORS: _vectors,
        TOKENS: _tokens(*_CLASSIFIER_RATES),
        TEXTS: _pooled("bert.pooler.dense", rates=_CLASSIFIER_RATES),
        ANSWERS: _spans(),
        CHOICES: _pooled("bert.pooler.dense", rates=_CLASSIFIER_RATES, count=1),
        MASKED: _PREDICTIONS,
        FOLLOWING: _pooled("bert.pooler.dense", "cls.seq_relationship", rates=(), count=2),
    },
)
_ROBERTA = _Family(
    "roberta",
    {
        VECTORS: _vectors,
        TOKENS: _tokens(*_CLASSIFIER_RATES),
        TEXTS: _pooled(
            "classifier.dense", "classifier.out_proj", rates=_CLASSIFIER_RATES, first_rates=_CLASSIFIER_RATES
        ),
        ANSWERS: _spans(),
        CHOICES: _pooled("roberta.pooler.dense", rates=_HIDDEN_RATE, count=1),
        MASKED: _LM_HEAD,
    },
)
_FAMILIES: dict[str, _Family] = {
    "albert": _Family(
        "albert",
        {
            VECTORS: _vectors,
            TOKENS: _tokens("classifier_dropout_prob", "hidden_dropout_prob"),
            TEXTS: _pooled("albert.pooler", rates=("classifier_dropout_prob",)),
            ANSWERS: _spans(),
            CHOICES: _pooled("albert.pooler", rates=("classifier_dropout_prob",), count=1),
            MASKED: _masked("predictions.dense", "predictions.LayerNorm", "predictions.bias"),
        },
    ),
    "bert": _BERT,
    "camembert": _ROBERTA,
    "deberta-v2": _Family(
        "deberta",
        {
            VECTORS: _vectors,
            TOKENS: _tokens("hidden_dropout_prob"),
            TEXTS: _pooled(
                "pooler.dense", activation="pooler_hidden_act", rates=("cls_dropout", "hidden_dropout_prob"),
                first_rates=("pooler_dropout",),
            ),
            ANSWERS: _spans(),
            CHOICES: _pooled(
                "pooler.dense", activation="pooler_hidden_act", rates=("cls_dropout", "hidden_dropout_prob"),
                first_rates=("pooler_dropout",), count=1,
            ),
            MASKED: _PREDICTIONS,
        },
    ),
    "distilbert": _Family(
        "distilbert",
        {
            VECTORS: _vectors,
            TOKENS: _tokens("dropout"),
            TEXTS: _pooled("pre_classifier", activation="relu", rates=("seq_classif_dropout",)),
            ANSWERS: _spans("qa_dropout"),
            CHOICES: _pooled("pre_classifier", activation="relu", rates=("seq_classif_dropout",), count=1),
            MASKED: _masked("vocab_transform", "vocab_layer_norm", "vocab_projector.bias", epsilon=1e-12),
        },
    ),
    "electra": _Family(
        "electra",
        {
            VECTORS: _vectors,
            TOKENS: _tokens(*_CLASSIFIER_RATES),
            TEXTS: _pooled(
                "classifier.dense", "classifier.out_proj", activation="gelu", rates=_CLASSIFIER_RATES,
                first_rates=_CLASSIFIER_RATES,
            ),
            ANSWERS: _spans(),
            CHOICES: _pooled(
                "sequence_summary.summary", activation="summary_activation", rates=("summary_last_dropout",), count=1
            ),
            MASKED: _masked(
                "generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head.bias",
                activation="gelu",
            ),
        },
    ),
    "modernbert": _Family(
        "model", {VECTORS: _vectors, **{kind: _modernbert(kind) for kind in (TOKENS, TEXTS, ANSWERS, CHOICES, MASKED)}}
    ),
    "mpnet": _Family(
        "mpnet",
        {
            VECTORS: _vectors,
            TOKENS: _tokens("hidden_dropout_prob"),
            TEXTS: _pooled(
                "classifier.dense", "classifier.out_proj", rates=_HIDDEN_RATE, first_rates=_HIDDEN_RATE
            ),
            ANSWERS: _spans(),
            CHOICES: _pooled("mpnet.pooler.dense", rates=_HIDDEN_RATE, count=1),
            MASKED: _LM_HEAD,
        },
    ),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
}  # fmt: skip
