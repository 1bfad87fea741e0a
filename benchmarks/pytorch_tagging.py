"""The recipe of `tfnlp train token-classification` in plain PyTorch, for comparison.

    python -m benchmarks.pytorch_tagging --model M --train F --dev F [--test F] [--epochs 2] [--learning-rate 1e-4]

Same data, labels (the first token of each word), batch size, AdamW, warm-up and decay, clipping; padded per batch.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer, get_linear_schedule_with_warmup

from tfnlp import read_records, tagging_report


def encode(tokenizer, records, ids):
    """Return input ids and labels of each record, cut at the network's limit."""
    rows = []
    for record in records:
        found = tokenizer(record["words"], is_split_into_words=True, truncation=True, max_length=512)
        labels, last = [], None
        for word in found.word_ids():
            labels.append(-100 if word is None or word == last else ids[record["labels"][word]])
            last = word
        rows.append((found["input_ids"], labels))
    return rows


def collate(rows):
    """Pad rows to the longest."""
    length = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([row + [0] * (length - len(row)) for row, _ in rows])
    labels = torch.tensor([row + [-100] * (length - len(row)) for _, row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row, _ in rows])
    return ids, mask, labels


def evaluate(model, rows, records, names):
    """Return the report of a model on records."""
    predicted = []
    model.eval()
    with torch.no_grad():
        for start in range(0, len(rows), 32):
            ids, mask, labels = collate(rows[start : start + 32])
            answers = model(input_ids=ids, attention_mask=mask).logits.argmax(-1)
            predicted += [[names[i] for i in a[g >= 0].tolist()] for a, g in zip(answers, labels, strict=True)]
    gold = [record["labels"] for record in records]
    return tagging_report(gold, predicted)


def main() -> None:
    """Train and print the reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", required=True, type=Path)
    parser.add_argument("--dev", required=True, type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    random.seed(options.seed)
    train = list(read_records(options.train))
    names = sorted({label for record in train for label in record["labels"]})
    ids = {name: i for i, name in enumerate(names)}
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForTokenClassification.from_pretrained(options.model, num_labels=len(names))
    rows = encode(tokenizer, train, ids)
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
            ids_, mask, labels = collate(rows[first : first + options.batch_size])
            model(input_ids=ids_, attention_mask=mask, labels=labels).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
        print(f"epoch {epoch + 1}: {time.perf_counter() - start:.0f} s", flush=True)
    for path in filter(None, (options.dev, options.test)):
        records = list(read_records(path))
        print(path.name)
        print(evaluate(model, encode(tokenizer, records, ids), records, names))


if __name__ == "__main__":
    main()
