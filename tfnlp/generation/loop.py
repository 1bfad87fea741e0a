"""The loop that makes text: one graph for prompts of every number and length, in Python and in a SavedModel alike."""

from __future__ import annotations

from tfnlp._backend import tf
from tfnlp.generation.beams import BeamSearch
from tfnlp.generation.decoders import Decoder
from tfnlp.generation.ends import Ends
from tfnlp.generation.options import GenerationOptions
from tfnlp.generation.sampling import Sampling
from tfnlp.generation.search import Generated, Search, limits_of


def search_of(decoder: Decoder, options: GenerationOptions, ends: Ends) -> Search:
    """Return the search that options ask for."""
    return (BeamSearch if options.num_beams > 1 else Sampling)(decoder, options, ends)


def generate(
    decoder: Decoder, features: dict[str, tf.Tensor], seeds: tf.Tensor, options: GenerationOptions, ends: Ends
) -> Generated:
    """Continue prompts, or answer them.

    Args:
        decoder: says what comes next.
        features: of the prompts, at least one, those of tokens filled up on the left.
        seeds: a seed and a number for each, by which it is sampled, whatever stands beside it. Shape `(rows, 2)`.
        options: of generation.
        ends: what ends a sequence.
    """
    search = search_of(decoder, options, ends)
    started = decoder.read(features)
    limits = limits_of(tf.reduce_sum(started.mask, 1), options, decoder.room)
    state = search.start(started, limits, seeds, tf.reduce_max(limits))
    (state,) = tf.while_loop(
        lambda state: tf.reduce_any(search.is_open(state)),
        lambda state: (search.advance(state),),
        (state,),
        (search.shapes(state),),
        parallel_iterations=1,
    )
    return search.generated(state)
