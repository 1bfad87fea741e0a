"""Contenders in processes of their own, which take turns: none has threads, memory or caches of another.

A contender is a function of `benchmarks.contenders.MODULE` that prepares it: options in, what is run out. Where that
returns a float, these are the seconds that count; else all that it takes do.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from tqdm import tqdm


class Measured(NamedTuple):
    """What a contender took.

    Attributes:
        seconds: of each round.
        first: seconds from the start of its process to the end of its first run.
        memory: the most that its process had, in MB.
    """

    seconds: list[float]
    first: float
    memory: float

    @property
    def median(self) -> float:
        """The median of all rounds, in seconds."""
        return median(self.seconds)


class Process:
    """A process that answers each line of its standard input with one that begins with `measured `."""

    def __init__(self, arguments: Sequence[str], **environment: str) -> None:
        """Start Python with arguments and further variables of the environment."""
        self._name = " ".join(arguments)
        self._process = subprocess.Popen(
            [sys.executable, *arguments], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env=os.environ | environment,
        )  # fmt: skip

    def ask(self, line: str = "") -> str:
        """Write a line, and return what follows `measured ` in the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(line, file=self._process.stdin, flush=True)
        for answer in self._process.stdout:
            if answer.startswith("measured "):
                return answer.removeprefix("measured ")
        raise RuntimeError(f"the process of `{self._name}` ended; its error is above.")

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Worker(Process):
    """A contender in a process of its own, which has run once.

    Attributes:
        first: seconds from the start of the process to the end of that run.
        memory: the most that it has had so far, in MB.
    """

    def __init__(self, module: str, name: str, options: Mapping[str, Any]) -> None:
        start = time.perf_counter()
        super().__init__(["-m", "benchmarks.workers", module, name, json.dumps(options)], TF_CPP_MIN_LOG_LEVEL="3")
        self.run()
        self.first = time.perf_counter() - start

    def run(self) -> float:
        """Run once. Returns the seconds that count."""
        found = json.loads(self.ask())
        self.memory: float = found["memory"]
        return found["seconds"]


def alternate(module: str, names: list[str], options: Mapping[str, Any], rounds: int) -> dict[str, Measured]:
    """Run contenders in turn, after a first run of each.

    Args:
        module: of `benchmarks.contenders`.
        names: of its contenders.
        options: for all of them.
        rounds: how often each is measured.
    """
    workers = {name: Worker(module, name, options) for name in tqdm(names, desc="prepare")}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in tqdm(range(rounds), desc="rounds"):
        for name, worker in workers.items():
            seconds[name].append(worker.run())
    for worker in workers.values():
        worker.close()
    return {name: Measured(seconds[name], worker.first, worker.memory) for name, worker in workers.items()}


def start_anew(module: str, names: list[str], options: Mapping[str, Any], rounds: int) -> dict[str, Measured]:
    """Run contenders in turn, each time in a fresh process: what is measured is their first run.

    Args:
        module: of `benchmarks.contenders`.
        names: of its contenders.
        options: for all of them.
        rounds: how often each is measured.
    """
    firsts: dict[str, list[float]] = {name: [] for name in names}
    memory = dict.fromkeys(names, 0.0)
    for _ in tqdm(range(rounds), desc="rounds"):
        for name in names:
            worker = Worker(module, name, options)
            firsts[name].append(worker.first)
            memory[name] = worker.memory
            worker.close()
    return {name: Measured(firsts[name], median(firsts[name]), memory[name]) for name in names}


def _serve(module: str, name: str, options: Mapping[str, Any]) -> None:
    """Prepare a contender, and run it for each line of standard input."""
    prepare: Callable[..., Callable[[], Any]] = importlib.import_module(f"benchmarks.contenders.{module}").CONTENDERS[
        name
    ]
    run = prepare(**options)
    for _ in sys.stdin:
        start = time.perf_counter()
        counted = run()
        spent = counted if isinstance(counted, float) else time.perf_counter() - start
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"measured {json.dumps({'seconds': spent, 'memory': memory})}", flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
