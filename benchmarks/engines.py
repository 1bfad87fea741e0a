"""What an engine adds to prediction: texts per second of the examples on plain files, Apache Beam and Spark.

python -m benchmarks.engines --saved-model D --texts F [--rounds 3] [--engines sharded,beam,spark]

Each runs as a process of its own over the same lines, alternating. Plain files are cut in two, for two processes at the
same time, as Spark has two workers; Beam's local runner has one process with threads of TensorFlow's.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLES = Path(__file__).parents[1] / "examples"
SHARES = 2


def commands(engine: str, model: Path, texts: Path, scratch: Path) -> list[list[str]]:
    """Return the commands of an engine that run at the same time."""
    program = str(EXAMPLES / f"{engine}_prediction.py")
    if engine == "sharded":
        lines = texts.read_text(encoding="utf-8").splitlines(keepends=True)
        for share in range(SHARES):
            (scratch / f"part-{share}.txt").write_text("".join(lines[share::SHARES]), encoding="utf-8")
        pattern = str(scratch / "part-*.txt")
        return [[program, str(model), pattern, str(scratch / "answers"), str(i), str(SHARES)] for i in range(SHARES)]
    return [[program, str(model), str(texts), str(scratch / "answers")]]


def seconds(engine: str, model: Path, texts: Path) -> float:
    """Return how long an engine takes, start included."""
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    with tempfile.TemporaryDirectory() as scratch:
        programs = commands(engine, model, texts, Path(scratch))
        start = time.perf_counter()
        running = [
            subprocess.Popen([sys.executable, *one], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for one in programs
        ]
        for process in running:
            _, said = process.communicate()
            if process.returncode:
                raise SystemExit(said.decode()[-2000:])
        return time.perf_counter() - start


def main() -> None:
    """Read the arguments, run and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--saved-model", required=True, type=Path)
    parser.add_argument("--texts", required=True, type=Path, help="one a line")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", default="sharded,beam,spark")
    options = parser.parse_args()
    engines = options.engines.split(",")
    with tempfile.TemporaryDirectory() as scratch:
        few = Path(scratch, "few.txt")
        lines = options.texts.read_text(encoding="utf-8").splitlines(keepends=True)
        few.write_text("".join(lines[:2]), encoding="utf-8")
        found: dict[str, list[tuple[float, float]]] = {engine: [] for engine in engines}
        for _ in range(options.rounds):
            for engine in engines:
                found[engine].append(
                    (seconds(engine, options.saved_model, few), seconds(engine, options.saved_model, options.texts))
                )
    for engine, rounds in found.items():
        start, whole = (min(values) for values in zip(*rounds, strict=True))
        rate = len(lines) / (whole - start)
        print(f"{engine}: {whole:.1f} s, of which {start:.1f} s to start; {rate:.0f} texts/s after that")


if __name__ == "__main__":
    main()
