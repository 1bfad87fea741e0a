"""Answers in a process of its own: for each line of standard input, does what it names and prints its seconds.

python benchmarks/versions_worker.py MODEL DATA, with the version of tfnlp to measure on PYTHONPATH
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_ALONE = 60  # texts that are asked one by one


def main(model: str, data: str) -> None:
    """Measure `predict` of all texts, `predict` of single texts, and the SavedModel of single texts."""
    import tensorflow as tf

    import tfnlp

    task = tfnlp.load(model)
    texts = [" ".join(record["words"]) for record in tfnlp.read_records(Path(data))]
    alone = texts[:_ALONE]
    with tempfile.TemporaryDirectory() as directory:
        task.export(f"{directory}/1")
        served = tf.saved_model.load(f"{directory}/1").signatures["serving_default"]
    ways: dict[str, Callable[[], Any]] = {
        "predict": lambda: task.predict(texts),
        "one": lambda: [task.predict(text) for text in alone],
        "served": lambda: [served(text=tf.constant([text])) for text in alone],
    }
    counts = {"predict": len(texts), "one": len(alone), "served": len(alone)}
    for run in ways.values():
        run()
    for line in sys.stdin:
        name = line.strip()
        start = time.perf_counter()
        ways[name]()
        print("measured", (time.perf_counter() - start) / counts[name], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
