"""Writes the corpora of text classification as the tables that `tfnlp train text-classification` reads.

    python -m benchmarks.classification_data DATA OUT

Sentence polarity: the last tenth of either class is held out. GoEmotions: the first 8,000 texts for training. SNIPS:
the intents of its sentences.
"""

from __future__ import annotations

import sys
import zipfile
from itertools import islice
from pathlib import Path


def write(path: Path, rows: list[tuple[str, str]]) -> None:
    """Write texts and labels, a TAB between them."""
    path.write_text("".join(f"{text}\t{label}\n" for text, label in rows), encoding="utf-8")
    print(f"{path}: {len(rows)} texts")


def polarity(data: Path, output: Path) -> None:
    """Write sentences of film reviews."""
    train, dev = [], []
    with zipfile.ZipFile(data / "cls/sentence_polarity_en/sentence_polarity.zip") as archive:
        for name in ("pos", "neg"):
            text = archive.read(f"sentence_polarity/rt-polarity.{name}").decode("latin-1")
            rows = [(line.strip(), name) for line in text.splitlines() if line.strip()]
            held_out = len(rows) // 10
            train += rows[:-held_out]
            dev += rows[-held_out:]
    write(output / "polarity.train.tsv", train)
    write(output / "polarity.dev.tsv", dev)


def emotions(data: Path, output: Path) -> None:
    """Copy comments with up to several of 28 emotions each."""
    directory = data / "cls/goemotions_en_multilabel"
    for name, limit in (("train", 8000), ("dev", None)):
        with (directory / f"{name}.tsv").open(encoding="utf-8") as lines:
            rows = [tuple(line.rstrip("\n").split("\t")[:2]) for line in islice(lines, limit)]
        write(output / f"emotions.{name}.tsv", rows)


def intents(data: Path, output: Path) -> None:
    """Write spoken commands with their intents."""
    for name in ("train", "dev"):
        directory = data / "ner/snips_slots" / name
        texts, labels = ((directory / file).read_text(encoding="utf-8").splitlines() for file in ("seq.in", "label"))
        rows = [(text.strip(), label.strip()) for text, label in zip(texts, labels, strict=True)]
        write(output / f"intents.{name}.tsv", rows)


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.mkdir(parents=True, exist_ok=True)
    for corpus in (polarity, emotions, intents):
        corpus(source, target)
