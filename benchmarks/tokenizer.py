"""Compare the graph tokenizer with the Rust tokenizer: differences, of decoded text too, and speed.

    python -m benchmarks tokenize TOKENIZER_DIR... [--data DIR] [--random 100000]

A directory holds `tokenizer.json`, or the vocabulary files of one family; of which, its name says: `bert_uncased`.
"""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.corpora import corpus_lines, random_strings
from tfnlp import GraphTokenizer
from tfnlp.tokenization import checking
from tfnlp.tokenization.graph.cache import cached
from tfnlp.tokenization.graph.compiler import compile_tokenizer
from tfnlp.tokenization.graph.rows import rows_of
from tfnlp.tokenization.pretrained import as_saved

BATCH_SIZE = 256
SENTENCE = "The quick brown fox jumps over the lazy dog, and nineteen more words make a sentence of about twenty."


def load(path: Path) -> Any:
    """Load a Rust tokenizer from a directory with `tokenizer.json`, or from the vocabulary files of a family."""
    import transformers

    files = {
        "t5": ("T5TokenizerFast", ["spiece.model"]),
        "albert": ("AlbertTokenizerFast", ["spiece.model"]),
        "xlnet": ("XLNetTokenizerFast", ["spiece.model"]),
        "gpt2": ("GPT2TokenizerFast", ["vocab.json", "merges.txt"]),
        "bert": ("BertTokenizerFast", ["vocab.txt"]),
    }
    found = next((files[name] for name in files if path.name.startswith(name)), None)
    if (path / "tokenizer.json").is_file() or found is None:
        return as_saved(transformers.AutoTokenizer.from_pretrained(str(path)))
    options = {"do_lower_case": "_cased" not in path.name} if found[0].startswith("Bert") else {}
    return as_saved(getattr(transformers, found[0])(*(str(path / name) for name in found[1]), **options))


def batches(lines: list[str]) -> Iterator[list[str]]:
    """Cut lines into batches."""
    for start in range(0, len(lines), BATCH_SIZE):
        yield lines[start : start + BATCH_SIZE]


def differences(graph: GraphTokenizer, rust: Any, lines: list[str]) -> list[str]:
    """Return the lines of which any id, offset, word id, type id or mask differs."""
    return [
        difference.text
        for batch in batches(lines)
        for difference in checking.encoding_differences(batch, graph(batch), rust(batch, verbose=False))
    ]


def decoding_differences(graph: GraphTokenizer, rust: Any, lines: list[str]) -> list[str]:
    """Return the lines whose ids are written as another text."""
    return [
        difference.text
        for batch in batches(lines)
        for difference in checking.decoding_differences(batch, graph, rust, graph(batch)["input_ids"].to_list())
    ]


def speeds(graph: GraphTokenizer, rust: Any, lines: list[str], every: int = 1) -> tuple[float, float, float]:
    """Return tokens per second of the graph and of the Rust tokenizer, and the median ratio of batches.

    The two take turns, batch by batch; both return ids, offsets and masks. Every `every`-th batch is taken.
    """
    ours, theirs, tokens = [], [], 0
    graph(lines[:BATCH_SIZE])
    for batch in itertools.islice(batches(lines), 0, None, every):
        start = time.perf_counter()
        encoded = graph(batch)
        middle = time.perf_counter()
        rust(batch, return_offsets_mapping=True, return_special_tokens_mask=True, verbose=False)
        theirs.append(time.perf_counter() - middle)
        ours.append(middle - start)
        tokens += int(encoded["input_ids"].flat_values.shape[0])
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    return tokens / sum(ours), tokens / sum(theirs), ratio


def milliseconds(graph: GraphTokenizer, text: str, repeats: int = 30) -> float:
    """Return how long one text takes, in the median."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        graph([text])
        seconds.append(time.perf_counter() - start)
    return 1e3 * statistics.median(seconds)


def table_bytes(value: Any) -> int:
    """Return the size of all tables of a compiled tokenizer: what it adds to a SavedModel."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, tuple):
        return sum(map(table_bytes, value))
    if dataclasses.is_dataclass(value):
        return sum(table_bytes(getattr(value, field.name)) for field in dataclasses.fields(value))
    return 0


def measure(
    tokenizers: Annotated[list[Path], typer.Argument(help="Directories, or files `tokenizer.json`.")],
    data: Annotated[list[Path], typer.Option(help="Directories of text.")] = [],  # noqa: B006 -- typer's way
    random: Annotated[int, typer.Option(help="How many random strings to compare.")] = 100_000,
    speed: Annotated[int, typer.Option(help="How many lines to measure speed on.")] = 50_000,
    every: Annotated[int, typer.Option(help="Take every n-th line of the data.")] = 1,
) -> None:
    """The tokenizer in the graph beside the one in Rust: answers, speed, size of tables."""
    lines = [line for directory in data for line in corpus_lines(directory)][::every]
    strings = list(random_strings(random))
    print(f"{len(lines):,} lines of data, {len(strings):,} random strings, batches of {BATCH_SIZE}", flush=True)
    for path in tokenizers:
        rust = load(path)
        start = time.perf_counter()
        graph = GraphTokenizer(rust)
        compiled = time.perf_counter() - start
        rows_of.cache_clear()
        start = time.perf_counter()
        graph = GraphTokenizer(rust)
        again = time.perf_counter() - start
        source = rust.backend_tokenizer.to_str()
        tables = table_bytes(cached(source, compile_tokenizer)) / len(source.encode())
        wrong = differences(graph, rust, lines + strings)
        unwritten = decoding_differences(graph, rust, (lines + strings)[:: max(1, len(lines) // 50_000)])
        ours, theirs, ratio = speeds(graph, rust, lines or strings, every=max(1, len(lines) // speed))
        print(
            f"{path.name}: {len(wrong)} differ, {len(unwritten)} in decoding; compiled in {compiled:.2f} s, "
            f"again in {again:.2f} s, tables {tables:.2f} times tokenizer.json; graph "
            f"{ours:,.0f} tokens/s, Rust {theirs:,.0f} tokens/s, ratio {ours / theirs:.2f}, of batches {ratio:.2f}; "
            f"one sentence {milliseconds(graph, SENTENCE):.1f} ms, 100,000 letters "
            f"{milliseconds(graph, 'a' * 100_000, repeats=1) / 1e3:.1f} s",
            flush=True,
        )
        for line in [*wrong[:5], *unwritten[:5]]:
            print("   ", ascii(line[:100]))
