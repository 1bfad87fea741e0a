"""What tiny checkpoints are made of, and the records they learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

RECORDS: list[dict[str, Any]] = [
    {"words": ["Ada", "lives", "in", "Paris", "."], "labels": ["B-PER", "O", "O", "B-LOC", "O"]},
    {"words": ["Bob", "Stone", "went", "to", "New", "York"], "labels": ["B-PER", "I-PER", "O", "O", "B-LOC", "I-LOC"]},
    {"words": ["the", "cat", "lives", "in", "the", "house"], "labels": ["O"] * 6},
    {"words": ["Paris", "and", "New", "York", "!"], "labels": ["B-LOC", "O", "B-LOC", "I-LOC", "O"]},
    {"words": ["Ada", "Stone", "and", "Bob"], "labels": ["B-PER", "I-PER", "O", "B-PER"]},
]
LABELS = ["O", "B-LOC", "I-LOC", "B-PER", "I-PER"]
TEXTS = [" ".join(record["words"]) for record in RECORDS]
LONG_TEXT = " ".join(TEXTS * 6)

_PIECES = [
    "ada",
    "lives",
    "in",
    "paris",
    ".",
    "bob",
    "stone",
    "went",
    "to",
    "new",
    "york",
    "the",
    "cat",
    "house",
    "and",
    "!",
]
_LETTERS = list("abcdefghijklmnopqrstuvwxyz0123456789,?-'")
VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    *_PIECES,
    *_LETTERS,
    *(f"##{letter}" for letter in _LETTERS),
]
VOCABULARY += ["##er", "##ing", "un", "able", "##able"]
ARCHITECTURES = ("bert", "distilbert", "electra", "roberta", "albert")

_SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}


def build_config(architecture: str, vocabulary_size: int) -> Any:
    """Return a small configuration with named labels."""
    import transformers

    extra = {
        "vocab_size": vocabulary_size,
        "id2label": dict(enumerate(LABELS)),
        "label2id": {label: i for i, label in enumerate(LABELS)},
    }
    if architecture == "distilbert":
        sizes = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 64}
        return transformers.DistilBertConfig(**sizes, **extra)
    classes = {"bert": "BertConfig", "electra": "ElectraConfig", "roberta": "RobertaConfig", "albert": "AlbertConfig"}
    embedding = {"embedding_size": 8} if architecture in ("electra", "albert") else {}
    return getattr(transformers, classes[architecture])(**_SMALL, **embedding, **extra)


def build_tokenizer(architecture: str, directory: Path) -> Any:
    """Return a small fast tokenizer of the architecture's family."""
    import transformers
    from tokenizers.implementations import ByteLevelBPETokenizer, SentencePieceUnigramTokenizer

    if architecture == "roberta":
        trained = ByteLevelBPETokenizer()
        special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
        trained.train_from_iterator(TEXTS, vocab_size=300, special_tokens=special, show_progress=False)
        files = trained.save_model(str(directory))
        return transformers.RobertaTokenizerFast(*files, model_max_length=62)
    if architecture == "albert":
        trained = SentencePieceUnigramTokenizer()
        special = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
        trained.train_from_iterator(
            TEXTS, vocab_size=70, special_tokens=special, unk_token="<unk>", show_progress=False
        )
        return transformers.AlbertTokenizerFast(tokenizer_object=trained._tokenizer, model_max_length=64)
    file = directory / "vocab.txt"
    file.write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    classes = {"bert": "BertTokenizerFast", "distilbert": "DistilBertTokenizerFast", "electra": "ElectraTokenizerFast"}
    return getattr(transformers, classes[architecture])(str(file), do_lower_case=True, model_max_length=64)


def build_learner(architecture: str, directory: Path, **options: Any) -> Any:
    """Return a small classifier with the usual initial weights and no dropout, which learns the records quickly."""
    from tfnlp import TokenClassifier
    from tfnlp._backend import keras

    tokenizer = build_tokenizer(architecture, directory)
    config = build_config(architecture, len(tokenizer))
    names = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout_prob", "dropout")
    for name in (name for name in names if hasattr(config, name)):
        setattr(config, name, 0.0)
    keras.utils.set_random_seed(1)
    return TokenClassifier.from_config(config, tokenizer, **{"max_length": 24, "stride": 6, **options})


def write_checkpoint(architecture: str, directory: Path) -> Path:
    """Write a checkpoint with random weights, no two of which are alike."""
    from tfnlp._backend import keras
    from tfnlp.checkpoints.heads import AutoHead
    from tfnlp.checkpoints.weights import save_safetensors

    directory.mkdir()
    tokenizer = build_tokenizer(architecture, directory)
    config = build_config(architecture, len(tokenizer))
    keras.utils.set_random_seed(1)
    head = AutoHead("TFAutoModelForTokenClassification").from_config(config)
    head.build_in_name_scope()
    for i, variable in enumerate(head.weights):  # a swap or a transposition of weights shows
        keras.utils.set_random_seed(i)
        variable.assign(keras.backend.random_normal(variable.shape, stddev=0.3))
    config.architectures = [type(head).__name__.removeprefix("TF")]
    config.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    save_safetensors(head, directory / "model.safetensors")
    return directory
