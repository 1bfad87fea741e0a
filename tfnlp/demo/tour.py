"""`tfnlp demo`: the main job from raw text to SavedModel, with an encoder and a vocabulary made on the spot."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from importlib import resources
from pathlib import Path
from typing import Any

from transformers import BertConfig, BertTokenizerFast

from tfnlp._backend import keras
from tfnlp.data.conll import read_conll
from tfnlp.data.files import Record, Records
from tfnlp.export import ask
from tfnlp.tasks.token_classification.task import TokenClassifier

SENTENCES = (
    "Tessa Quarrie, who runs Northmere Analytics, moved from Port Ellery to Lisbon last year.",
    "The ferry to Isle Carrow was late again.",
    "On Monday Bram Oduya told the Harrow Street Bank that the office would move to Wexmoor.",
)
_NEXT_STEPS = """
The same with a real checkpoint and your own file, one word and its label a line:

    tfnlp train token-classification --model bert-base-cased --train train.conll --dev dev.conll --output my-ner
    tfnlp evaluate my-ner --data test.conll
    echo "Ada Lovelace lived in London." | tfnlp predict my-ner
    tfnlp export my-ner serving/ner/1

or in Python:

    import tfnlp
    ner = tfnlp.TokenClassifier.from_pretrained("bert-base-cased")
    ner.fit("train.conll", validation_data="dev.conll")
"""


def corpus(part: str) -> Records:
    """Return the demonstration corpus: `train`, or `test`, none of whose names is in `train`."""
    return read_conll(Path(str(resources.files("tfnlp.demo") / f"{part}.conll")))


def build_vocabulary(records: Iterable[Record]) -> list[str]:
    """Choose the words that the encoder knows: not names, which it shall judge by what stands around them."""
    counts: Counter[str] = Counter()
    in_names: Counter[str] = Counter()
    for record in records:
        for word, label in zip(record["words"], record["labels"], strict=True):
            (counts if label == "O" else in_names)[word] += 1
    known = {word for word, count in counts.items() if count >= 2}
    return sorted(known | {word for word, count in in_names.items() if count >= 25})  # "University", "of", "Mount"


def build_classifier(vocabulary: Iterable[str], *, seed: int) -> TokenClassifier:
    """Make a small BERT that knows these words, its weights random."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "vocab.txt"
        file.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *vocabulary]) + "\n", encoding="utf-8")
        tokenizer = BertTokenizerFast(str(file), do_lower_case=False, model_max_length=128)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        max_position_embeddings=128,
    )
    keras.utils.set_random_seed(seed)
    return TokenClassifier.from_config(config, tokenizer)


def demonstrate(
    output: Path | None,
    *,
    seed: int,
    say: Callable[[str], Any],
    show_report: Callable[[Any, str], None],
    show_answers: Callable[[Any, Any], None],
) -> None:
    """Train, evaluate, predict, save, export, reload and ask.

    Args:
        output: where to keep the model and the SavedModel; None: nowhere.
        seed: of the weights and of training.
        say: prints a line.
        show_report: prints a report under a name.
        show_answers: prints texts with their entities.
    """
    train, test = list(corpus("train")), list(corpus("test"))
    say(f"1. Training a small encoder, made on the spot, on {len(train)} sentences.")
    ner = build_classifier(build_vocabulary(train), seed=seed)
    ner.fit(train, test, epochs=14, learning_rate=5e-4, batch_size=32, seed=seed, verbose=1)
    say(f"\n2. Evaluating on {len(test)} sentences, none of whose names was in the training data.")
    show_report(ner.evaluate(test), "entities")
    say("\n3. Predicting, from raw text to entities with character offsets.")
    show_answers(SENTENCES, ner.predict(list(SENTENCES)))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) if output is None else output
        ner.save(folder / "model")
        say(f"\n4. Saved to {folder / 'model'}, which transformers on PyTorch loads as well.")
        if output is None:
            say("   The directory goes when this ends: `tfnlp demo --output DIR` keeps it.")
        saved_model = folder / "serving" / "1"
        ner.export(saved_model, samples=SENTENCES)
        say(f"5. Exported to {saved_model}: strings in, entities out. Loaded again and asked:")
        answer = ask(saved_model, text=[SENTENCES[0]])
        for name in ("entity_label", "entity_text", "entity_start", "entity_end", "entity_score"):
            say(f"   {name}: {[v.decode() if isinstance(v, bytes) else round(v, 3) for v in answer[name][0].tolist()]}")
    say(_NEXT_STEPS)
