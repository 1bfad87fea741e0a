"""The gold labels of records, for training and for evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tfnlp.data.batches import chunked
from tfnlp.data.files import Record
from tfnlp.data.sources import Source
from tfnlp.rows import Rows
from tfnlp.tasks.prediction import alike
from tfnlp.tasks.token_classification.records import checked_tokens
from tfnlp.tasks.token_classification.rows import WordTags, label_ids, word_tags
from tfnlp.tokenization import alignment


class Gold(NamedTuple):
    """The labels of some records.

    Attributes:
        tags: of their words.
        token_labels: label ids of all tokens, -100 for none: as where a span covers a word in part. Shape `(tokens,)`.
    """

    tags: WordTags
    token_labels: np.ndarray


def parts(records: Source, together: int) -> Iterator[tuple[int, list[Record]]]:
    """Yield records, many of one kind at a time, after the number of the first."""
    number = 1
    for part in alike(chunked(checked_tokens(records), together)):
        yield number, part
        number += len(part)


def gold_of(task: Any, records: list[Record], rows: Rows, source: Source, start: int) -> Gold:
    """Return the labels of records.

    Args:
        task: that has labels.
        records: all of words, or all of running text.
        rows: of them; NumPy arrays.
        source: where they are from, for messages.
        start: the number of the first there.

    Raises:
        LabelError: if a label is not one of the task's.
    """
    tags = word_tags(records, rows)
    ids = label_ids(tags.names, task.known_labels, f"{source.name}: record", start)
    return Gold(tags, alignment.token_labels(rows, ids, all_tokens=task.settings.label_all_tokens))
