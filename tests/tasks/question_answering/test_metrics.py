import random

import numpy as np
import pytest

from tests.conftest import data
from tfnlp.data.sources import as_source
from tfnlp.tasks.question_answering.metrics import answer_report, best_null_threshold, language_of, score_answer
from tfnlp.tasks.question_answering.records import LAYOUT, checked_questions


def squad():
    """Return questions of SQuAD 2.0 by id, their right answers, and answers that are more or less right."""
    draw = random.Random(0)
    gold, predicted = {}, {}
    for record in checked_questions(as_source(str(data("qa/squad_v2_half/dev-v2.0.json")), LAYOUT)):
        gold[record["id"]] = [text for text, _ in record["answers"]]
        words = record["context"].split()
        start = draw.randrange(len(words))
        answers = [" ".join(words[start : start + 3]), "", *gold[record["id"]]]
        predicted[record["id"]] = draw.choice(answers)
    return gold, predicted


@pytest.mark.filterwarnings("ignore")  # of the reference's import
def test_squad_as_transformers_copy_of_the_official_script():
    from types import SimpleNamespace

    from transformers.data.metrics.squad_metrics import squad_evaluate

    gold, predicted = squad()
    examples = [
        SimpleNamespace(qas_id=key, answers=[{"text": text} for text in answers]) for key, answers in gold.items()
    ]
    draw = np.random.default_rng(0)
    margins = {key: float(draw.normal() + 2 * (not gold[key])) for key in gold}
    theirs = squad_evaluate(examples, predicted, margins, 10.0)
    ours = answer_report(list(predicted.values()), list(gold.values()))
    assert ours.language == "en"
    for found, prefix in ((ours.overall, ""), (ours.has_answer, "HasAns_"), (ours.no_answer, "NoAns_")):
        assert 100 * found.exact_match == pytest.approx(theirs[f"{prefix}exact"], abs=1e-9)
        assert 100 * found.f1 == pytest.approx(theirs[f"{prefix}f1"], abs=1e-9)
        assert found.num_records == theirs[f"{prefix}total"]
    answered = {key: answer or "never right" for key, answer in predicted.items()}
    theirs = squad_evaluate(examples, answered, margins, 10.0)
    values = np.array(list(margins.values()))
    threshold = best_null_threshold(list(answered.values()), list(gold.values()), values)
    kept = [answer if margins[key] <= threshold else "" for key, answer in answered.items()]
    assert 100 * answer_report(kept, list(gold.values())).f1 == pytest.approx(theirs["best_f1"], abs=1e-9)


# As CMRC 2018's official script counts them (its word tokenizer without the model that cuts sentences).
@pytest.mark.parametrize(
    ("predicted", "gold", "exact_match", "f1"),
    [
        ("1963年5月", ["1963年"], 0, 2 / 3),
        ("《泡泡堂》", ["泡泡堂"], 1, 1.0),
        ("Nexon 公司", ["韩国Nexon"], 0, 1 / 3),
        ("don't stop", ["don't"], 0, 0.8),
        ("北京", ["上海"], 0, 0.0),
        ("……好", ["好"], 0, 2 / 3),
        ("北京市", ["上海", "北京"], 0, 0.8),
    ],
)
def test_cmrc(predicted, gold, exact_match, f1):
    assert score_answer(predicted, gold, "zh") == pytest.approx((exact_match, f1))


def test_nothing():
    assert score_answer("", []) == score_answer("", [], "zh") == (1, 1)
    assert score_answer("x", []) == score_answer("x", [], "zh") == score_answer("", ["x"]) == (0, 0)


def test_the_language_of_answers():
    assert language_of([["北京"], ["x"], ["上海"], []]) == "zh"
    assert language_of([["北京"], ["x"]]) == language_of([[]]) == "en"


def test_the_report():
    report = answer_report(["the cat", "x"], [["cat"], []])
    assert report.metrics() == {"exact_match": 0.5, "f1": 0.5}
    assert str(report).splitlines()[-1] == "2 questions, counted as by SQuAD's script"
    assert [row[0] for row in report.rows()] == ["with an answer", "without", "all"]
    assert answer_report(["x"], [["x"]]).no_answer is None


def test_the_threshold_is_the_best_of_all():
    draw = random.Random(1)
    for _ in range(200):
        count = draw.randrange(1, 8)
        gold = [draw.choice([[], ["x"], ["y z"]]) for _ in range(count)]
        predicted = [draw.choice(["", "x", "y", "y z"]) for _ in range(count)]
        margins = np.array([float(draw.randrange(3)) for _ in range(count)])

        def f1(threshold, predicted=predicted, gold=gold, margins=margins):
            kept = [answer if margin <= threshold else "" for answer, margin in zip(predicted, margins, strict=True)]
            return answer_report(kept, gold, "en").f1

        best = max(map(f1, (-1.0, 0.5, 1.5, 3.0)))
        assert f1(best_null_threshold(predicted, gold, margins, "en")) == pytest.approx(best)
