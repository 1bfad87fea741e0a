"""Spans of texts, as TensorFlow ops: without the white space at their ends, and as strings."""

from __future__ import annotations

from tfnlp._backend import tf

_SPACES = (
    *range(9, 14), *range(28, 33), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000,
)  # fmt: skip


def trimmed(text: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor, records: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Leave white space at the ends of spans out.

    Args:
        text: Shape `(records,)`, string.
        starts: the first character of each span. Shape `(spans,)`, int32.
        ends: the character after the last. Shape `(spans,)`, int32.
        records: the text of each. Shape `(spans,)`, int32.

    Returns:
        Starts and ends. A span of white space alone is empty; it ends where it ended.
    """
    points = tf.strings.unicode_decode(text, "UTF-8")
    is_space = tf.reduce_any(tf.equal(points.values[:, None], _SPACES), 1)
    solid = tf.concat([tf.cast(tf.where(~is_space)[:, 0], tf.int32), [tf.size(is_space)]], 0)
    origin = tf.gather(tf.cast(points.row_splits, tf.int32), records)
    after = tf.gather(solid, tf.searchsorted(solid, origin + starts))  # the first character that is no space
    # The last that is no space: one stands before the places at or after the end, unless the text begins with spaces.
    place = tf.searchsorted(solid, origin + ends) - 1
    before = tf.where(place < 0, -1, tf.gather(solid, tf.maximum(place, 0)))
    starts = tf.minimum(after - origin, ends)
    return starts, tf.maximum(before + 1 - origin, starts)


def substrings(text: tf.Tensor, starts: tf.Tensor, ends: tf.Tensor, records: tf.Tensor) -> tf.Tensor:
    """Return spans as strings. The arguments are those of `trimmed`. Shape `(spans,)`, string."""
    points = tf.strings.unicode_decode(text, "UTF-8")
    origin = tf.gather(tf.cast(points.row_splits, tf.int32), records)
    spans = tf.ragged.range(origin + starts, origin + ends)
    return tf.strings.unicode_encode(tf.gather(points.values, spans), "UTF-8")


def by_record(values: tf.Tensor, records: tf.Tensor, num_records: tf.Tensor) -> tf.RaggedTensor:
    """Put what is found in records into a row for each. `records` are ascending; ragged, `(records, found)`."""
    counts = tf.math.bincount(records, minlength=num_records, maxlength=num_records)
    return tf.RaggedTensor.from_row_lengths(values, counts, validate=False)
