"""Windows of a long text, in the graph: which of them answers for a token that several show."""

from __future__ import annotations

from tfnlp._backend import tf


def answering_tokens(
    sequence_ids: tf.Tensor, sequence: int, rows: tf.Tensor, row_to_record: tf.Tensor, stride: int
) -> tf.Tensor:
    """Choose the tokens of a text, each in the window that shows most around it.

    Args:
        sequence_ids: 0 or 1 for tokens of the first or second text of a pair. Shape `(tokens,)`, int32.
        sequence: which of the two became windows.
        rows: of each token, ascending. Shape `(tokens,)`, int32.
        row_to_record: the record of each row, ascending. Shape `(rows,)`, int32.
        stride: how many tokens neighbouring windows share.

    Returns:
        Indices of tokens, by record and place in its text; int64.
    """
    num_rows = tf.size(row_to_record)
    inside = tf.where(tf.equal(sequence_ids, sequence))[:, 0]
    rows = tf.gather(rows, inside)
    lengths = tf.math.bincount(rows, minlength=num_rows, maxlength=num_rows)
    positions = tf.range(tf.size(rows)) - tf.gather(tf.cumsum(lengths, exclusive=True), rows)
    return tf.boolean_mask(inside, shown_best(positions, lengths, rows, row_to_record, stride))


def shown_best(positions: tf.Tensor, lengths: tf.Tensor, rows: tf.Tensor, records: tf.Tensor, stride: int) -> tf.Tensor:
    """Tell which tokens stand in the window that shows most around them; one window shows each so.

    Args:
        positions: of each token in its window's part of the context. Shape `(tokens,)`, int32.
        lengths: of each window's part of the context. Shape `(rows,)`, int32.
        rows: of each token. Shape `(tokens,)`, int32.
        records: of each row, ascending. Shape `(rows,)`, int32.
        stride: how many tokens neighbouring windows share.

    Returns:
        Shape `(tokens,)`, bool.
    """
    differs = tf.not_equal(records[1:], records[:-1])
    is_first = tf.gather(tf.concat([[True], differs], 0), rows)
    is_last = tf.gather(tf.concat([differs, [True]], 0), rows)
    shared = (stride + 1) // 2  # of what two windows share, the first half belongs to the first
    return (is_first | (positions >= shared)) & (is_last | (positions < tf.gather(lengths, rows) - stride + shared))
