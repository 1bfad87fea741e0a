"""Transformers' TensorFlow heads as decoders: a cache grows by a token a step, or everything is read again."""

from __future__ import annotations

import inspect
from typing import Any

from tfnlp._backend import tf
from tfnlp.checkpoints.sizes import OFFSET_POSITIONS
from tfnlp.checkpoints.upstream import encoder_output
from tfnlp.generation.decoders import Decoder, Memory, Started
from tfnlp.networks.positions import positions_of

# Heads without a cache that can be used: none, or one whose length is read in Python, so that it can't grow in a graph.
_WITHOUT_CACHE = ("mistral", "openai-gpt", "xglm")


def decoder_of(head: Any, *, room: int) -> Decoder:
    """Return the decoder that runs a causal head of transformers; `room` is the most tokens that it takes."""
    if head.config.model_type == "xlnet":
        return RecomputingDecoder(_XLNetHead(head), room)
    if head.config.model_type in _WITHOUT_CACHE:
        return RecomputingDecoder(_Head(head), room)
    return CachedDecoder(_Head(head), room)


class _Head:
    """Runs a causal head as a graph that AutoGraph has converted, which the branches of its code need."""

    def __init__(self, head: Any) -> None:
        self._head = head
        config = head.config
        # Transformers' heads find the offset of positions only where they read a whole text.
        self._first = (config.pad_token_id or 0) + 1 if config.model_type in OFFSET_POSITIONS else 0
        self._options = inspect.signature(type(head).call).parameters
        self._run = tf.function(self._called, reduce_retracing=True)

    def _called(self, ids: tf.Tensor, mask: tf.Tensor, positions: tf.Tensor, memory: Memory, use_cache: bool) -> Any:
        given = {"position_ids": positions, "use_cache": use_cache}
        if use_cache:
            given["past_key_values"] = memory
        given = {name: value for name, value in given.items() if name in self._options}
        outputs = self._head(input_ids=ids, attention_mask=mask, training=False, **given)
        logits = tf.cast(outputs.logits[:, -1], tf.float32)
        return logits, outputs.past_key_values if use_cache else None

    def run(self, ids: tf.Tensor, mask: tf.Tensor, memory: Memory, *, use_cache: bool) -> Any:
        """Return the logits of the next token, and what the head remembers."""
        positions = positions_of(mask, self._first)[:, -tf.shape(ids)[1] :]
        return self._run(ids, mask, positions, memory, use_cache)


class _XLNetHead:
    """Runs XLNet's head, which says what stands in a place that is hidden from all, behind the tokens."""

    def __init__(self, head: Any) -> None:
        self._head = head
        self._run = tf.function(self._called, reduce_retracing=True)

    def _called(self, ids: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        size = tf.shape(ids)[1] + 1
        is_last = tf.one_hot(size - 1, size)
        rows = tf.ones_like(ids[:, :1], tf.float32)
        outputs = self._head(
            input_ids=tf.pad(ids, [[0, 0], [0, 1]]),
            attention_mask=tf.pad(mask, [[0, 0], [0, 1]], constant_values=1),
            perm_mask=tf.tile((rows * is_last)[:, None], [1, size, 1]),
            target_mapping=(rows * is_last)[:, None],
            use_mems=False,
            training=False,
        )
        return tf.cast(outputs.logits[:, 0], tf.float32)

    def run(self, ids: tf.Tensor, mask: tf.Tensor, memory: Memory, *, use_cache: bool) -> Any:
        """Return the logits of the next token; there is no cache."""
        del memory, use_cache
        return self._run(ids, mask), None


class _Growing:
    """What is common to decoders that remember a token more with every step."""

    def with_places(self, memory: Memory, more: tf.Tensor) -> Memory:
        """Return what is remembered: room comes with each token."""
        del more
        return memory


class CachedDecoder(_Growing):
    """A head that keeps keys and values of the tokens before."""

    continues = True

    def __init__(self, head: _Head, room: int) -> None:
        self._head, self.room = head, room

    def read(self, features: dict[str, tf.Tensor], most: tf.Tensor) -> Started:
        """Read prompts."""
        del most
        ids, mask = features["input_ids"], features["attention_mask"]
        return Started(ids, mask, *self._head.run(ids, mask, None, use_cache=True))

    def step(self, tokens: tf.Tensor, place: tf.Tensor, mask: tf.Tensor, memory: Memory) -> tuple[tf.Tensor, Memory]:
        """Read one token more."""
        return self._head.run(tokens[:, None], mask[:, : place + 1], memory, use_cache=True)

    def rows_of(self, memory: Memory, rows: tf.Tensor) -> Memory:
        """Return the keys and values of some rows."""
        return tf.nest.map_structure(lambda values: tf.gather(values, rows, axis=values.shape.rank - 4), memory)

    def shapes(self, memory: Memory) -> Memory:
        """Return the shapes of keys and values: `(..., rows, heads, length, size)`."""
        return tf.nest.map_structure(_growing, memory)


class RecomputingDecoder(_Growing):
    """A head that reads all tokens again for every new one."""

    continues = True

    def __init__(self, head: Any, room: int) -> None:
        self._head, self.room = head, room

    def read(self, features: dict[str, tf.Tensor], most: tf.Tensor) -> Started:
        """Read prompts."""
        del most
        ids, mask = features["input_ids"], features["attention_mask"]
        return Started(ids, mask, self._head.run(ids, mask, None, use_cache=False)[0], ids)

    def step(self, tokens: tf.Tensor, place: tf.Tensor, mask: tf.Tensor, memory: Memory) -> tuple[tf.Tensor, Memory]:
        """Read all tokens again, and one more."""
        ids = tf.concat([memory, tokens[:, None]], 1)
        return self._head.run(ids, mask[:, : place + 1], None, use_cache=False)[0], ids

    def rows_of(self, memory: Memory, rows: tf.Tensor) -> Memory:
        """Return the tokens of some rows."""
        return tf.gather(memory, rows)

    def shapes(self, memory: Memory) -> Memory:
        """Return the shape of all tokens."""
        del memory
        return tf.TensorShape([None, None])


class Seq2SeqDecoder(_Growing):
    """A head with an encoder, which reads the prompts once; answers start with one token."""

    continues = False

    def __init__(self, head: Any, start_id: int, room: int) -> None:
        self._head, self._start_id, self.room = head, start_id, room
        self._encode = tf.function(self._encoded, reduce_retracing=True)
        self._run = tf.function(self._called, reduce_retracing=True)

    def _encoded(self, ids: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        return self._head.get_encoder()(input_ids=ids, attention_mask=mask, training=False)[0]

    def _called(self, tokens: tf.Tensor, hidden: tf.Tensor, mask: tf.Tensor, past: Any) -> tuple[tf.Tensor, Any]:
        outputs = self._head(
            input_ids=None, attention_mask=mask, decoder_input_ids=tokens, encoder_outputs=encoder_output(hidden),
            past_key_values=past, use_cache=True, training=False,
        )  # fmt: skip
        return tf.cast(outputs.logits[:, -1], tf.float32), outputs.past_key_values

    def read(self, features: dict[str, tf.Tensor], most: tf.Tensor) -> Started:
        """Read prompts."""
        del most
        ids, mask = features["input_ids"], features["attention_mask"]
        hidden = self._encode(ids, mask)
        tokens = tf.fill([tf.shape(ids)[0], 1], self._start_id)
        logits, past = self._run(tokens, hidden, mask, None)
        return Started(tokens, tf.ones_like(tokens), logits, (hidden, mask, past))

    def step(self, tokens: tf.Tensor, place: tf.Tensor, mask: tf.Tensor, memory: Memory) -> tuple[tf.Tensor, Memory]:
        """Read one token more."""
        del place, mask  # answers have no padding before them
        hidden, of_prompts, past = memory
        logits, past = self._run(tokens[:, None], hidden, of_prompts, past)
        return logits, (hidden, of_prompts, past)

    def rows_of(self, memory: Memory, rows: tf.Tensor) -> Memory:
        """Return what is remembered of some rows."""
        return tf.nest.map_structure(lambda values: tf.gather(values, rows), memory)

    def shapes(self, memory: Memory) -> Memory:
        """Return the shapes of the encoder's vectors, its mask, and of keys and values."""
        hidden, _, past = memory
        of_hidden = tf.TensorShape([None, None, hidden.shape[2]])
        return of_hidden, tf.TensorShape([None, None]), tf.nest.map_structure(_growing, past)


def _growing(values: tf.Tensor) -> tf.TensorShape:
    *outer, _, heads, _, size = values.shape
    return tf.TensorShape([*outer, None, heads, None, size])
