"""SavedModels for TensorFlow Serving: strings in, answers out. Written, loaded again, and compared with `predict`."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tfnlp._backend import is_clustered, on_cpu, tf
from tfnlp.checkpoints.directories import holds_saved_model, written_whole
from tfnlp.errors import ExportError
from tfnlp.preprocessor import Preprocessor
from tfnlp.warm_up import write_warm_up

logger = logging.getLogger(__name__)

# Text on which a wrong tokenizer, offset or window shows: accents, several scripts, emoji, special tokens, nothing.
_SAMPLES = (
    "Ada Lovelace worked with Charles Babbage in London, and died there in 1852.",
    "Zürich's café “Odéon” – 北京 and İstanbul — naïve e\u0301, ﬁne 👩‍🚀! [MASK]",
    "",
    "   ",
)
EXAMPLES = "examples"
SIGNATURE = tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY
TOLERANCE = 1e-5  # of numbers, relative to those greater than 1


class Exportable(Protocol):
    """What can be exported: a `Task`, whose docstrings tell what each part does."""

    @property
    def preprocessor(self) -> Preprocessor: ...
    @property
    def settings(self) -> Any: ...
    @property
    def model(self) -> Any: ...
    @property
    def forward(self) -> Any: ...
    @property
    def serving_inputs(self) -> dict[str, tf.TensorSpec]: ...
    @property
    def other_signatures(self) -> dict[str, dict[str, tf.TensorSpec]]: ...
    def serve(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]: ...
    def to_serving_inputs(self, inputs: Sequence[Any]) -> dict[str, Any]: ...
    def sample_inputs(self, texts: Sequence[str]) -> list[Any]: ...
    def compare_answers(self, inputs: Sequence[Any], served: dict[str, np.ndarray]) -> list[str]: ...


class _Servable(tf.Module):
    """Holds the functions to export, and the variables they read: not the Keras model, whose own traces are many."""

    def __init__(self, variables: Sequence[tf.Variable]) -> None:
        super().__init__()
        self.weights = list(variables)


def export_saved_model(
    task: Exportable,
    directory: str | Path,
    *,
    samples: Sequence[Any] = (),
    optional: Mapping[str, tf.Tensor] | None = None,
    warm_up: Sequence[Any] = (),
) -> None:
    """Write a SavedModel, load it again, and compare its answers with `predict`.

    Signatures: `serving_default` takes the task's inputs (`text`, string of shape `(batch,)`, for most), and gives its
    answers; `examples` answers as well, and takes the same inputs as features of a serialized `tf.train.Example`
    (`examples`, string of shape `(batch,)`); `logits` takes the network's features (`input_ids`, `attention_mask` ...,
    int32 of shape `(batch, length)`), and gives its outputs. A task may have others that answer: `chat` of `CausalLM`.
    Only core TensorFlow ops are used.

    Args:
        task: a trained task.
        directory: where to write; for TensorFlow Serving its name is the version number, as in `models/ner/1`.
        samples: inputs of your own to compare, as `predict` takes them, beside a few that are built in.
        optional: further inputs of `serving_default`, and what they are where a request has none.
        warm_up: inputs that TensorFlow Serving answers while it loads the SavedModel, in one request.

    Raises:
        ExportError: if an answer, or the tokens of a text, differ; nothing is left in the directory then.
        UnsupportedTokenizerError: if the tokenizer can't be compiled into the graph.
    """
    if is_clustered():
        logger.warning(
            "%s: in a program of several workers nothing is pinned to the CPU; for a server with a GPU, save the task "
            "and export it by a program of its own", directory,
        )  # fmt: skip
    texts = [*_SAMPLES, " ".join([_SAMPLES[0]] * (task.settings.max_length // 8))]  # the last makes windows
    inputs = [*samples, *task.sample_inputs(texts)]
    given = task.to_serving_inputs(inputs)
    if any(spec.dtype == tf.string for spec in task.serving_inputs.values()):
        task.preprocessor.check([*texts, *(text for tensor in given.values() for text in _strings(tensor))])
    else:
        logger.warning(
            "%s: the tokenizer can't be compiled into the graph, so the SavedModel takes and gives token ids", directory
        )
    optional = optional or {}
    with written_whole(directory, is_older=holds_saved_model) as target:
        write_saved_model(task, target, optional)
        different = task.compare_answers(inputs, ask(target, **given, **optional))
        if different:
            raise ExportError(
                f"{directory}: the SavedModel does not answer as `predict` does, and was removed:\n"
                + "\n".join(different)
            )
        if warm_up:
            write_warm_up(target, SIGNATURE, task.to_serving_inputs(warm_up))


def write_saved_model(task: Exportable, directory: str | Path, optional: Mapping[str, tf.Tensor]) -> None:
    """Write the SavedModel, uncompared."""
    servable = _Servable(task.model.variables)
    serve = _signature(task, task.serving_inputs, optional)
    others = {name: _signature(task, inputs, optional) for name, inputs in task.other_signatures.items()}
    logits = tf.function(lambda **features: task.forward(features)).get_concrete_function(
        **task.preprocessor.batch_specs
    )
    examples = _of_examples(serve, _specs(task.serving_inputs, optional), optional)
    servable.serve, servable.examples, servable.logits, servable.others = serve, examples, logits, others
    signatures = {SIGNATURE: serve, EXAMPLES: examples, "logits": logits, **others}
    tf.saved_model.save(servable, str(directory), signatures=signatures)


def _signature(task: Exportable, inputs: Mapping[str, tf.TensorSpec], optional: Mapping[str, tf.Tensor]) -> Any:
    """Return what answers, as a function of inputs and of optional ones, which have defaults."""
    specs = _specs(inputs, optional)

    def serve(*values: tf.Tensor) -> dict[str, tf.Tensor]:
        return task.serve(**dict(zip(specs, values, strict=True)))

    # `tf.saved_model.save` finds names and defaults of a signature's inputs where Python functions have them.
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    serve.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, kind, default=optional.get(name, inspect.Parameter.empty)) for name in specs]
    )
    return tf.function(serve, input_signature=list(specs.values()), autograph=False)


def _specs(inputs: Mapping[str, tf.TensorSpec], optional: Mapping[str, tf.Tensor]) -> dict[str, tf.TensorSpec]:
    """Return all inputs of a signature."""
    return dict(inputs) | {
        name: tf.TensorSpec([None, *default.shape[1:]], default.dtype, name=name) for name, default in optional.items()
    }


def _of_examples(serve: Any, specs: Mapping[str, tf.TensorSpec], optional: Mapping[str, tf.Tensor]) -> Any:
    """Return what answers as `serve` does, of inputs that lie in serialized `tf.train.Example`, as features by name."""
    features = {}
    for name, spec in specs.items():
        dtype = tf.int64 if spec.dtype.is_integer else spec.dtype  # of all that is whole, in an Example
        if spec.shape.rank == 1:
            default = optional[name].numpy()[0] if name in optional else None
            features[name] = tf.io.FixedLenFeature([], dtype, default)
        else:
            features[name] = tf.io.FixedLenSequenceFeature([], dtype, allow_missing=True)

    def parsed(examples: tf.Tensor) -> list[tf.Tensor]:
        found = tf.io.parse_example(examples, features)
        return [tf.cast(found[name], spec.dtype) for name, spec in specs.items()]

    def answer(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return serve(*on_cpu(parsed)(examples))

    return tf.function(answer, input_signature=[tf.TensorSpec([None], tf.string, name="examples")], autograph=False)


def ask(directory: str | Path, signature: str = SIGNATURE, **inputs: Any) -> dict[str, np.ndarray]:
    """Load a SavedModel and return its answers for inputs, by the names of its signature."""
    loaded: Any = tf.saved_model.load(str(directory))
    tensors = {name: tf.convert_to_tensor(values) for name, values in inputs.items()}
    return {name: value.numpy() for name, value in loaded.signatures[signature](**tensors).items()}


def differences(
    inputs: Sequence[Any],
    served: Mapping[str, np.ndarray],
    expected: Mapping[str, np.ndarray],
    undecided: Mapping[str, np.ndarray],
) -> list[str]:
    """Return how answers differ from the expected ones, a line for each input whose answers do.

    Args:
        inputs: what was asked.
        served: outputs by name, each of shape `(inputs, ...)`.
        expected: the same, as they should be.
        undecided: of outputs that are no numbers, where either answer is right; bool, of the outputs' shapes.
    """
    if set(served) != set(expected):
        return [f"served {sorted(served)}, not {sorted(expected)}"]
    wrong: dict[int, list[str]] = {}
    for name, ours in expected.items():
        theirs = served[name]
        if theirs.shape != ours.shape:
            is_wrong = np.ones(len(inputs), bool) if theirs.ndim < 2 else _filled_apart(theirs, ours)
        elif np.issubdtype(ours.dtype, np.floating):
            is_wrong = ~(np.abs(theirs - ours) <= TOLERANCE * np.maximum(1, np.abs(ours)))
        else:
            is_wrong = (theirs != ours) & ~undecided.get(name, np.zeros(ours.shape, bool))
        for i in np.flatnonzero(is_wrong.reshape(len(inputs), -1).any(1)).tolist():
            wrong.setdefault(i, []).append(
                f"served {name} {theirs[i : i + 1].tolist()[0]}, predicted {ours[i : i + 1].tolist()[0]}"
            )
    return [f"{inputs[i]!r:.80}: {'; '.join(wrong[i])}" for i in sorted(wrong)]


def ties(scores: np.ndarray, *, cut: bool = False) -> np.ndarray:
    """Tell which of ranked scores rounding may put in another order.

    Args:
        scores: the best first. Shape `(..., ranks)`.
        cut: whether others were left out after the last, which then may be one of a tie.

    Returns:
        bool, of the same shape.
    """
    is_near = np.abs(np.diff(scores, axis=-1)) <= TOLERANCE
    edge = np.zeros((*scores.shape[:-1], 1), bool)
    return np.concatenate([edge, is_near], -1) | np.concatenate([is_near, edge | cut], -1)


def _filled_apart(theirs: np.ndarray, ours: np.ndarray) -> np.ndarray:
    """Tell which rows differ where one side is filled up further than the other. Shape `(inputs,)`, bool."""
    size = tuple(np.maximum(theirs.shape, ours.shape))
    blank = b"" if ours.dtype == object else 0
    both = []
    for values in (theirs, ours):
        matrix = np.full(size, blank, values.dtype)
        matrix[tuple(slice(0, length) for length in values.shape)] = values
        both.append(matrix)
    return (both[0] != both[1]).reshape(len(ours), -1).any(1)


def _strings(tensor: tf.Tensor) -> list[str]:
    """Return all strings of a tensor."""
    if tensor.dtype != tf.string:
        return []
    return [text.decode("utf-8") for text in tensor.numpy().reshape(-1).tolist()]
