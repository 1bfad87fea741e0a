"""Records of labelled words, or of texts with labelled spans, as rows and the label of each word."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from tfnlp.data.pipeline import CHUNK, chunked
from tfnlp.data.readers import Record
from tfnlp.data.sources import Source
from tfnlp.errors import LabelError
from tfnlp.labels import IGNORE_ID, LabelMap, Span
from tfnlp.tasks.token_classification.records import checked_tokens
from tfnlp.tokenization import alignment
from tfnlp.tokenization.encoded import Encoded

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class WordLabels:
    """Some records.

    Attributes:
        encoded: their rows.
        label_ids: of each word of each record; -100 where a span covers it in part.
    """

    encoded: Encoded
    label_ids: list[list[int]]


def read_word_labels(
    records: Source, labels: LabelMap, encode: Callable[[Sequence[Any]], Encoded]
) -> Iterator[WordLabels]:
    """Read labelled records, chunk by chunk; spans that can't be aligned with words are counted and reported.

    Args:
        records: of `words` and `labels`, or of `text` and `spans`.
        labels: by which words are labelled.
        encode: makes rows of texts, or of lists of words.

    Raises:
        DataError: if a record can't be used.
        LabelError: if a label is not among `labels`.
    """
    unaligned: list[Span] = []  # the first few
    num_unaligned, number = 0, 1
    for chunk in chunked(checked_tokens(records), CHUNK):
        for is_words, group in groupby(chunk, key=lambda record: "words" in record):
            found = list(group)
            if is_words:
                encoded, names = encode([record["words"] for record in found]), [record["labels"] for record in found]
            else:
                encoded, names, misplaced = _tagged_texts(found, encode)
                num_unaligned += len(misplaced)
                unaligned = [*unaligned, *misplaced][:3]
            yield WordLabels(encoded, _label_ids(names, labels, f"{records.name}: record", number))
            number += len(found)
    if unaligned:
        logger.warning(
            "%s: %d spans do not begin and end where words do; the words that they touch are left out of training and "
            "evaluation. The first: %s", records.name, num_unaligned, unaligned,
        )  # fmt: skip


def _tagged_texts(
    records: Sequence[Record], encode: Callable[[Sequence[Any]], Encoded]
) -> tuple[Encoded, list[Sequence[str | None]], list[Span]]:
    """Return the rows of texts, the tag of each word of each text, and the spans that words don't show."""
    texts = [record["text"] for record in records]
    encoded = encode(texts)
    bounds = alignment.word_bounds(encoded, texts)
    tagged = [alignment.tag_words(words, record["spans"]) for record, words in zip(records, bounds, strict=True)]
    return encoded, [found.tags for found in tagged], [span for found in tagged for span in found.unaligned]


def _label_ids(names: Sequence[Sequence[str | None]], labels: LabelMap, where: str, start: int) -> list[list[int]]:
    for number, found in enumerate(names, start):
        unknown = next((name for name in found if name is not None and name not in labels.ids), None)
        if unknown is not None:
            raise LabelError(f"{where} {number}: {labels.unknown(unknown)}")
    return [[IGNORE_ID if name is None else labels.ids[name] for name in found] for found in names]
