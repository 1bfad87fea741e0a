"""tfnlp: from any Hugging Face checkpoint to a Keras model that is trained, asked and served on raw text.

The names below are loaded on first use, so that `import tfnlp` takes no time.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_MODULES = {
    "tfnlp.tasks.token_classification.task": ("TokenClassifier",),
    "tfnlp.tasks.text_classification.task": ("SequenceClassifier",),
    "tfnlp.tasks.question_answering.task": ("QuestionAnswerer",),
    "tfnlp.tasks.multiple_choice.task": ("MultipleChoice",),
    "tfnlp.tasks.masked_lm.task": ("MaskedLM",),
    "tfnlp.tasks.causal_lm.task": ("CausalLM",),
    "tfnlp.tasks.seq2seq_lm.task": ("Seq2SeqLM",),
    "tfnlp.tasks.text_encoding.task": ("TextEncoder",),
    "tfnlp.tasks.text_classification.next_sentence": ("NextSentencePrediction",),
    "tfnlp.tasks.table_question_answering.task": ("TableQuestionAnswerer",),
    "tfnlp.tasks.text_classification.zero_shot": ("ZeroShotClassifier",),
    "tfnlp.tasks.loading": ("load",),
    "tfnlp.pipelines.loading": ("pipeline",),
    "tfnlp.tokenization.graph.graph_tokenizer": ("GraphTokenizer",),
    "tfnlp.tokenization.checking": ("TokenizerCheck", "check_tokenizer"),
    "tfnlp.tokenization.tokenizer": ("Tokenizer",),
    "tfnlp.data.annotations": ("read_brat",),
    "tfnlp.data.conll": ("read_conll", "read_conllu"),
    "tfnlp.data.readers": ("read_jsonl", "read_kaggle", "read_records"),
    "tfnlp.tasks.question_answering.records": ("read_questions",),
    "tfnlp.tasks.multiple_choice.records": ("read_choices",),
    "tfnlp.data.plain_texts": ("read_texts",),
    "tfnlp.data.tables": ("read_examples", "read_folder", "read_objects", "read_table"),
    "tfnlp.labels": ("LabelMap", "Span", "spans_to_tags", "tags_to_spans", "to_iob2"),
    "tfnlp.outputs": (
        "Answer",
        "Answers",
        "Choice",
        "Choices",
        "Entities",
        "Entity",
        "Fill",
        "Fills",
        "Generation",
        "Generations",
        "Label",
        "Labels",
        "Predictions",
        "TableAnswer",
    ),
    "tfnlp.reports": (
        "AccuracyReport",
        "AnswerReport",
        "AnswerScores",
        "ClassificationReport",
        "ConfusionMatrix",
        "LossReport",
        "PerplexityReport",
        "RateReport",
        "RecordLoss",
        "RegressionReport",
        "Report",
        "Scores",
        "TextReport",
    ),
    "tfnlp.tasks.question_answering.metrics": ("answer_report", "score_answer"),
    "tfnlp.training.losses": (
        "ChoiceCrossEntropy",
        "CosineError",
        "LabelCrossEntropy",
        "RankingLoss",
        "SquaredError",
        "TokenCrossEntropy",
    ),
    "tfnlp.tasks.token_classification.metrics": ("TaggingScores", "tagging_report"),
    "tfnlp.training.optimizer": ("AdamW",),
    "tfnlp.training.schedules": ("ConstantSchedule", "CosineSchedule", "ExponentialSchedule", "LinearSchedule"),
    "tfnlp.training.recipe": ("Recipe",),
    "tfnlp.generation.options": ("GenerationOptions",),
    "tfnlp.errors": (
        "ArgumentError",
        "CheckpointError",
        "DataError",
        "ExportError",
        "LabelError",
        "StorageError",
        "TfnlpError",
        "UnsafeCheckpointError",
        "UnsupportedModelError",
        "UnsupportedTokenizerError",
        "VersionError",
    ),
    "tfnlp.checkpoints.heads": (
        "TFAutoModel",
        "TFAutoModelForAudioClassification",
        "TFAutoModelForCTC",
        "TFAutoModelForCausalLM",
        "TFAutoModelForDocumentQuestionAnswering",
        "TFAutoModelForImageClassification",
        "TFAutoModelForImageTextRetrieval",
        "TFAutoModelForMaskGeneration",
        "TFAutoModelForMaskedImageModeling",
        "TFAutoModelForMaskedLM",
        "TFAutoModelForMultipleChoice",
        "TFAutoModelForNextSentencePrediction",
        "TFAutoModelForPreTraining",
        "TFAutoModelForQuestionAnswering",
        "TFAutoModelForSemanticSegmentation",
        "TFAutoModelForSeq2SeqLM",
        "TFAutoModelForSequenceClassification",
        "TFAutoModelForSpeechSeq2Seq",
        "TFAutoModelForTableQuestionAnswering",
        "TFAutoModelForTextEncoding",
        "TFAutoModelForTokenClassification",
        "TFAutoModelForVision2Seq",
        "TFAutoModelForVisualQuestionAnswering",
        "TFAutoModelForZeroShotImageClassification",
    ),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tfnlp' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
