"""From the start of Python to the first answer, or to the end of the first step of training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Run = Callable[[], Any]
TEXT = "Ada Lovelace lived in London."
_RECORD = {"words": ["Ada", "lived", "in", "London"], "labels": ["O", "O", "O", "O"]}


def _tfnlp(**options: Any) -> Callable[..., Run]:
    def prepare(model: str, trains: bool) -> Run:
        import tfnlp

        task = tfnlp.TokenClassifier.from_pretrained(model, **options)
        if trains:
            return lambda: task.fit([_RECORD], epochs=1, verbose=0)
        return lambda: task.predict(TEXT)

    return prepare


def _pytorch(model: str, trains: bool) -> Run:
    import torch

    from benchmarks.contenders.tagging import load_pytorch, load_tokenizer

    network, tokenizer = load_pytorch(model), load_tokenizer(model)
    batch = tokenizer(TEXT, return_tensors="pt")
    if not trains:
        return lambda: network(**batch).logits.argmax(-1)
    optimizer = torch.optim.AdamW(network.parameters())

    def step() -> None:
        network.train()(**batch, labels=torch.zeros_like(batch["input_ids"])).loss.backward()
        optimizer.step()

    return step


CONTENDERS: dict[str, Callable[..., Run]] = {
    "tfnlp": _tfnlp(),
    "tfnlp over transformers' code": _tfnlp(network="transformers"),
    "PyTorch": _pytorch,
}
