"""Labels of a text chosen together: constrained, and by a conditional random field."""

import dataclasses
import itertools
import logging
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfnlp
from tests.marks import slow_case
from tests.tiny import LABELS, LONG_TEXT, RECORDS, TEXTS, build_learner
from tfnlp import TokenClassifier
from tfnlp._backend import keras, tf
from tfnlp.errors import ArgumentError, CheckpointError, DataError
from tfnlp.labels import LabelMap, tags_to_spans, tags_to_spans_strictly, well_formed
from tfnlp.networks.crf import Transitions, best_path, marginals
from tfnlp.tasks.token_classification.sequences import choose_together, constrained, joined
from tfnlp.tasks.token_classification.transitions import counted
from tfnlp.tasks.token_classification.units import TokenScores
from tfnlp.training.recipe import Recipe


@pytest.fixture(scope="module")
def crf_tagger(tmp_path_factory):
    task = build_learner("bert", tmp_path_factory.mktemp("crf"), decoding="crf")
    losses = task.fit(RECORDS, epochs=50, learning_rate=1e-2, batch_size=5, verbose=0).history["loss"]
    assert losses[-1] < 0.05 * losses[0]
    return task


@pytest.mark.parametrize(
    ("letters", "grammar"),
    [
        ({"O": "o", "B-PER": "b", "I-PER": "i", "B-LOC": "B", "I-LOC": "I"}, "(o|bi*|BI*)*"),
        (
            {"B-PER": "b", "I-PER": "i", "E-PER": "e", "S-PER": "s", "O": "o", "B-X": "B", "L-X": "L", "M-X": "M", "U-X": "U"},
            "(o|bi*e|s|BM*L|U)*",
        ),
        ({"I-PER": "i", "O": "o", "I-LOC": "I", "B-LOC": "B"}, "(o|i|BI*)*"),
    ],
)  # fmt: skip
def test_which_tags_are_well_formed(letters, grammar):
    starts, ends, steps = well_formed(list(letters))
    for tags in itertools.product(range(len(letters)), repeat=4):
        allowed = starts[tags[0]] and ends[tags[-1]] and all(steps[a][b] for a, b in itertools.pairwise(tags))
        path = "".join(list(letters.values())[tag] for tag in tags)
        assert allowed == (re.fullmatch(grammar, path) is not None), path


_FIELD = Transitions(*(np.random.default_rng(5).standard_normal(s).astype(np.float32) for s in ((5,), (5,), (5, 5))))
_UNITS = [tf.TensorSpec([None, 5]), tf.TensorSpec([None], tf.int32)]
_ROWS = [tf.TensorSpec([1, None, 5]), tf.TensorSpec([1, None], tf.bool)]
choose = tf.function(lambda scores, rows: choose_together(scores, rows, _FIELD), input_signature=_UNITS)
choose_alone = tf.function(
    lambda logits, mask: (best_path(logits, mask, _FIELD), marginals(logits, mask, _FIELD)), input_signature=_ROWS
)


@pytest.mark.slow
@given(st.lists(st.integers(1, 9), max_size=8), st.integers(0, 2**32 - 1))
def test_rows_are_chosen_as_if_alone(lengths, seed):
    draw = np.random.default_rng(seed)
    scores = draw.dirichlet([0.5] * 5, sum(lengths)).astype(np.float32).reshape(-1, 5)
    rows = np.repeat(np.arange(len(lengths)) * 3, lengths).astype(np.int32)  # some records have no row
    labels, best = choose(scores, rows)
    for row in np.unique(rows):
        logits = np.log(np.maximum(scores[rows == row], 1e-30))[None]
        mask = np.ones(logits.shape[:2], bool)
        path, chances = (found.numpy()[0] for found in choose_alone(logits, mask))
        assert labels.numpy()[rows == row].tolist() == path.tolist()
        chances = chances[np.arange(len(path)), path]
        np.testing.assert_allclose(best.numpy()[rows == row], chances, atol=1e-5)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=4), st.integers(2, 6), st.data())
def test_windows_are_joined_to_the_tokens_of_their_record(sizes, width, data):
    overlap = data.draw(st.integers(0, width - 1))
    columns, row = [], 0
    for record, size in enumerate(sizes):
        start = 0
        while True:
            columns += [(token, row, record) for token in range(start, min(start + width, size))]
            row += 1
            if start + width >= size:
                break
            start += width - overlap
    token, rows, records = (tf.constant(column, tf.int32) for column in zip(*columns, strict=True))
    given_tokens = TokenScores(tf.zeros([len(columns), 2]), token, token + 1, rows, records, tf.zeros_like(token) > 0)
    found, index = joined(given_tokens, overlap)
    expected = [(record, token) for record, size in enumerate(sizes) for token in range(size)]
    assert list(zip(found.records.numpy().tolist(), found.starts.numpy().tolist(), strict=True)) == expected
    assert found.rows.numpy().tolist() == found.records.numpy().tolist()
    assert tf.gather(token, index).numpy().tolist() == found.starts.numpy().tolist()


@pytest.mark.parametrize("decoding", ["constrained", slow_case("crf")])
def test_tags_are_well_formed_whatever_the_network_says(tmp_path, decoding):
    keep = {"aggregation": "none", "ignore_labels": ()}
    task = build_learner("bert", tmp_path, labels=LABELS, decoding=decoding, max_length=24, stride=6, **keep)
    head = next(weight for weight in task.head.trainable_weights[::-1] if weight.shape == (len(LABELS),))
    head.assign([0.0, 1.0, 3.0, 0.5, 3.1])  # `I` above all
    answers = task.predict([*TEXTS, LONG_TEXT, "", " "])
    for answer in answers:
        tags = [entity.label for entity in answer]
        assert tags_to_spans(tags) == tags_to_spans_strictly(tags)
        assert all(0 < entity.score <= 1 for entity in answer)
    assert len(answers[len(TEXTS)]) == len(task.tokenizer.hf.tokenize(LONG_TEXT))
    by_itself = build_learner("bert", tmp_path, labels=LABELS, max_length=24, stride=6, **keep)
    by_itself.head.set_weights(task.head.get_weights())
    tags = [entity.label for entity in by_itself.predict(TEXTS[0])]
    assert tags_to_spans(tags) != tags_to_spans_strictly(tags)


def test_a_field_is_learned_saved_and_served(crf_tagger, tmp_path, caplog):
    report = crf_tagger.evaluate(RECORDS)
    assert report.f1 == 1.0
    assert report.loss < 0.05
    crf_tagger.save(tmp_path / "saved")
    assert (tmp_path / "saved" / "crf.safetensors").exists()
    with caplog.at_level(logging.WARNING):
        again = tfnlp.load(tmp_path / "saved")
        assert again.predict([*TEXTS, LONG_TEXT]) == crf_tagger.predict([*TEXTS, LONG_TEXT])
    assert not caplog.records
    again.export(tmp_path / "1", samples=TEXTS)
    for weight in again.crf.weights:
        weight.assign(tf.reverse(weight, [0]) * 9)
    assert again.predict(TEXTS) != crf_tagger.predict(TEXTS)
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"](text=tf.constant(TEXTS))
    ours = [[entity.text for entity in answer] for answer in crf_tagger.predict(TEXTS)]
    texts, counts = served["entity_text"].numpy(), served["num_entities"].numpy()
    assert [[text.decode() for text in row[:n]] for row, n in zip(texts, counts, strict=True)] == ours


def test_the_loss_in_training_is_that_of_the_report(crf_tagger):
    batches = crf_tagger.dataset(RECORDS, batch_size=len(RECORDS))
    loss = crf_tagger.loss(Recipe())["logits"]
    total = [float(loss(gold["logits"], crf_tagger.model(features)["logits"])) for features, gold in batches]
    counts = [int((gold["logits"].numpy() >= 0).sum()) for _, gold in batches]
    assert np.average(total, weights=counts) == pytest.approx(crf_tagger.evaluate(RECORDS).loss, rel=1e-4)


@pytest.mark.torch
def test_pytorch_ignores_the_field(crf_tagger, tmp_path):
    torch = pytest.importorskip("torch")
    import transformers

    crf_tagger.save(tmp_path)
    network, report = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["unexpected_keys"]
    encoded = crf_tagger.tokenizer.hf(TEXTS[0], return_tensors="pt")
    with torch.no_grad():
        logits = network(**encoded).logits
    ours = crf_tagger.forward(
        {name: encoded[name].numpy().astype(np.int32) for name in crf_tagger.tokenizer.input_names}
    )
    np.testing.assert_allclose(ours["logits"], logits, atol=1e-4)


@pytest.mark.slow
def test_transitions_start_from_those_of_the_data(tmp_path):
    task = build_learner("bert", tmp_path, decoding="crf")
    task.fit(RECORDS, epochs=1, learning_rate=0.0, verbose=0)
    starts, _, steps = task.crf.get_weights()
    names = task.labels.names
    inside, begin = names.index("I-PER"), names.index("B-PER")
    assert steps[begin, inside] > 0.5 > -0.5 > steps[names.index("O"), inside]
    assert starts[begin] > starts[inside]
    by_hand = counted([np.array([0, -100, 1, 1])], 2)
    np.testing.assert_allclose(np.exp(by_hand[0]), [(2 / 3) / (4 / 9), (1 / 3) / (5 / 9)], rtol=1e-6)
    np.testing.assert_allclose(np.exp(by_hand[2]), [[(1 / 3) / (4 / 9), (2 / 3) / (5 / 9)]] * 2, rtol=1e-6)
    steps = task.crf.get_weights()
    task.fit(RECORDS, epochs=1, learning_rate=1e-3, verbose=0)  # goes on from what is there
    assert all(np.abs(new - old).max() < 0.05 for new, old in zip(task.crf.get_weights(), steps, strict=True))
    assert any(np.abs(new - old).max() > 0 for new, old in zip(task.crf.get_weights(), steps, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(tmp_path, policy):
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(policy)
    try:
        task = build_learner("bert", tmp_path, decoding="crf")
        losses = task.fit(RECORDS, epochs=20, learning_rate=1e-2, batch_size=5, verbose=0).history["loss"]
    finally:
        keras.mixed_precision.set_global_policy(before)
    assert losses[-1] < 0.5 * losses[0]
    assert {weight.dtype for weight in task.crf.weights} == {tf.float32}


@pytest.mark.slow
def test_words_without_an_order_of_tags(tmp_path):
    records = [{"words": ["Ada", "lives"], "labels": ["NOUN", "VERB"]}] * 4
    task = build_learner("bert", tmp_path, labels=["NOUN", "VERB"], decoding="crf")
    task.fit(records, epochs=2, verbose=0)
    assert len(task.predict(["Ada lives"], aggregation="none")[0]) == 2
    with pytest.raises(ArgumentError, match=r"`decoding='constrained'` keeps tags of entities well formed.*'NOUN'"):
        build_learner("bert", tmp_path, labels=["NOUN", "VERB"], decoding="constrained").fit(
            records, epochs=1, verbose=0
        )


def test_tags_of_iob1_can_not_be_learned_together(tmp_path):
    records = [{"words": ["Ada", "Byron", "lives"], "labels": ["I-PER", "I-PER", "O"]}] * 4
    with pytest.raises(DataError, match="4 of 8 tags that go on with an entity follow none, as in IOB1"):
        build_learner("bert", tmp_path, decoding="crf").fit(records, epochs=1, verbose=0)


def test_a_network_that_was_built_follows_its_settings(tmp_path):
    task = build_learner("bert", tmp_path)
    assert len(task.model.weights) == len(task.head.weights)
    task.settings = dataclasses.replace(task.settings, decoding="crf")
    assert len(task.model.weights) == len(task.head.weights) + 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decoding": "viterbi"}, r"`decoding` must be one of \('argmax', 'constrained', 'crf'\); it is 'viterbi'"),
        ({"decoding": "crf", "label_all_tokens": True}, "leave one of the two out"),
    ],
)
def test_settings_that_are_wrong(tmp_path, options, message):
    with pytest.raises(ArgumentError, match=message):
        build_learner("bert", tmp_path, **options)


@pytest.mark.parametrize("recipe", [{"label_smoothing": 0.1}, {"label_weights": {"O": 0.5}}])
def test_recipes_of_single_labels_are_refused(tmp_path, recipe):
    task = build_learner("bert", tmp_path, decoding="crf")
    with pytest.raises(
        ArgumentError, match="is of single labels, and `decoding='crf'` scores those of a text together"
    ):
        task.fit(RECORDS, verbose=0, **recipe)


def test_a_file_of_other_labels(crf_tagger, tmp_path):
    crf_tagger.save(tmp_path)
    names = [*crf_tagger.labels.names, "B-NEW"]
    other = TokenClassifier.from_pretrained(tmp_path, labels=names)  # a new head, and new transitions
    assert other.crf.num_labels == len(names)
    from safetensors.numpy import save_file

    save_file({"transitions": np.zeros((2, 2), np.float32)}, tmp_path / "crf.safetensors")
    with pytest.raises(
        CheckpointError, match=r"crf.safetensors: `start_transitions` is missing or not of shape \(5,\)"
    ):
        tfnlp.load(tmp_path)


def test_transitions_that_are_forbidden_are_never_the_best():
    labels = LabelMap(("O", "B-PER", "I-PER"))
    scores = tf.constant(np.random.default_rng(0).dirichlet([0.05] * 3, 3000).astype(np.float32))
    rows = tf.constant(np.repeat(np.arange(1000), 3).astype(np.int32))
    found, best = choose_together(scores, rows, constrained(labels))
    for path in found.numpy().reshape(-1, 3):
        tags = [labels.names[label] for label in path]
        assert tags_to_spans(tags) == tags_to_spans_strictly(tags)
    assert np.isfinite(best).all()
