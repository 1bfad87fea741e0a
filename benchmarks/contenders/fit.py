"""An epoch of training after the first: what each reports is the seconds of that epoch alone.

All read the same records, 16 to a batch, with AdamW, clipping, warm-up and decay; peers as their own examples do it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.contenders.tagging import load_tokenizer

Run = Callable[[], float]
RECORDS, BATCH, RATE = 640, 16, 5e-5


def records_of(data: str) -> list[dict[str, Any]]:
    """Return the records that are trained on."""
    from tfnlp import read_records

    return list(read_records(Path(data)))[:RECORDS]


def count_tokens(model: str, data: str) -> int:
    """Return how many tokens an epoch has, without padding."""
    tokenizer = load_tokenizer(model)
    rows = tokenizer([record["words"] for record in records_of(data)], is_split_into_words=True)["input_ids"]
    return sum(map(len, rows))


def epoch_timer(callbacks: Any) -> Any:
    """Return a callback, of tf_keras's or Keras's `callbacks`, that takes the time of each epoch."""

    class Epochs(callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            self.seconds: list[float] = []

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self._start = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.seconds.append(time.perf_counter() - self._start)

    return Epochs()


def _tfnlp(precision: str | None = None, **options: Any) -> Callable[..., Run]:
    def prepare(model: str, data: str) -> Run:
        import tf_keras

        import tfnlp

        records = records_of(data)

        def run() -> float:
            task = tfnlp.TokenClassifier.from_pretrained(model, **options)
            epochs = epoch_timer(tf_keras.callbacks)
            recipe = {"epochs": 2, "batch_size": BATCH, "learning_rate": RATE, "precision": precision}
            task.fit(records, callbacks=[epochs], verbose=0, **recipe)
            return epochs.seconds[1]

        return run

    return prepare


def _pytorch(model: str, data: str) -> Run:
    import torch
    from transformers import get_linear_schedule_with_warmup
    from transformers.trainer_pt_utils import LengthGroupedSampler

    from benchmarks.contenders.tagging import load_pytorch
    from benchmarks.pytorch_tagging import collate, encode

    records = records_of(data)

    def run() -> float:
        network = load_pytorch(model).train()
        rows = encode(load_tokenizer(model), records, network.config.label2id)
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=0.01)
        steps = -(-len(rows) // BATCH)
        schedule = get_linear_schedule_with_warmup(optimizer, steps // 5, 2 * steps)
        sampler = LengthGroupedSampler(BATCH, lengths=[len(ids) for ids, _ in rows])
        for _ in range(2):
            start, order = time.perf_counter(), list(sampler)
            for first in range(0, len(order), BATCH):
                network(**collate([rows[i] for i in order[first : first + BATCH]])).loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
        return time.perf_counter() - start

    return run


def _head(model: str, data: str) -> Run:
    """transformers' TensorFlow example: padded by batch, its own optimizer, Keras's `fit`."""
    import datasets
    import tf_keras
    from transformers import DataCollatorForTokenClassification, create_optimizer

    from benchmarks.contenders.tagging import load_head
    from benchmarks.pytorch_tagging import encode

    records = records_of(data)

    def run() -> float:
        head, tokenizer = load_head(model), load_tokenizer(model)
        rows = encode(tokenizer, records, head.config.label2id)
        columns = {"input_ids": [ids for ids, _ in rows], "labels": [labels for _, labels in rows]}
        columns["attention_mask"] = [[1] * len(ids) for ids, _ in rows]
        batches = head.prepare_tf_dataset(
            datasets.Dataset.from_dict(columns), batch_size=BATCH, shuffle=True, tokenizer=tokenizer,
            collate_fn=DataCollatorForTokenClassification(tokenizer, return_tensors="np"),
        )  # fmt: skip
        steps = 2 * len(batches)
        optimizer, _ = create_optimizer(RATE, steps, steps // 10, weight_decay_rate=0.01)
        head.compile(optimizer=optimizer)
        epochs = epoch_timer(tf_keras.callbacks)
        head.fit(batches, epochs=2, callbacks=[epochs], verbose=0)
        return epochs.seconds[1]

    return run


CONTENDERS: dict[str, Callable[..., Run]] = {
    "tfnlp": _tfnlp(),
    "tfnlp, bfloat16": _tfnlp("bfloat16"),
    "tfnlp over transformers' code": _tfnlp(network="transformers"),
    "PyTorch, grouped by length": _pytorch,
    "transformers' TF `fit`": _head,
}
