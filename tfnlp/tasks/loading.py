"""`load`: the task that a directory holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tfnlp.checkpoints.directories import SETTINGS_FILE, read_settings
from tfnlp.checkpoints.heads import LOCATION, find_file, load_config
from tfnlp.errors import CheckpointError
from tfnlp.tasks.masked_lm.task import MaskedLM
from tfnlp.tasks.multiple_choice.task import MultipleChoice
from tfnlp.tasks.question_answering.task import QuestionAnswerer
from tfnlp.tasks.table_question_answering.task import TableQuestionAnswerer
from tfnlp.tasks.task import TaskModel
from tfnlp.tasks.text_classification.next_sentence import NextSentencePrediction
from tfnlp.tasks.text_classification.task import SequenceClassifier
from tfnlp.tasks.text_classification.zero_shot import ZeroShotClassifier
from tfnlp.tasks.text_encoding.task import TextEncoder
from tfnlp.tasks.token_classification.task import TokenClassifier

TASKS: dict[str, type[TaskModel]] = {
    "token-classification": TokenClassifier,
    "text-classification": SequenceClassifier,
    "question-answering": QuestionAnswerer,
    "multiple-choice": MultipleChoice,
    "masked-lm": MaskedLM,
    "next-sentence-prediction": NextSentencePrediction,
    "sentence-similarity": TextEncoder,
}

# How the names of PyTorch's classes end; a network without a head is `BertModel`.
_HEADS = {task.auto_class.removeprefix("TFAutoModel") or "Model": task for task in TASKS.values()}


def load(directory: str | Path, **options: Any) -> Any:
    """Load what `save` wrote: the same task, with the same answers. A trained Hugging Face checkpoint loads as well.

    Args:
        directory: of a saved task, or a directory or Hub name of a checkpoint trained for a task.
        options: as in the task's `from_pretrained`.

    Raises:
        CheckpointError: if there is no checkpoint, or nothing tells which task it was trained for.
    """
    location = {key: options[key] for key in LOCATION if key in options}
    settings = find_file(directory, SETTINGS_FILE, **location)
    name = read_settings(settings)[0] if settings is not None else None
    by_class: dict[str, Any] = {task.__name__: task for task in (*TASKS.values(), ZeroShotClassifier)}
    if name in by_class:
        return by_class[name].from_pretrained(directory, **options)
    config = load_config(directory, **location)
    if config.model_type == "tapas":
        return TableQuestionAnswerer.from_pretrained(directory, **options)
    for architecture in config.architectures or ():
        for ending, task in _HEADS.items():
            if architecture.endswith(ending) and not architecture.endswith("LMHeadModel"):
                return task.from_pretrained(directory, **options)
    raise CheckpointError(
        f"{directory}: nothing tells which task this checkpoint was trained for. Use the task's own `from_pretrained`, "
        f"one of {sorted(by_class)}."
    )
