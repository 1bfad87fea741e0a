"""Heads of encoders: what each family makes of its vectors, by transformers' auto classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from tfnlp.networks.answers import Answer
from tfnlp.networks.families.answering import (
    ANSWERS,
    CHOICES,
    FOLLOWING,
    MASKED,
    TEXTS,
    TOKENS,
    VECTORS,
    Builder,
    masked,
    modernbert,
    pooled,
    spans,
    summarized,
    tokens,
    vectors,
)
from tfnlp.networks.families.encoders import encoder_stack, padding_id
from tfnlp.networks.stacks import Stack
from tfnlp.networks.weights import Named


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
        name: in the names of transformers' classes.
        prefix: of the encoder's weights in a head.
        heads: what makes the answer, by auto class.
    """

    name: str
    prefix: str
    heads: Mapping[str, Builder]


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
    answer = None if stack is None else family.heads[auto_class](config, named, stack)
    return None if stack is None or answer is None else EncoderNetwork(stack, answer, padding_id(config))


def families_of(auto_class: str) -> tuple[str, ...]:
    """Return the model types that have a network here for an auto class."""
    return tuple(name for name, family in _FAMILIES.items() if auto_class in family.heads)


def class_prefix_of(model_type: str) -> str:
    """Return what the names of transformers' classes of a family begin with."""
    return _FAMILIES[model_type].name


def encoder_prefix_of(model_type: str) -> str | None:
    """Return what names of an encoder's weights begin with in heads; None: it is no encoder of ours."""
    family = _FAMILIES.get(model_type)
    return None if family is None else family.prefix


_HIDDEN_RATE = ("hidden_dropout_prob",)
_CLASSIFIER_RATES = ("classifier_dropout", "hidden_dropout_prob")
_LM_HEAD = masked("lm_head.dense", "lm_head.layer_norm", "lm_head.bias", activation="gelu")
_PREDICTIONS = masked("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.bias")
_BERT = _Family(
    "Bert",
    "bert",
    {
        VECTORS: vectors("bert.pooler.dense"),
        TOKENS: tokens(*_CLASSIFIER_RATES),
        TEXTS: pooled("bert.pooler.dense", rates=_CLASSIFIER_RATES),
        ANSWERS: spans(),
        CHOICES: pooled("bert.pooler.dense", rates=_CLASSIFIER_RATES, count=1),
        MASKED: _PREDICTIONS,
        FOLLOWING: pooled("bert.pooler.dense", "cls.seq_relationship", rates=(), count=2),
    },
)
_ROBERTA = _Family(
    "Roberta",
    "roberta",
    {
        VECTORS: vectors("roberta.pooler.dense"),
        TOKENS: tokens(*_CLASSIFIER_RATES),
        TEXTS: pooled(
            "classifier.dense", "classifier.out_proj", rates=_CLASSIFIER_RATES, first_rates=_CLASSIFIER_RATES
        ),
        ANSWERS: spans(),
        CHOICES: pooled("roberta.pooler.dense", rates=_HIDDEN_RATE, count=1),
        MASKED: _LM_HEAD,
    },
)
_FAMILIES: dict[str, _Family] = {
    "albert": _Family(
        "Albert",
        "albert",
        {
            VECTORS: vectors("albert.pooler"),
            TOKENS: tokens("classifier_dropout_prob", "hidden_dropout_prob"),
            TEXTS: pooled("albert.pooler", rates=("classifier_dropout_prob",)),
            ANSWERS: spans(),
            CHOICES: pooled("albert.pooler", rates=("classifier_dropout_prob",), count=1),
            MASKED: masked("predictions.dense", "predictions.LayerNorm", "predictions.bias"),
        },
    ),
    "bert": _BERT,
    "camembert": _ROBERTA._replace(name="Camembert"),
    "deberta-v2": _Family(
        "DebertaV2",
        "deberta",
        {
            VECTORS: vectors(),
            TOKENS: tokens("hidden_dropout_prob"),
            TEXTS: pooled(
                "pooler.dense", activation="pooler_hidden_act", rates=("cls_dropout", "hidden_dropout_prob"),
                first_rates=("pooler_dropout",),
            ),
            ANSWERS: spans(),
            CHOICES: pooled(
                "pooler.dense", activation="pooler_hidden_act", rates=("cls_dropout", "hidden_dropout_prob"),
                first_rates=("pooler_dropout",), count=1,
            ),
            MASKED: _PREDICTIONS,
        },
    ),
    "distilbert": _Family(
        "DistilBert",
        "distilbert",
        {
            VECTORS: vectors(),
            TOKENS: tokens("dropout"),
            TEXTS: pooled("pre_classifier", activation="relu", rates=("seq_classif_dropout",)),
            ANSWERS: spans("qa_dropout"),
            CHOICES: pooled("pre_classifier", activation="relu", rates=("seq_classif_dropout",), count=1),
            MASKED: masked("vocab_transform", "vocab_layer_norm", "vocab_projector.bias", epsilon=1e-12),
        },
    ),
    "electra": _Family(
        "Electra",
        "electra",
        {
            VECTORS: vectors(),
            TOKENS: tokens(*_CLASSIFIER_RATES),
            TEXTS: pooled(
                "classifier.dense", "classifier.out_proj", activation="gelu", rates=_CLASSIFIER_RATES,
                first_rates=_CLASSIFIER_RATES,
            ),
            ANSWERS: spans(),
            CHOICES: summarized("summary_last_dropout"),
            MASKED: masked(
                "generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head.bias",
                activation="gelu",
            ),
        },
    ),
    "modernbert": _Family(
        "ModernBert",
        "model",
        {VECTORS: vectors()} | {kind: modernbert(kind) for kind in (TOKENS, TEXTS, ANSWERS, CHOICES, MASKED)},
    ),
    "mpnet": _Family(
        "MPNet",
        "mpnet",
        {
            VECTORS: vectors("mpnet.pooler.dense"),
            TOKENS: tokens("hidden_dropout_prob"),
            TEXTS: pooled(
                "classifier.dense", "classifier.out_proj", rates=_HIDDEN_RATE, first_rates=_HIDDEN_RATE
            ),
            ANSWERS: spans(),
            CHOICES: pooled("mpnet.pooler.dense", rates=_HIDDEN_RATE, count=1),
            MASKED: _LM_HEAD,
        },
    ),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA._replace(name="XLMRoberta"),
}  # fmt: skip
