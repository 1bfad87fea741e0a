"""Token scores to entities, as TensorFlow ops.

The rules are those of transformers' token classification pipeline, and so are the numbers: `aggregation` none,
simple, first, average, max; of overlapping entities of two windows the longer wins, then the higher score.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields

import numpy as np

from tfnlp._backend import tf
from tfnlp.labels import OUTSIDE
from tfnlp.padding import row_ids
from tfnlp.rows import Rows
from tfnlp.tasks.text_spans import by_record, substrings
from tfnlp.tasks.token_classification.settings import Aggregation


@dataclass(frozen=True)
class TokenScores:
    """The tokens of some records' rows, without special tokens; all of shape `(tokens,)` but `scores`.

    Attributes:
        scores: probabilities. Shape `(tokens, labels)`, float32.
        starts: the first character in the record's text. int32.
        ends: the character after the last. int32.
        rows: the row of each, ascending. int32.
        records: the record of each, ascending. int32.
        is_subword: whether each continues a word. bool.
    """

    scores: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    rows: tf.Tensor
    records: tf.Tensor
    is_subword: tf.Tensor


@dataclass(frozen=True)
class Units:
    """Tokens, words or entities with a label each; all of shape `(units,)`.

    `first_tokens` and `last_tokens` index the tokens that were decoded; `begins` tells whether the label of the first
    says that an entity begins there (`B-`); the others are as in `TokenScores`.
    """

    labels: tf.Tensor
    scores: tf.Tensor
    starts: tf.Tensor
    ends: tf.Tensor
    rows: tf.Tensor
    records: tf.Tensor
    first_tokens: tf.Tensor
    last_tokens: tf.Tensor
    begins: tf.Tensor

    def at(self, index: tf.Tensor) -> Units:
        """Return the units at these indices."""
        return Units(*(tf.gather(getattr(self, column.name), index) for column in fields(self)))


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
    ) -> None:
        """Take the labels, how to group tokens, the names to leave out, and whether white space alone is a token."""
        self.aggregation = aggregation
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
        units = self._words(tokens) if of_words else self._each(tokens)
        if not self._keep_blanks:
            units = units.at(tf.where(units.ends > units.starts)[:, 0])
        entities = units if self.aggregation == "none" else self._grouped(units)
        entities = entities.at(tf.where(~tf.gather(self._outside, entities.labels))[:, 0])
        return _without_overlaps(entities, tokens)

    def _grouped(self, units: Units) -> Units:
        """Join neighbours of one type, unless the later begins an entity."""
        types = tf.gather(self._type_of, units.labels)
        begins = units.begins | _differs(types) | _differs(units.rows)
        first = tf.cast(tf.where(begins)[:, 0], tf.int32)
        group = tf.cumsum(tf.cast(begins, tf.int32)) - 1
        last = _ends_of(first, tf.size(types))
        groups = units.at(first)
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

    def _each(self, tokens: TokenScores) -> Units:
        labels = tf.argmax(tokens.scores, -1, tf.int32)
        best, place = tf.reduce_max(tokens.scores, -1), tf.range(tf.size(labels))
        begins = tf.gather(self._begins, labels)
        return Units(labels, best, tokens.starts, tokens.ends, tokens.rows, tokens.records, place, place, begins)

    def _words(self, tokens: TokenScores) -> Units:
        """Give each word the label of its first token, of its surest token, or of its tokens' mean scores."""
        begins = ~tokens.is_subword | _differs(tokens.rows)
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
        last = _ends_of(first, tf.size(word))
        labels = tf.argmax(scores, -1, tf.int32)
        return Units(
            labels,
            tf.reduce_max(scores, -1),
            tf.gather(tokens.starts, first),
            tf.gather(tokens.ends, last),
            tf.gather(tokens.rows, first),
            tf.gather(tokens.records, first),
            first,
            last,
            tf.gather(self._begins, labels),
        )


def token_scores(logits: tf.Tensor, rows: Rows) -> tuple[TokenScores, tf.Tensor]:
    """Return the tokens of rows but special ones, and their places among all tokens.

    Args:
        logits: of all tokens. Shape `(tokens, labels)`, float32.
        rows: by `token_rows`.
    """
    row = row_ids(rows.first)
    columns = {
        "scores": tf.nn.softmax(logits),
        "starts": rows.values("starts"),
        "ends": rows.values("ends"),
        "rows": row,
        "records": tf.gather(rows.row_to_record, row),
        "is_subword": tf.cast(rows.values("is_subword"), tf.bool),
    }
    place = tf.where(tf.equal(rows.values("special_tokens_mask"), 0))[:, 0]
    return TokenScores(**{name: tf.gather(column, place) for name, column in columns.items()}), place


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


def _without_overlaps(entities: Units, tokens: TokenScores) -> Units:
    """Of entities of a record with several windows that overlap, keep the longer, then the surer.

    In a record of one window all stand: tokens that are parts of one character have the same place.
    """
    windowed = tf.boolean_mask(tokens.records, _differs(tokens.rows) & ~_differs(tokens.records))
    everything = tf.range(tf.size(entities.labels))
    may_overlap = (tf.size(windowed) > 0) & (tf.size(everything) > 0)
    return entities.at(tf.cond(may_overlap, lambda: _chosen(entities, windowed), lambda: everything))


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
    chain_ends = _ends_of(chain, tf.size(order)) + 1

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


def _differs(values: tf.Tensor) -> tf.Tensor:
    """Tell where a value differs from the one before it; the first does."""
    return tf.concat([tf.ones_like(values[:1], tf.bool), tf.not_equal(values[1:], values[:-1])], 0)


def _ends_of(first: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Return the last index of each group, from the first indices."""
    return tf.concat([first[1:], tf.fill(tf.shape(first[:1]), size)], 0) - 1
