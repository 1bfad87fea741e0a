"""Networks of our own as decoders, over caches that grow by a token a step, or that have room from the start."""

from __future__ import annotations

from typing import NamedTuple

from tfnlp._backend import tf
from tfnlp.generation.decoders import Memory, Started
from tfnlp.networks.families.decoders import DecoderNetwork
from tfnlp.networks.families.encoder_decoders import EncoderDecoderNetwork
from tfnlp.networks.positions import positions_of
from tfnlp.networks.reading import Past, Texts, read_texts, run_stack
from tfnlp.networks.stacks import Cache, KeysAndValues, Tokens, grown, written


class _Caches:
    """Keys and values of tokens that were read.

    Attributes:
        has_room: whether there is room for all tokens from the start, as XLA wants it; else they grow.
    """

    def __init__(self, *, has_room: bool) -> None:
        self.has_room = has_room
        self.put: Cache = written if has_room else grown

    def with_places(self, made: tuple[KeysAndValues, ...], more: tf.Tensor) -> tuple[KeysAndValues, ...]:
        """Return keys and values with room for so many tokens more; as they are where they grow."""
        if not self.has_room:
            return made
        return tf.nest.map_structure(lambda values: tf.pad(values, [[0, 0], [0, 0], [0, more], [0, 0]]), made)

    def mask(self, mask: tf.Tensor, place: tf.Tensor) -> tf.Tensor:
        """Return the mask of the places that there are."""
        return mask if self.has_room else mask[:, : place + 1]

    def shapes(self, memory: Memory) -> Memory:
        """Return the shapes of keys and values."""
        return tf.nest.map_structure(
            lambda values: tf.TensorShape([None, values.shape[1], None, values.shape[3]]), memory
        )


class _Memory(NamedTuple):
    """What a network remembers.

    Attributes:
        made: keys and values of the decoder's own tokens, by layer.
        texts: the same of what an encoder has read; empty without one.
        matrix: of the output, which all rows share, made once; empty where XLA takes it out of its loop by itself.
    """

    made: tuple[KeysAndValues, ...]
    texts: Texts
    matrix: tf.Tensor | tuple[()]


class _OverNetwork:
    """What decoders over networks have in common."""

    room: int

    def __init__(self, network: DecoderNetwork | EncoderDecoderNetwork, room: int, *, has_room: bool) -> None:
        self.room, self._stack, self._output = room, network.stack, network.output
        self._caches = _Caches(has_room=has_room)

    def step(self, tokens: tf.Tensor, place: tf.Tensor, mask: tf.Tensor, memory: _Memory) -> tuple[tf.Tensor, Memory]:
        """Read one token more."""
        positions = tf.reduce_sum(mask, 1, keepdims=True) - 1
        new = Tokens(tokens[:, None], positions, self._caches.mask(mask, place))
        reading = run_stack(self._stack, new, Past(memory.made, place, self._caches.put), memory.texts)
        matrix = self._output.matrix() if isinstance(memory.matrix, tuple) else memory.matrix
        return self._output(reading.hidden, matrix), memory._replace(made=reading.remembered)

    def _matrix(self) -> tf.Tensor | tuple[()]:
        return () if self._caches.has_room else self._output.matrix()

    def _first_logits(self, hidden: tf.Tensor, matrix: tf.Tensor | tuple[()]) -> tf.Tensor:
        return self._output(hidden, None if isinstance(matrix, tuple) else matrix)

    def rows_of(self, memory: _Memory, rows: tf.Tensor) -> Memory:
        """Return what is remembered of some rows."""
        of_rows = tf.nest.map_structure(lambda values: tf.gather(values, rows), memory._replace(matrix=()))
        return of_rows._replace(matrix=memory.matrix)

    def with_places(self, memory: _Memory, more: tf.Tensor) -> Memory:
        """Return what is remembered with room for so many tokens more; as it is where it grows by itself."""
        return memory._replace(made=self._caches.with_places(memory.made, more))

    def shapes(self, memory: _Memory) -> Memory:
        """Return the shapes of keys and values, of the prompts' mask, and of the output's matrix."""
        caches = self._caches
        texts = Texts(caches.shapes(memory.texts.remembered), tf.TensorShape([None, None]))
        matrix = () if isinstance(memory.matrix, tuple) else memory.matrix.shape
        return _Memory(caches.shapes(memory.made), texts, matrix)


class NetworkDecoder(_OverNetwork):
    """A decoder that continues prompts."""

    continues = True

    def read(self, features: dict[str, tf.Tensor], most: tf.Tensor) -> Started:
        """Read prompts."""
        ids, mask = features["input_ids"], features["attention_mask"]
        reading = run_stack(self._stack, Tokens(ids, positions_of(mask), mask))
        last = tf.reshape(reading.hidden, [tf.shape(ids)[0], -1, reading.hidden.shape[-1]])[:, -1]
        matrix = self._matrix()
        memory = _Memory(self._caches.with_places(reading.remembered, most), Texts((), mask[:, :0]), matrix)
        return Started(ids, mask, self._first_logits(last, matrix), memory)


class NetworkSeq2SeqDecoder(_OverNetwork):
    """A network with an encoder, which reads the prompts once; answers start with one token."""

    continues = False

    def __init__(self, network: EncoderDecoderNetwork, start_id: int, room: int, *, has_room: bool) -> None:
        super().__init__(network, room, has_room=has_room)
        self._encoder, self._start_id = network.encoder, start_id

    def read(self, features: dict[str, tf.Tensor], most: tf.Tensor) -> Started:
        """Read prompts."""
        ids, mask = features["input_ids"], features["attention_mask"]
        texts = read_texts(self._encoder, self._stack, ids, mask)
        tokens = tf.fill([tf.shape(ids)[0], 1], self._start_id)
        own = tf.ones_like(tokens)
        reading = run_stack(self._stack, Tokens(tokens, positions_of(own), own), texts=texts)
        matrix = self._matrix()
        memory = _Memory(self._caches.with_places(reading.remembered, most), texts, matrix)
        return Started(tokens, own, self._first_logits(reading.hidden, matrix), memory)
