import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfnlp._backend import tf
from tfnlp.tasks.question_answering.decoding import ContextTokens, Rules, best_spans


def decoded(logits, sizes, words, nulls, rules):
    """Decode contexts of some sizes; each token has two characters, with a space after each."""
    place = np.concatenate([np.arange(size) for size in sizes]).astype(np.int32)
    contexts = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    tokens = ContextTokens(*map(tf.constant, (logits[0], logits[1], 3 * place, 3 * place + 2, words, contexts)))
    spans, null_scores = best_spans(tokens, *map(tf.constant, nulls), rules)
    rows = zip(*(column.numpy().tolist() for column in spans), strict=True)
    found = [[] for _ in sizes]
    for start, end, score, context in rows:
        found[context].append((score, start, end))
    return found, null_scores.numpy()


def by_brute_force(starts, ends, words, null, rules):
    """Score every span, one after the other."""
    total = [np.log(np.exp(column).sum() + np.exp(value)) for column, value in zip((starts, ends), null, strict=True)]
    scores = {}
    for i in range(len(starts)):
        for j in range(i, min(len(starts), i + rules.max_answer_length)):
            first = np.flatnonzero(words == words[i])[0] if rules.align_to_words else i
            last = np.flatnonzero(words == words[j])[-1] if rules.align_to_words else j
            place = (3 * int(first), 3 * int(last) + 2)
            scores[place] = scores.get(place, 0.0) + np.exp(starts[i] - total[0] + ends[j] - total[1])
    ranked = [(score, *place) for place, score in scores.items()]
    null_score = np.exp(sum(null) - sum(total))
    if rules.null_threshold is not None:
        ranked.append((null_score, 0, 0))
    return sorted(ranked, reverse=True)[: rules.num_answers], null_score


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=4),
    st.integers(1, 5),
    st.booleans(),
    st.sampled_from([None, 0.0]),
    st.integers(0, 10_000),
)
def test_the_best_spans_are_those_of_brute_force(sizes, longest, align, threshold, seed):
    draw, total = np.random.default_rng(seed), sum(sizes)
    logits = draw.normal(0, 2, (2, total)).astype(np.float32)
    words = np.concatenate([np.sort(draw.integers(0, max(size, 1), size)) for size in sizes]).astype(np.int32)
    nulls = draw.normal(0, 2, (2, len(sizes))).astype(np.float32)
    rules = Rules(longest, 40, 90, align, threshold)  # so many that no candidate is left out
    found, null_scores = decoded(logits, sizes, words, nulls, rules)
    begins = np.cumsum([0, *sizes])
    for i, answers in enumerate(found):
        part = slice(begins[i], begins[i + 1])
        expected, null_score = by_brute_force(*logits[:, part], words[part], nulls[:, i], rules)
        assert null_scores[i] == pytest.approx(null_score, abs=1e-5)
        assert [score for score, *_ in answers] == pytest.approx([score for score, *_ in expected], abs=1e-5)


def test_a_threshold_moves_no_answer_down():
    logits, nulls = np.zeros((2, 2), np.float32), np.full((2, 1), 1.0, np.float32)
    words = np.arange(2, dtype=np.int32)
    first = [decoded(logits, [2], words, nulls, Rules(1, 3, 16, False, t))[0][0][0][1:] for t in (0.0, 2.5)]
    assert first == [(0, 0), (0, 2)]
