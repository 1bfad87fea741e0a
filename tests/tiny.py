"""What tiny checkpoints are made of, and the records they learn."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfnlp.tokenization.pretrained import as_saved

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
EXAMPLES: list[dict[str, Any]] = [
    {"text": text, "label": "place" if "Paris" in text or "York" in text else "other"} for text in TEXTS
]
QUESTIONS: list[dict[str, Any]] = [
    {"question": "who lives in paris", "context": TEXTS[0], "answers": [{"text": "Ada", "answer_start": 0}]},
    {"question": "who went", "context": TEXTS[1], "answers": [{"text": "Bob Stone", "answer_start": 0}]},
    {"question": "where lives the cat", "context": TEXTS[2], "answers": [{"text": "house", "answer_start": 21}]},
    {"question": "where lives ada", "context": TEXTS[0], "answers": [{"text": "Paris", "answer_start": 13}]},
    {"question": "which is new", "context": TEXTS[3], "answers": [{"text": "New York", "answer_start": 10}]},
]
PROMPTS: list[dict[str, Any]] = [
    {"prompt": "who lives in paris", "choices": ["Ada", "Bob", "the cat"], "label": "Ada"},
    {"prompt": "who went to new york", "choices": ["Ada", "Bob"], "label": 1},
    {"prompt": "who lives in the house", "choices": ["New York", "the cat", "Ada", "and"], "label": 1},
    {"prompt": "where lives ada", "choices": ["house", "Paris"], "label": "Paris"},
]
PAIRS: list[dict[str, Any]] = [
    {"text": text, "text_pair": other, "score": i / 5}
    for i, (text, other) in enumerate(zip(TEXTS, TEXTS[1:] + TEXTS[:1], strict=True))
]
FOLLOWING: list[dict[str, Any]] = [
    {"text": text, "text_pair": other, "label": "IsNext" if other.startswith("the") else "NotNext"}
    for text, other in zip(TEXTS, TEXTS[1:] + TEXTS[:1], strict=True)
]
QUICK = {"initializer_range": 0.3}  # of initial weights, for heads on one token, which else learn slowly
UNNAMED = {"id2label": {0: "LABEL_0", 1: "LABEL_1"}, "label2id": {"LABEL_0": 0, "LABEL_1": 1}}  # labels nobody named

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
ARCHITECTURES = ("bert", "distilbert", "electra", "roberta", "albert")  # what most tests are run on

LABELLED = {"id2label": dict(enumerate(LABELS)), "label2id": {label: i for i, label in enumerate(LABELS)}}
_SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
}
_SMALL_DISTILBERT = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 64}
_SMALL_FUNNEL = {"block_sizes": [1, 1], "num_decoder_layers": 1, "d_model": 16, "n_head": 2, "d_head": 8, "d_inner": 32}
_SMALL_GPT2 = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64, "bos_token_id": 0, "eos_token_id": 0}
_SMALL_T5 = {
    "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "decoder_start_token_id": 0, "initializer_factor": 1.0,
}  # fmt: skip
_SMALL_BART = {
    "d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 64, "forced_eos_token_id": None,
}  # fmt: skip
_SMALL_MODERNBERT = {
    "num_hidden_layers": 4, "local_attention": 8, "pad_token_id": 1, "cls_token_id": 0, "sep_token_id": 2,
    "bos_token_id": 0, "eos_token_id": 2, "reference_compile": False,
}  # fmt: skip
_SMALL_XLNET = {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32}
_DISENTANGLED = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_biased_input": False}
_ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


@dataclass(frozen=True)
class Family:
    """A kind of checkpoint.

    Attributes:
        name: as in the names of transformers' classes.
        kind: of its tokenizer: `words` (WordPiece), `bytes` (byte-level BPE) or `pieces` (SentencePiece).
        sizes: what its configuration has beside `_SMALL`, or in its place.
        is_alone: whether `sizes` are in its place.
        tokenizer: as in the name of its tokenizer's class, where that is another.
        special: the unknown, padding, separating, first and mask tokens of a tokenizer of words.
    """

    name: str
    kind: str = "words"
    sizes: dict[str, Any] = field(default_factory=dict)
    is_alone: bool = False
    tokenizer: str = ""
    special: tuple[str, ...] = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


FAMILIES = {
    "bert": Family("Bert"),
    "distilbert": Family("DistilBert", sizes=_SMALL_DISTILBERT, is_alone=True),
    "electra": Family("Electra", sizes={"embedding_size": 8}),
    "roberta": Family("Roberta", "bytes"),
    "albert": Family("Albert", "unigram", sizes={"embedding_size": 8}),
    "bart": Family("Bart", "bytes", sizes=_SMALL_BART, is_alone=True),
    "camembert": Family("Camembert", "pieces"),
    "convbert": Family("ConvBert", sizes={"embedding_size": 16, "head_ratio": 2}),
    "deberta": Family("Deberta", "bytes", sizes=_DISENTANGLED),
    "deberta-v2": Family("DebertaV2", "pieces", sizes=_DISENTANGLED),
    "funnel": Family(
        "Funnel", sizes=_SMALL_FUNNEL, is_alone=True, special=("<pad>", "<unk>", "<cls>", "<sep>", "<mask>")
    ),
    "gpt2": Family("GPT2", "bytes", sizes=_SMALL_GPT2, is_alone=True),
    "longformer": Family("Longformer", "bytes", sizes={"attention_window": 8}),
    "mobilebert": Family(
        "MobileBert", sizes={"embedding_size": 16, "intra_bottleneck_size": 16, "true_hidden_size": 16}
    ),
    "modernbert": Family("ModernBert", "bytes", tokenizer="Roberta", sizes=_SMALL_MODERNBERT),
    "mpnet": Family("MPNet", special=("<pad>", "[UNK]", "<s>", "</s>", "<mask>")),
    "rembert": Family("RemBert", "pieces", sizes={"input_embedding_size": 16, "output_embedding_size": 16}),
    "roberta-prelayernorm": Family("RobertaPreLayerNorm", "bytes", tokenizer="Roberta"),
    "roformer": Family("RoFormer", tokenizer="Bert", sizes={"embedding_size": 16}),
    "t5": Family("T5", "pieces", sizes=_SMALL_T5, is_alone=True),
    "xlm-roberta": Family("XLMRoberta", "pieces"),
    "xlnet": Family("XLNet", "pieces", sizes=_SMALL_XLNET, is_alone=True),
}


def build_config(architecture: str, vocabulary_size: int, **options: Any) -> Any:
    """Return a small configuration, with the labels of words unless `options` say otherwise."""
    import transformers

    family = FAMILIES[architecture]
    sizes = family.sizes if family.is_alone else {**_SMALL, **family.sizes}
    kind = getattr(transformers, f"{family.name}Config")
    return kind(**{**sizes, "vocab_size": vocabulary_size, **(LABELLED | options)})


def build_tokenizer(
    architecture: str, directory: Path, texts: list[str] | None = None, *, model_type: str = "unigram"
) -> Any:
    """Return a small fast tokenizer of the architecture's family; `model_type` is SentencePiece's."""
    texts = TEXTS if texts is None else texts
    import transformers

    family = FAMILIES[architecture]
    kind = getattr(transformers, f"{family.tokenizer or family.name}TokenizerFast")
    if family.kind == "bytes":
        return kind(*_train_bytes(directory, texts), model_max_length=62)
    if family.kind == "pieces":
        train_pieces(directory / kind.vocab_files_names["vocab_file"], texts, model_type)
        return as_saved(kind.from_pretrained(str(directory), model_max_length=62))
    if family.kind == "unigram":
        kind(tokenizer_object=_train_unigram(texts), model_max_length=64).save_pretrained(str(directory))
        return kind.from_pretrained(str(directory))  # transformers 5 puts together anew what ALBERT's has
    names = dict(zip(Family("Bert").special, family.special, strict=True))
    file = directory / "vocab.txt"
    letters = sorted({letter for text in texts for letter in text.lower() if not letter.isspace()} - set(VOCABULARY))
    file.write_text("\n".join(names.get(word, word) for word in [*VOCABULARY, *letters]) + "\n", encoding="utf-8")
    return kind(str(file), do_lower_case=True, model_max_length=64)


def _train_bytes(directory: Path, texts: list[str]) -> list[str]:
    from tokenizers.implementations import ByteLevelBPETokenizer

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(texts, vocab_size=300, special_tokens=list(_ROBERTA), show_progress=False)
    return trained.save_model(str(directory))


def _train_unigram(texts: list[str]) -> Any:
    from tokenizers.implementations import SentencePieceUnigramTokenizer

    trained = SentencePieceUnigramTokenizer()
    special = ["<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]"]
    trained.train_from_iterator(texts, vocab_size=70, special_tokens=special, unk_token="<unk>", show_progress=False)
    return trained._tokenizer


def train_pieces(file: Path, texts: list[str], model_type: str) -> None:
    import sentencepiece

    lines = file.with_name("texts.txt")
    lines.write_text("\n".join(texts * 4), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(lines),
        model_prefix=str(file.with_suffix("")),
        vocab_size=60 if texts is TEXTS else 150,
        hard_vocab_limit=False,
        minloglevel=2,
        model_type=model_type,
    )


def build_learner(architecture: str, directory: Path, **options: Any) -> Any:
    """Return a small token classifier with the usual initial weights and no dropout, which learns quickly."""
    from tfnlp import TokenClassifier

    return build_task(TokenClassifier, architecture, directory, {}, **options)


def build_task(task: Any, architecture: str, directory: Path, config_options: dict[str, Any], **options: Any) -> Any:
    """Return a model of one layer for a task, with the usual initial weights and no dropout, which learns quickly.

    What is compared with PyTorch has two: see `write_checkpoint`.
    """
    from tfnlp._backend import keras
    from tfnlp.tasks.settings import WindowSettings

    tokenizer = build_tokenizer(architecture, directory)
    config = build_config(architecture, len(tokenizer), **config_options)
    if not FAMILIES[architecture].is_alone:
        config.num_hidden_layers = 1
        if getattr(config, "layer_types", None):  # of transformers 5
            config.layer_types = config.layer_types[:1]
    names = (
        "hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout_prob", "dropout", "dropout_rate",
        "attention_dropout", "activation_dropout", "resid_pdrop", "embd_pdrop", "attn_pdrop",
    )  # fmt: skip
    for name in (name for name in names if hasattr(config, name)):
        setattr(config, name, 0.0)
    keras.utils.set_random_seed(1)
    stride = {"stride": 6} if issubclass(task.settings_class, WindowSettings) else {}
    return task.from_config(config, tokenizer, **{"max_length": 24, **stride, **options})


def write_checkpoint(architecture: str, directory: Path, *, head: str = "TokenClassification", **options: Any) -> Path:
    """Write a checkpoint with random weights, no two of which are alike; `options` are of its configuration."""
    from tfnlp._backend import keras
    from tfnlp.checkpoints.heads import AutoHead
    from tfnlp.checkpoints.weights import save_safetensors

    directory.mkdir()
    tokenizer = build_tokenizer(architecture, directory)
    config = build_config(architecture, len(tokenizer), **options)
    keras.utils.set_random_seed(1)
    network = AutoHead(f"TFAutoModelFor{head}" if head else "TFAutoModel").from_config(config)
    network.build_in_name_scope()
    for i, variable in enumerate(network.weights):  # a swap or a transposition of weights shows
        keras.utils.set_random_seed(i)
        variable.assign(keras.backend.random_normal(variable.shape, stddev=0.3))
    config.architectures = [type(network).__name__.removeprefix("TF")]
    config.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    save_safetensors(network, directory / "model.safetensors")
    return directory
