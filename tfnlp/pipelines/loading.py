"""`pipeline`: from the name of a task and a checkpoint to something that answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tfnlp.checkpoints.directories import SETTINGS_FILE
from tfnlp.checkpoints.heads import LOCATION, find_file, position_limit
from tfnlp.errors import ArgumentError, did_you_mean
from tfnlp.pipelines.base import Pipeline
from tfnlp.pipelines.classification import (
    TextClassificationPipeline,
    TokenClassificationPipeline,
    ZeroShotClassificationPipeline,
)
from tfnlp.pipelines.encoding import FeatureExtractionPipeline, FillMaskPipeline
from tfnlp.pipelines.question_answering import QuestionAnsweringPipeline
from tfnlp.tasks.masked_lm.task import MaskedLM
from tfnlp.tasks.question_answering.task import QuestionAnswerer
from tfnlp.tasks.text_classification.task import SequenceClassifier
from tfnlp.tasks.text_classification.zero_shot import ZeroShotClassifier
from tfnlp.tasks.text_encoding.task import TextEncoder
from tfnlp.tasks.token_classification.task import TokenClassifier

PIPELINES: dict[str, tuple[type[Pipeline], Any]] = {
    "token-classification": (TokenClassificationPipeline, TokenClassifier),
    "text-classification": (TextClassificationPipeline, SequenceClassifier),
    "question-answering": (QuestionAnsweringPipeline, QuestionAnswerer),
    "fill-mask": (FillMaskPipeline, MaskedLM),
    "feature-extraction": (FeatureExtractionPipeline, TextEncoder),
    "zero-shot-classification": (ZeroShotClassificationPipeline, ZeroShotClassifier),
}
_ALIASES = {"ner": "token-classification", "sentiment-analysis": "text-classification"}
_PLACES = (None, -1, "cpu", "auto")


def pipeline(
    task: str,
    model: Any = None,
    *,
    tokenizer: Any = None,
    framework: str | None = None,
    device: Any = None,
    **options: Any,
) -> Pipeline:
    """Make a pipeline, as `transformers.pipeline` does.

    Args:
        task: `token-classification` (`ner`), `text-classification` (`sentiment-analysis`), `question-answering`,
            `fill-mask`, `feature-extraction` or `zero-shot-classification`.
        model: a directory or a Hub name, or a task of this library.
        tokenizer: None, or the same directory or name: a checkpoint brings its tokenizer along.
        framework: None or `tf`.
        device: None, -1, `cpu` or `auto`: TensorFlow uses the devices it finds.
        options: where to look (`revision`, `token` ...), and options of every call.

    Raises:
        ArgumentError: if there is no such task or option, or no model is named.
        CheckpointError: if the checkpoint is missing, incomplete or damaged.
    """
    name = _ALIASES.get(task, task)
    if name not in PIPELINES:
        allowed = [*PIPELINES, *_ALIASES]
        raise ArgumentError(f"there is no pipeline {task!r}, one of {allowed}.{did_you_mean(task, allowed)}")
    if model is None:
        raise ArgumentError(f"name a model for {task!r}: a directory, a Hub name, or a task of this library.")
    if framework not in (None, "tf"):
        raise ArgumentError(f"`framework` is 'tf' here; it is {framework!r}.")
    if device not in _PLACES:
        raise ArgumentError(f"`device` is TensorFlow's to choose; leave {device!r} out, or call in `tf.device`.")
    if tokenizer is not None and str(tokenizer) != str(model):
        raise ArgumentError("the tokenizer is that of the checkpoint: leave `tokenizer` out.")
    kind, of_task = PIPELINES[name]
    location = {key: options.pop(key) for key in LOCATION if key in options}
    if isinstance(model, (str, Path)):
        path = model
        model = of_task.from_pretrained(path, **location)
        if find_file(path, SETTINGS_FILE, **location) is None:
            _lengthen_rows(model)
    elif not isinstance(model, of_task):
        raise ArgumentError(f"{task!r} needs a {of_task.__name__}; this is a {type(model).__name__}.")
    return kind(model, **options)


def _lengthen_rows(task: Any) -> None:
    """Let a task read as much at once as its network takes, as transformers' pipelines do."""
    of_rows = task.nli if isinstance(task, ZeroShotClassifier) else task
    limit = position_limit(of_rows.config, of_rows.tokenizer.max_length)
    of_rows.settings = replace(of_rows.settings, max_length=limit, stride=limit // 4)
