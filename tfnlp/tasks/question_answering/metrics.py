"""Exact match and F1 of answers, as the official scripts of SQuAD and of CMRC 2018 count them."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np

from tfnlp.reports import AnswerReport, AnswerScores

Language = Literal["en", "zh"]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_HAN = re.compile(r"[\u4e00-\u9fa5]")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
# As they stand in CMRC's script; its `……` is two characters, and so never found there.
_CMRC_PUNCTUATION = "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』"
_NO_CMRC_PUNCTUATION = str.maketrans("", "", _CMRC_PUNCTUATION)


class AnswerScore(NamedTuple):
    """How right one answer is: 0 or 1, and in [0, 1]."""

    exact_match: float
    f1: float


def score_answer(predicted: str, gold: Sequence[str], language: Language = "en") -> AnswerScore:
    """Compare an answer with the right ones; the best counts.

    Args:
        predicted: the answer; empty: there is none.
        gold: the right ones; empty: there is none.
        language: `en` counts words as SQuAD 2.0's script does (Rajpurkar et al. 2018), `zh` the longest common run of
            characters and words as CMRC 2018's does (Cui et al. 2019).
    """
    scores = [_SCORES[language](predicted, answer) for answer in _answered(gold, language) or [""]]
    return AnswerScore(max(score.exact_match for score in scores), max(score.f1 for score in scores))


def _answered(gold: Sequence[str], language: Language) -> Sequence[str]:
    return [answer for answer in gold if _squad_text(answer)] if language == "en" else gold


def _squad_text(text: str) -> str:
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def _squad_score(predicted: str, gold: str) -> AnswerScore:
    ours, theirs = _squad_text(predicted), _squad_text(gold)
    if not ours or not theirs:
        return AnswerScore(float(ours == theirs), float(ours == theirs))
    words, right = ours.split(), theirs.split()
    same = sum((Counter(words) & Counter(right)).values())
    return AnswerScore(float(ours == theirs), 2 * same / (len(words) + len(right)))


def _cmrc_score(predicted: str, gold: str) -> AnswerScore:
    if not predicted or not gold:
        return AnswerScore(float(predicted == gold), float(predicted == gold))
    exact = predicted.lower().strip().translate(_NO_CMRC_PUNCTUATION) == gold.lower().strip().translate(
        _NO_CMRC_PUNCTUATION
    )
    ours, theirs = _cmrc_segments(predicted), _cmrc_segments(gold)
    same = SequenceMatcher(None, ours, theirs, autojunk=False).find_longest_match().size
    return AnswerScore(float(exact), 2 * same / (len(ours) + len(theirs)) if same else 0.0)


def _cmrc_segments(text: str) -> list[str]:
    """Cut a text into Chinese characters and, between them, words, without punctuation."""
    segments: list[str] = []
    for part in re.split(f"({_HAN.pattern})", text.lower().strip().translate(_NO_CMRC_PUNCTUATION)):
        segments += [part] if _HAN.fullmatch(part) else _word_tokenizer().tokenize(part)
    return segments


@lru_cache(maxsize=1)
def _word_tokenizer() -> Any:
    from nltk.tokenize import NLTKWordTokenizer

    return NLTKWordTokenizer()


_SCORES = {"en": _squad_score, "zh": _cmrc_score}


def language_of(answers: Sequence[Sequence[str]]) -> Language:
    """Tell which script compares answers: `zh` if Han characters are in more than half of the right ones."""
    known = [gold for gold in answers if gold]
    return "zh" if sum(any(map(_HAN.search, gold)) for gold in known) * 2 > len(known) else "en"


def answer_report(
    predicted: Sequence[str], gold: Sequence[Sequence[str]], language: Language | None = None
) -> AnswerReport:
    """Compare the answers of many questions.

    Args:
        predicted: the answer to each question; empty: there is none.
        gold: the right ones of each; none where its context holds none.
        language: as in `score_answer`; None: the right answers tell.
    """
    language = language or language_of(gold)
    scores = np.array([score_answer(*pair, language) for pair in zip(predicted, gold, strict=True)])
    has_answer = np.array([bool(answers) for answers in gold])

    def averaged(chosen: np.ndarray) -> AnswerScores | None:
        if not chosen.any():
            return None
        exact_match, f1 = scores[chosen].mean(0)
        return AnswerScores(float(exact_match), float(f1), int(chosen.sum()))

    overall = averaged(np.ones(len(gold), bool))
    assert overall is not None
    return AnswerReport(overall, averaged(has_answer), averaged(~has_answer), language, len(gold))


def best_null_threshold(
    predicted: Sequence[str], gold: Sequence[Sequence[str]], margins: np.ndarray, language: Language | None = None
) -> float:
    """Return the threshold with the greatest F1, as SQuAD 2.0's script searches it.

    Args:
        predicted: the best answer to each question that is not empty.
        gold: the right ones of each; none where its context holds none.
        margins: log of the null score over the answer's score. Shape `(questions,)`.
        language: as in `score_answer`.

    Returns:
        The margin above which no answer is given, in the middle between two questions' margins.
    """
    language = language or language_of(gold)
    order = np.argsort(margins, kind="stable")

    def gain(i: int) -> float:
        """Return what answering a question adds to the sum of F1s; an answer where there is none takes 1 away."""
        if gold[i]:
            return score_answer(predicted[i], gold[i], language).f1
        return -1.0 if predicted[i] else 0.0

    total = np.concatenate([[0.0], np.cumsum([gain(i) for i in order])])
    total[1:-1][np.diff(margins[order]) == 0] = -np.inf  # one threshold can't part equal margins
    best = int(total.argmax())  # so many questions are answered
    edges = np.concatenate([[margins[order[0]] - 1], margins[order], [margins[order[-1]] + 1]])
    return float((edges[best] + edges[best + 1]) / 2)
