"""Against transformers' own pipeline, run on scores that are made up."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfnlp._backend import tf
from tfnlp.tasks.token_classification.decoding import EntityDecoder
from tfnlp.tasks.token_classification.settings import AGGREGATIONS
from tfnlp.tasks.token_classification.units import TokenScores

LABELS = ["O", "B-creative-work", "I-creative-work", "B-PER", "plain"]


class Pipeline:
    """The parts of transformers' pipeline that turn scores into entities, without a model."""

    def __init__(self):
        from transformers.pipelines.token_classification import AggregationStrategy, TokenClassificationPipeline

        self.strategies = AggregationStrategy
        self.code = TokenClassificationPipeline.__new__(TokenClassificationPipeline)
        self.code.model = SimpleNamespace(config=SimpleNamespace(id2label=dict(enumerate(LABELS))))
        self.code.tokenizer = SimpleNamespace(convert_tokens_to_string=" ".join)

    def entities(self, windows, aggregation):
        strategy = self.strategies(aggregation)
        found = []
        for window in windows:
            grouped = self.code.aggregate(window, strategy)
            found += [entity for entity in grouped if entity.get("entity_group", entity.get("entity")) != "O"]
        found = self.code.aggregate_overlapping_entities(found) if len(windows) > 1 else found
        return [
            (e.get("entity_group", e.get("entity")), e["start"], e["end"], pytest.approx(float(e["score"]), abs=1e-6))
            for e in found
        ]


@st.composite
def records_of_windows(draw):
    """For each record, windows of tokens `(start, end, is_subword, scores)`."""
    source = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    records = []
    for _ in range(draw(st.integers(1, 3))):
        size, width = draw(st.integers(0, 12)), draw(st.integers(2, 6))
        stride = draw(st.integers(0, width - 1))
        bounds = [(3 * k, 3 * k + draw(st.integers(1, 3)), draw(st.booleans())) for k in range(size)]
        windows, start = [], 0
        while True:
            windows.append(
                [(*bound, source.dirichlet([0.3] * 5).astype(np.float32)) for bound in bounds[start : start + width]]
            )
            if start + width >= size:
                break
            start += width - stride
        records.append(windows)
    return records


@given(records_of_windows(), st.sampled_from(AGGREGATIONS))
def test_entities_equal_the_pipeline_s(records, aggregation):
    pipeline = Pipeline()
    expected = [
        pipeline.entities(
            [
                [
                    {"word": "w", "scores": s, "start": a, "end": b, "index": i, "is_subword": sub}
                    for i, (a, b, sub, s) in enumerate(window)
                ]
                for window in windows
            ],
            aggregation,
        )
        for windows in records
    ]
    flat = [
        (start, end, sub, scores, row, record)
        for record, windows in enumerate(records)
        for row, window in enumerate(windows, start=sum(map(len, records[:record])))
        for start, end, sub, scores in window
    ]
    columns = list(zip(*flat, strict=True)) or [()] * 6
    tokens = TokenScores(
        scores=tf.reshape(tf.constant(np.array(columns[3], np.float32)), [-1, 5]),
        starts=tf.constant(columns[0], tf.int32),
        ends=tf.constant(columns[1], tf.int32),
        rows=tf.constant(columns[4], tf.int32),
        records=tf.constant(columns[5], tf.int32),
        is_subword=tf.constant(columns[2], tf.bool),
    )
    decoder = EntityDecoder(LABELS, aggregation)
    found = decoder(tokens)
    ours = [[] for _ in records]
    for label, score, start, end, record in zip(
        found.labels.numpy(), found.scores.numpy(), found.starts.numpy(), found.ends.numpy(), found.records.numpy(),
        strict=True,
    ):  # fmt: skip
        ours[record].append((decoder.names[label], start, end, score))
    assert ours == expected
