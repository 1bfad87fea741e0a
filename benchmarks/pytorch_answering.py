"""The recipe of `tfnlp train question-answering` in plain PyTorch, for comparison.

    python -m benchmarks.pytorch_answering --model M --train F --dev F

Same data, windows, batch size, AdamW, warm-up and decay, clipping; padded per batch. The answers are the spans with the
greatest sum of logits over all windows, as in the original scripts of BERT; the report is tfnlp's own.
"""

from __future__ import annotations

import numpy as np
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

from benchmarks import pytorch_training
from tfnlp import answer_report, read_questions

LONGEST = 30  # tokens of an answer


def first_and_last(tokens, sequences, answer):
    """Return the places of an answer's first and last tokens; 0 and 0 where a window lacks a part of it."""
    start, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
    context = [i for i, sequence in enumerate(sequences) if sequence == 1]
    if tokens[context[0]][0] > start or tokens[context[-1]][1] < end:
        return 0, 0
    inside = [i for i in context if tokens[i][1] > start and tokens[i][0] < end]
    return (inside[0], inside[-1]) if inside else (0, 0)


def best_span(starts, ends, context):
    """Return the span with the greatest sum of logits, and that sum."""
    low, high = context[0], context[-1] + 1
    sums = starts[low:high, None] + ends[None, low:high]
    sums[~np.triu(np.tri(high - low, k=LONGEST - 1, dtype=bool))] = -np.inf
    first, last = np.unravel_index(sums.argmax(), sums.shape)
    return low + first, low + last, sums.max()


def main() -> None:
    """Train and print the report."""
    parser = pytorch_training.parser(__doc__)
    parser.add_argument("--max-length", type=int, default=384)
    parser.add_argument("--stride", type=int, default=128)
    options = parser.parse_args()
    pytorch_training.seed(options.seed)
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    model = AutoModelForQuestionAnswering.from_pretrained(options.model)

    def encode(records):
        found = tokenizer(
            [record["question"] for record in records],
            [record["context"] for record in records],
            truncation="only_second",
            max_length=options.max_length,
            stride=options.stride,
            return_overflowing_tokens=True,
        )
        rows = []
        for record, encoding in zip(found["overflow_to_sample_mapping"], found.encodings, strict=True):
            place = first_and_last(encoding.offsets, encoding.sequence_ids, records[record]["answers"][0])
            rows.append((encoding, record, *place))
        return rows

    def collate(rows):
        encodings, _, first, last = zip(*rows, strict=True)
        return {
            "input_ids": pytorch_training.padded([encoding.ids for encoding in encodings], 0),
            "token_type_ids": pytorch_training.padded([encoding.type_ids for encoding in encodings], 0),
            "attention_mask": pytorch_training.padded([encoding.attention_mask for encoding in encodings], 0),
            "start_positions": torch.tensor(first),
            "end_positions": torch.tensor(last),
        }

    pytorch_training.train(model, encode(list(read_questions(options.train))), collate, options)
    records = list(read_questions(options.dev))
    rows, best = encode(records), {}
    model.eval()
    with torch.no_grad():
        for start in range(0, len(rows), 32):
            batch = rows[start : start + 32]
            outputs = model(**collate(batch))
            for i, (encoding, record, *_) in enumerate(batch):
                context = [k for k, sequence in enumerate(encoding.sequence_ids) if sequence == 1]
                first, last, score = best_span(outputs.start_logits[i].numpy(), outputs.end_logits[i].numpy(), context)
                if score > best.get(record, (-np.inf,))[0]:
                    best[record] = (score, encoding.offsets[first][0], encoding.offsets[last][1])
    answers = [record["context"][best[i][1] : best[i][2]] for i, record in enumerate(records)]
    print(answer_report(answers, [[answer["text"] for answer in record["answers"]] for record in records]))


if __name__ == "__main__":
    main()
