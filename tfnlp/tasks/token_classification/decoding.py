"""Token scores to entities, as TensorFlow ops.

The rules are those of transformers' token classification pipeline, and so are the numbers: `aggregation` none,
simple, first, average, max; of overlapping entities of two windows the longer wins, then the higher score.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import numpy as np

from tfnlp._backend import tf
from tfnlp.labels import OUTSIDE
from tfnlp.tasks.text_spans import by_record, substrings
from tfnlp.tasks.token_classification.settings import Aggregation
from tfnlp.tasks.token_classification.units import Places, TokenScores, Units, at, differs, ends_of

# From the scores of units by label, of shape `(units, labels)`, and their rows to their labels and the score of each.
Choose = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


def choose_each(scores: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the best label of each unit by itself, int32, and its score."""
    del rows
    return tf.argmax(scores, -1, tf.int32), tf.reduce_max(scores, -1)


class EntityDecoder:
    """Decodes token scores.

    Attributes:
        names: what the `labels` of decoded units index: entity types, or with `none` the labels themselves.
    """

    def __init__(
        self,
        labels: Sequence[str],
        aggregation: Aggregation,
        ignored: Collection[str] = (OUTSIDE,),
        *,
        keep_blanks: bool = False,
        choose: Choose = choose_each,
    ) -> None:
        """Make the decoder.

        Args:
            labels: in the order of their ids.
            aggregation: how to group tokens.
            ignored: the names to leave out.
            keep_blanks: whether white space alone is a token.
            choose: how labels are chosen.
        """
        self.aggregation = aggregation
        self._choose = choose
        self._keep_blanks = keep_blanks
        if aggregation == "none":
            self.names = tuple(labels)
            type_of = list(range(len(labels)))
        else:
            types = [label[2:] if label.startswith(("B-", "I-")) else label for label in labels]
            distinct = list(dict.fromkeys(types))
            type_of = [distinct.index(name) for name in types]
            self.names = tuple(labels[types.index(name)].split("-", 1)[-1] for name in distinct)
        self._type_of = np.array(type_of, np.int32)
        self._begins = np.array([label.startswith("B-") for label in labels])
        self._outside = np.array([name in ignored for name in self.names])

    def __call__(self, tokens: TokenScores) -> Units:
        """Return the entities, by record and start; `labels` index `names`, int32."""
        of_words = self.aggregation in ("first", "average", "max")
        scores, places = self._words(tokens) if of_words else _each(tokens)
        if not self._keep_blanks:
            is_seen = tf.where(places.ends > places.starts)[:, 0]
            scores, places = tf.gather(scores, is_seen), at(places, is_seen)
        labels, best = self._choose(scores, places.rows)
        units = Units(labels, best, *places, begins=tf.gather(self._begins, labels))
        entities = units if self.aggregation == "none" else self._grouped(units)
        entities = at(entities, tf.where(~tf.gather(self._outside, entities.labels))[:, 0])
        return _without_overlaps(entities, tokens)

    def _grouped(self, units: Units) -> Units:
        """Join neighbours of one type, unless the later begins an entity."""
        types = tf.gather(self._type_of, units.labels)
        begins = units.begins | differs(types) | differs(units.rows)
        first = tf.cast(tf.where(begins)[:, 0], tf.int32)
        group = tf.cumsum(tf.cast(begins, tf.int32)) - 1
        last = ends_of(first, tf.size(types))
        groups = at(units, first)
        scores = tf.math.segment_mean(units.scores, group)
        return Units(
            tf.gather(types, first),
            scores,
            groups.starts,
            tf.gather(units.ends, last),
            groups.rows,
            groups.records,
            groups.first_tokens,
            tf.gather(units.last_tokens, last),
            groups.begins,
        )

    def _words(self, tokens: TokenScores) -> tuple[tf.Tensor, Places]:
        """Give each word the scores of its first token, of its surest token, or its tokens' mean scores."""
        begins = ~tokens.is_subword | differs(tokens.rows)
        first = tf.cast(tf.where(begins)[:, 0], tf.int32)
        word = tf.cumsum(tf.cast(begins, tf.int32)) - 1
        if self.aggregation == "average":
            scores = tf.math.segment_mean(tokens.scores, word)
        elif self.aggregation == "max":
            best = tf.reduce_max(tokens.scores, -1)
            is_best = tf.equal(best, tf.gather(tf.math.segment_max(best, word), word))
            index = tf.where(is_best, tf.range(tf.size(best)), tf.size(best))
            scores = tf.gather(tokens.scores, tf.math.segment_min(index, word))
        else:
            scores = tf.gather(tokens.scores, first)
        last = ends_of(first, tf.size(word))
        return scores, Places(
            tf.gather(tokens.starts, first),
            tf.gather(tokens.ends, last),
            tf.gather(tokens.rows, first),
            tf.gather(tokens.records, first),
            first,
            last,
        )


def _each(tokens: TokenScores) -> tuple[tf.Tensor, Places]:
    place = tf.range(tf.size(tokens.rows))
    return tokens.scores, Places(tokens.starts, tokens.ends, tokens.rows, tokens.records, place, place)


def named_entities(units: Units, names: Sequence[str], text: tf.Tensor, place: tf.Tensor) -> dict[str, tf.Tensor]:
    """Lay entities out by record.

    Args:
        units: the entities, by record.
        names: what their `labels` index.
        text: the records. Shape `(batch,)`, string.
        place: of the decoded tokens among all tokens. Shape `(tokens,)`, int64.

    Returns:
        `entity_label`, `entity_text`, `entity_start`, `entity_end`, `entity_score`, and, not for serving,
        `first_token`, `last_token` (places among all tokens) and `begins`, each of shape `(batch, max_entities)`,
        filled up with `""` and 0; `num_entities`, of shape `(batch,)`, int32.
    """
    values = {
        "entity_label": tf.gather(tf.constant(names), units.labels),
        "entity_text": substrings(text, units.starts, units.ends, units.records),
        "entity_start": units.starts,
        "entity_end": units.ends,
        "entity_score": units.scores,
        "first_token": tf.gather(place, units.first_tokens),
        "last_token": tf.gather(place, units.last_tokens),
        "begins": units.begins,
    }
    rows = {name: by_record(value, units.records, tf.size(text)) for name, value in values.items()}
    counts = rows["entity_start"].row_lengths()
    return {name: row.to_tensor() for name, row in rows.items()} | {"num_entities": tf.cast(counts, tf.int32)}


def with_width(served: dict[str, tf.Tensor], width: int) -> dict[str, tf.Tensor]:
    """Give outputs of shape `(batch, max_entities)` a fixed width: the last are left out, or free places filled up."""
    free = [[0, 0], [0, width]]
    return {
        name: tf.pad(values, free, constant_values=tf.zeros([], tf.as_dtype(values.dtype)))[:, :width]
        if len(values.shape) == 2
        else values
        for name, values in served.items()
    }


def _without_overlaps(entities: Units, tokens: TokenScores) -> Units:
    """Of entities of a record with several windows that overlap, keep the longer, then the surer.

    In a record of one window all stand: tokens that are parts of one character have the same place.
    """
    windowed = tf.boolean_mask(tokens.records, differs(tokens.rows) & ~differs(tokens.records))
    everything = tf.range(tf.size(entities.labels))
    may_overlap = (tf.size(windowed) > 0) & (tf.size(everything) > 0)
    return at(entities, tf.cond(may_overlap, lambda: _chosen(entities, windowed), lambda: everything))


def _chosen(entities: Units, windowed: tf.Tensor) -> tf.Tensor:
    """Return the indices of the entities to keep, by record and start; `windowed` are records with several windows.

    Entities are compared one after the other with the one that stands. Where an entity begins after all before it
    have ended, a new chain begins; chains are short and are followed all at once.
    """
    wide = tf.cast(entities.records, tf.int64) * 2**32
    start_key = wide + tf.cast(entities.starts, tf.int64)
    order = tf.cast(tf.argsort(start_key, stable=True), tf.int32)
    starts, ends, scores = (tf.gather(x, order) for x in (entities.starts, entities.ends, entities.scores))
    reached = _running_maximum(tf.gather(wide + tf.cast(entities.ends, tf.int64), order))
    num_windows = tf.math.bincount(windowed, minlength=tf.reduce_max(entities.records) + 1)  # beside the first
    is_windowed = tf.gather(num_windows, tf.gather(entities.records, order)) > 0
    begins = tf.concat([[True], tf.gather(start_key, order)[1:] >= reached[:-1]], 0) | ~is_windowed
    chain = tf.cast(tf.where(begins)[:, 0], tf.int32)
    chain_ends = ends_of(chain, tf.size(order)) + 1

    def step(depth: tf.Tensor, standing: tf.Tensor, kept: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        active = tf.cast(tf.where(chain + depth < chain_ends)[:, 0], tf.int32)
        new = tf.gather(chain, active) + depth
        old = tf.gather(standing, active)
        overlaps = tf.gather(starts, new) < tf.gather(ends, old)
        size, old_size = (tf.gather(ends, i) - tf.gather(starts, i) for i in (new, old))
        wins = (size > old_size) | (tf.equal(size, old_size) & (tf.gather(scores, new) > tf.gather(scores, old)))
        kept = tf.tensor_scatter_nd_update(kept, tf.boolean_mask(old, ~overlaps)[:, None], _true(old, ~overlaps))
        standing = tf.tensor_scatter_nd_update(standing, active[:, None], tf.where(overlaps & ~wins, old, new))
        return depth + 1, standing, kept

    longest = tf.reduce_max(chain_ends - chain)
    _, standing, kept = tf.while_loop(
        lambda depth, *_: depth < longest, step, (1, chain, tf.zeros_like(starts, tf.bool))
    )
    kept = tf.tensor_scatter_nd_update(kept, standing[:, None], tf.ones_like(standing, tf.bool))
    return tf.boolean_mask(order, kept)


def _true(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    return tf.ones_like(tf.boolean_mask(values, mask), tf.bool)


def _running_maximum(values: tf.Tensor) -> tf.Tensor:
    """Return the greatest value so far at each position, in a logarithmic number of steps."""

    def step(shift: tf.Tensor, best: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        earlier = tf.concat([best[:shift], best[:-shift]], 0)
        return shift * 2, tf.maximum(best, earlier)

    shape = values.shape
    return tf.while_loop(
        lambda shift, _: shift < tf.size(values), step, (1, values), shape_invariants=(tf.TensorShape([]), shape)
    )[1]
