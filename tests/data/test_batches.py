import gc
import tempfile
import weakref
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tiny import build_tokenizer
from tfnlp._backend import tf
from tfnlp.data.batches import (
    Target,
    bucket_lengths,
    build_dataset,
    count_groups,
    num_batches,
    token_batches,
)
from tfnlp.data.row_source import RowSource
from tfnlp.preprocessor import Preprocessor
from tfnlp.rows import Column, Rows
from tfnlp.tokenization.tokenizer import Tokenizer

TARGETS = {"logits": Target(per_element=True)}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    hf = build_tokenizer("bert", tmp_path_factory.mktemp("bert"))
    hf.model_input_names = ["input_ids", "attention_mask"]
    hf.pad_token_id = 5
    return Tokenizer(hf)


def rows_of(lengths, is_stream=False):
    def read():
        for start in range(0, len(lengths), 4):
            part = lengths[start : start + 4]
            splits = np.cumsum([0, *part])
            ids = np.repeat(np.arange(start, start + len(part)), part).astype(np.int32) + 10
            record = np.arange(len(part), dtype=np.int32)
            yield Rows({"input_ids": Column(ids, splits)}, record, {"logits": Column(ids * 0, splits)})

    return RowSource(read, is_stream)


def batches_of(tokenizer, lengths, **options):
    options = {"batch_size": 3, "longest": 40, "shuffle": False, "seed": 0} | options
    return list(build_dataset(rows_of(lengths), tokenizer, TARGETS, **options))


@pytest.mark.parametrize("max_length", [1, 8, 9, 64, 512, 513, 700, 4096])
def test_buckets_end_at_the_longest_row(max_length):
    lengths = bucket_lengths(max_length)
    assert lengths == sorted(set(lengths))
    assert lengths[-1] == max_length


def test_batches_are_padded_to_their_bucket(tokenizer):
    lengths = [3, 8, 9, 16, 30, 5, 40, 2]
    found = batches_of(tokenizer, lengths)
    seen = []
    for features, labels in found:
        ids = features["input_ids"].numpy()
        assert ids.shape[1] in bucket_lengths(40)
        mask = features["attention_mask"].numpy() == 1
        assert (ids[~mask] == 5).all()
        assert (labels["logits"].numpy()[~mask] == -100).all()
        seen += [(int(row[0]) - 10, int(kept.sum())) for row, kept in zip(ids, mask, strict=True)]
    assert sorted(seen) == list(enumerate(lengths))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=40), st.integers(1, 7))
def test_batches_are_counted_before_they_are_made(lengths, batch_size):
    counts = count_groups(rows_of(lengths), 40)
    per_bucket = np.bincount(np.searchsorted(bucket_lengths(40), lengths), minlength=len(counts))
    assert counts.tolist() == per_bucket.tolist()
    assert num_batches(counts, batch_size) == sum(-(-count // batch_size) for count in per_bucket)


def test_the_count_is_that_of_the_dataset(tokenizer):
    lengths = [3, 8, 9, 16, 30, 5, 40, 2, 7, 7, 7]
    assert len(batches_of(tokenizer, lengths, shuffle=True)) == num_batches(count_groups(rows_of(lengths), 40), 3)


def test_the_seed_decides_the_order_and_epochs_differ(tokenizer):
    lengths = [6] * 50

    def epochs(seed):
        rows = rows_of(lengths)
        dataset = build_dataset(rows, tokenizer, TARGETS, batch_size=4, longest=40, shuffle=True, seed=seed)
        return [[f["input_ids"].numpy()[:, 0].tolist() for f, _ in dataset] for _ in range(2)]

    first = epochs(1)
    assert first == epochs(1)
    assert first != epochs(2)
    assert first[0] != first[1]


def test_rows_live_as_long_as_what_reads_them(tokenizer):
    def opened():
        rows = rows_of([6] * 5, is_stream=True)
        dataset = build_dataset(rows, tokenizer, TARGETS, batch_size=2, longest=40, shuffle=True, seed=0)
        return weakref.ref(rows), iter(dataset.repeat(2))

    def count_all():
        kept, batches = opened()
        gc.collect()
        return kept, len(list(batches))

    kept, count = count_all()
    gc.collect()
    assert count == 6
    assert kept() is None


def test_groups_of_rows_stay_together(tokenizer):
    sizes, lengths = [2, 3, 1, 2], [3, 4, 12, 2, 5, 7, 9, 9]
    groups, splits = np.cumsum([0, *sizes]), np.cumsum([0, *lengths])
    ids = np.repeat(np.arange(8), lengths).astype(np.int32)
    target = Column(np.arange(8, dtype=np.float32))
    chunk = Rows({"input_ids": Column(ids, splits)}, np.arange(8, dtype=np.int32), {"logits": target}, groups)
    rows = RowSource(lambda: [chunk], is_stream=False)
    targets = {"logits": Target(with_group=True, dtype="float32")}
    options = {"batch_size": 2, "longest": 40, "seed": 0}
    assert count_groups(rows, 40).tolist()[:2] == [2, 2]
    second, first = build_dataset(rows, tokenizer, targets, shuffle=False, **options)
    assert first[1]["logits"].numpy().tolist() == [[0, 2], [0, 3], [0, 4], [1, 6], [1, 7]]
    assert first[0]["input_ids"].shape == (5, 16)
    assert second[0]["input_ids"].numpy()[:, 0].tolist() == [0, 1, 5]
    for features, gold in build_dataset(rows, tokenizer, targets, shuffle=True, **options):
        assert features["input_ids"].numpy()[:, 0].tolist() == gold["logits"].numpy()[:, 1].tolist()


def test_targets_have_lengths_of_their_own(tokenizer):
    lengths, answers = [3, 4, 20], [9, 1, 2]
    splits, gold = np.cumsum([0, *lengths]), np.cumsum([0, *answers])
    rows = Rows(
        {"input_ids": Column(np.ones(splits[-1], np.int32), splits)},
        np.arange(3, dtype=np.int32),
        {"letters": Column(np.arange(gold[-1], dtype=np.int32), gold)},
    )
    source = RowSource(lambda: [rows], is_stream=False)
    targets = {"letters": Target(is_ragged=True)}
    found = list(build_dataset(source, tokenizer, targets, batch_size=2, longest=20, shuffle=False, seed=0))
    short = next(gold["letters"].numpy() for features, gold in found if features["input_ids"].shape[1] == 8)
    assert short.tolist() == [[*range(9)], [9, *[-100] * 8]]


class Pictures(Preprocessor):
    """Rows of one size."""

    specs: ClassVar = {"pixel_values": tf.TensorSpec([3, 2, 2], tf.float32)}

    def check(self, samples):
        raise NotImplementedError

    def save(self, directory):
        raise NotImplementedError


def test_rows_of_one_size():
    pixels = np.arange(60, dtype=np.float32).reshape(5, 3, 2, 2)
    gold = Column(np.arange(5, dtype=np.int32))
    rows = Rows({"pixel_values": Column(pixels)}, np.arange(5, dtype=np.int32), {"logits": gold})
    source = RowSource(lambda: [rows], is_stream=False)
    assert num_batches(count_groups(source, 1), 2) == 3
    options = {"batch_size": 2, "longest": 1, "shuffle": False, "seed": 0}
    found = list(build_dataset(source, Pictures(), {"logits": Target()}, **options))
    assert [gold["logits"].numpy().tolist() for _, gold in found] == [[0, 1], [2, 3], [4]]
    np.testing.assert_array_equal(np.concatenate([features["pixel_values"] for features, _ in found]), pixels)


def test_rows_of_a_list_are_kept_and_those_of_a_stream_are_not():
    calls = []

    def read():
        calls.append(1)
        yield from rows_of([3]).read()

    for is_stream, expected in ((False, 1), (True, 2)):
        calls.clear()
        source = RowSource(read, is_stream)
        assert len(list(source)) == len(list(source)) == 1
        assert len(calls) == expected


def test_rows_of_a_stream_are_kept_in_a_file_that_goes_with_them(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made = rows_of([3, 0, 2, 5, 1], is_stream=True)
    calls = []
    source = RowSource(lambda: calls.append(1) or made.read(), is_stream=True, keeps_stream=True)
    first, second = iter(source), iter(source)  # read at the same time
    for one, other, expected in zip(first, second, made, strict=True):
        for found in (one, other):
            for ours, theirs in zip(tf.nest.flatten(found), tf.nest.flatten(expected), strict=True):
                np.testing.assert_array_equal(ours, theirs)
    assert len(calls) == 1
    assert len(list(tmp_path.glob("*/rows"))) == 1
    del source, first, second
    gc.collect()
    assert not list(tmp_path.iterdir())


@given(st.lists(st.integers(1, 600), max_size=50), st.integers(1, 2048))
def test_token_batches_hold_every_row_once_within_the_budget(lengths, budget):
    lengths = np.array(lengths, np.int64)
    found = list(token_batches(lengths, budget))
    assert sorted(np.concatenate(found).tolist() if found else []) == list(range(len(lengths)))
    for rows in found:
        assert len(rows) == 1 or len(rows) * lengths[rows].max() <= budget
