"""What a network says of the masks of texts, as TensorFlow ops."""

from __future__ import annotations

from tfnlp._backend import tf
from tfnlp.padding import flattened, row_ids
from tfnlp.rows import Column, Rows
from tfnlp.tasks.text_spans import by_record
from tfnlp.tasks.windows import answering_tokens


def probabilities_of_masks(logits: tf.Tensor, is_mask: tf.Tensor, num_tokens: int) -> Column:
    """Return the probabilities of tokens in the places of masks.

    Args:
        logits: Shape `(rows, length, vocabulary)`, float32.
        is_mask: Shape `(rows, length)`, bool.
        num_tokens: that the tokenizer knows: the network's table is often longer, for speed, and all of it counts.

    Returns:
        Of the masks of rows. Shape `(masks, num_tokens)`, float32.
    """
    masks = flattened(logits, is_mask)
    return Column(tf.nn.softmax(masks.values)[:, :num_tokens], masks.splits)


def best_fills(
    probabilities: tf.Tensor,
    rows: Rows,
    num_texts: tf.Tensor,
    *,
    mask_id: int,
    stride: int,
    top_k: int,
    candidate_ids: tf.Tensor | None = None,
) -> dict[str, tf.Tensor]:
    """Choose the likeliest tokens for each mask, as the window says that shows most around it.

    Args:
        probabilities: of all masks of rows. Shape `(masks, tokens)`, float32.
        rows: of texts.
        num_texts: how many texts there are.
        mask_id: of the mask token.
        stride: how many tokens neighbouring windows share.
        top_k: how many to choose.
        candidate_ids: to choose among; None: all. Shape `(candidates,)`, int32.

    Returns:
        `token_ids`, int32, and `scores`, float32, of shape `(texts, masks, top_k)`, the likeliest first; `starts` and
        `ends`, int32, of shape `(texts, masks)`: where the masks stand, in characters; all filled up with 0.
        `num_masks`, int32, of shape `(texts,)`.
    """
    ids, row = rows.values("input_ids"), row_ids(rows.first)
    answering = answering_tokens(rows.values("sequence_ids"), 0, row, rows.row_to_record, stride)
    answers = tf.scatter_nd(answering[:, None], tf.ones_like(answering), tf.shape(ids, tf.int64)) > 0
    masks = tf.where(tf.equal(ids, mask_id))[:, 0]  # in the order of the probabilities
    chosen = tf.where(tf.gather(answers, masks))[:, 0]
    token = tf.gather(masks, chosen)
    scores = tf.gather(probabilities, chosen)
    if candidate_ids is not None:
        scores = tf.gather(scores, candidate_ids, axis=1)
    values, best = tf.math.top_k(scores, top_k)
    flat = {
        "token_ids": best if candidate_ids is None else tf.gather(candidate_ids, best),
        "scores": values,
        "starts": tf.gather(rows.values("starts"), token),
        "ends": tf.gather(rows.values("ends"), token),
    }
    records = tf.gather(rows.row_to_record, tf.gather(row, token))
    fills = {name: by_record(value, records, num_texts) for name, value in flat.items()}
    counts = tf.cast(fills["starts"].row_lengths(), tf.int32)
    return {name: value.to_tensor() for name, value in fills.items()} | {"num_masks": counts}
