import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfnlp.errors import ArgumentError
from tfnlp.labels import tags_to_spans, tags_to_spans_strictly
from tfnlp.tasks.token_classification.metrics import tagging_report, token_losses

TAGS = st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"])
PAIRS = st.lists(st.lists(st.tuples(TAGS, TAGS), min_size=1, max_size=8), min_size=1, max_size=5)


@given(PAIRS, st.sampled_from(["default", "strict"]))
def test_entities_are_scored_as_seqeval_scores_them(pairs, mode):
    from seqeval.metrics import classification_report
    from seqeval.scheme import IOB2

    gold = [[a for a, _ in pair] for pair in pairs]
    predicted = [[b for _, b in pair] for pair in pairs]
    ours = tagging_report(gold, predicted, mode=mode)
    if not ours.labels:  # seqeval fails where there is no entity at all
        read = tags_to_spans if mode == "default" else tags_to_spans_strictly
        assert not any(read(tags) for tags in [*gold, *predicted])
        return
    options = {"mode": "strict", "scheme": IOB2} if mode == "strict" else {}
    theirs = classification_report(gold, predicted, output_dict=True, zero_division=0, **options)
    for name, scores in [*ours.labels.items(), ("micro avg", ours.micro), ("macro avg", ours.macro)]:
        expected = theirs[name]
        assert (scores.precision, scores.recall, scores.f1) == pytest.approx(
            (expected["precision"], expected["recall"], expected["f1-score"])
        )
        assert scores.support == expected["support"]
    assert set(theirs) == {*ours.labels, "micro avg", "macro avg", "weighted avg"}


@given(st.lists(st.tuples(*[st.sampled_from(["NOUN", "VERB", "DET"])] * 2), min_size=1, max_size=30))
def test_single_labels_are_scored_as_scikit_learn_scores_them(pairs):
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    gold, predicted = zip(*pairs, strict=True)
    ours = tagging_report([gold], [predicted])
    assert ours.accuracy == ours.f1 == pytest.approx(accuracy_score(gold, predicted))
    labels = sorted({*gold, *predicted})
    theirs = precision_recall_fscore_support(gold, predicted, labels=labels, zero_division=0)
    for i, label in enumerate(labels):
        found = ours.labels[label]
        assert (found.precision, found.recall, found.f1, found.support) == pytest.approx([row[i] for row in theirs])


def test_no_entity_found_where_there_is_none():
    report = tagging_report([["O", "O"]], [["O", "O"]])
    assert (report.f1, report.accuracy, dict(report.labels)) == (0.0, 1.0, {})


def test_what_can_t_be_compared():
    with pytest.raises(ArgumentError, match=r"must hold as many records, and each as many labels\.$"):
        tagging_report([["O"]], [["O", "O"]])
    with pytest.raises(ArgumentError, match=r"^`mode` must be 'default' or 'strict', and is 'lax'\.$"):
        tagging_report([["O"]], [["O"]], mode="lax")


def test_losses_of_tokens():
    logits = np.array([[0.0, np.log(3.0)], [5.0, 5.0], [1000.0, 0.0]], np.float32)
    losses = token_losses(logits, np.array([1, -100, 0]))
    assert losses == pytest.approx([np.log(4 / 3), 0.0])
    assert token_losses(logits, np.array([-100, -100, -100])).shape == (0,)
