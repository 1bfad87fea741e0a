"""Records of pairs of texts, with a score each, or of texts that belong together. Knows no tokenizer."""

from __future__ import annotations

import math
from collections.abc import Iterator

from tfnlp.data.files import Record
from tfnlp.data.problems import text_problem
from tfnlp.data.sources import Layout, Source, checked
from tfnlp.data.tables import read_examples

LAYOUT = Layout(
    read=read_examples,
    synonyms={
        "sentence": "text", "sentence1": "text", "premise": "text", "anchor": "text", "query": "text",
        "sentence2": "text_pair", "hypothesis": "text_pair", "positive": "text_pair",
        "labels": "label", "score": "label", "similarity": "label", "similarity_score": "label",
    },
    classes="",
    pair=lambda first, second: {"text": first, "text_pair": second},
    options=frozenset({"columns", "separator", "rename", "encoding", "on_error"}),
)  # fmt: skip


def has_scores(source: Source) -> bool:
    """Tell whether pairs come with scores; the first record says."""
    return _score(next(iter(source), {})) is not None


def checked_pairs(source: Source, *, scored: bool) -> Iterator[Record]:
    """Yield the records of a source, made uniform: `text`, `text_pair`, and `label`, a float.

    Args:
        source: the records.
        scored: whether pairs must have scores; else any that they have are passed over, and `label` is 1.

    Raises:
        DataError: naming the first records that are wrong, and why, or if there are none.
    """

    def problem(record: Record) -> str | None:
        if "negative" in record:
            return "it has a 'negative', which is not known here: pairs teach by the other pairs of their batch."
        for name in ("text", "text_pair"):
            if name not in record:
                return f"expected a pair, 'text' and 'text_pair'; found {sorted(map(str, record))}."
            reason = text_problem(record[name], name)
            if reason is not None:
                return reason
        return _score_problem(record) if scored else None

    def uniform(record: Record) -> Record:
        score = float(record["label"]) if scored else 1.0
        return {"text": record["text"], "text_pair": record["text_pair"], "label": score}

    return checked(source, problem, uniform)


def _score(record: Record) -> object:
    label = record.get("label")
    return None if isinstance(label, float) and math.isnan(label) else label


def _score_problem(record: Record) -> str | None:
    score = _score(record)
    if score is None:
        return "`label` is missing: the similarity of the two."
    try:
        value = float(str(score))
    except ValueError:
        return f"`label` must be a number, the similarity of the two; found {score!r:.80}."
    return None if math.isfinite(value) else f"`label` must be a finite number; found {score!r:.80}."
