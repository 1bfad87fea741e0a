"""How the answers of a token classifier are compared with gold labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfnlp.data.files import Record
from tfnlp.labels import OUTSIDE, Span
from tfnlp.reports import Report
from tfnlp.rows import Rows, as_numpy
from tfnlp.tasks.token_classification.gold import gold_of, parts
from tfnlp.tasks.token_classification.metrics import TaggingScores, token_losses
from tfnlp.tasks.token_classification.sequences import path_losses
from tfnlp.tokenization import alignment


def evaluate(task: Any, records: Any, *, mode: str = "default") -> Report:
    """Compare what `predict` answers with gold labels, entity by entity and word by word.

    Args:
        records: a file, a list of records, a table or a dataset, with labels.
        mode: `default` reads entities as conlleval does, `strict` only well-formed ones; both as in seqeval.

    Returns:
        A report: print it for a table, `to_json()` for a file.

    Raises:
        DataError: if a record can't be used.
        LabelError: if a label is not one of the model's.
    """
    source = task.source(records)
    scores = TaggingScores(entities=task.known_labels.are_tags, mode=mode)
    for start, part in parts(source, task.answered_together):
        asked = task.ask(part)
        rows = as_numpy(asked.rows)
        gold = gold_of(task, part, rows, source, start)
        for i, record in enumerate(part):
            entities = _found(asked.answers, i, only_begun=mode == "strict")
            _score(task, scores, record, gold.tags.bounds[i], gold.tags.names[i], entities)
        scores.add_losses(_losses(task, asked.outputs["logits"].values, gold.token_labels, rows))
    return scores.report()


def _losses(task: Any, logits: np.ndarray, labels: np.ndarray, rows: Rows) -> np.ndarray:
    if task.settings.decoding == "crf":
        return path_losses(logits, labels, rows.splits, task.crf.scores)
    return token_losses(logits, labels)


def _score(
    task: Any,
    scores: TaggingScores,
    record: Record,
    bounds: np.ndarray,
    gold: Sequence[str | None],
    predicted: list[Span],
) -> None:
    """Count what is right in a record: `gold` are its words' labels, `predicted` its entities in characters."""
    answer = alignment.tag_words(bounds, predicted).tags
    labels = task.known_labels
    if not labels.are_tags or task.settings.aggregation == "none":
        default = OUTSIDE if OUTSIDE in labels.ids else labels.names[0]
        answer = [default] * len(bounds)
        # Entities are named as in transformers' pipeline, which takes what stands before a hyphen for a prefix.
        label_of = {name.split("-", 1)[-1]: name for name in labels.names}
        for span in predicted:
            for word in np.flatnonzero((bounds[:, 0] < span.end) & (bounds[:, 1] > span.start)).tolist():
                answer[word] = span.label if span.label in labels.ids else label_of[span.label]
    known = [i for i, name in enumerate(gold) if name is not None]
    gold_labels, answers = [str(gold[i]) for i in known], [answer[i] or OUTSIDE for i in known]
    if "spans" in record and task.settings.aggregation != "none":
        scores.update_spans(record["spans"], predicted, gold_labels, answers)
    else:
        scores.update(gold_labels, answers)


def _found(answers: dict[str, np.ndarray], i: int, *, only_begun: bool) -> list[Span]:
    """Return the entities of record `i`; `only_begun`: those whose first label says that they begin."""
    count = answers["num_entities"][i]
    columns = (answers[name][i, :count].tolist() for name in ("entity_label", "entity_start", "entity_end", "begins"))
    return [
        Span(label.decode(), start, end)
        for label, start, end, begins in zip(*columns, strict=True)
        if begins or not only_begun
    ]
