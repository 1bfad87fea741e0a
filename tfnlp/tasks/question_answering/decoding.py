"""Start and end logits to answers, as TensorFlow ops.

Each token of a context is judged in the window that shows most around it; the context is then decoded as one. For a
context of one window the scores are those of transformers' question answering pipeline.
"""

from __future__ import annotations

from typing import NamedTuple

from tfnlp._backend import tf
from tfnlp.tasks.text_spans import by_record, substrings, trimmed
from tfnlp.tasks.windows import answering_tokens


class RowTokens(NamedTuple):
    """The tokens of some rows, one row after the other; all of shape `(tokens,)`.

    Attributes:
        start_logits: that an answer begins there. float32.
        end_logits: that it ends there. float32.
        starts: the first character. int32.
        ends: the character after the last. int32.
        words: the number of each token's word. int32.
        sequence_ids: 1 for tokens of the context. int32.
        rows: the row of each, ascending. int32.
    """

    start_logits: tf.Tensor
    end_logits: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    words: tf.Tensor
    sequence_ids: tf.Tensor
    rows: tf.Tensor


class ContextTokens(NamedTuple):
    """The tokens of some contexts, by context; all of shape `(tokens,)`.

    Attributes:
        start_logits: that an answer begins there. float32.
        end_logits: that it ends there. float32.
        starts: the first character. int32.
        ends: the character after the last. int32.
        words: the number of each token's word. int32.
        contexts: the context of each, ascending. int32.
    """

    start_logits: tf.Tensor
    end_logits: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    words: tf.Tensor
    contexts: tf.Tensor


class Spans(NamedTuple):
    """Answers by context, and within one by score; of shape `(spans,)`. No answer is from 0 to 0."""

    starts: tf.Tensor
    ends: tf.Tensor
    scores: tf.Tensor
    contexts: tf.Tensor


class Rules(NamedTuple):
    """How spans are chosen.

    Attributes:
        max_answer_length: the most tokens of an answer.
        num_answers: how many to give for a context.
        num_candidates: of how many spans of tokens the scores are added up, where they cover the same characters.
        align_to_words: whether answers begin and end where words do.
        null_threshold: no answer is the best answer where the log of its probability over that of the best span is
            more; None: it never is.
        stride: how many tokens neighbouring windows of a context share.
    """

    max_answer_length: int
    num_answers: int
    num_candidates: int
    align_to_words: bool
    null_threshold: float | None
    stride: int = 0


def best_answers(
    tokens: RowTokens, row_to_record: tf.Tensor, nulls: tf.Tensor, contexts: tf.Tensor, rules: Rules
) -> tuple[Spans, tf.Tensor]:
    """Choose the best answers of each context from the logits of its windows.

    Args:
        tokens: of all rows.
        row_to_record: the context of each row, ascending. Shape `(rows,)`, int32.
        nulls: the token of each row that stands for no answer, as an index of all tokens. Shape `(rows,)`, int32.
        contexts: Shape `(contexts,)`, string.
        rules: how to choose.

    Returns:
        As `best_spans`.
    """
    best = answering_tokens(tokens.sequence_ids, 1, tokens.rows, row_to_record, rules.stride)
    columns = (tf.gather(column, best) for column in tokens[:5])
    of_contexts = ContextTokens(*columns, contexts=tf.gather(row_to_record, tf.gather(tokens.rows, best)))
    starts, ends = trimmed(contexts, of_contexts.starts, of_contexts.ends, of_contexts.contexts)
    # Windows that lack the answer say so: what counts is the one that says so least.
    null_starts, null_ends = (tf.gather(column, nulls) for column in (tokens.start_logits, tokens.end_logits))
    least = _first_of_each(-null_starts - null_ends, row_to_record, 1)
    context_tokens = of_contexts._replace(starts=starts, ends=ends)
    return best_spans(context_tokens, tf.gather(null_starts, least), tf.gather(null_ends, least), rules)


def best_spans(
    tokens: ContextTokens, null_starts: tf.Tensor, null_ends: tf.Tensor, rules: Rules
) -> tuple[Spans, tf.Tensor]:
    """Choose the best answers of each context; the scores of spans of the same characters add up.

    Args:
        tokens: of the contexts.
        null_starts: the logit, among the starts, that there is no answer. Shape `(contexts,)`, float32.
        null_ends: the same among the ends.
        rules: how to choose.

    Returns:
        At most `rules.num_answers` spans for each context, and the null scores, of shape `(contexts,)`, float32.
    """
    spans, log_null = candidate_spans(
        tokens,
        null_starts,
        null_ends,
        max_answer_length=rules.max_answer_length,
        count=rules.num_candidates,
        align_to_words=rules.align_to_words,
    )
    spans = _added_up(spans)
    keys = tf.math.log(spans.scores)
    if rules.null_threshold is not None:
        contexts = tf.range(tf.size(null_starts))
        nothing = tf.zeros_like(contexts)
        parts = zip(spans, (nothing, nothing, tf.exp(log_null), contexts), strict=True)
        spans = Spans(*(tf.concat(pair, 0) for pair in parts))
        keys = tf.concat([keys, log_null - rules.null_threshold], 0)
    order = _first_of_each(keys, spans.contexts, rules.num_answers)
    return Spans(*(tf.gather(column, order) for column in spans)), tf.exp(log_null)


def candidate_spans(
    tokens: ContextTokens,
    null_starts: tf.Tensor,
    null_ends: tf.Tensor,
    *,
    max_answer_length: int,
    count: int,
    align_to_words: bool,
) -> tuple[Spans, tf.Tensor]:
    """Find the likeliest spans of tokens of each context.

    A span's score is the probability of its first token among the starts times that of its last among the ends.

    Args:
        tokens: of the contexts.
        null_starts: the logit, among the starts, that there is no answer. Shape `(contexts,)`, float32.
        null_ends: the same among the ends.
        max_answer_length: the most tokens of a span.
        count: how many spans of tokens to find for a context.
        align_to_words: whether they begin and end where words do.

    Returns:
        The spans, the likeliest of each context first, some perhaps of the same characters; and the logs of the null
        scores, of shape `(contexts,)`, float32.
    """
    log_starts, log_null_starts = _log_probabilities(tokens.start_logits, null_starts, tokens.contexts)
    log_ends, log_null_ends = _log_probabilities(tokens.end_logits, null_ends, tokens.contexts)
    first, last, scores = _ranked(tokens.contexts, log_starts, log_ends, max_answer_length, count)
    starts, ends = _word_bounds(tokens) if align_to_words else (tokens.starts, tokens.ends)
    spans = Spans(tf.gather(starts, first), tf.gather(ends, last), tf.exp(scores), tf.gather(tokens.contexts, first))
    return spans, log_null_starts + log_null_ends


def named_answers(spans: Spans, contexts: tf.Tensor, top_k: int) -> dict[str, tf.Tensor]:
    """Lay answers out by context.

    Args:
        spans: by context.
        contexts: Shape `(batch,)`, string.
        top_k: the most answers to one.

    Returns:
        `answers`, string, `starts` and `ends`, int32, and `scores`, float32, of shape `(batch, top_k)`, filled up with
        `""` and 0; `num_answers`, int32, of shape `(batch,)`.
    """
    values = {
        "answers": substrings(contexts, spans.starts, spans.ends, spans.contexts),
        "starts": spans.starts,
        "ends": spans.ends,
        "scores": spans.scores,
    }
    rows = {name: by_record(value, spans.contexts, tf.size(contexts)) for name, value in values.items()}
    counts = tf.cast(rows["starts"].row_lengths(), tf.int32)
    return {name: row.to_tensor(shape=[None, top_k]) for name, row in rows.items()} | {"num_answers": counts}


def _added_up(spans: Spans) -> Spans:
    """Join spans of the same characters, and leave out those of none."""
    is_solid = spans.starts < spans.ends
    starts, ends, scores, contexts = (tf.boolean_mask(column, is_solid) for column in spans)
    distinct, index = tf.raw_ops.UniqueV2(x=tf.stack([contexts, starts, ends], 1), axis=[0])
    scores = tf.math.unsorted_segment_sum(scores, index, tf.shape(distinct)[0])
    return Spans(distinct[:, 1], distinct[:, 2], scores, distinct[:, 0])


def _log_probabilities(logits: tf.Tensor, nulls: tf.Tensor, contexts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Normalise the logits of each context's tokens together with that of no answer."""
    count = tf.size(nulls)
    greatest = tf.maximum(tf.math.unsorted_segment_max(logits, contexts, count), nulls)
    powers = tf.exp(logits - tf.gather(greatest, contexts))
    total = tf.math.unsorted_segment_sum(powers, contexts, count) + tf.exp(nulls - greatest)
    log_total = greatest + tf.math.log(total)
    return logits - tf.gather(log_total, contexts), nulls - log_total


def _ranked(
    contexts: tf.Tensor, log_starts: tf.Tensor, log_ends: tf.Tensor, max_length: int, count: int
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return the best spans of each context: their first and last tokens and the logs of their scores.

    A span among the best begins at one of as many starts whose own best spans are the best: only those are sorted.
    """
    size = tf.size(contexts)
    padded = tf.pad(log_ends, [[0, max_length]], constant_values=log_ends.dtype.min)
    followed_by = tf.pad(contexts, [[0, max_length]], constant_values=-1)
    best_end = log_ends
    for step in range(1, max_length):
        is_inside = tf.equal(followed_by[step : step + size], contexts)
        best_end = tf.maximum(best_end, tf.where(is_inside, padded[step : step + size], log_ends.dtype.min))
    start = _first_of_each(log_starts + best_end, contexts, count)
    first = start[:, None]
    last = first + tf.range(max_length)  # (starts, max_length)
    is_span = tf.equal(tf.gather(followed_by, last), tf.gather(contexts, first))
    scores = tf.gather(log_starts, first) + tf.gather(padded, last)
    place = tf.where(is_span)  # (spans, 2)
    scores = tf.gather_nd(scores, place)
    first = tf.gather(start, tf.cast(place[:, 0], tf.int32))
    last = first + tf.cast(place[:, 1], tf.int32)
    order = _first_of_each(scores, tf.gather(contexts, first), count)
    return tf.gather(first, order), tf.gather(last, order), tf.gather(scores, order)


def _first_of_each(keys: tf.Tensor, groups: tf.Tensor, count: int) -> tf.Tensor:
    """Return the indices of the greatest keys of each group, by group and falling key."""
    order = tf.argsort(keys, direction="DESCENDING", stable=True)
    order = tf.gather(order, tf.argsort(tf.gather(groups, order), stable=True))
    sorted_groups = tf.gather(groups, order)
    rank = tf.range(tf.size(order)) - tf.searchsorted(sorted_groups, sorted_groups)
    return tf.boolean_mask(order, rank < count)


def _word_bounds(tokens: ContextTokens) -> tuple[tf.Tensor, tf.Tensor]:
    """Return where the word of each token begins and ends."""
    differs = tf.not_equal(tokens.words[1:], tokens.words[:-1]) | tf.not_equal(
        tokens.contexts[1:], tokens.contexts[:-1]
    )
    word = tf.concat([tf.zeros_like(tokens.words[:1]), tf.cumsum(tf.cast(differs, tf.int32))], 0)
    count = tf.size(word)
    starts = tf.math.unsorted_segment_min(tokens.starts, word, count)
    ends = tf.math.unsorted_segment_max(tokens.ends, word, count)
    return tf.gather(starts, word), tf.gather(ends, word)
