"""The recipe of `tfnlp train text-classification` in plain PyTorch, for comparison.

    python -m benchmarks.pytorch_classification --model M --train F --dev F --columns text,label [--label-separator ,]
        [--tune-thresholds] [--zero-bias]

Same data, labels, batch size, AdamW, warm-up and decay, clipping; padded per batch. The report is tfnlp's own. The new
head's bias starts where tfnlp's does, or with `--zero-bias` where transformers' does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from benchmarks import pytorch_training
from tfnlp import read_table
from tfnlp.data.sources import as_source
from tfnlp.labels import LabelMap
from tfnlp.tasks.text_classification.kinds import KINDS, NUMBER
from tfnlp.tasks.text_classification.metrics import best_thresholds
from tfnlp.tasks.text_classification.records import LAYOUT, MULTI, checked_examples, inferred_problem_type


def main() -> None:
    """Train and print the report."""
    parser = pytorch_training.parser(__doc__)
    parser.add_argument("--columns", required=True)
    parser.add_argument("--label-separator")
    parser.add_argument("--tune-thresholds", action="store_true")
    parser.add_argument("--zero-bias", action="store_true")
    options = parser.parse_args()
    pytorch_training.seed(options.seed)
    columns = options.columns.split(",")

    def read(path):
        source = as_source(read_table(path, columns=columns, label_separator=options.label_separator), LAYOUT)
        problem = MULTI if options.label_separator else inferred_problem_type(source)
        return list(checked_examples(source, problem)), problem

    records, problem = read(options.train)
    kind = KINDS[problem]
    names = sorted({name for record in records for name in kind.names_in(record)}) or [NUMBER]
    task = kind(LabelMap(tuple(names)))
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForSequenceClassification.from_pretrained(
        options.model, num_labels=len(names), problem_type=problem
    )
    prior = task.prior_logits([task.gold(records)])
    last = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)][-1]
    if prior is not None and not options.zero_bias and last.bias is not None and not last.bias.any():
        last.bias.data = torch.tensor(prior, dtype=torch.float32)

    def encode(records):
        texts = [record["text"] for record in records]
        pairs = [record["text_pair"] for record in records] if records[0]["text_pair"] is not None else None
        found = tokenizer(texts, pairs, truncation=True, max_length=512)
        return list(zip(found["input_ids"], found["token_type_ids"], task.gold(records), strict=True))

    def collate(rows):
        ids, types, gold = zip(*rows, strict=True)
        return {
            "input_ids": pytorch_training.padded(list(ids), 0),
            "token_type_ids": pytorch_training.padded(list(types), 0),
            "attention_mask": pytorch_training.padded([[1] * len(row) for row in ids], 0),
            "labels": torch.tensor(np.array(gold)),
        }

    pytorch_training.train(model, encode(records), collate, options)
    held_out, _ = read(options.dev)
    rows, logits = encode(held_out), []
    model.eval()
    with torch.no_grad():
        for start in range(0, len(rows), 32):
            logits.append(model(**collate(rows[start : start + 32])).logits.numpy())
    found, gold = np.concatenate(logits), task.gold(held_out)
    report = task.report(gold, found)
    print(report, f"loss {report.loss:.4f}", sep="\n")
    if options.tune_thresholds:
        print(replace(task, thresholds=best_thresholds(gold > 0, task.scores(found))).report(gold, found))


if __name__ == "__main__":
    main()
