"""What may come next: rules that change logits, as TensorFlow ops. Those of transformers, in its order."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from tfnlp._backend import tf
from tfnlp.generation.options import GenerationOptions
from tfnlp.generation.search import Numbers


class Written(NamedTuple):
    """What is written so far.

    Attributes:
        tokens: the prompts, filled up on the left, and after them the new tokens. Shape `(rows, size)`, int32.
        starts: the first place of each prompt. Shape `(rows,)`, int32.
        length: how many places are written, in all rows alike. Scalar, int32.
        num_new: how many of them are new. Scalar, int32.
        limits: how many new tokens each row may have. Shape `(rows,)`, int32.
        texts: the tokens that were given, whether the decoder goes on from them or an encoder has read them; -1 for
            padding. Shape `(rows, texts)`, int32.
    """

    tokens: tf.Tensor
    starts: tf.Tensor
    length: tf.Tensor
    num_new: tf.Tensor
    limits: tf.Tensor
    texts: tf.Tensor

    @property
    def is_written(self) -> tf.Tensor:
        """Which places hold a token of the row. Shape `(rows, size)`, bool."""
        place = tf.range(tf.shape(self.tokens)[1])
        return (place >= self.starts[:, None]) & (place < self.length)

    @property
    def lengths(self) -> tf.Tensor:
        """The tokens of each row. Shape `(rows,)`, int32."""
        return self.length - self.starts


# From scores of the next token, shape `(rows, vocabulary)`, float32, and what is written, to changed scores.
Rule = Callable[[tf.Tensor, Written], tf.Tensor]


@dataclass(frozen=True)
class RepetitionPenalty:
    """Lowers the scores of tokens that are written already (Keskar et al. 2019)."""

    penalty: float

    def __call__(self, scores: tf.Tensor, written: Written) -> tf.Tensor:
        """Return changed scores."""
        is_there = _any_of(written.tokens, written.is_written, tf.shape(scores)[1])
        return tf.where(is_there, tf.where(scores < 0, scores * self.penalty, scores / self.penalty), scores)


@dataclass(frozen=True)
class NoRepeatedNgrams:
    """Forbids tokens that would end a sequence of `size` tokens that is there already."""

    size: int

    def __call__(self, scores: tf.Tensor, written: Written) -> tf.Tensor:
        """Return changed scores."""
        before = self.size - 1
        tokens, is_written = written.tokens, written.is_written
        num_starts = tf.maximum(tf.shape(tokens)[1] - before, 0)
        repeats = is_written[:, before:] & (written.lengths >= before)[:, None]
        for i in range(before):
            last = tf.gather(tokens, tf.maximum(written.length - before + i, 0), axis=1)
            repeats &= tf.equal(tokens[:, i : i + num_starts], last[:, None]) & is_written[:, i : i + num_starts]
        return _forbidden(scores, _any_of(tokens[:, before:], repeats, tf.shape(scores)[1]))


@dataclass(frozen=True)
class NoNgramsOfTexts:
    """Forbids tokens that would end a sequence of `size` tokens that the given text has."""

    size: int

    def __call__(self, scores: tf.Tensor, written: Written) -> tf.Tensor:
        """Return changed scores."""
        before, texts = self.size - 1, written.texts
        num_starts = tf.maximum(tf.shape(texts)[1] - before, 0)
        repeats = (texts[:, before:] >= 0) & (written.lengths >= before)[:, None]
        for i in range(before):
            last = tf.gather(written.tokens, tf.maximum(written.length - before + i, 0), axis=1)
            repeats &= tf.equal(texts[:, i : i + num_starts], last[:, None])
        return _forbidden(scores, _any_of(texts[:, before:], repeats, tf.shape(scores)[1]))


@dataclass(frozen=True)
class NoBadWords:
    """Forbids tokens that would end one of some sequences."""

    words: tuple[tuple[int, ...], ...]

    def __call__(self, scores: tf.Tensor, written: Written) -> tf.Tensor:
        """Return changed scores."""
        for *before, last in self.words:
            follows = written.lengths >= len(before)
            for i, token in enumerate(before):
                place = tf.maximum(written.length - len(before) + i, 0)
                follows &= tf.equal(tf.gather(written.tokens, place, axis=1), token)
            scores = _forbidden(scores, follows[:, None] & _among((last,), tf.shape(scores)[1]))
        return scores


@dataclass(frozen=True)
class NotBefore:
    """Forbids tokens that end a sequence before it has so many tokens, or so many new ones."""

    ends: tuple[int, ...]
    least: int
    of_new: bool

    def __call__(self, scores: tf.Tensor, written: Written) -> tf.Tensor:
        """Return changed scores."""
        is_short = (written.num_new if self.of_new else written.lengths) < self.least
        return _forbidden(scores, tf.reshape(is_short, [-1, 1]) & _among(self.ends, tf.shape(scores)[1]))


@dataclass(frozen=True)
class ForcedFirst:
    """Forces a token where one is written, which is a decoder's start."""

    token: int

    def __call__(self, scores: tf.Tensor, written: Written) -> tf.Tensor:
        """Return changed scores."""
        return _forced(scores, tf.equal(written.lengths, 1), self.token)


@dataclass(frozen=True)
class ForcedLast:
    """Forces a token where it is the last that a row may have."""

    token: int

    def __call__(self, scores: tf.Tensor, written: Written) -> tf.Tensor:
        """Return changed scores."""
        return _forced(scores, tf.equal(written.num_new + 1, written.limits), self.token)


@dataclass(frozen=True)
class Suppressed:
    """Forbids tokens: always, or as the first one."""

    tokens: tuple[int, ...]
    is_first: bool = False
    after_forced: bool = False  # the first token that is not forced, after a decoder's start

    def __call__(self, scores: tf.Tensor, written: Written) -> tf.Tensor:
        """Return changed scores."""
        is_forbidden = _among(self.tokens, tf.shape(scores)[1])
        if self.is_first:
            is_shifted = tf.equal(written.lengths - written.num_new, 1) & self.after_forced
            is_forbidden &= tf.equal(written.num_new, tf.cast(is_shifted, tf.int32))[:, None]
        return _forbidden(scores, is_forbidden)


def rules_of(options: GenerationOptions) -> list[Rule]:
    """Return the rules that options ask for."""
    ends = options.eos_token_id
    words = tuple(word for word in options.bad_words_ids if word not in {(end,) for end in ends})
    first, last = options.forced_bos_token_id, options.forced_eos_token_id
    wanted: list[tuple[bool, Rule]] = [
        (options.repetition_penalty != 1, RepetitionPenalty(options.repetition_penalty)),
        (options.no_repeat_ngram_size > 0, NoRepeatedNgrams(options.no_repeat_ngram_size)),
        (options.encoder_no_repeat_ngram_size > 0, NoNgramsOfTexts(options.encoder_no_repeat_ngram_size)),
        (bool(words), NoBadWords(words)),
        (bool(ends) and options.min_length > 0, NotBefore(ends, options.min_length, of_new=False)),
        (bool(ends) and options.min_new_tokens > 0, NotBefore(ends, options.min_new_tokens, of_new=True)),
        (first is not None, ForcedFirst(first or 0)),
        (last is not None, ForcedLast(last or 0)),
        (bool(options.suppress_tokens), Suppressed(options.suppress_tokens)),
        (bool(options.begin_suppress_tokens), Suppressed(options.begin_suppress_tokens, True, first is not None)),
    ]
    return [rule for is_wanted, rule in wanted if is_wanted]


def for_sampling(scores: tf.Tensor, options: GenerationOptions, numbers: Numbers) -> tf.Tensor:
    """Return the scores of tokens among which is sampled; all others' are minus infinity.

    Args:
        scores: after the rules. Shape `(rows, vocabulary)`, float32.
        options: of these, which numbers there are. Beams keep one more token than there are ends.
        numbers: `temperature` and the like, of each row.
    """
    least = len(options.eos_token_id) + 1 if options.num_beams > 1 else 1
    scores = scores / numbers["temperature"][:, None]
    if options.top_k > 0:
        best = tf.math.top_k(scores, tf.minimum(max(options.top_k, least), tf.shape(scores)[1])).values
        scores = _forbidden(scores, scores < best[:, -1:])
    if "top_p" in numbers:
        scores = _cut(scores, scores, numbers["top_p"], least)
    if "min_p" in numbers:
        probabilities = tf.nn.softmax(scores)
        is_low = probabilities < numbers["min_p"][:, None] * tf.reduce_max(probabilities, 1, keepdims=True)
        scores = _forbidden(scores, is_low & ~_is_best(scores, least))
    if "typical_p" in numbers:
        log_probabilities = tf.nn.log_softmax(scores)
        probabilities = tf.exp(log_probabilities)
        entropy = -tf.reduce_sum(tf.math.multiply_no_nan(log_probabilities, probabilities), 1, keepdims=True)
        scores = _cut(scores, -tf.abs(-log_probabilities - entropy), numbers["typical_p"], least)
    return scores


def _cut(scores: tf.Tensor, order: tf.Tensor, mass: tf.Tensor, least: int) -> tf.Tensor:
    """Keep the tokens of greatest `order` that together have a probability, the one that reaches it included.

    Args:
        scores: Shape `(rows, vocabulary)`, float32.
        order: the same.
        mass: the probability. Shape `(rows,)`, float32. 1 keeps all.
        least: how many to keep in any case.
    """
    best = tf.argsort(order, 1, "DESCENDING", stable=True)
    probabilities = tf.gather(tf.nn.softmax(scores), best, batch_dims=1)
    before = tf.cumsum(probabilities, 1, exclusive=True)
    is_kept = (before < mass[:, None]) | (mass[:, None] >= 1) | (tf.range(tf.shape(scores)[1]) < least)
    place = tf.argsort(best, 1)
    return _forbidden(scores, ~tf.gather(is_kept, place, batch_dims=1))


def _is_best(scores: tf.Tensor, count: int) -> tf.Tensor:
    """Tell which tokens are among so many of the greatest scores. Shape `(rows, vocabulary)`, bool."""
    return tf.reduce_any(tf.one_hot(tf.math.top_k(scores, count).indices, tf.shape(scores)[1], True, False), 1)


def _any_of(tokens: tf.Tensor, chosen: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Tell which tokens stand in one of some places of each row. Shape `(rows, size)`, bool."""
    token = tf.where(chosen, tokens, size)  # those of other places fall into a column of their own
    row = tf.broadcast_to(tf.range(tf.shape(tokens)[0])[:, None], tf.shape(tokens))
    counts = tf.scatter_nd(tf.stack([row, token], 2), tf.ones_like(tokens), tf.stack([tf.shape(tokens)[0], size + 1]))
    return counts[:, :size] > 0


def _among(tokens: tuple[int, ...], size: tf.Tensor) -> tf.Tensor:
    """Tell which tokens of a vocabulary are some. Shape `(1, size)`, bool."""
    return tf.reduce_any(tf.equal(tf.range(size)[:, None], tf.constant(tokens, tf.int32)), 1)[None]


def _forbidden(scores: tf.Tensor, is_forbidden: tf.Tensor) -> tf.Tensor:
    return tf.where(is_forbidden, -math.inf, scores)


def _forced(scores: tf.Tensor, applies: tf.Tensor, token: int) -> tf.Tensor:
    is_token = _among((token,), tf.shape(scores)[1])
    return tf.where(applies[:, None], tf.where(is_token, 0.0, -math.inf), scores)
