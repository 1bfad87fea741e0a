import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from tfnlp.tasks.text_classification.metrics import best_thresholds, multi_label_report, single_label_report
from tfnlp.training.regression import regression_report

NAMES = ("a", "b", "c")
IDS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=2, max_size=30)


@pytest.mark.filterwarnings("ignore:A single label was found")  # by the reference
@given(IDS)
def test_one_label(pairs):
    gold, predicted = np.array(pairs).T
    report = single_label_report(NAMES, gold, predicted)
    assert report.accuracy == pytest.approx(metrics.accuracy_score(gold, predicted))
    assert report.micro.f1 == pytest.approx(report.accuracy)
    kind = {"labels": [0, 1, 2], "zero_division": 0}
    assert report.macro.f1 == pytest.approx(metrics.f1_score(gold, predicted, average="macro", **kind))
    assert report.matthews == pytest.approx(metrics.matthews_corrcoef(gold, predicted))
    assert report.confusion.counts == tuple(map(tuple, metrics.confusion_matrix(gold, predicted, labels=[0, 1, 2])))
    assert set(report.metrics()) == {"accuracy", "macro_f1", "micro_f1", "matthews"}


@given(st.lists(st.tuples(*[st.booleans()] * 6), min_size=1, max_size=20))
def test_several_labels(rows):
    table = np.array(rows)
    gold, predicted = table[:, :3], table[:, 3:]
    report = multi_label_report(NAMES, gold, predicted)
    assert report.accuracy == pytest.approx(metrics.accuracy_score(gold, predicted))
    for average in ("micro", "macro"):
        expected = metrics.f1_score(gold, predicted, average=average, zero_division=0)
        assert getattr(report, average).f1 == pytest.approx(expected)


def test_numbers():
    report = regression_report(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1.5, 9.0, 4.0]))
    assert report.spearman == pytest.approx(0.8)
    assert report.pearson == pytest.approx(np.corrcoef([1, 2, 3, 4], [1, 1.5, 9, 4])[0, 1])
    assert report.loss == report.mean_squared_error == pytest.approx((0.25 + 36) / 4)
    assert np.isnan(regression_report(np.array([1.0, 1.0]), np.array([1.0, 2.0])).pearson)
    assert "0.8000" in str(report)
    assert "<th>pearson</th>" in report._repr_html_()


def test_thresholds():
    gold = np.array([[1, 0, 0], [1, 0, 1], [0, 0, 1]], bool)
    scores = np.array([[0.3, 0.9, 0.9], [0.2, 0.1, 0.7], [0.1, 0.2, 0.6]])
    assert best_thresholds(gold, scores) == pytest.approx((0.15, 0.5, 0.3))


def test_the_confusion_matrix_is_drawn():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    report = single_label_report(NAMES, np.array([0, 1, 2, 2]), np.array([0, 1, 2, 1]))
    axes = report.confusion.plot()
    assert [text.get_text() for text in axes.texts] == ["1", "0", "0", "0", "1", "0", "0", "1", "1"]
    assert str(report.confusion).splitlines()[-1].split() == ["c", "0", "1", "1"]
    pyplot.close("all")


def test_one_label_that_a_text_may_have():
    report = multi_label_report(("a",), np.array([[1], [0], [0], [0]], bool), np.zeros((4, 1), bool))
    assert report.labels["a"] == report.micro == report.macro
    assert (report.micro.f1, report.micro.support, report.accuracy) == (0.0, 1, 0.75)
