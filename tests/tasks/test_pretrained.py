import numpy as np
import pytest

import tfnlp
from tests.tiny import TEXTS
from tfnlp import SequenceClassifier, TextEncoder, TokenClassifier
from tfnlp.errors import ArgumentError

NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def training_logits(task):
    rows = task.tokenizer.hf(TEXTS, padding=True, return_tensors="np")
    return [task.head(dict(rows), training=training).logits.numpy() for training in (False, True)]


def test_options_of_the_network_change_it(checkpoints, tmp_path):
    asked, trained = training_logits(TokenClassifier.from_pretrained(checkpoints["bert"]))
    assert np.abs(asked - trained).max() > 1e-3  # dropout
    task = TokenClassifier.from_pretrained(checkpoints["bert"], **NO_DROPOUT)
    without = training_logits(task)
    np.testing.assert_array_equal(without[0], asked)
    np.testing.assert_allclose(without[1], asked, atol=1e-6)
    task.save(tmp_path / "saved")
    assert tfnlp.load(tmp_path / "saved").config.hidden_dropout_prob == 0.0


def test_options_have_the_names_of_the_architecture(checkpoints):
    task = TokenClassifier.from_pretrained(
        checkpoints["distilbert"], dropout=0.0, attention_dropout=0.0, num_hidden_layers=1
    )
    np.testing.assert_allclose(*training_logits(task), atol=1e-6)
    assert task.config.n_layers == task.config.num_hidden_layers == 1


@pytest.mark.parametrize(
    ("task", "options", "message"),
    [
        (
            TokenClassifier,
            {"hidden_dropout": 0.0},
            r"`hidden_dropout` is no option of a TokenClassifier, nor of the network's configuration. "
            r"Did you mean 'hidden_dropout_prob'\?",
        ),
        (SequenceClassifier, {"label": ["a", "b"]}, r"`label` is no .* Did you mean 'labels'\?"),
        (TextEncoder, {"vocab_size": 7}, "`vocab_size` is no option of a TextEncoder"),
        (TokenClassifier, {"num_labels": 7}, "`num_labels` is no option of a TokenClassifier"),
    ],
)
def test_unknown_options(checkpoints, task, options, message):
    with pytest.raises(ArgumentError, match=message):
        task.from_pretrained(checkpoints["bert"], **options)
