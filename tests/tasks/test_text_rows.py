"""Python and graph must agree on what the outputs of a text are, in every way of cutting long ones."""

import numpy as np
import pytest

from tests.tiny import LONG_TEXT, TEXTS
from tfnlp._backend import tf
from tfnlp.tasks.text_rows import TextRows
from tfnlp.tokenization.tokenizer import Tokenizer

SHORT = [text[:8] for text in TEXTS]


@pytest.fixture(scope="module")
def tokenizer(checkpoints):
    return Tokenizer.from_pretrained(checkpoints["bert"])


@pytest.fixture(scope="module")
def forward(tokenizer):
    """A network that counts a row's tokens, and adds their ids up."""
    signature = {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in tokenizer.input_names}

    @tf.function(input_signature=[signature])
    def sums(features):
        mask = features["attention_mask"]
        columns = [tf.reduce_sum(mask, 1), tf.reduce_sum(features["input_ids"] * mask, 1)]
        return {"sums": tf.cast(tf.stack(columns, 1), tf.float32)}

    return sums


@pytest.mark.parametrize("windows", ["mean", "first"])
@pytest.mark.parametrize("truncation", [None, "only_second", "only_first", "longest_first"])
def test_python_equals_the_graph(tokenizer, forward, windows, truncation):
    rows = TextRows(tokenizer, 24, 6, truncation or "only_second", windows)
    texts = [LONG_TEXT, *TEXTS[:3], LONG_TEXT]
    pairs = {None: [texts], "only_second": [SHORT[:5], texts], "only_first": [texts, SHORT[:5]]}
    inputs = pairs.get(truncation, [texts, texts])
    encoded = rows.encode(*inputs)
    found = rows.outputs(forward, encoded, len(texts))["sums"]
    np.testing.assert_allclose(
        found, rows.outputs_in_graph(forward, *map(tf.constant, inputs))["sums"].numpy(), rtol=1e-6
    )
    is_cut = truncation == "longest_first" or windows == "first"
    assert (encoded.num_rows == len(texts)) == is_cut
    lengths = [encoded.lengths[encoded.row_to_record == text] for text in range(len(texts))]
    assert found[:, 0].tolist() == pytest.approx([length.mean() for length in lengths])


def test_the_first_window_is_the_beginning(tokenizer):
    every = TextRows(tokenizer, 24, 6).encode([LONG_TEXT])
    first = TextRows(tokenizer, 24, 6, windows="first").encode([LONG_TEXT])
    assert first.input_ids.tolist() == every.input_ids[: every.splits[1]].tolist()
