"""The tasks by the names that the command line and transformers give them. Knows no TensorFlow."""

from __future__ import annotations

# The name of a task: the package of its class, and the class.
TASK_NAMES: dict[str, tuple[str, str]] = {
    "token-classification": ("token_classification", "TokenClassifier"),
    "text-classification": ("text_classification", "SequenceClassifier"),
    "question-answering": ("question_answering", "QuestionAnswerer"),
    "multiple-choice": ("multiple_choice", "MultipleChoice"),
    "masked-lm": ("masked_lm", "MaskedLM"),
    "causal-lm": ("causal_lm", "CausalLM"),
    "seq2seq-lm": ("seq2seq_lm", "Seq2SeqLM"),
    "next-sentence-prediction": ("text_classification", "NextSentencePrediction"),
    "sentence-similarity": ("text_encoding", "TextEncoder"),
    "zero-shot-classification": ("text_classification", "ZeroShotClassifier"),
    "table-question-answering": ("table_question_answering", "TableQuestionAnswerer"),
}
