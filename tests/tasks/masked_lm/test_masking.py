import numpy as np
import pytest

from tfnlp.labels import IGNORE_ID
from tfnlp.tasks.masked_lm.masking import Masking

MASKING = Masking(probability=0.15, mask_id=4, num_tokens=1000)


def hidden(units, seed=0):
    ids = np.full(units.shape, 500, np.int32)
    uniform = np.random.default_rng(seed).random((*units.shape, 3), np.float32)
    return [found.numpy() for found in MASKING(ids, units, uniform)]


def test_the_shares_of_bert_s_recipe():
    units = np.tile(np.arange(500, dtype=np.int32), (400, 1))
    found, labels = hidden(units)
    is_chosen = labels != IGNORE_ID
    assert (labels[is_chosen] == 500).all()
    assert (found[~is_chosen] == 500).all()
    assert is_chosen.mean() == pytest.approx(0.15, abs=0.005)
    assert (found[is_chosen] == 4).mean() == pytest.approx(0.8, abs=0.01)
    assert (found[is_chosen] == 500).mean() == pytest.approx(0.1, abs=0.01)
    others = found[is_chosen & (found != 4) & (found != 500)]
    assert others.min() < 20 and others.max() > 980 and others.max() < 1000


def test_words_are_hidden_whole():
    units = np.repeat(np.arange(300, dtype=np.int32), 3)[None]
    _, labels = hidden(units)
    is_chosen = (labels != IGNORE_ID).reshape(-1, 3)
    assert 10 < is_chosen.all(1).sum() == is_chosen.any(1).sum()


def test_special_tokens_stay():
    units = np.full((50, 50), IGNORE_ID, np.int32)
    units[:, 25] = 7
    _, labels = hidden(units)
    assert (np.delete(labels, 25, 1) == IGNORE_ID).all()
    assert (labels[:, 25] != IGNORE_ID).any()
