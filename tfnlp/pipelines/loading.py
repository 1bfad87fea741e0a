"""`pipeline`: from the name of a task and a checkpoint to something that answers."""

from __future__ import annotations

import logging
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from tfnlp.checkpoints.defaults import default_model
from tfnlp.checkpoints.directories import SETTINGS_FILE
from tfnlp.checkpoints.heads import LOCATION, find_file
from tfnlp.errors import ArgumentError, did_you_mean
from tfnlp.pipelines.base import Pipeline
from tfnlp.pipelines.classification import (
    TextClassificationPipeline,
    TokenClassificationPipeline,
    ZeroShotClassificationPipeline,
)
from tfnlp.pipelines.encoding import FeatureExtractionPipeline, FillMaskPipeline
from tfnlp.pipelines.generation import (
    SummarizationPipeline,
    Text2TextGenerationPipeline,
    TextGenerationPipeline,
    TranslationPipeline,
)
from tfnlp.pipelines.question_answering import QuestionAnsweringPipeline
from tfnlp.tasks.causal_lm.task import CausalLM
from tfnlp.tasks.masked_lm.task import MaskedLM
from tfnlp.tasks.question_answering.task import QuestionAnswerer
from tfnlp.tasks.seq2seq_lm.task import Seq2SeqLM
from tfnlp.tasks.settings import WindowSettings
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
    "text-generation": (TextGenerationPipeline, CausalLM),
    "text2text-generation": (Text2TextGenerationPipeline, Seq2SeqLM),
    "summarization": (SummarizationPipeline, Seq2SeqLM),
    "translation": (TranslationPipeline, Seq2SeqLM),
    "zero-shot-classification": (ZeroShotClassificationPipeline, ZeroShotClassifier),
}
logger = logging.getLogger(__name__)

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
            `fill-mask`, `feature-extraction`, `zero-shot-classification`, `text-generation`, `text2text-generation`,
            `summarization`, `translation` or `translation_xx_to_yy`.
        model: a directory or a Hub name, or a task of this library; None: transformers' own choice for the task.
        tokenizer: a directory, a Hub name, or a fast Hugging Face tokenizer, instead of the checkpoint's.
        framework: None or `tf`.
        device: None, -1, `cpu` or `auto`: TensorFlow uses the devices it finds.
        options: where to look (`revision`, `token` ...), and options of every call.

    Raises:
        ArgumentError: if there is no such task or option.
        CheckpointError: if the checkpoint is missing, incomplete or damaged.
    """
    name = "translation" if task.startswith("translation_") else _ALIASES.get(task, task)
    if name not in PIPELINES:
        allowed = [*PIPELINES, *_ALIASES]
        raise ArgumentError(f"there is no pipeline {task!r}, one of {allowed}.{did_you_mean(task, allowed)}")
    if model is None:
        model, revision = default_model(name)
        options.setdefault("revision", revision)
        logger.warning(
            "no model is named for %r: %s (revision %s) is used, as transformers does. Name one of your own choice.",
            task, model, revision,
        )  # fmt: skip
    if framework not in (None, "tf"):
        raise ArgumentError(f"`framework` is 'tf' here; it is {framework!r}.")
    if device not in _PLACES:
        raise ArgumentError(f"`device` is TensorFlow's to choose; leave {device!r} out, or call in `tf.device`.")
    kind, of_task = PIPELINES[name]
    location = {key: options.pop(key) for key in LOCATION if key in options}
    if isinstance(model, (str, Path)):
        model = _loaded(of_task, model, location)
        if of_task in (CausalLM, Seq2SeqLM):
            options = _specific_options(model, task) | options
    elif not isinstance(model, of_task):
        raise ArgumentError(f"{task!r} needs a {of_task.__name__}; this is a {type(model).__name__}.")
    if tokenizer is not None:
        model.use_tokenizer(tokenizer)
    return kind(model, **options)


def _loaded(of_task: Any, path: str | Path, location: dict[str, Any]) -> Any:
    model = of_task.from_pretrained(path, **location)
    if find_file(model.checkpoint.name_or_path, SETTINGS_FILE, **location) is None:
        _lengthen_rows(model)
    return model


def _lengthen_rows(task: Any) -> None:
    """Let a task read as much at once as its network takes, as transformers' pipelines do."""
    limit = task.checkpoint.position_limit(task.tokenizer.max_length)
    stride = {"stride": limit // 4} if isinstance(task.settings, WindowSettings) else {}
    task.settings = replace(task.settings, max_length=limit, **stride)


def _specific_options(task: Any, name: str) -> dict[str, Any]:
    """Return how a checkpoint makes texts in this pipeline; a prefix, as T5 has one, is set."""
    specific = dict((getattr(task.config, "task_specific_params", None) or {}).get(name, {}))
    prefix = specific.pop("prefix", None)
    if prefix is not None and isinstance(task, Seq2SeqLM):
        task.settings = replace(task.settings, prefix=prefix)
    specific.pop("max_length", None)  # transformers sets it after its own 256 new tokens, which come first
    known = {field.name for field in fields(task.generation)}
    return {option: value for option, value in specific.items() if option in known}
