"""Texts to labels, the task that KerasHub has too: whether a text of a file of words and labels names an entity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.contenders.fit import BATCH, RATE, epoch_timer, records_of
from benchmarks.contenders.tagging import load_tokenizer, texts_of

Run = Callable[[], Any]
LABELS = ("plain", "named")


def labelled(data: str) -> tuple[list[str], list[int]]:
    """Return the texts that are trained on, and the label id of each."""
    records = records_of(data)
    texts = [" ".join(record["words"]) for record in records]
    return texts, [int(any(label != "O" for label in record["labels"])) for record in records]


def _tfnlp(model: str, data: str, trains: bool) -> Run:
    import tf_keras

    import tfnlp

    def load() -> tfnlp.SequenceClassifier:
        return tfnlp.SequenceClassifier.from_pretrained(model, labels=LABELS)

    if not trains:
        task, texts = load(), texts_of(data)
        return lambda: task.predict(texts)
    records = [{"text": text, "label": LABELS[label]} for text, label in zip(*labelled(data), strict=True)]

    def run() -> float:
        task, epochs = load(), epoch_timer(tf_keras.callbacks)
        task.fit(records, epochs=2, batch_size=BATCH, learning_rate=RATE, callbacks=[epochs], verbose=0)
        return epochs.seconds[1]

    return run


def _keras_hub(model: str, data: str, trains: bool) -> Run:
    """KerasHub's classifier with the same network, padded to the shortest power of two that cuts no text."""
    import keras
    import keras_hub

    texts = texts_of(data)
    longest = max(map(len, load_tokenizer(model)(texts)["input_ids"]))

    def load() -> Any:
        classifier = keras_hub.models.BertTextClassifier.from_preset(model, num_classes=len(LABELS))
        classifier.preprocessor.sequence_length = 1 << (longest - 1).bit_length()
        return classifier

    if not trains:
        classifier = load()
        return lambda: classifier.predict(texts, batch_size=32, verbose=0)
    given, labels = labelled(data)

    def run() -> float:
        classifier, epochs = load(), epoch_timer(keras.callbacks)
        classifier.compile(
            optimizer=keras.optimizers.AdamW(RATE, weight_decay=0.01, global_clipnorm=1.0),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        classifier.fit(given, labels, epochs=2, batch_size=BATCH, callbacks=[epochs], verbose=0)
        return epochs.seconds[1]

    return run


CONTENDERS: dict[str, Callable[..., Run]] = {"tfnlp": _tfnlp, "KerasHub": _keras_hub}
