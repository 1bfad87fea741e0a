"""What a token classifier learns of training data, before it trains and then.

The functions are methods of `TokenClassifier`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tfnlp.data.batches import CHUNK, chunked
from tfnlp.data.sources import Source
from tfnlp.errors import ArgumentError, DataError
from tfnlp.labels import LabelMap, Span, well_formed
from tfnlp.rows import Column, Rows
from tfnlp.tasks.learned import Learned
from tfnlp.tasks.token_classification.gold import gold_of, parts
from tfnlp.tasks.token_classification.records import checked_tokens
from tfnlp.tasks.token_classification.rows import word_tags
from tfnlp.tasks.token_classification.settings import Decoding, Grouping

logger = logging.getLogger(__name__)

_MISPLACED = 0.05  # of all spans: from then on, spans do not follow words, and each token is labelled by itself


def learn(task: Any, records: Source) -> Learned:
    """Take the labels from training data, if they are unknown, and whether spans follow words."""
    labels, settings = task.learned.labels, task.settings
    if labels.labels is None:
        labels = labels.named(_labels_of(records).names, task.checkpoint)
    if settings.grouping is None:
        settings = replace(settings, grouping=_grouping_of(task, records))
    check_decoding(settings.decoding, labels.known)
    if settings.decoding != "argmax" and labels.known.are_tags:
        _check_order(records, labels.known)
    return Learned(settings, labels)


def _check_order(records: Source, labels: LabelMap) -> None:
    """Raise `DataError` if many tags follow each other as they would never be answered: those of IOB1, for example."""
    starts, _, steps = well_formed(labels.names)
    num_wrong = num_inside = 0
    for record in checked_tokens(records):
        tags = [labels.ids.get(name) for name in record.get("labels", ())]
        for before, after in zip([None, *tags], tags, strict=False):
            if after is None or starts[after]:
                continue
            num_inside += 1
            num_wrong += not (before is not None and steps[before][after])
    if num_wrong > _MISPLACED * num_inside:
        raise DataError(
            f"{records.name}: {num_wrong} of {num_inside} tags that go on with an entity follow none, as in IOB1, "
            "where an entity may begin with `I-`. Labels that are chosen together must be IOB2 or BIOES: rewrite them "
            "by `tfnlp.labels.to_iob2`, or read them from a CoNLL file, where this is done."
        )


def training_rows(task: Any, records: Source) -> Iterator[Rows]:
    """Yield labelled rows; spans that can't be aligned are left unlabelled, counted and reported."""
    unaligned: list[Span] = []  # the first few
    num_unaligned = 0
    for start, part in parts(records, CHUNK):
        rows = task.rows_of(part)
        gold = gold_of(task, part, rows, records, start)
        num_unaligned += len(gold.tags.unaligned)
        unaligned = [*unaligned, *gold.tags.unaligned][:3]
        yield rows._replace(targets={"logits": Column(gold.token_labels, rows.splits)})
    if unaligned:
        logger.warning(
            "%s: %d spans do not begin and end where %s do; what they touch is left out of training. The first: %s",
            records.name, num_unaligned, task.settings.grouping or "words", unaligned,
        )  # fmt: skip


def check_decoding(decoding: Decoding, labels: LabelMap) -> None:
    """Raise `ArgumentError` if labels that follow each other freely are to be constrained."""
    if decoding == "constrained" and not labels.are_tags:
        raise ArgumentError(
            f"`decoding='constrained'` keeps tags of entities well formed, as `B-PER`, `I-PER` and `O`; the labels are "
            f"{list(labels.names)[:6]}. Leave it out, or pass 'crf'."
        )


def _labels_of(records: Source) -> LabelMap:
    """Return the labels that training data holds: those of words, or the types of spans as IOB2 tags."""
    names: set[str] = set()
    for record in checked_tokens(records):
        names.update(record.get("labels", ()))
        for span in record.get("spans", ()):
            names.update(("O", f"B-{span.label}", f"I-{span.label}"))
    labels = LabelMap.from_tags(names)
    logger.info("labels of %s: %s", records.name, ", ".join(labels.names))
    return labels


def _grouping_of(task: Any, records: Source) -> Grouping:
    """Return whether spans begin and end where words do, or only where tokens do."""
    misplaced, num_spans = _misplaced(task, records, "words")
    allowed = _MISPLACED * num_spans
    if misplaced <= allowed or misplaced - _misplaced(task, records, "tokens")[0] <= allowed:
        return "words"
    logger.info(
        "%s: %d of %d spans begin or end within words, so each token is labelled by itself",
        records.name, misplaced, num_spans,
    )  # fmt: skip
    return "tokens"


def _misplaced(task: Any, records: Source, grouping: Grouping) -> tuple[int, int]:
    """Count the spans that words of a grouping don't show, and all spans."""
    settings = replace(task.settings, grouping=grouping)
    misplaced = num_spans = 0
    for chunk in chunked((r for r in checked_tokens(records) if r.get("spans")), CHUNK):
        misplaced += len(word_tags(chunk, task.rows_of(chunk, settings)).unaligned)
        num_spans += sum(len(record["spans"]) for record in chunk)
    return misplaced, num_spans
