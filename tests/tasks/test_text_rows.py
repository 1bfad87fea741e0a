import numpy as np
import pytest

from tests.tiny import LONG_TEXT, TEXTS
from tfnlp._backend import tf
from tfnlp.rows import Column, as_numpy
from tfnlp.tasks.text_rows import mean_of_rows, text_rows
from tfnlp.tokenization.tokenizer import Tokenizer

SHORT = [text[:8] for text in TEXTS]


@pytest.fixture(scope="module")
def tokenizer(checkpoints):
    return Tokenizer.from_pretrained(checkpoints["bert"])


@pytest.mark.parametrize("windows", ["mean", "first"])
@pytest.mark.parametrize("truncation", [None, "only_second", "only_first", "longest_first"])
def test_rows_of_long_texts(tokenizer, windows, truncation):
    """In every way of cutting long texts, in a graph and outside of it."""
    texts = [LONG_TEXT, *TEXTS[:3], LONG_TEXT]
    pairs = {None: [texts], "only_second": [SHORT[:5], texts], "only_first": [texts, SHORT[:5]]}
    inputs = pairs.get(truncation, [texts, texts])
    options = {"max_length": 24, "stride": 6, "truncation": truncation or "only_second", "windows": windows}
    rows = as_numpy(text_rows(tokenizer, *inputs, **options))
    graph = tf.function(lambda *given: text_rows(tokenizer, *given, **options), autograph=False)
    tf.nest.map_structure(np.testing.assert_array_equal, rows, as_numpy(graph(*map(tf.constant, inputs))))
    is_cut = truncation == "longest_first" or windows == "first"
    assert (rows.num_rows == len(texts)) == is_cut
    found = mean_of_rows(Column(rows.lengths.astype(np.float32)), rows, len(texts))
    lengths = [rows.lengths[rows.row_to_record == text] for text in range(len(texts))]
    assert found.numpy().tolist() == pytest.approx([length.mean() for length in lengths])


def test_the_first_window_is_the_beginning(tokenizer):
    every, first = (
        as_numpy(text_rows(tokenizer, [LONG_TEXT], max_length=24, stride=6, windows=windows))
        for windows in ("mean", "first")
    )
    assert first.values("input_ids").tolist() == every.values("input_ids")[: every.splits[1]].tolist()
