"""What an engine adds to prediction: texts per second of the examples on plain files, Apache Beam and Spark.

python -m benchmarks.engines --saved-model D --texts F [--rounds 3] [--engines sharded,beam,spark]

Each runs as a process of its own over the same lines, alternating, and once over two lines, to see how long it takes to
start. All have one worker on such a file, whose TensorFlow uses all cores, so the difference is the engine's own.
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


def seconds(engine: str, model: Path, texts: Path) -> float:
    """Return how long an engine takes, start included."""
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            sys.executable,
            str(EXAMPLES / f"{engine}_prediction.py"),
            str(model),
            str(texts),
            f"{scratch}/answers",
        ]
        command += ["0", "1"] if engine == "sharded" else []
        start = time.perf_counter()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr[-2000:])
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
