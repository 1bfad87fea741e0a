"""Texts to entities, and, of those who have no more, to logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.contenders.tagging import (
    load_head,
    load_pytorch,
    load_tokenizer,
    onnx_logits,
    pytorch_logits,
    sorted_batches,
    texts_of,
)

Run = Callable[[], Any]


def _tfnlp(precision: str = "float32", **options: Any) -> Callable[..., Run]:
    def prepare(model: str, data: str) -> Run:
        import tfnlp

        task, texts = tfnlp.TokenClassifier.from_pretrained(model, **options), texts_of(data)
        return lambda: task.predict(texts, precision=precision)

    return prepare


def _pytorch(precision: str) -> Callable[..., Run]:
    def prepare(model: str, data: str) -> Run:
        logits, tokenizer = pytorch_logits(load_pytorch(model, precision=precision)), load_tokenizer(model)
        texts = texts_of(data)
        return lambda: [logits(batch) for batch in sorted_batches(tokenizer, texts)]

    return prepare


def _onnx(model: str, data: str) -> Run:
    logits, tokenizer, texts = onnx_logits(model), load_tokenizer(model), texts_of(data)
    return lambda: [logits(batch) for batch in sorted_batches(tokenizer, texts)]


def _pytorch_pipeline(model: str, data: str) -> Run:
    import transformers

    pipeline = transformers.pipeline("token-classification", model=model, aggregation_strategy="simple", batch_size=32)
    texts = texts_of(data)
    return lambda: pipeline(texts)


def _head_pipeline(model: str, data: str) -> Run:
    """A few texts, since it takes so long; see `SHARES`."""
    import transformers

    pipeline = transformers.pipeline(
        "token-classification", model=load_head(model), tokenizer=load_tokenizer(model), framework="tf",
        aggregation_strategy="simple", batch_size=32,
    )  # fmt: skip
    texts = texts_of(data)
    few = texts[:: round(1 / SHARES["transformers' TF pipeline"])]
    return lambda: pipeline(few)


SHARES = {"transformers' TF pipeline": 1 / 20}  # of the texts, where a contender is asked only some
CONTENDERS: dict[str, Callable[..., Run]] = {
    "tfnlp": _tfnlp(),
    "tfnlp, bfloat16": _tfnlp("bfloat16"),
    "tfnlp over transformers' code": _tfnlp(network="transformers"),
    "PyTorch sorted, logits only": _pytorch("float32"),
    "PyTorch sorted, bfloat16, logits only": _pytorch("bfloat16"),
    "ONNX Runtime sorted, logits only": _onnx,
    "PyTorch's pipeline": _pytorch_pipeline,
    "transformers' TF pipeline": _head_pipeline,
}
