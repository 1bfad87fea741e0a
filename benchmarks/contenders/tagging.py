"""What contenders that find entities have in common: texts, batches, networks as their users load them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Features = dict[str, np.ndarray]


def texts_of(data: str) -> list[str]:
    """Return the texts of a file of words and labels."""
    from tfnlp import read_records

    return [" ".join(record["words"]) for record in read_records(Path(data))]


def sorted_batches(tokenizer: Any, texts: list[str], *, rows: int = 32) -> Iterator[Features]:
    """Yield batches of texts of like length, tokenized by Rust and padded, int64."""
    encoded = tokenizer(texts, truncation=True, max_length=512)
    order = np.argsort([len(ids) for ids in encoded["input_ids"]], kind="stable")
    for start in range(0, len(order), rows):
        chosen = order[start : start + rows].tolist()
        batch = {name: [values[i] for i in chosen] for name, values in encoded.items()}
        yield dict(tokenizer.pad(batch, return_tensors="np"))


def load_tokenizer(model: str) -> Any:
    """Return the checkpoint's tokenizer, in Rust."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model)


def load_pytorch(model: str, *, precision: str = "float32") -> Any:
    """Return PyTorch's network, on all cores."""
    import torch
    from transformers import AutoModelForTokenClassification

    network = AutoModelForTokenClassification.from_pretrained(model, dtype=getattr(torch, precision))
    return network.eval()


def load_head(model: str) -> Any:
    """Return transformers' TensorFlow head with the checkpoint's weights."""
    from tfnlp import TFAutoModelForTokenClassification

    return TFAutoModelForTokenClassification.from_pretrained(model)


def pytorch_logits(network: Any) -> Callable[[Features], np.ndarray]:
    """Return what runs PyTorch's network on a batch."""
    import torch

    def run(batch: Features) -> np.ndarray:
        with torch.inference_mode():
            logits = network(**{name: torch.from_numpy(values) for name, values in batch.items()}).logits
        return logits.float().numpy()

    return run


def onnx_logits(model: str) -> Callable[[Features], np.ndarray]:
    """Return what runs the network in ONNX Runtime on a batch."""
    import onnxruntime
    import torch

    names = load_tokenizer(model).model_input_names
    example = tuple(torch.ones((2, 8), dtype=torch.long) for _ in names)

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = load_pytorch(model)

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            return self.network(**dict(zip(names, inputs, strict=True))).logits

    with tempfile.TemporaryDirectory() as directory:
        file = f"{directory}/model.onnx"
        torch.onnx.export(
            Logits(), example, file, input_names=names, output_names=["logits"], opset_version=17, dynamo=False,
            dynamic_axes={name: {0: "batch", 1: "length"} for name in [*names, "logits"]},
        )  # fmt: skip
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return lambda batch: session.run(None, {name: batch[name] for name in names})[0]
