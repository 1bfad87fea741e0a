"""The recipe of `tfnlp train token-classification` in plain PyTorch, for comparison.

    python -m benchmarks.pytorch_tagging --model M --train F --dev F [--test F] [--epochs 2] [--learning-rate 1e-4]

Same data, labels (the first token of each word), batch size, AdamW, warm-up and decay, clipping; padded per batch.
"""

from __future__ import annotations

import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

from benchmarks import pytorch_training
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
    ids, labels = zip(*rows, strict=True)
    return {
        "input_ids": pytorch_training.padded(list(ids), 0),
        "attention_mask": pytorch_training.padded([[1] * len(row) for row in ids], 0),
        "labels": pytorch_training.padded(list(labels), -100),
    }


def evaluate(model, rows, records, names):
    """Return the report of a model on records."""
    predicted = []
    model.eval()
    with torch.no_grad():
        for start in range(0, len(rows), 32):
            batch = collate(rows[start : start + 32])
            answers = model(**batch).logits.argmax(-1)
            predicted += [[names[i] for i in a[g >= 0].tolist()] for a, g in zip(answers, batch["labels"], strict=True)]
    gold = [record["labels"] for record in records]
    return tagging_report(gold, predicted)


def main() -> None:
    """Train and print the reports."""
    options = pytorch_training.parser(__doc__).parse_args()
    pytorch_training.seed(options.seed)
    train = list(read_records(options.train))
    names = sorted({label for record in train for label in record["labels"]})
    ids = {name: i for i, name in enumerate(names)}
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForTokenClassification.from_pretrained(options.model, num_labels=len(names))
    pytorch_training.train(model, encode(tokenizer, train, ids), collate, options)
    for path in filter(None, (options.dev, options.test)):
        records = list(read_records(path))
        print(path.name)
        print(evaluate(model, encode(tokenizer, records, ids), records, names))


if __name__ == "__main__":
    main()
