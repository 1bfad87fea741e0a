import pytest

from tfnlp.data.sources import as_source
from tfnlp.errors import DataError
from tfnlp.tasks.text_classification.records import (
    LAYOUT,
    MULTI,
    REGRESSION,
    SINGLE,
    as_example,
    checked_examples,
    inferred_problem_type,
)


def read(data, problem_type=SINGLE):
    return list(checked_examples(as_source(data, LAYOUT), problem_type))


def test_names_of_fields():
    expected = [{"text": "a", "text_pair": "b", "label": "x"}]
    assert read([{"sentence1": "a", "sentence2": "b", "label": "x"}]) == expected
    assert read([{"premise": "a", "hypothesis": "b", "labels": "x", "id": 3}]) == expected
    assert read([("a", "x")]) == [{"text": "a", "text_pair": None, "label": "x"}]
    assert read([{"text": "a", "score": "3.5"}], REGRESSION)[0]["label"] == 3.5
    assert read([{"text": "a", "label": 1}])[0]["label"] == "1"


def test_tables_and_datasets():
    pandas = pytest.importorskip("pandas")
    datasets = pytest.importorskip("datasets")
    assert read(pandas.DataFrame({"text": ["a"], "label": ["x"]})) == read([{"text": "a", "label": "x"}])
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["no", "yes"])})
    data = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features=features)
    assert [record["label"] for record in read(data)] == ["yes", "no"]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("x", SINGLE),
        (3, SINGLE),
        ("3", SINGLE),
        (["x"], MULTI),
        ([], MULTI),
        (0.5, REGRESSION),
        ("4.75", REGRESSION),
        ("5.0", SINGLE),
        (1.0, SINGLE),
    ],
)
def test_labels_tell_the_problem(label, expected):
    assert inferred_problem_type(as_source([{"text": "a", "label": label}], LAYOUT)) == expected


def test_what_is_asked():
    assert as_example("a", 1) == {"text": "a", "text_pair": None}
    assert as_example(("a", "b"), 1) == as_example({"premise": "a", "hypothesis": "b"}, 1)
    for given, message in (
        (["a"], "text 4: expected a string, a pair of them, or a dict with 'text'; found ['a']."),
        ({"words": "a"}, "text 4: expected 'text' and 'label'; found ['words']."),
        ({"text": 3}, "text 4: `text` must be a string; found 3."),
        (("a", "\ud800"), "text 4: `text_pair` holds a lone surrogate, which no UTF-8 holds."),
    ):
        with pytest.raises(DataError) as caught:
            as_example(given, 4)
        assert str(caught.value) == message
