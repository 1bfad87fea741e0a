"""What a `Generator` has made, as text and as objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tfnlp._backend import tf
from tfnlp.outputs import Generation, Generations
from tfnlp.rows import Column
from tfnlp.running import Outputs
from tfnlp.tokenization.tokenizer import Tokenizer


def decoded(
    outputs: Outputs, tokenizer: Tokenizer, num_sequences: int, *, prompts: Column | None = None
) -> dict[str, tf.Tensor]:
    """Write down what was made.

    Args:
        outputs: of a `Generator`.
        tokenizer: writes tokens as text. If it can't be compiled, there is no text here; see `generations`.
        num_sequences: for each record.
        prompts: tokens that texts go on from, which may change how the first new one is written; None: there are none.

    Returns:
        `generated_text`, string, and `scores`, float32, of shape `(records, num_sequences)`; `token_ids`, int32, of
        shape `(records, num_sequences, most tokens)`, filled up with 0, and `num_tokens`, int32, of shape
        `(records, num_sequences)`.
    """
    lengths = tf.reshape(outputs["lengths"].values, [-1])
    tokens = tf.RaggedTensor.from_row_lengths(outputs["tokens"].values, tf.cast(lengths, tf.int64), validate=False)
    ids = tokens.to_tensor()
    answer = {
        "token_ids": tf.reshape(ids, [-1, num_sequences, tf.shape(ids)[1]]),
        "num_tokens": tf.reshape(lengths, [-1, num_sequences]),
        "scores": outputs["scores"].values,
    }
    if tokenizer.is_compiled:
        text = tokenizer.graph.decode(tokens) if prompts is None else _continued(tokens, tokenizer, prompts)
        answer["generated_text"] = tf.reshape(text, [-1, num_sequences])
    return answer


def _continued(tokens: tf.RaggedTensor, tokenizer: Tokenizer, prompts: Column) -> tf.Tensor:
    """Return what tokens add to the text of their prompt. Shape `(sequences,)`, string."""
    before = tf.RaggedTensor.from_row_splits(prompts.values, prompts.splits, validate=False)
    num_prompts = tf.maximum(before.nrows(), 1)
    before_each = tf.gather(before, tf.repeat(tf.range(before.nrows()), tokens.nrows() // num_prompts))
    start = tf.strings.length(tokenizer.graph.decode(before_each), unit="UTF8_CHAR")
    whole = tokenizer.graph.decode(tf.concat([before_each, tokens], 1))
    size = tf.strings.length(whole, unit="UTF8_CHAR")
    start = tf.minimum(start, size)
    return tf.strings.substr(whole, start, size - start, unit="UTF8_CHAR")


def generations(
    decoded: Mapping[str, np.ndarray], hf: Any, *, prompts: Sequence[Sequence[int]] | None = None
) -> list[Generation | Generations]:
    """Write down what `decoded` gives as objects: one for each record, or several where several were made.

    Args:
        decoded: NumPy arrays.
        hf: the Hugging Face tokenizer, which writes tokens as text where that could not be compiled.
        prompts: the tokens that texts go on from, of each record.
    """
    answers: list[Generation | Generations] = []
    for i, (counts, scores) in enumerate(zip(decoded["num_tokens"].tolist(), decoded["scores"].tolist(), strict=True)):
        ids = [decoded["token_ids"][i, j, :count].tolist() for j, count in enumerate(counts)]
        if "generated_text" in decoded:
            texts = [text.decode("utf-8") for text in decoded["generated_text"][i].tolist()]
        else:
            prompt = list(prompts[i]) if prompts is not None else []
            start = len(hf.decode(prompt, skip_special_tokens=True))
            texts = [hf.decode(prompt + tokens, skip_special_tokens=True)[start:] for tokens in ids]
        parts = zip(texts, ids, scores, strict=True)
        made = Generations(Generation(text, tuple(tokens), score) for text, tokens, score in parts)
        answers.append(made if len(made) > 1 else made[0])
    return answers
