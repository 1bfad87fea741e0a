"""Find the entities of many files with a SavedModel: one process a share of them. TensorFlow is all that it needs.

python examples/sharded_prediction.py my-ner/serving/1 "texts/*.txt" answers 0 4    # the first of four shares

Run it once a share, on one machine or on many. A file that has its answers is left alone: after a crash, run it again.
"""

import glob
import json
import os
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import tensorflow as tf

BATCH = 256  # texts


def answers(serve, texts: list[str]) -> Iterator[dict]:
    """Yield the entities of each text."""
    found = {name: value.numpy() for name, value in serve(text=tf.constant(texts)).items()}
    counts = found.pop("num_entities")
    for i, (text, count) in enumerate(zip(texts, counts, strict=True)):
        values = {name: value[i, :count].tolist() for name, value in found.items()}
        yield {
            "text": text,
            **{name: [v.decode() if isinstance(v, bytes) else v for v in own] for name, own in values.items()},
        }


def main(model: str, pattern: str, output: str, share: str, shares: str) -> None:
    files = sorted(glob.glob(pattern))
    if not files:
        sys.exit(f"{pattern}: there are no such files")
    loaded = tf.saved_model.load(model)
    serve = loaded.signatures["serving_default"]
    Path(output).mkdir(parents=True, exist_ok=True)
    for file in files[int(share) :: int(shares)]:
        target = Path(output, file.replace("%", "%25").replace(os.sep, "%2F") + ".jsonl")  # no two files have the same
        if target.exists():
            continue
        draft = target.with_suffix(".draft")
        with open(file, encoding="utf-8") as lines, open(draft, "w", encoding="utf-8") as written:
            texts = (line.rstrip("\n") for line in lines)
            while batch := list(islice(texts, BATCH)):
                written.writelines(json.dumps(one, ensure_ascii=False) + "\n" for one in answers(serve, batch))
        os.replace(draft, target)


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
