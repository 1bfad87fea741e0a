"""One text at a time: what a server is asked."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from typing import Any

from benchmarks.contenders.tagging import load_pytorch, load_tokenizer, onnx_logits, pytorch_logits, texts_of

Run = Callable[[], Any]
ASKED = 50  # times in a run
_LONG = 128  # tokens


def text_of(model: str, data: str, *, is_long: bool) -> str:
    """Return a text of 9 tokens, or one of about 128."""
    tokenizer, texts = load_tokenizer(model), texts_of(data)
    if not is_long:
        return next(text for text in texts if len(tokenizer(text)["input_ids"]) == 9)
    words = " ".join(texts).split()
    count = next(n for n in range(1, _LONG) if len(tokenizer(" ".join(words[:n]))["input_ids"]) >= _LONG)
    return " ".join(words[:count])


def _saved(*, from_ids: bool, precision: str = "float32") -> Callable[..., Run]:
    def prepare(model: str, data: str, is_long: bool) -> Run:
        import tensorflow as tf

        import tfnlp

        text = text_of(model, data, is_long=is_long)
        task = tfnlp.TokenClassifier.from_pretrained(model)
        with tempfile.TemporaryDirectory() as directory:
            task.export(f"{directory}/1", precision=precision)
            loaded = tf.saved_model.load(f"{directory}/1")
        answer = loaded.signatures["logits" if from_ids else "serving_default"]
        encoded = task.tokenizer.hf(text)
        ids = {name: tf.constant([encoded[name]], tf.int32) for name in task.tokenizer.input_names}

        def run() -> None:
            for _ in range(ASKED):
                outputs = answer(**ids) if from_ids else answer(text=tf.constant([text]))
                next(iter(outputs.values())).numpy()

        return run

    return prepare


def _onnx(model: str, data: str, is_long: bool) -> Run:
    return _logits(onnx_logits(model), model, data, is_long)


def _pytorch(model: str, data: str, is_long: bool) -> Run:
    return _logits(pytorch_logits(load_pytorch(model)), model, data, is_long)


def _logits(logits: Callable[..., Any], model: str, data: str, is_long: bool) -> Run:
    tokenizer, text = load_tokenizer(model), text_of(model, data, is_long=is_long)

    def run() -> None:
        for _ in range(ASKED):
            logits(dict(tokenizer([text], return_tensors="np")))

    return run


CONTENDERS: dict[str, Callable[..., Run]] = {
    "tfnlp, SavedModel from a string": _saved(from_ids=False),
    "tfnlp, SavedModel from a string, bfloat16": _saved(from_ids=False, precision="bfloat16"),
    "tfnlp, the same network from ids": _saved(from_ids=True),
    "ONNX Runtime and Rust's tokenizer, logits only": _onnx,
    "PyTorch and Rust's tokenizer, logits only": _pytorch,
}
