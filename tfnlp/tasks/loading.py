"""`load`: the task that a directory holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfnlp.checkpoints.directories import SETTINGS_FILE, read_settings
from tfnlp.checkpoints.heads import LOCATION, architectures, find_file, load_config
from tfnlp.errors import CheckpointError
from tfnlp.paths import fetched
from tfnlp.tasks.causal_lm.task import CausalLM
from tfnlp.tasks.masked_lm.task import MaskedLM
from tfnlp.tasks.multiple_choice.task import MultipleChoice
from tfnlp.tasks.names import TASK_NAMES
from tfnlp.tasks.question_answering.task import QuestionAnswerer
from tfnlp.tasks.seq2seq_lm.task import Seq2SeqLM
from tfnlp.tasks.table_question_answering.task import TableQuestionAnswerer
from tfnlp.tasks.text_classification.next_sentence import NextSentencePrediction
from tfnlp.tasks.text_classification.task import SequenceClassifier
from tfnlp.tasks.text_classification.zero_shot import ZeroShotClassifier
from tfnlp.tasks.text_encoding.task import TextEncoder
from tfnlp.tasks.token_classification.task import TokenClassifier

_CLASSES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        TokenClassifier, SequenceClassifier, QuestionAnswerer, MultipleChoice, MaskedLM, NextSentencePrediction,
        TextEncoder, ZeroShotClassifier, TableQuestionAnswerer, CausalLM, Seq2SeqLM,
    )
}  # fmt: skip
TASKS: dict[str, type[Any]] = {name: _CLASSES[class_name] for name, (_, class_name) in TASK_NAMES.items()}
# Its checkpoints are those of text classification: `tfnlp.json` or the user tells that one is for this.
_NOT_BY_ARCHITECTURE = (ZeroShotClassifier,)


def load(directory: str | Path, **options: Any) -> Any:
    """Load what `save` wrote: the same task, with the same answers. A trained Hugging Face checkpoint loads as well.

    Args:
        directory: of a saved task, also at an address elsewhere (`gs://...`), or a directory or Hub name of a
            checkpoint trained for a task.
        options: as in the task's `from_pretrained`.

    Raises:
        CheckpointError: if there is no checkpoint, or nothing tells which task it was trained for.
    """
    copy = fetched(directory)
    task = _class_of(copy, {key: options[key] for key in LOCATION if key in options}).from_pretrained(copy, **options)
    task.checkpoint.origin = directory
    return task


def _class_of(directory: str | Path, location: dict[str, Any]) -> type[Any]:
    """Return the task that a checkpoint is for."""
    settings = find_file(directory, SETTINGS_FILE, **location)
    name = read_settings(settings)[0] if settings is not None else None
    if name in _CLASSES:
        return _CLASSES[name]
    config = load_config(directory, **location)
    named = [name.removeprefix("TF") for name in config.architectures or ()]
    fitting = [
        kind
        for kind in _CLASSES.values()
        if kind not in _NOT_BY_ARCHITECTURE and any(one in architectures(kind.auto_class) for one in named)
    ]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise CheckpointError(
            f"{directory}: {' and '.join(named)} serves several tasks. Use the `from_pretrained` of the one you mean: "
            f"{' or '.join(task.__name__ for task in fitting)}."
        )
    raise CheckpointError(
        f"{directory}: nothing tells which task this checkpoint was trained for. Use the task's own `from_pretrained`, "
        f"one of {sorted(_CLASSES)}."
    )
