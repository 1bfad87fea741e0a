"""The loop that makes text: one graph for prompts of every number and length, in Python and in a SavedModel alike."""

from __future__ import annotations

from tfnlp._backend import tf
from tfnlp.generation.beams import BeamSearch
from tfnlp.generation.decoders import Decoder
from tfnlp.generation.ends import Ends
from tfnlp.generation.options import GenerationOptions
from tfnlp.generation.sampling import Sampling
from tfnlp.generation.search import Generated, Search


def search_of(decoder: Decoder, options: GenerationOptions, ends: Ends) -> Search:
    """Return the search that options ask for."""
    return (BeamSearch if options.num_beams > 1 else Sampling)(decoder, options, ends)


def texts_of(features: dict[str, tf.Tensor]) -> tf.Tensor:
    """Return the tokens that are given, -1 for padding. Shape `(rows, length)`, int32."""
    return tf.where(features["attention_mask"] > 0, features["input_ids"], -1)


def generate(
    decoder: Decoder,
    features: dict[str, tf.Tensor],
    limits: tf.Tensor,
    seeds: tf.Tensor,
    options: GenerationOptions,
    ends: Ends,
    most: int | None = None,
    noise: tf.Tensor | None = None,
) -> Generated:
    """Continue prompts, or answer them.

    Args:
        decoder: says what comes next.
        features: of the prompts, at least one, those of tokens filled up on the left.
        limits: how many new tokens each may have, at least 1. Shape `(rows,)`, int32.
        seeds: a seed and a number for each, by which it is sampled, whatever stands beside it. Shape `(rows, 2)`.
        options: of generation.
        ends: what ends a sequence.
        noise: as `Search.noise` returned it; None: it is made of the seeds. XLA would make another.
        most: for how many new tokens to make room; None: for as many as any row may have.
    """
    search = search_of(decoder, options, ends)
    most = tf.reduce_max(limits) if most is None else most
    noise = search.noise(seeds, most) if noise is None else noise
    state = search.start(decoder.read(features, most), texts_of(features), limits, noise, most)
    (state,) = tf.while_loop(
        lambda state: tf.reduce_any(search.is_open(state)),
        lambda state: (search.advance(state),),
        (state,),
        (search.shapes(state),),
        parallel_iterations=1,
    )
    return search.generated(state)
