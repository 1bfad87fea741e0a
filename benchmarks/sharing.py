"""What workers share of a training's data, and what that takes: two processes on this machine.

python -m benchmarks.sharing --model DIR_OR_NAME --train FILE [--rounds 3]

Prints, of the first worker: how long it reads all records; how long it makes rows of them alone, with the other, and of
that, how long it waits for the other and sends rows; and an epoch of both, one batch at a time. Best of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any


def work(model: str, train: str, rounds: int) -> None:
    """Be one of the workers."""
    from tfnlp import TokenClassifier, replicas
    from tfnlp._backend import tf

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    with strategy.scope():
        task = TokenClassifier.from_pretrained(model)
    source = task.source(train)
    task.learned = task.learn(source)
    sending = 0.0
    send = replicas.of_all_workers

    def timed(*given: Any) -> Any:
        nonlocal sending
        start = time.perf_counter()
        found = send(*given)
        sending += time.perf_counter() - start
        return found

    replicas.of_all_workers = timed  # type: ignore[assignment]

    def seconds(step: Callable[[], Any]) -> tuple[float, float]:
        nonlocal sending
        sending, start = 0.0, time.perf_counter()
        step()
        return time.perf_counter() - start, sending

    def make_rows() -> None:
        for _ in task.training_rows(source):
            pass

    make_rows()
    reading = min(seconds(lambda: list(source)) for _ in range(rounds))[0]
    alone = min(seconds(make_rows) for _ in range(rounds))[0]
    together, sent = min(seconds(replicas.all_together()(make_rows)) for _ in range(rounds))
    task.fit(train, epochs=1, batch_size=32, verbose=0)
    epoch = seconds(lambda: task.fit(train, epochs=1, batch_size=32, verbose=0))[0]
    print(f"read {reading:.2f} s; rows alone {alone:.2f} s, together {together:.2f} s, sending {sent:.2f} s of it")
    print(f"an epoch, rows included: {epoch:.1f} s")


def main() -> None:
    """Read the arguments, start both workers and print what the first says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if "TF_CONFIG" in os.environ:
        work(options.model, options.train, options.rounds)
        return
    with closing(socket.socket()) as one, closing(socket.socket()) as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in (one, other)]
    processes = []
    for number in range(2):
        member = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
        command = [sys.executable, "-m", "benchmarks.sharing", *sys.argv[1:]]
        processes.append(
            subprocess.Popen(
                command, env={**os.environ, "TF_CONFIG": json.dumps(member)}, stdout=subprocess.PIPE, text=True
            )
        )
    said = [process.communicate(timeout=3600)[0] for process in processes]
    print(said[0], end="")
    raise SystemExit(max(process.returncode for process in processes))


if __name__ == "__main__":
    main()
