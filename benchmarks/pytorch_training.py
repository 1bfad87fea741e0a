"""The recipe of `tfnlp train` in plain PyTorch: AdamW, warm-up and decay, clipping, batches in random order."""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path
from typing import Any

import torch
from transformers import get_linear_schedule_with_warmup


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return the arguments that all comparisons take."""
    found = argparse.ArgumentParser(description=description)
    found.add_argument("--model", required=True)
    found.add_argument("--train", required=True, type=Path)
    found.add_argument("--dev", required=True, type=Path)
    found.add_argument("--test", type=Path)
    found.add_argument("--epochs", type=int, default=2)
    found.add_argument("--batch-size", type=int, default=16)
    found.add_argument("--learning-rate", type=float, default=1e-4)
    found.add_argument("--seed", type=int, default=0)
    return found


def seed(number: int) -> None:
    """Set the seeds of Python and PyTorch."""
    torch.manual_seed(number)
    random.seed(number)


def padded(rows: list[list[int]], value: int) -> torch.Tensor:
    """Fill rows up to the longest."""
    length = max(map(len, rows))
    return torch.tensor([row + [value] * (length - len(row)) for row in rows])


def train(model: Any, rows: list[Any], collate: Any, options: argparse.Namespace) -> None:
    """Train a model on rows; `collate` makes of some rows what the model takes."""
    plain = ("bias", "LayerNorm.weight")
    decayed = [p for name, p in model.named_parameters() if not name.endswith(plain)]
    others = [p for name, p in model.named_parameters() if name.endswith(plain)]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=options.learning_rate)
    steps = options.epochs * -(-len(rows) // options.batch_size)
    schedule = get_linear_schedule_with_warmup(optimizer, steps // 10, steps)
    for epoch in range(options.epochs):
        model.train()
        random.shuffle(rows)
        start = time.perf_counter()
        for first in range(0, len(rows), options.batch_size):
            model(**collate(rows[first : first + options.batch_size])).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        print(f"epoch {epoch + 1}: {time.perf_counter() - start:.0f} s", flush=True)
