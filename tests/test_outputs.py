import json

from tfnlp.outputs import Entities, Entity, Predictions
from tfnlp.reports import Report, Scores

ADA = Entity("PER", 0, 3, "Ada", 0.9)
PARIS = Entity("LOC", 7, 12, "Paris", 0.8)
TEXT = "Ada in Paris & <b>"


def test_entities_are_a_sequence_that_equals_a_list():
    found = Entities(TEXT, [ADA, PARIS])
    assert found == [ADA, PARIS]
    assert found != Entities("another", [ADA, PARIS])
    assert found[0] == ADA
    assert found[-1:] == (PARIS,)
    assert repr(found) == repr([ADA, PARIS])
    assert Predictions([found, Entities("", [])]) == [[ADA, PARIS], []]
    assert len({found, Entities(TEXT, [ADA, PARIS])}) == 1


def test_entities_are_highlighted_and_escaped():
    page = Entities(TEXT, [ADA, PARIS])._repr_html_()
    assert page.count("<mark") == 2
    assert "Ada <small" in page
    assert "&amp; &lt;b&gt;" in page
    overlapping = Entities(TEXT, [ADA, Entity("X", 1, 5, "da i", 0.5)])._repr_html_()
    assert overlapping.count("<mark") == 1
    assert Predictions([Entities("a", []), Entities("b", [])])._repr_html_().count("<div") == 2


def test_to_dict_is_json():
    found = Entities(TEXT, [ADA])
    assert json.loads(json.dumps(found.to_dict())) == {
        "text": TEXT,
        "entities": [{"label": "PER", "start": 0, "end": 3, "text": "Ada", "score": 0.9}],
    }


def test_report_prints_and_displays():
    scores = Scores(0.5, 1.0, 2 / 3, 4)
    report = Report({"PER": scores}, scores, scores, 0.75, 2)
    assert report.f1 == 2 / 3
    assert str(report).splitlines()[1].split() == ["PER", "0.5000", "1.0000", "0.6667", "4"]
    assert "<td>PER</td>" in report._repr_html_()
    assert json.loads(report.to_json())["labels"]["PER"]["support"] == 4
