"""Small encoders of every family with a network of ours, written by PyTorch, and inputs with padding."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfnlp.networks.families.encoder_heads import families_of

HEADS = (
    "TokenClassification", "SequenceClassification", "QuestionAnswering", "MultipleChoice", "MaskedLM", "",
    "NextSentencePrediction",
)  # fmt: skip
SIZE, PAD = 40, 1
_SIZES = {
    "vocab_size": SIZE, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 64, "pad_token_id": PAD, "initializer_range": 0.3,
}  # fmt: skip
_RATES = {
    "hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.2, "classifier_dropout": 0.3,
    "classifier_dropout_prob": 0.35, "pooler_dropout": 0.4, "cls_dropout": 0.45, "summary_last_dropout": 0.5,
    "dropout": 0.15, "attention_dropout": 0.25, "qa_dropout": 0.05, "seq_classif_dropout": 0.55,
    "embedding_dropout": 0.12, "mlp_dropout": 0.22,
}  # fmt: skip
_DISENTANGLED = {
    "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_biased_input": False, "position_buckets": 4,
    "norm_rel_ebd": "layer_norm", "share_att_key": True, "max_relative_positions": 8,
}  # fmt: skip
_MODERN = {
    "num_hidden_layers": 4,
    "local_attention": 4,
    "cls_token_id": 2,
    "sep_token_id": 3,
    "reference_compile": False,
}
# What a family has beside, and variants of it: by the name of the variant.
_OWN: dict[str, dict[str, Any]] = {
    "albert": {"embedding_size": 8, "num_hidden_layers": 4, "num_hidden_groups": 2},
    "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    "electra": {"embedding_size": 8},
    "modernbert": _MODERN,
    "deberta-v2": _DISENTANGLED,
    "deberta-v2 own": _DISENTANGLED | {"share_att_key": False, "position_buckets": -1, "norm_rel_ebd": "none"},
    "deberta-v2 c2p": _DISENTANGLED | {"pos_att_type": ["c2p"], "position_biased_input": True, "type_vocab_size": 2},
    "modernbert mean": _MODERN
    | {"classifier_pooling": "mean", "norm_bias": True, "attention_bias": True, "mlp_bias": True},
    "bert gelu_new": {"hidden_act": "gelu_new"},
}
VARIANTS = tuple(name for name in _OWN if " " in name)


def head_cases() -> list[tuple[str, str]]:
    """Return each family, and each head that it has, without `TFAutoModelFor`."""
    cases = [(family, head) for head in HEADS for family in families_of(auto_class_of(head))]
    return cases + [(variant, "TokenClassification") for variant in VARIANTS]


def auto_class_of(head: str) -> str:
    """Return the name of an auto class."""
    return f"TFAutoModel{'For' if head else ''}{head}"


@dataclass
class Reference:
    """A network of PyTorch's, in a directory, with the inputs it is asked.

    Attributes:
        network: of PyTorch.
        features: of shape `(5, 11)`, or `(1, 5, 11)` for choices; int32.
    """

    network: Any
    features: dict[str, np.ndarray]

    def given(self) -> dict[str, Any]:
        """Return the features as PyTorch takes them."""
        import torch

        return {name: torch.tensor(values).long() for name, values in self.features.items()}


def build_reference(family: str, head: str, directory: Path, *, has_dropout: bool = False) -> Reference:
    """Write a small checkpoint with PyTorch, all weights of which differ from what layers begin with."""
    import torch
    import transformers

    torch.manual_seed(0)
    kind = transformers.CONFIG_MAPPING[family.split(maxsplit=1)[0]]
    options = {**_SIZES, **_RATES} if has_dropout else {**_SIZES, **dict.fromkeys(_RATES, 0.0)}
    config = kind(**{**options, **_OWN.get(family, {})}, num_labels=2 if head in HEADS[1:3] else 5)
    config._attn_implementation = "eager"
    network = getattr(transformers, auto_class_of(head).removeprefix("TF")).from_config(config).eval()
    with torch.no_grad():
        for weight in network.parameters():
            if weight.ndim == 1:
                weight.add_(torch.randn_like(weight) * 0.1)
    network.save_pretrained(directory)
    return Reference(network, _features(config, head))


def _features(config: Any, head: str) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    ids = draw.integers(4, SIZE, (5, 11)).astype(np.int32)
    mask = (np.arange(11) < np.array([[11], [7], [3], [9], [1]])).astype(np.int32)
    features = {"input_ids": np.where(mask == 1, ids, PAD).astype(np.int32), "attention_mask": mask}
    if getattr(config, "type_vocab_size", 0) > 1:
        features["token_type_ids"] = draw.integers(0, 2, ids.shape).astype(np.int32) * mask
    return {name: values[None] if head == "MultipleChoice" else values for name, values in features.items()}
