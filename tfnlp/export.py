"""SavedModels for TensorFlow Serving: strings in, answers out. Written, loaded again, and compared with `predict`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tfnlp._backend import tf
from tfnlp.checkpoints.directories import holds_saved_model, written_whole
from tfnlp.errors import ExportError, UnsupportedTokenizerError
from tfnlp.tokenization.checking import check_tokenizer

# Text on which a wrong tokenizer, offset or window shows: accents, several scripts, emoji, special tokens, nothing.
_SAMPLES = (
    "Ada Lovelace worked with Charles Babbage in London, and died there in 1852.",
    "Zürich's café “Odéon” – 北京 and İstanbul — naïve e\u0301, ﬁne 👩‍🚀! [MASK]",
    "",
    "   ",
)
SIGNATURE = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY


class Exportable(Protocol):
    """What can be exported: a `TaskModel`, whose docstrings tell what each part does, or something over one."""

    @property
    def tokenizer(self) -> Any: ...
    @property
    def settings(self) -> Any: ...
    @property
    def model(self) -> Any: ...
    @property
    def forward(self) -> Any: ...
    @property
    def serving_inputs(self) -> dict[str, tf.TensorSpec]: ...
    @property
    def serving_outputs(self) -> Callable[..., dict[str, tf.Tensor]]: ...
    def to_serving_inputs(self, inputs: Sequence[Any]) -> dict[str, list[Any]]: ...
    def sample_inputs(self, texts: Sequence[str]) -> list[Any]: ...
    def compare_answers(self, inputs: Sequence[Any], served: dict[str, np.ndarray]) -> list[str]: ...


class _Servable(tf.Module):
    """Holds the functions to export, and the variables they read: not the Keras model, whose own traces are many."""

    def __init__(self, variables: Sequence[tf.Variable]) -> None:
        super().__init__()
        self.weights = list(variables)


def export_saved_model(task: Exportable, directory: str | Path, *, samples: Sequence[Any] = ()) -> None:
    """Write a SavedModel, load it again, and compare its answers with `predict`.

    Signatures: `serving_default` takes the task's inputs (`text`, string of shape `(batch,)`, for most), and gives its
    answers; `logits` takes `input_ids`, `attention_mask` (and `token_type_ids`), int32 of shape `(batch, length)`, and
    gives the network's outputs.
    Only core TensorFlow ops are used.

    Args:
        task: a trained task.
        directory: where to write; for TensorFlow Serving its name is the version number, as in `models/ner/1`.
        samples: inputs of your own to compare, as `predict` takes them, beside a few that are built in.

    Raises:
        ExportError: if an answer, or the tokens of a text, differ; nothing is left in the directory then.
        UnsupportedTokenizerError: if the tokenizer can't be compiled into the graph.
    """
    texts = [*_SAMPLES, " ".join([_SAMPLES[0]] * (task.settings.max_length // 8))]  # the last makes windows
    inputs = [*samples, *task.sample_inputs(texts)]
    _check_tokenizer(task, [*texts, *_strings(task.to_serving_inputs(inputs))])
    with written_whole(directory, is_older=holds_saved_model) as target:
        write_saved_model(task, target)
        differences = task.compare_answers(inputs, ask(target, **task.to_serving_inputs(inputs)))
        if differences:
            raise ExportError(
                f"{directory}: the SavedModel does not answer as `predict` does, and was removed:\n"
                + "\n".join(differences)
            )


def _check_tokenizer(task: Exportable, texts: Sequence[str]) -> None:
    """Refuse to export a tokenizer that differs from the checkpoint's own on any of some texts."""
    found = check_tokenizer(task.tokenizer.hf, texts, decodes=False)
    if found.unsupported is not None:
        raise UnsupportedTokenizerError(found.unsupported)
    if found.differences:
        raise ExportError(
            f"The tokenizer in the graph differs from the checkpoint's own; nothing is exported:\n{found}"
        )


def write_saved_model(task: Exportable, directory: str | Path) -> None:
    """Write the SavedModel, uncompared."""
    servable = _Servable(task.model.variables)

    serve = tf.function(task.serving_outputs, autograph=False).get_concrete_function(**task.serving_inputs)
    names = task.tokenizer.input_names
    specs = {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in names}
    logits = tf.function(lambda **features: task.forward(features)).get_concrete_function(**specs)
    servable.serve, servable.logits = serve, logits
    tf.saved_model.save(servable, str(directory), signatures={SIGNATURE: serve, "logits": logits})


def ask(directory: str | Path, **inputs: Any) -> dict[str, np.ndarray]:
    """Load a SavedModel and return its answers for inputs, by the names of its signature."""
    loaded: Any = tf.saved_model.load(str(directory))
    tensors = {name: tf.constant(values, tf.string) for name, values in inputs.items()}
    return {name: value.numpy() for name, value in loaded.signatures[SIGNATURE](**tensors).items()}


def _strings(value: Any) -> Iterator[str]:
    """Yield all strings in dicts and lists."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _strings(item)
