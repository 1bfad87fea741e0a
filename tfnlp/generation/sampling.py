"""`Sampling`: the likeliest token, or one that is drawn, one after the other."""

from __future__ import annotations

from typing import Any, NamedTuple

from tfnlp._backend import tf
from tfnlp.generation.decoders import Decoder, Started
from tfnlp.generation.ends import Ends
from tfnlp.generation.options import GenerationOptions
from tfnlp.generation.randomness import uniform
from tfnlp.generation.rules import Written, for_sampling, rules_of
from tfnlp.generation.search import Asked, Generated, Numbers, copies_of, starts_of, texts_for, with_room, with_token


class Sampled(NamedTuple):
    """Sequences, and what is known of them. A prompt has `num_return_sequences` rows.

    Attributes:
        num_new: how many tokens are new, in all rows alike. Scalar, int32.
        length: how many places of `tokens` are written, in all rows alike. Scalar, int32.
        tokens: prompts and new tokens. Shape `(rows, size)`, int32.
        mask: 1 for tokens, 0 for padding, free places, and what stands behind the last token. Shape `(rows, size)`,
            int32.
        starts: the first place of each prompt. Shape `(rows,)`, int32.
        limits: how many new tokens each row may have. Shape `(rows,)`, int32.
        texts: the tokens that were given, -1 for padding. Shape `(rows, texts)`, int32.
        lengths: how many it has. Shape `(rows,)`, int32.
        log_probabilities: of the new ones, together. Shape `(rows,)`, float32.
        is_open: whether the row lacks its last token. Shape `(rows,)`, bool.
        draws: a random number for each new token; of none without sampling. Shape `(rows, most)`, float32.
        numbers: options of rows.
        memory: of the decoder.
    """

    num_new: tf.Tensor
    length: tf.Tensor
    tokens: tf.Tensor
    mask: tf.Tensor
    starts: tf.Tensor
    limits: tf.Tensor
    texts: tf.Tensor
    lengths: tf.Tensor
    log_probabilities: tf.Tensor
    is_open: tf.Tensor
    draws: tf.Tensor
    numbers: Numbers
    memory: Any


class Sampling:
    """Takes the likeliest token, or draws one by its probability."""

    def __init__(self, decoder: Decoder, options: GenerationOptions, ends: Ends) -> None:
        self.decoder, self._options, self._ends = decoder, options, ends
        self._rules = rules_of(options)

    def start(self, started: Started, texts: tf.Tensor, asked: Asked, most: tf.Tensor, room: tf.Tensor) -> Sampled:
        """Choose the first token of each row."""
        copies = self._options.num_return_sequences
        draws = self._draws(asked.seeds, most)
        tokens, mask, logits, memory = started
        limits, numbers, texts = asked.limits, asked.numbers, texts_for(self._options, texts)
        if copies > 1:
            rows = tf.repeat(tf.range(tf.shape(tokens)[0]), copies)
            given = (tokens, mask, logits, limits, texts, numbers)
            tokens, mask, logits, limits, texts, numbers = tf.nest.map_structure(lambda v: tf.gather(v, rows), given)
            memory = self.decoder.rows_of(memory, rows)
        num_rows = tf.shape(tokens)[0]
        state = Sampled(
            num_new=tf.constant(0),
            length=tf.shape(tokens)[1],
            tokens=with_room(tokens, room),
            mask=with_room(mask, room),
            starts=starts_of(mask),
            limits=limits,
            texts=texts,
            lengths=tf.zeros([num_rows], tf.int32),
            log_probabilities=tf.zeros([num_rows]),
            is_open=tf.ones([num_rows], tf.bool),
            draws=draws,
            numbers=numbers,
            memory=memory,
        )
        return self._with_next(state, logits, memory)

    def _draws(self, seeds: tf.Tensor, most: tf.Tensor) -> tf.Tensor:
        """Return a random number for each new token, or none without sampling. Shape `(rows, most)`, float32."""
        copies, num_rows = self._options.num_return_sequences, tf.shape(seeds)[0]
        if not self._options.do_sample:
            return tf.zeros([num_rows * copies, 0])
        seed, number = tf.unstack(tf.repeat(seeds, copies, 0), axis=1)
        numbers = number * copies + tf.tile(tf.range(copies), [num_rows])
        return uniform(tf.stack([seed, numbers], 1), most)

    def advance(self, state: Sampled) -> Sampled:
        """Read the last token of each row, and choose the next."""
        last = tf.gather(state.tokens, state.length - 1, axis=1)
        return self._with_next(state, *self.decoder.step(last, state.length - 1, state.mask, state.memory))

    def _with_next(self, state: Sampled, logits: tf.Tensor, memory: Any) -> Sampled:
        options = self._options
        written = Written(state.tokens, state.starts, state.length, state.num_new, state.limits, state.texts)
        for rule in self._rules:
            logits = rule(logits, written)
        if options.do_sample:
            logits = for_sampling(logits, options, state.numbers)
            chosen = _drawn(logits, tf.gather(state.draws, state.num_new, axis=1))
        else:
            chosen = tf.argmax(logits, 1, tf.int32)
        log_probability = tf.gather(tf.nn.log_softmax(logits), chosen, batch_dims=1)
        chosen = tf.where(state.is_open, chosen, 0)  # what stands behind an end means nothing
        tokens = with_token(state.tokens, chosen, state.length)
        num_new = state.num_new + 1
        is_last = self._ends(tokens, state.length + 1) | (num_new >= state.limits)
        return state._replace(
            num_new=num_new,
            length=state.length + 1,
            tokens=tokens,
            mask=with_token(state.mask, tf.cast(state.is_open, tf.int32), state.length),
            lengths=state.lengths + tf.cast(state.is_open, tf.int32),
            log_probabilities=state.log_probabilities + tf.where(state.is_open, log_probability, 0.0),
            is_open=state.is_open & ~is_last,
            memory=memory,
        )

    def is_open(self, state: Sampled) -> tf.Tensor:
        """Tell of which prompts a sequence lacks its last token."""
        return tf.reduce_any(tf.reshape(state.is_open, [-1, self._options.num_return_sequences]), 1)

    def rows_of(self, state: Sampled, rows: tf.Tensor) -> Sampled:
        """Return the state of some prompts."""
        rows = copies_of(rows, self._options.num_return_sequences)
        chosen = tf.nest.map_structure(
            lambda values: values if values.shape.rank == 0 else tf.gather(values, rows), state._replace(memory=())
        )
        return chosen._replace(memory=self.decoder.rows_of(state.memory, rows))

    def with_places(self, state: Sampled, more: tf.Tensor) -> Sampled:
        """Return the state with room for so many tokens more."""
        return state._replace(
            tokens=with_room(state.tokens, more),
            mask=with_room(state.mask, more),
            memory=self.decoder.with_places(state.memory, more),
        )

    def shapes(self, state: Sampled) -> Sampled:
        """Return the shapes of a state."""
        plain = tf.nest.map_structure(
            lambda values: tf.TensorShape([None] * values.shape.rank), state._replace(memory=())
        )
        return plain._replace(memory=self.decoder.shapes(state.memory))

    def generated(self, state: Sampled) -> Generated:
        """Return what was made."""
        copies = self._options.num_return_sequences
        new = state.tokens[:, state.length - state.num_new :]
        score = state.log_probabilities / tf.pow(tf.cast(state.lengths, tf.float32), self._options.length_penalty)
        return Generated(
            tf.reshape(new, [-1, copies, tf.shape(new)[1]]),
            tf.reshape(state.lengths, [-1, copies]),
            tf.exp(tf.reshape(score, [-1, copies])),
        )


def _drawn(logits: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """Draw a token of each row by its probability. `draws` are numbers in [0, 1), shape `(rows,)`."""
    reached = tf.cumsum(tf.nn.softmax(logits), 1)
    wanted = draws[:, None] * reached[:, -1:]
    first = tf.searchsorted(reached, wanted, side="right")[:, 0]
    return tf.minimum(first, tf.shape(logits)[1] - 1)
