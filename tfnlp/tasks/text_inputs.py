"""What a task that makes text is asked, as tensors and rows: texts or token ids, and options of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tfnlp._backend import tf
from tfnlp.data.files import Record
from tfnlp.errors import ArgumentError, did_you_mean
from tfnlp.generation.options import PER_TEXT, GenerationOptions
from tfnlp.rows import Column, Rows
from tfnlp.tasks.answering import Tensors


def tensors_of(task: Any, records: Sequence[Record], kinds: Sequence[str]) -> Tensors:
    """Return records, all of one kind, as tensors: texts, or token ids; and numbers of each, where they have some.

    Args:
        task: whose tokenizer makes token ids of texts at once, if it can't be compiled.
        records: as `as_record` returns them.
        kinds: the fields that may hold texts; `input_ids` holds token ids.

    Returns:
        The field: string, or ragged int32; or `input_ids` and `attention_mask`, int32, of shape `(records, length)`.
        Options by name, and `number`, that of the record from 0, int32; of shape `(records,)`.
    """
    kind = next(name for name in (*kinds, "input_ids") if name in records[0])
    values = [record[kind] for record in records]
    tensors = {
        kind: tf.ragged.constant(values, tf.int32, ragged_rank=1)
        if kind == "input_ids"
        else tf.constant(values, tf.string)
    }
    if kind != "input_ids" and not task.tokenizer.is_compiled:
        rows = task.rows(tensors, task.settings)
        ids = tf.RaggedTensor.from_row_splits(rows.values("input_ids"), rows.splits)
        tensors = {"input_ids": ids.to_tensor(), "attention_mask": tf.ones_like(ids).to_tensor()}
    if "numbers" in records[0]:
        tensors["number"] = tf.constant([record["number"] - 1 for record in records])
        for name in records[0]["numbers"]:
            tensors[name] = tf.constant([record["numbers"][name] for record in records])
    return tensors


def with_numbers(rows: Rows, inputs: Tensors, options: GenerationOptions) -> Rows:
    """Give rows what a `Generator` reads beside tokens: a seed, the number of its record, and options.

    Args:
        rows: one for each record.
        inputs: tensors of numbers by name, one for each record or one for all; of `number`, one for each.
        options: the values of what is not among the inputs.
    """
    num_rows = tf.shape(rows.row_to_record)
    given = {**options.numbers, "seed": int(options.seed), "number": rows.row_to_record, **inputs}
    columns = {name: tf.broadcast_to(given[name], num_rows) for name in (*options.numbers, "seed", "number")}
    seeds = tf.stack([columns.pop("seed"), columns.pop("number")], 1)
    one_each = tf.range(tf.cast(num_rows[0], tf.int64) + 1)
    numbers = {name: Column(values, one_each) for name, values in {"seeds": seeds, **columns}.items()}
    return rows._replace(columns={**rows.columns, **numbers})


def rows_of_ids(inputs: Tensors) -> Rows:
    """Make rows of token ids: `input_ids`, `(records, tokens)`, int32, ragged, or filled up beside `attention_mask`."""
    ids = inputs["input_ids"]
    if not isinstance(ids, tf.RaggedTensor):
        ids = tf.ragged.boolean_mask(ids, inputs["attention_mask"] > 0)
    columns = {"input_ids": Column(ids.values, ids.row_splits)}
    return Rows(columns, tf.range(tf.cast(ids.nrows(), tf.int32)))


def serving_inputs(task: Any) -> dict[str, tf.TensorSpec]:
    """The inputs of the exported signature: texts, or token ids where the tokenizer can't be compiled."""
    if task.tokenizer.is_compiled:
        return {"text": tf.TensorSpec([None], tf.string, name="text")}
    return {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in ("input_ids", "attention_mask")}


def unserved(task: Any) -> frozenset[str]:
    """What of `decode`'s answers a SavedModel does not give: token ids, beside texts."""
    return frozenset({"token_ids", "num_tokens"} if task.tokenizer.is_compiled else ())


def settings_for(task: Any, inputs: Tensors) -> Any:
    """Return the task's settings, with options that are among the inputs as numbers of each text."""
    names = [name for name in PER_TEXT if name in inputs]
    return replace(task.settings, generation=task.generation.taking(names))


def optional_inputs(task: Any, names: Sequence[str]) -> dict[str, tf.Tensor]:
    """Return options that an exported signature may be given, and what they are where it is not.

    Args:
        task: that is exported.
        names: of `max_new_tokens`, `seed`, `temperature`, `top_p`, `min_p`, `typical_p`.

    Returns:
        Of shape `(1,)`: one number for all texts.

    Raises:
        ArgumentError: if a name is none of these, or the option has no effect or no value.
    """
    options = task.generation
    for name in names:
        if name not in PER_TEXT:
            raise ArgumentError(
                f"`inputs`: a signature can't take `{name}`, only {', '.join(PER_TEXT)}.{did_you_mean(name, PER_TEXT)}"
            )
        if name != "max_new_tokens" and not options.do_sample:
            raise ArgumentError(
                f"`inputs`: `{name}` needs sampling: first call `configure_generation(do_sample=True)`."
            )
        if getattr(options, name) is None:
            raise ArgumentError(
                f"`inputs`: `{name}` needs a value for texts that come without: first call "
                f"`configure_generation({name}=...)`."
            )
    numbers = {**options.taking(names).numbers, "seed": 0}
    return {name: tf.constant([type(numbers[name])(getattr(options, name))]) for name in names}
