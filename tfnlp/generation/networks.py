"""Networks of our own as decoders, over caches that grow by a token a step, or that have room from the start."""

from __future__ import annotations

from tfnlp._backend import tf
from tfnlp.generation.decoders import Memory, positions_of
from tfnlp.generation.search import Started
from tfnlp.networks.families import DecoderNetwork, EncoderDecoderNetwork
from tfnlp.networks.stacks import Cache, KeysAndValues, grown, keys_across, run_stack, written


class _Caches:
    """Keys and values of tokens that were read.

    Attributes:
        has_room: whether there is room for all tokens from the start, as XLA wants it; else they grow.
    """

    def __init__(self, *, has_room: bool) -> None:
        self.has_room = has_room
        self.put: Cache = written if has_room else grown

    def started(self, made: tuple[KeysAndValues, ...], most: tf.Tensor) -> tuple[KeysAndValues, ...]:
        """Return the keys and values of prompts, with room for so many tokens more where it is wanted."""
        if not self.has_room:
            return made
        return tf.nest.map_structure(lambda values: tf.pad(values, [[0, 0], [0, 0], [0, most], [0, 0]]), made)

    def mask(self, mask: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
        """Return the mask of the places that there are."""
        return mask if self.has_room else mask[:, : place + 1]

    def shapes(self, memory: Memory) -> Memory:
        """Return the shapes of keys and values."""
        return tf.nest.map_structure(
            lambda values: tf.TensorShape([None, values.shape[1], None, values.shape[3]]), memory
        )


class NetworkDecoder:
    """A decoder that continues prompts."""

    continues = True

    def __init__(self, network: DecoderNetwork, room: int, *, has_room: bool = False) -> None:
        self._network, self.room, self._caches = network, room, _Caches(has_room=has_room)

    def read(self, features: dict[str, tf.Tensor], most: tf.Tensor) -> Started:
        """Read prompts."""
        ids, mask = features["input_ids"], features["attention_mask"]
        hidden, made = run_stack(self._network.stack, ids, positions_of(mask), mask)
        last = tf.reshape(hidden, [tf.shape(ids)[0], -1, hidden.shape[-1]])[:, -1]
        return Started(ids, mask, self._network.output(last), self._caches.started(made, most))

    def step(self, tokens: tf.Tensor, place: tf.Tensor, mask: tf.Tensor, memory: Memory) -> tuple[tf.Tensor, Memory]:
        """Read one token more."""
        positions = tf.reduce_sum(mask, 1, keepdims=True) - 1
        hidden, memory = run_stack(
            self._network.stack, tokens[:, None], positions, self._caches.mask(mask, place), place=place,
            cache=self._caches.put, before=memory,
        )  # fmt: skip
        return self._network.output(hidden), memory

    def rows_of(self, memory: Memory, rows: tf.Tensor) -> Memory:
        """Return the keys and values of some rows."""
        return tf.nest.map_structure(lambda values: tf.gather(values, rows), memory)

    def shapes(self, memory: Memory) -> Memory:
        """Return the shapes of keys and values: `(rows, heads, places, size)`."""
        return self._caches.shapes(memory)


class NetworkSeq2SeqDecoder:
    """A network with an encoder, which reads the prompts once; answers start with one token."""

    continues = False

    def __init__(self, network: EncoderDecoderNetwork, start_id: int, room: int, *, has_room: bool = False) -> None:
        self._network, self._start_id, self.room = network, start_id, room
        self._caches = _Caches(has_room=has_room)

    def read(self, features: dict[str, tf.Tensor], most: tf.Tensor) -> Started:
        """Read prompts."""
        ids, mask = features["input_ids"], features["attention_mask"]
        hidden, _ = run_stack(self._network.encoder, ids, positions_of(tf.ones_like(mask)), mask)
        num_rows = tf.shape(ids)[0]
        across = keys_across(self._network.stack, hidden, num_rows)
        tokens = tf.fill([num_rows, 1], self._start_id)
        own = tf.ones_like(tokens)
        hidden, made = run_stack(self._network.stack, tokens, positions_of(own), own, across=across, across_mask=mask)
        memory = self._caches.started(made, most), across, mask
        return Started(tokens, own, self._network.output(hidden), memory)

    def step(self, tokens: tf.Tensor, place: tf.Tensor, mask: tf.Tensor, memory: Memory) -> tuple[tf.Tensor, Memory]:
        """Read one token more."""
        made, across, of_prompts = memory
        positions = tf.reduce_sum(mask, 1, keepdims=True) - 1
        hidden, made = run_stack(
            self._network.stack, tokens[:, None], positions, self._caches.mask(mask, place), place=place,
            cache=self._caches.put, before=made, across=across, across_mask=of_prompts,
        )  # fmt: skip
        return self._network.output(hidden), (made, across, of_prompts)

    def rows_of(self, memory: Memory, rows: tf.Tensor) -> Memory:
        """Return what is remembered of some rows."""
        return tf.nest.map_structure(lambda values: tf.gather(values, rows), memory)

    def shapes(self, memory: Memory) -> Memory:
        """Return the shapes of keys and values, and of the prompts' mask."""
        made, across, _ = memory
        return self._caches.shapes(made), self._caches.shapes(across), tf.TensorShape([None, None])
