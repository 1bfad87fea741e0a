"""Compare the graph tokenizer with the Rust tokenizer: differences and speed.

    python -m benchmarks.tokenizer TOKENIZER_DIR_OR_VOCAB... [--data DIR] [--random 100000]

A `vocab.txt` is read as a BERT vocabulary, uncased if the name of its directory says so or it is Chinese.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corpora import conformance_lines, random_strings
from tfnlp import GraphTokenizer

BATCH_SIZE = 256


def load(path: Path) -> Any:
    """Load a Rust tokenizer from a directory with `tokenizer.json`, or from a BERT vocabulary."""
    from transformers import AutoTokenizer, BertTokenizerFast

    if (path / "vocab.txt").is_file() and not (path / "tokenizer.json").is_file():
        return BertTokenizerFast(str(path / "vocab.txt"), do_lower_case="_cased" not in path.name)
    return AutoTokenizer.from_pretrained(str(path))


def batches(lines: list[str]) -> Iterator[list[str]]:
    """Cut lines into batches."""
    for start in range(0, len(lines), BATCH_SIZE):
        yield lines[start : start + BATCH_SIZE]


def differences(graph: GraphTokenizer, rust: Any, lines: list[str]) -> list[str]:
    """Return the lines of which any id, offset, word id or special token differs."""
    wrong = []
    for batch in batches(lines):
        ours = {name: value.to_list() for name, value in graph(batch).items() if name != "row_to_record"}
        for i, theirs in enumerate(rust.backend_tokenizer.encode_batch(batch)):
            same = (
                ours["input_ids"][i] == theirs.ids
                and ours["offsets"][i] == [list(pair) for pair in theirs.offsets]
                and ours["word_ids"][i] == [-1 if word is None else word for word in theirs.word_ids]
                and ours["special_tokens_mask"][i] == theirs.special_tokens_mask
                and ours["token_type_ids"][i] == theirs.type_ids
            )
            if not same:
                wrong.append(batch[i])
    return wrong


def speeds(graph: GraphTokenizer, rust: Any, lines: list[str]) -> tuple[float, float]:
    """Return tokens per second of the graph and of the Rust tokenizer, which take turns batch by batch."""
    seconds, tokens = np.zeros(2), 0
    graph(lines[:BATCH_SIZE])
    for batch in batches(lines):
        start = time.perf_counter()
        encoded = graph(batch)
        middle = time.perf_counter()
        rust(batch, return_offsets_mapping=True, return_special_tokens_mask=True)
        seconds += (middle - start, time.perf_counter() - middle)
        tokens += int(encoded["input_ids"].flat_values.shape[0])
    return tokens / seconds[0], tokens / seconds[1]


def main() -> None:
    """Read the arguments and print a row for each tokenizer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tokenizers", nargs="+", type=Path)
    parser.add_argument("--data", type=Path, help="a directory of hard text")
    parser.add_argument("--random", type=int, default=100_000, help="how many random strings to compare")
    arguments = parser.parse_args()
    lines = list(conformance_lines(arguments.data)) if arguments.data else []
    strings = list(random_strings(arguments.random))
    print(f"{len(lines):,} lines of {arguments.data}, {len(strings):,} random strings, batches of {BATCH_SIZE}")
    for path in arguments.tokenizers:
        rust = load(path)
        start = time.perf_counter()
        graph = GraphTokenizer(rust)
        compiled = time.perf_counter() - start
        wrong = differences(graph, rust, lines + strings)
        ours, theirs = speeds(graph, rust, lines or strings)
        print(
            f"{path.name}: {len(wrong)} differ; compiled in {compiled:.1f} s; graph {ours:,.0f} tokens/s, "
            f"Rust {theirs:,.0f} tokens/s, ratio {ours / theirs:.2f}"
        )
        for line in wrong[:10]:
            print("   ", ascii(line[:100]))


if __name__ == "__main__":
    main()
