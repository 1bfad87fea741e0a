"""`BeamSearch`: several sequences side by side, of which the best are kept. As in transformers 4.57."""

from __future__ import annotations

from typing import Any, NamedTuple

from tfnlp._backend import tf
from tfnlp.generation.decoders import Decoder, Started
from tfnlp.generation.ends import Ends
from tfnlp.generation.options import GenerationOptions
from tfnlp.generation.randomness import uniform
from tfnlp.generation.rules import Written, for_sampling, rules_of
from tfnlp.generation.search import Asked, Generated, Numbers, copies_of, starts_of, texts_for, with_room, with_token

_NEVER = -1e9  # the score of a sequence that is not to be chosen
_FROZEN = ("done", "lengths", "scores", "is_done", "may_improve", "is_open")  # in rows whose search is over


class Beams(NamedTuple):
    """Sequences, and what is known of them. The decoder's rows are the beams of all prompts, one after the other.

    Attributes:
        num_new: how many tokens are new, in all rows alike. Scalar, int32.
        length: how many places of `tokens` are written, in all rows alike. Scalar, int32.
        tokens: prompts and new tokens of running beams. Shape `(rows, beams, size)`, int32.
        log_probabilities: of the new ones, together. Shape `(rows, beams)`, float32.
        mask: 1 for tokens, 0 for padding, free places, and what stands behind the last token. Shape
            `(rows * beams, size)`, int32.
        starts: the first place of each prompt. Shape `(rows,)`, int32.
        limits: how many new tokens each row may have. Shape `(rows,)`, int32.
        texts: the tokens that were given, -1 for padding. Shape `(rows, texts)`, int32.
        seeds: of rows, by which they are sampled. Shape `(rows, 2)`, int32.
        done: the best whole sequences. Shape `(rows, beams, size)`, int32.
        lengths: of their new tokens. Shape `(rows, beams)`, int32.
        scores: of whole sequences. Shape `(rows, beams)`, float32.
        is_done: which of them are there. Shape `(rows, beams)`, bool.
        may_improve: whether a running beam may become better than a whole one. Shape `(rows,)`, bool.
        is_open: whether the search goes on. Shape `(rows,)`, bool.
        numbers: options of rows.
        memory: of the decoder.
    """

    num_new: tf.Tensor
    length: tf.Tensor
    tokens: tf.Tensor
    log_probabilities: tf.Tensor
    mask: tf.Tensor
    starts: tf.Tensor
    limits: tf.Tensor
    texts: tf.Tensor
    seeds: tf.Tensor
    done: tf.Tensor
    lengths: tf.Tensor
    scores: tf.Tensor
    is_done: tf.Tensor
    may_improve: tf.Tensor
    is_open: tf.Tensor
    numbers: Numbers
    memory: Any


class _Candidates(NamedTuple):
    """Beams with one token more, the best first: as many as are needed, should all ends be among them."""

    tokens: tf.Tensor
    beams: tf.Tensor
    log_probabilities: tf.Tensor
    is_last: tf.Tensor


class BeamSearch:
    """Keeps the beams of the best scores."""

    def __init__(self, decoder: Decoder, options: GenerationOptions, ends: Ends) -> None:
        self.decoder, self._options, self._ends = decoder, options, ends
        self._rules = rules_of(options)

    def start(self, started: Started, texts: tf.Tensor, asked: Asked, most: tf.Tensor, room: tf.Tensor) -> Beams:
        """Choose the first token of each beam."""
        del most  # there are too many random numbers to draw them before
        beams = self._options.num_beams
        num_rows = tf.shape(started.tokens)[0]
        rows = tf.repeat(tf.range(num_rows), beams)
        tokens = tf.repeat(with_room(started.tokens, room)[:, None], beams, 1)
        state = Beams(
            num_new=tf.constant(0),
            length=tf.shape(started.tokens)[1],
            tokens=tokens,
            log_probabilities=tf.tile(tf.constant([[0.0] + [_NEVER] * (beams - 1)]), [num_rows, 1]),
            mask=tf.gather(with_room(started.mask, room), rows),
            starts=starts_of(started.mask),
            limits=asked.limits,
            texts=texts_for(self._options, texts),
            seeds=asked.seeds,
            done=tokens,
            lengths=tf.ones([num_rows, beams], tf.int32),
            scores=tf.fill([num_rows, beams], _NEVER),
            is_done=tf.zeros([num_rows, beams], tf.bool),
            may_improve=tf.ones([num_rows], tf.bool),
            is_open=tf.ones([num_rows], tf.bool),
            numbers=asked.numbers,
            memory=(),
        )
        return self._with_next(state, tf.gather(started.logits, rows), self.decoder.rows_of(started.memory, rows))

    def advance(self, state: Beams) -> Beams:
        """Read the last token of each beam, and choose the next."""
        last = tf.reshape(tf.gather(state.tokens, state.length - 1, axis=2), [-1])
        return self._with_next(state, *self.decoder.step(last, state.length - 1, state.mask, state.memory))

    def _with_next(self, state: Beams, logits: tf.Tensor, memory: Any) -> Beams:
        candidates = self._candidates(state, logits)
        running = candidates.log_probabilities + tf.where(candidates.is_last, _NEVER, 0.0)
        log_probabilities, best = tf.math.top_k(running, self._options.num_beams)
        beams = tf.gather(candidates.beams, best, batch_dims=1)
        rows = tf.range(tf.shape(beams)[0])[:, None] * self._options.num_beams + beams
        rows = tf.reshape(rows, [-1])
        after = state._replace(
            num_new=state.num_new + 1,
            length=state.length + 1,
            tokens=tf.gather(candidates.tokens, best, batch_dims=1),
            log_probabilities=log_probabilities,
            mask=with_token(
                state.mask, tf.cast(tf.repeat(state.is_open, self._options.num_beams), tf.int32), state.length
            ),
            memory=self.decoder.rows_of(memory, rows),
        )
        after = self._closed(self._with_done(after, candidates), candidates)
        return after._replace(
            **{
                name: tf.where(tf.reshape(state.is_open, [-1] + [1] * (new.shape.rank - 1)), new, getattr(state, name))
                for name, new in after._asdict().items()
                if name in _FROZEN
            }
        )

    def _candidates(self, state: Beams, logits: tf.Tensor) -> _Candidates:
        """Choose the best beams with one token more, whole ones among them."""
        options, num_beams = self._options, self._options.num_beams
        size = tf.shape(state.tokens)[2]
        flat = tf.reshape(state.tokens, [-1, size])
        given = (state.starts, state.limits, state.texts)
        starts, limits, texts = (tf.repeat(values, num_beams, 0) for values in given)
        written = Written(flat, starts, state.length, state.num_new, limits, texts)
        log_probabilities = tf.nn.log_softmax(logits)
        for rule in self._rules:
            log_probabilities = rule(log_probabilities, written)
        if options.do_sample:
            numbers = {name: tf.repeat(values, num_beams) for name, values in state.numbers.items()}
            log_probabilities = for_sampling(log_probabilities, options, numbers)
        if options.renormalize_logits:
            log_probabilities = tf.nn.log_softmax(log_probabilities)
        vocabulary = tf.shape(logits)[1]
        together = tf.reshape(log_probabilities, [-1, num_beams, vocabulary]) + state.log_probabilities[:, :, None]
        together = tf.reshape(together, [-1, num_beams * vocabulary])
        order = together
        if options.do_sample:  # without putting back: by Gumbel's noise (Kool et al. 2019)
            noise = uniform(state.seeds, num_beams * vocabulary, state.num_new)
            order = together - tf.math.log(-tf.math.log(tf.maximum(noise, 1e-20)))
        _, best = tf.math.top_k(order, max(2, 1 + len(options.eos_token_id)) * num_beams)
        beams, chosen = best // vocabulary, best % vocabulary
        tokens = with_token(tf.gather(state.tokens, beams, batch_dims=1), chosen, state.length)
        num_candidates = tf.shape(best)[1]
        is_end = self._ends(tf.reshape(tokens, [-1, size]), state.length + 1)
        is_last = tf.reshape(is_end, [-1, num_candidates]) | (state.num_new + 1 >= state.limits)[:, None]
        return _Candidates(tokens, beams, tf.gather(together, best, batch_dims=1), is_last)

    def _with_done(self, state: Beams, candidates: _Candidates) -> Beams:
        """Put whole sequences among the best of their row, if they are of the best beams."""
        options = self._options
        is_full = tf.reduce_all(state.is_done, 1, keepdims=True) & (options.early_stopping is True)
        is_best = tf.range(tf.shape(candidates.is_last)[1]) < options.num_beams
        is_new = candidates.is_last & is_best
        is_counted = is_new & ~is_full & state.may_improve[:, None]
        scores = candidates.log_probabilities / tf.pow(tf.cast(state.num_new, tf.float32), options.length_penalty)
        merged = tf.concat([state.scores, scores + tf.where(is_counted, 0.0, _NEVER)], 1)
        best_scores, best = tf.math.top_k(merged, options.num_beams)
        lengths = tf.concat([state.lengths, tf.fill(tf.shape(is_new), state.num_new)], 1)
        return state._replace(
            done=tf.gather(tf.concat([state.done, candidates.tokens], 1), best, batch_dims=1),
            lengths=tf.gather(lengths, best, batch_dims=1),
            scores=best_scores,
            is_done=tf.gather(tf.concat([state.is_done, is_new], 1), best, batch_dims=1),
        )

    def _closed(self, state: Beams, candidates: _Candidates) -> Beams:
        """Tell for which rows the search goes on."""
        penalty, stopping = self._options.length_penalty, self._options.early_stopping
        length = state.limits if stopping == "never" and penalty > 0 else state.num_new
        possible = state.log_probabilities[:, 0] / tf.pow(tf.cast(length, tf.float32), penalty)
        worst = tf.where(state.is_done, tf.reduce_min(state.scores, 1, keepdims=True), _NEVER)
        may_improve = state.may_improve & tf.reduce_any(possible[:, None] > worst, 1)
        goes_on = may_improve & ~tf.reduce_all(candidates.is_last, 1)
        if stopping is True:
            goes_on &= ~tf.reduce_all(state.is_done, 1)
        return state._replace(may_improve=may_improve, is_open=goes_on)

    def is_open(self, state: Beams) -> tf.Tensor:
        """Tell for which rows the search goes on."""
        return state.is_open

    def rows_of(self, state: Beams, rows: tf.Tensor) -> Beams:
        """Return the state of some prompts."""
        of_beams = copies_of(rows, self._options.num_beams)
        chosen = tf.nest.map_structure(
            lambda values: values if values.shape.rank == 0 else tf.gather(values, rows),
            state._replace(mask=(), memory=()),
        )
        return chosen._replace(
            mask=tf.gather(state.mask, of_beams), memory=self.decoder.rows_of(state.memory, of_beams)
        )

    def with_places(self, state: Beams, more: tf.Tensor) -> Beams:
        """Return the state with room for so many tokens more."""
        return state._replace(
            tokens=with_room(state.tokens, more),
            mask=with_room(state.mask, more),
            done=with_room(state.done, more),
            memory=self.decoder.with_places(state.memory, more),
        )

    def shapes(self, state: Beams) -> Beams:
        """Return the shapes of a state."""
        beams = self._options.num_beams
        plain = tf.nest.map_structure(
            lambda values: tf.TensorShape([None] * values.shape.rank), state._replace(memory=())
        )
        by_beam = tf.TensorShape([None, beams])
        return plain._replace(
            tokens=tf.TensorShape([None, beams, None]),
            seeds=tf.TensorShape([None, 2]),
            done=tf.TensorShape([None, beams, None]),
            log_probabilities=by_beam,
            lengths=by_beam,
            scores=by_beam,
            is_done=by_beam,
            memory=self.decoder.shapes(state.memory),
        )

    def generated(self, state: Beams) -> Generated:
        """Return the best whole sequences."""
        n = self._options.num_return_sequences
        new = state.done[:, :n, state.length - state.num_new :]
        return Generated(new, state.lengths[:, :n], tf.exp(state.scores[:, :n]))
