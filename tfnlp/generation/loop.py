"""The loop that makes text: one graph for prompts of every number and length, in Python and in a SavedModel alike."""

from __future__ import annotations

from typing import Any

from tfnlp._backend import tf
from tfnlp.generation.beams import BeamSearch
from tfnlp.generation.decoders import Decoder
from tfnlp.generation.ends import Ends
from tfnlp.generation.options import GenerationOptions
from tfnlp.generation.sampling import Sampling
from tfnlp.generation.search import Asked, Generated, Search


def search_of(decoder: Decoder, options: GenerationOptions, ends: Ends) -> Search:
    """Return the search that options ask for."""
    return (BeamSearch if options.num_beams > 1 else Sampling)(decoder, options, ends)


def started(
    search: Search, features: dict[str, tf.Tensor], asked: Asked, most: tf.Tensor, room: tf.Tensor | None = None
) -> Any:
    """Read prompts, and choose the first token of each.

    Args:
        search: chooses tokens.
        features: of the prompts, at least one, those of tokens filled up on the left.
        asked: of each.
        most: new tokens of a row.
        room: for how many of these to make places now; None: for all.
    """
    room = most if room is None else room
    texts = tf.where(features["attention_mask"] > 0, features["input_ids"], -1)
    return search.start(search.decoder.read(features, room), texts, asked, most, room)


def advanced(search: Search, state: Any, until: tf.Tensor) -> Any:
    """Choose tokens until no more than so many rows are open, or all places are written."""

    def goes_on(state: Any) -> tf.Tensor:
        num_open = tf.math.count_nonzero(search.is_open(state), dtype=tf.int32)
        return (num_open > until) & (state.length < tf.shape(state.tokens)[-1])

    (state,) = tf.while_loop(
        goes_on, lambda state: (search.advance(state),), (state,), (search.shapes(state),), parallel_iterations=1
    )
    return state


def generate(search: Search, features: dict[str, tf.Tensor], asked: Asked) -> Generated:
    """Continue prompts, or answer them. Rows that are done leave the batch, half of it at a time.

    Args:
        search: chooses tokens.
        features: of the prompts, at least one, those of tokens filled up on the left.
        asked: of each.
    """
    most = tf.reduce_max(asked.limits)
    state = started(search, features, asked, most)
    made = filled_up(search.generated(state), most)

    def advance(state: Any, rows: tf.Tensor, made: Generated) -> Any:
        state = advanced(search, state, tf.size(rows) // 2)
        here = filled_up(search.generated(state), most)
        made = tf.nest.map_structure(
            lambda before, now: tf.tensor_scatter_nd_update(before, rows[:, None], now), made, here
        )
        left = tf.where(search.is_open(state))[:, 0]
        return search.rows_of(state, tf.cast(left, tf.int32)), tf.gather(rows, left), made

    _, _, made = tf.while_loop(
        lambda state, *_: tf.reduce_any(search.is_open(state)),
        advance,
        (state, tf.range(tf.size(asked.limits)), made),
        (
            search.shapes(state),
            tf.TensorShape([None]),
            tf.nest.map_structure(lambda values: tf.TensorShape([None] * values.shape.rank), made),
        ),
        parallel_iterations=1,
    )
    return made


def filled_up(made: Generated, size: tf.Tensor) -> Generated:
    """Return what was made with so many places for tokens."""
    return made._replace(tokens=tf.pad(made.tokens, [[0, 0], [0, 0], [0, size - tf.shape(made.tokens)[2]]]))
