"""Writes questions of SQuAD 2.0 that have an answer: the first 2,000 to train on, the last 500 to evaluate.

python -m benchmarks.question_data DATA OUT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tfnlp import read_questions


def write(path: Path, records: list[dict]) -> None:
    """Write JSON lines."""
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records), encoding="utf-8")
    print(f"{path}: {len(records)} questions")


if __name__ == "__main__":
    data, output = map(Path, sys.argv[1:])
    output.mkdir(parents=True, exist_ok=True)
    answerable = [record for record in read_questions(data / "qa/squad_v2_half/dev-v2.0.json") if record["answers"]]
    write(output / "squad.train.jsonl", answerable[:2000])
    write(output / "squad.dev.jsonl", answerable[-500:])
