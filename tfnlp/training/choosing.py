"""Which weights are trained, and how fast: by the names that PyTorch gives them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from tfnlp._backend import keras
from tfnlp.checkpoints.weights import head_variables, variables_by_name
from tfnlp.errors import ArgumentError

_LAYER = re.compile(r"\.(?:layers?|h|blocks?|albert_layer_groups)\.(\d+)\.")
_EMBEDDINGS = re.compile(r"embed|\bwte\b|\bwpe\b|(?:^|\.)shared\.|encoder\.relative_attention_bias")


def weights_to_freeze(head: keras.Model, freeze: str | Sequence[str]) -> list[Any]:
    """Return the variables of a head that are to stay as they are; see `Recipe.freeze`.

    Raises:
        ArgumentError: if a pattern is found in no name, or all weights would stay.
    """
    named = variables_by_name(head)
    if freeze == "encoder":
        of_task = {id(variable) for variable in head_variables(head)}
        chosen = {name for name, variable in named.items() if id(variable) not in of_task}
    else:
        patterns = [_EMBEDDINGS] if freeze == "embeddings" else _compiled(freeze)
        found = [{name for name in named if pattern.search(name)} for pattern in patterns]
        for pattern, names in zip(patterns, found, strict=True):
            if not names:
                raise ArgumentError(
                    f"`freeze`: {pattern.pattern!r} is found in no name of a weight; the names are "
                    f"{', '.join(list(named)[:4])} ... {list(named)[-1]}."
                )
        chosen = set().union(*found)
    frozen = {id(named[name]): named[name] for name in chosen}
    if all(id(variable) in frozen for variable in head.trainable_weights):
        raise ArgumentError(f"`freeze={freeze!r}` leaves no weight to be trained.")
    return list(frozen.values())


def _compiled(patterns: str | Sequence[str]) -> list[re.Pattern[str]]:
    if isinstance(patterns, str):
        raise ArgumentError(f"`freeze` must be 'embeddings', 'encoder' or a list of patterns; it is {patterns!r}.")
    try:
        return [re.compile(pattern) for pattern in patterns]
    except re.error as error:
        raise ArgumentError(f"`freeze`: {error.pattern!r} is no regular expression: {error}.") from None


@contextmanager
def frozen(model: keras.Model, variables: Sequence[Any]) -> Iterator[None]:
    """Let variables of a model's layers not be trained, for a while."""
    ids = {id(variable) for variable in variables}
    before = []
    for layer in model._flatten_layers():
        # In place: what is assigned to an attribute of a layer, Keras sorts anew.
        trained, others = layer._trainable_weights, layer._non_trainable_weights
        before.append((trained, list(trained), others, list(others)))
        others += [variable for variable in trained if id(variable) in ids]
        trained[:] = [variable for variable in trained if id(variable) not in ids]
    try:
        yield
    finally:
        for trained, were_trained, others, were_others in before:
            trained[:], others[:] = were_trained, were_others


def rates_by_layer(head: keras.Model, decay: float) -> Mapping[str, float]:
    """Return what the learning rate of each variable is multiplied with, by its name: 1 at the top.

    Embeddings count as a layer below the first, the task's own layers and norms after the last as one above it.
    """
    if decay == 1:
        return {}
    named = variables_by_name(head)
    numbers = {name: int(found[1]) for name in named if (found := _LAYER.search(f".{name}"))}
    top = max(numbers.values(), default=-1) + 2
    depths = {name: 0 if _EMBEDDINGS.search(name) else numbers.get(name, top - 1) + 1 for name in named}
    return {named[name].name: decay ** (top - depth) for name, depth in depths.items()}
