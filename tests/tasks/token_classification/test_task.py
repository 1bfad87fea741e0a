import dataclasses
import functools
import gc
import logging
import shutil
import weakref

import numpy as np
import pytest
from tokenizers import Regex, pre_tokenizers

import tfnlp
from tests.marks import slow_case
from tests.tiny import LABELS, LONG_TEXT, RECORDS, TEXTS, build_config, build_learner, build_tokenizer, write_checkpoint
from tfnlp import Entity, TokenClassifier
from tfnlp._backend import keras, tf
from tfnlp.errors import ArgumentError, CheckpointError, DataError, LabelError
from tfnlp.tasks.token_classification.settings import AGGREGATIONS

SPANS = [
    {"text": "Ada lives in Paris.", "spans": [(0, 3, "PER"), (13, 18, "LOC")]},
    {"text": "Bob Stone went to New York", "spans": [(0, 9, "PER"), (18, 26, "LOC")]},
]


def fresh(checkpoints, name="bert", **options):
    return TokenClassifier.from_pretrained(checkpoints[name], **{"max_length": 24, "stride": 6, **options})


def entities_of(answer):
    return [(entity.label, entity.text) for entity in answer]


def as_pipeline(task, texts, aggregation):
    """Answer by the rules of transformers' pipeline: it has words of its own."""
    records = [{"text": text} for text in texts]
    settings = dataclasses.replace(task.settings, aggregation=aggregation, grouping="pipeline")
    return task.answers(task.ask(records, settings).answers, records, settings)


# Fit


def test_it_learns_its_records_by_heart(tagger):
    report = tagger.evaluate(RECORDS)
    assert report.f1 == 1.0
    assert report.accuracy == 1.0
    assert report.loss < 0.05
    assert report.labels["PER"].support == 4
    assert report.num_records == len(RECORDS)


def test_entities_have_exact_offsets(tagger):
    text = "  Bob Stone\twent to  NEW York !"
    assert entities_of(tagger.predict(text)) == [("PER", "Bob Stone"), ("LOC", "NEW York")]
    for entity in tagger.predict(text):
        assert text[entity.start : entity.end] == entity.text
        assert 0 <= entity.score <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["roberta", "albert"])
def test_other_tokenizers_train_and_predict(tmp_path, name):
    task = build_learner(name, tmp_path)
    losses = task.fit(RECORDS, epochs=30, learning_rate=1e-2, batch_size=5, verbose=0).history["loss"]
    assert losses[-1] < 0.6 * losses[0]
    for text, answer in zip(TEXTS, task.predict(TEXTS, aggregation="simple"), strict=True):
        assert all(text[entity.start : entity.end] == entity.text for entity in answer)


def test_a_tokenizer_that_can_not_be_compiled_trains_and_predicts(tmp_path):
    task = build_learner("albert", tmp_path)
    task.tokenizer.hf.backend_tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("(a)b"), "isolated")
    task.fit(RECORDS, epochs=1, verbose=0)
    assert len(task.predict(TEXTS)) == len(TEXTS)
    with pytest.raises(tfnlp.UnsupportedTokenizerError, match=r"^The pattern '\(a\)b' is not reproduced in the graph"):
        task.export(tmp_path / "1")
    assert not (tmp_path / "1").exists()


@pytest.mark.slow
def test_spans_of_characters_are_learned(tmp_path, caplog):
    task = build_learner("bert", tmp_path)
    misplaced = {"text": "the cat", "spans": [(1, 3, "LOC")]}
    task.fit([*SPANS, misplaced], epochs=60, learning_rate=1e-2, verbose=0)
    assert entities_of(task.predict(SPANS[1]["text"])) == [("PER", "Bob Stone"), ("LOC", "New York")]
    assert task.evaluate(SPANS).f1 == 1.0
    assert "the records: 1 spans do not begin and end where words do" in caplog.text
    assert "Span(label='LOC', start=1, end=3)" in caplog.text


def test_labels_come_from_data_where_nobody_named_them(checkpoints, tmp_path, caplog):
    directory = shutil.copytree(checkpoints["bert"], tmp_path / "unnamed")
    config = build_config("bert", len(tfnlp.Tokenizer.from_pretrained(directory).hf))
    config.id2label, config.label2id = {0: "LABEL_0", 1: "LABEL_1"}, {"LABEL_0": 0, "LABEL_1": 1}
    config.architectures = ["BertModel"]
    config.save_pretrained(directory)
    task = TokenClassifier.from_pretrained(directory)
    assert task.labels is None
    assert "labels not known yet" in repr(task)
    for call in (lambda: task.model, lambda: task.predict("x")):
        with pytest.raises(LabelError, match=r"^the labels are not known yet\. Pass `labels=\[\.\.\.\]`"):
            call()
    with caplog.at_level(logging.INFO):
        task.fit(RECORDS, epochs=1, verbose=0)
    assert task.labels.names == tuple(LABELS)
    assert "labels of the records: O, B-LOC, I-LOC, B-PER, I-PER" in caplog.text
    task = TokenClassifier.from_pretrained(directory)
    task.learned = task.learn(task.source(SPANS))
    assert task.labels.names == tuple(LABELS)


def test_other_labels_make_a_new_head(checkpoints, caplog):
    names = ["O", "B-X", "I-X", "B-Y", "I-Y"]
    task = fresh(checkpoints, labels=names)
    assert task.labels.names == tuple(names)
    trained = fresh(checkpoints).head.classifier.kernel.numpy()
    assert not np.array_equal(task.head.classifier.kernel.numpy(), trained)
    assert fresh(checkpoints).head.classifier.bias.numpy().any()
    assert not task.head.classifier.bias.numpy().any()
    assert "new labels; its head is initialised anew" in caplog.text
    again = fresh(checkpoints, labels=list(reversed(LABELS)))
    assert again.labels.names == tuple(LABELS), "the checkpoint's own labels keep its order"
    assert np.array_equal(again.head.classifier.kernel.numpy(), trained)
    with pytest.raises(LabelError, match=r"^the network is already built for the labels"):
        again.set_labels(names)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_result(checkpoints):
    def weights(seed):
        task = fresh(checkpoints, labels=["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-X"], seed=seed)
        task.fit(RECORDS, epochs=2, seed=seed, verbose=0)
        return task.head.classifier.kernel.numpy()

    first = weights(3)
    assert np.array_equal(weights(3), first)
    assert not np.array_equal(weights(4), first)


def test_a_task_that_is_trained_and_dropped_leaves_no_memory_behind(checkpoints):
    def used():
        task = fresh(checkpoints, labels=LABELS)
        task.fit(RECORDS, epochs=1, verbose=0)
        task.predict(TEXTS)
        return [weakref.ref(kept) for kept in (task, task.model, task.head)]

    references = used()
    gc.collect()
    assert [reference() for reference in references] == [None] * 3


def test_f1_is_in_keras_s_logs_and_callbacks_watch_it(checkpoints, tmp_path):
    task = fresh(checkpoints)
    stop = keras.callbacks.EarlyStopping("val_f1", mode="max", patience=2, restore_best_weights=True)
    file = str(tmp_path / "best.weights.h5")
    best = keras.callbacks.ModelCheckpoint(file, "val_f1", mode="max", save_best_only=True, save_weights_only=True)
    history = task.fit(RECORDS, RECORDS, epochs=40, learning_rate=1e-2, callbacks=[stop, best], verbose=0)
    logged = history.history
    assert len(logged["val_f1"]) < 40, "EarlyStopping saw val_f1 stay at its best"
    assert max(logged["val_f1"]) == task.evaluate(RECORDS).f1
    assert set(logged) == {"loss", "val_loss", "val_f1", "val_precision", "val_recall", "val_accuracy"}
    assert (tmp_path / "best.weights.h5").exists()


@pytest.mark.slow
def test_weights_smoothing_and_other_optimizers(checkpoints):
    task = fresh(checkpoints)
    task.fit(RECORDS, epochs=1, label_weights={"O": 0.1}, label_smoothing=0.1, verbose=0)
    assert task.model.loss["logits"].label_weights == pytest.approx([0.1, 1, 1, 1, 1])
    task.fit(RECORDS, epochs=1, optimizer=keras.optimizers.SGD(0.1), verbose=0)
    with pytest.raises(LabelError, match=r"^unknown label 'PER'\. Did you mean 'I-PER'\?"):
        task.fit(RECORDS, label_weights={"PER": 2.0})


def test_callbacks_of_keras_3_are_refused(checkpoints):
    import keras as keras3

    with pytest.raises(ArgumentError, match=r"EarlyStopping is no tf_keras callback\."):
        fresh(checkpoints).fit(RECORDS, callbacks=[keras3.callbacks.EarlyStopping()])


def test_the_plain_keras_way(checkpoints):
    task = fresh(checkpoints)
    dataset = task.dataset(RECORDS, batch_size=2, shuffle=True, seed=1)
    features, labels = next(iter(dataset))
    assert set(features) == {"input_ids", "attention_mask", "token_type_ids"}
    assert features["input_ids"].dtype == labels["logits"].dtype == tf.int32
    task.model.compile(optimizer=tfnlp.AdamW(1e-3), loss={"logits": tfnlp.TokenCrossEntropy()})
    history = task.model.fit(dataset, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.parametrize("all_tokens", [False, True])
def test_which_tokens_are_labelled(checkpoints, all_tokens):
    task = fresh(checkpoints, label_all_tokens=all_tokens)
    records = [{"words": ["cats", "Paris"], "labels": ["B-PER", "B-LOC"]}]
    _, labels = next(iter(task.dataset(records)))
    assert sorted(labels["logits"].numpy()[0][:6].tolist()) == sorted(
        [-100, 3, 3 if all_tokens else -100, 1, -100, -100]
    )


def test_a_long_text_becomes_windows_in_training_and_prediction(tagger):
    words = [word for record in RECORDS for word in record["words"]] * 6
    labels = [label for record in RECORDS for label in record["labels"]] * 6
    rows = sum(len(features["input_ids"]) for features, _ in tagger.dataset([{"words": words, "labels": labels}]))
    assert rows > 5
    report = tagger.evaluate([{"words": words, "labels": labels}])
    assert report.labels["LOC"].support == 24
    assert report.f1 > 0.9, "windows cut sentences, so a word or two may be judged otherwise"
    found = tagger.predict(LONG_TEXT)
    assert len(found) > 40
    assert all(LONG_TEXT[entity.start : entity.end] == entity.text for entity in found)
    assert [e.start for e in found] == sorted(e.start for e in found)


# Predict


def test_one_or_many_texts_or_words(tagger):
    one = tagger.predict(TEXTS[0])
    assert entities_of(one) == [("PER", "Ada"), ("LOC", "Paris")]
    many = tagger.predict(TEXTS)
    assert len(many) == len(TEXTS)
    assert entities_of(many[0]) == entities_of(one)
    words = tagger.predict([RECORDS[0]["words"], "Paris", RECORDS[1]["words"]])
    assert [entities_of(answer) for answer in words] == [
        entities_of(one), [("LOC", "Paris")], [("PER", "Bob Stone"), ("LOC", "New York")],
    ]  # fmt: skip
    assert words[2].text == "Bob Stone went to New York"
    assert words[2][1] == Entity("LOC", 18, 26, "New York", words[2][1].score)
    stream = tagger.predict(iter(TEXTS))
    assert next(stream) == many[0]
    assert tagger.predict([]) == []
    assert tagger.predict([{"text": TEXTS[0]}])[0] == one


def test_texts_without_anything(tagger):
    assert tagger.predict("") == []
    assert tagger.predict("   \n ") == []
    assert [len(answer) for answer in tagger.predict(["", TEXTS[0], " "])] == [0, 2, 0]
    assert tagger.predict([[], ["Paris"]])[1][0].text == "Paris"


def test_a_text_of_a_megabyte(tagger):
    text = "the cat lives in the house " * 38_000 + "Ada lives in Paris."
    assert len(text) > 1_000_000
    found = tagger.predict(text)
    assert found[-1].text == "Paris"
    assert found[-1].end == len(text) - 1


def test_a_megabyte_without_a_space(tagger):
    assert len(tagger.predict("a" * 1_000_000)) <= 1


def test_order_and_company_change_nothing(tagger):
    texts = [*TEXTS, LONG_TEXT, "", "Ada"]
    alone = [tagger.predict(text) for text in texts]
    for order in (texts, texts[::-1]):
        together = dict(zip(order, tagger.predict(order), strict=True))
        for text, answer in zip(texts, alone, strict=True):
            assert entities_of(together[text]) == entities_of(answer)
            assert [e.score for e in together[text]] == pytest.approx([e.score for e in answer], abs=1e-5)


@pytest.mark.parametrize("text", [3, [3], {"a"}])
def test_what_is_no_text(tagger, text):
    with pytest.raises(DataError, match=r"^text 1: expected a string or a list of words; found "):
        tagger.predict([text])


def test_an_unknown_aggregation(tagger, checkpoints):
    with pytest.raises(ArgumentError, match=r"^`aggregation` must be one of \('none', 'simple', .* it is 'last'\.$"):
        tagger.predict("x", aggregation="last")
    with pytest.raises(ArgumentError, match="it is 'last'"):
        fresh(checkpoints, aggregation="last")


@pytest.fixture(scope="module")
def classifier_of(checkpoints):
    """Return the classifier of a checkpoint, made once."""
    return functools.cache(lambda name: TokenClassifier.from_pretrained(checkpoints[name], max_length=24, stride=6))


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore:Tokenizer does not support real words:UserWarning")  # of RoBERTa, by the pipeline
@pytest.mark.parametrize("aggregation", ["none", "simple", "first", "average", "max"])
@pytest.mark.parametrize("name", ["bert", slow_case("electra"), slow_case("roberta")])
def test_answers_equal_transformers_pipeline(checkpoints, classifier_of, name, aggregation):
    pytest.importorskip("torch")
    import transformers

    texts = [*TEXTS, "Unable cats? Yorker's 7 naïve İx 我是"]
    if aggregation != "none":  # the pipeline has no windows for it
        texts.append(LONG_TEXT)
    model = transformers.AutoModelForTokenClassification.from_pretrained(checkpoints[name])
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoints[name], model_max_length=24)
    windows = {} if aggregation == "none" else {"stride": 6}
    pipeline = transformers.pipeline(
        "token-classification", model, tokenizer=tokenizer, aggregation_strategy=aggregation, **windows
    )
    for text, ours in zip(texts, as_pipeline(classifier_of(name), texts, aggregation), strict=True):
        theirs = [(e.get("entity_group", e.get("entity")), e["start"], e["end"]) for e in pipeline(text)]
        assert [(e.label, e.start, e.end) for e in ours] == theirs
        assert [e.score for e in ours] == pytest.approx([float(e["score"]) for e in pipeline(text)], abs=1e-5)


# Save and load


@pytest.mark.parametrize(
    "name",
    ["bert", slow_case("distilbert"), slow_case("electra")],
)
def test_what_is_saved_answers_alike_to_the_bit(checkpoints, tmp_path, name):
    task = fresh(checkpoints, name, aggregation="max")
    task.save(tmp_path / "saved")
    again = tfnlp.load(tmp_path / "saved")
    assert again.settings == task.settings
    assert again.labels == task.labels
    assert again.predict([*TEXTS, LONG_TEXT]) == task.predict([*TEXTS, LONG_TEXT])


def test_a_checkpoint_of_hugging_face_is_loaded_as_its_task(checkpoints, tmp_path):
    assert isinstance(tfnlp.load(checkpoints["bert"]), TokenClassifier)
    directory = shutil.copytree(checkpoints["bert"], tmp_path / "x")
    text = (directory / "config.json").read_text().replace("BertForTokenClassification", "BertForPreTraining")
    (directory / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"nothing tells which task this checkpoint was trained for\."):
        tfnlp.load(directory)


def test_a_crash_while_saving_leaves_the_old_directory_whole(tagger, tmp_path, monkeypatch):
    tagger.save(tmp_path / "model")
    before = {file.name: file.read_bytes() for file in (tmp_path / "model").iterdir()}

    def crash(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr("tfnlp.checkpoints.checkpoint.save_safetensors", crash)
    with pytest.raises(OSError, match="the disk is full"):
        tagger.save(tmp_path / "model")
    assert {file.name: file.read_bytes() for file in (tmp_path / "model").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"], "nothing else is left behind"


@pytest.mark.torch
@pytest.mark.parametrize("name", ["bert", "distilbert", "roberta", "albert", "electra"])
def test_pytorch_loads_what_is_saved(checkpoints, tmp_path, name):
    torch = pytest.importorskip("torch")
    import transformers

    task = TokenClassifier.from_pretrained(checkpoints[name])
    task.save(tmp_path)
    model, info = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    assert model.config.id2label == dict(enumerate(LABELS))
    batch = transformers.AutoTokenizer.from_pretrained(tmp_path)(TEXTS[0], return_tensors="np")
    with torch.no_grad():
        theirs = model.eval()(**{key: torch.tensor(value) for key, value in batch.items()}).logits.numpy()
    ours = task.forward({key: value.astype(np.int32) for key, value in batch.items()})["logits"].numpy()
    np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=0)


# Wrong input


@pytest.mark.parametrize(
    ("records", "error", "message"),
    [
        (
            [{"words": ["a"], "labels": ["B-PRE"]}],
            LabelError,
            "the records: record 1: unknown label 'B-PRE'. Did you mean 'B-PER'? The model's labels are "
            "['O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER'].",
        ),
        (
            [*RECORDS, {"text": "Ada", "spans": [(0, 3, "ORG")]}],
            LabelError,
            "the records: record 6: unknown label 'B-ORG'. Did you mean 'B-PER'? The model's labels are "
            "['O', 'B-LOC', 'I-LOC', 'B-PER', 'I-PER'].",
        ),
        ([{"words": ["a", "b"], "labels": ["O"]}], DataError, "the records: record 1: 2 words but 1 labels."),
        ([{"text": "", "spans": []}], DataError, "the records: record 1: `text` is empty."),
        (
            [{"text": "Ada", "spans": [(0, 4, "PER")]}],
            DataError,
            "the records: record 1: the span [0, 4) 'PER' does not lie within the text of 3 characters.",
        ),
    ],
)
def test_training_data_that_is_wrong(checkpoints, records, error, message):
    with pytest.raises(error) as caught:
        fresh(checkpoints).fit(records, verbose=0)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_length": 65}, "`max_length` must be in [1, 64], the network's limit; it is 65."),
        (
            {"max_length": 8, "stride": 6},
            "`max_length=8` has room for 6 tokens of text beside the special tokens; `stride` must be in [0, 6), and is 6.",
        ),
    ],
)
def test_settings_that_are_wrong(checkpoints, options, message):
    with pytest.raises(ArgumentError) as caught:
        TokenClassifier.from_pretrained(checkpoints["bert"], **options)
    assert str(caught.value) == message


def test_a_damaged_settings_file(tagger, tmp_path):
    tagger.save(tmp_path / "x")
    (tmp_path / "x" / "tfnlp.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"tfnlp\.json: not the settings that `save` writes: "):
        tfnlp.load(tmp_path / "x")


def test_a_new_length_brings_its_own_stride(tagger, tmp_path):
    tagger.save(tmp_path / "x")
    assert tfnlp.load(tmp_path / "x", max_length=6).settings.stride == 1
    with pytest.raises(ArgumentError, match="it is 0"):
        tfnlp.load(tmp_path / "x", max_length=0)


def test_a_checkpoint_of_another_task_gives_no_labels(checkpoints, tmp_path):
    directory = shutil.copytree(checkpoints["bert"], tmp_path / "x")
    text = (directory / "config.json").read_text().replace("BertForToken", "BertForSequence")
    (directory / "config.json").write_text(text)
    task = TokenClassifier.from_pretrained(directory)
    assert task.labels is None
    task.set_labels(LABELS)
    trained = fresh(checkpoints).head.classifier.kernel.numpy()
    assert not np.array_equal(task.head.classifier.kernel.numpy(), trained), "another task's layer is not this one's"


def test_mixed_precision_answers_in_float32(tmp_path):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        task = build_learner("bert", tmp_path, labels=LABELS)
        assert task.model.output["logits"].dtype == tf.float32
        assert task.serve(text=tf.constant(["Ada"]))["entity_score"].dtype == tf.float32
    finally:
        keras.mixed_precision.set_global_policy("float32")


def test_words_that_the_tokenizer_drops(tagger):
    records = [{"text": "\u200b", "spans": []}, {"words": ["\u200b", "Ada"], "labels": ["O", "B-PER"]}]
    assert tagger.evaluate(records).num_records == 2


@pytest.mark.parametrize("texts", [{"text": "Ada"}, {"words": ["Ada"]}])
def test_a_single_record_is_no_batch(tagger, texts):
    with pytest.raises(DataError, match=r"^expected texts; found a dict\. Pass a list of texts, such as one column\.$"):
        next(iter(tagger.predict(texts)))


def test_wrong_validation_data_shows_before_training(checkpoints):
    epochs = []
    watch = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: epochs.append(1))
    with pytest.raises(LabelError, match="unknown label 'B-X'"):
        fresh(checkpoints).fit(RECORDS, [{"words": ["a"], "labels": ["B-X"]}], callbacks=[watch], verbose=0)
    assert not epochs


def test_from_config(tmp_path):
    tokenizer = build_tokenizer("bert", tmp_path)
    task = TokenClassifier.from_config(build_config("bert", len(tokenizer)), tokenizer, labels=LABELS)
    assert repr(task) == (
        "TokenClassifier(bert, 5 labels, max_length=64, stride=16, precision='float32', aggregation='first', "
        "label_all_tokens=False, grouping=None, ignore_labels=('O',), decoding='argmax', max_entities=None)"
    )
    assert len(task.predict("Ada")) <= 1


@pytest.mark.slow
def test_the_other_texts_of_a_batch_change_nothing(tmp_path):
    names = ["B-PER", "I-PER", "B-LOC", "O", "I-LOC"]
    labels = {"id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}
    task = TokenClassifier.from_pretrained(write_checkpoint("roberta", tmp_path / "x", **labels))
    text = "👩‍🚀 Zürich 北京 lives"  # several tokens to a character, and so of one place
    for aggregation in AGGREGATIONS:
        alone = task.predict([text], aggregation=aggregation)[0]
        assert len(alone) > 1
        beside = task.predict([text, LONG_TEXT], aggregation=aggregation)[0]
        assert [(e.label, e.start, e.end) for e in beside] == [(e.label, e.start, e.end) for e in alone]
        assert [e.score for e in beside] == pytest.approx([e.score for e in alone], abs=1e-5)


@pytest.mark.parametrize("inputs", [None, 5])
def test_what_is_neither_one_nor_many_fails_at_once(tagger, inputs):
    with pytest.raises(DataError, match=r"^expected one input or an iterable of them; found "):
        tagger.predict(inputs)


def test_progress_moves_with_the_batches(tagger):
    told = []
    records = [{"text": text} for text in [*TEXTS, LONG_TEXT] * 40]
    tagger.ask(records, progress=lambda done, count: told.append((done, count)))
    assert len(told) > 3
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]


def test_labels_weighed_by_how_rare_they_are(checkpoints):
    task = fresh(checkpoints)
    task.fit(RECORDS, epochs=1, label_weights="balanced", verbose=0)
    labels = [label for record in RECORDS for label in record["labels"]]
    expected = [len(labels) / (len(LABELS) * labels.count(name)) for name in LABELS]
    assert task.model.loss["logits"].label_weights == pytest.approx(expected)
    with pytest.raises(ArgumentError, match=r"^`label_weights` must be a dict or 'balanced'; it is 'even'\.$"):
        task.fit(RECORDS, label_weights="even")


def test_checkpoints_of_whole_models_are_refused(tagger, tmp_path):
    with pytest.raises(ArgumentError, match=r"can't save transformers' heads whole.*`save_weights_only=True`"):
        tagger.fit(RECORDS, callbacks=[keras.callbacks.ModelCheckpoint(str(tmp_path / "x"))])


def test_the_same_labels_spelt_otherwise_score_alike(tagger):
    """A blank after one tag is enough to make labels of all tags, in other libraries."""
    spelt = [record | {"labels": [f"{label} " for label in record["labels"]]} for record in RECORDS]
    assert tagger.evaluate(spelt) == tagger.evaluate(RECORDS)
    underscores = [record | {"labels": [label.replace("-", "_") for label in record["labels"]]} for record in RECORDS]
    assert tagger.evaluate(underscores).f1 == 1.0


def test_a_word_that_the_tokenizer_drops_inside_an_entity(tagger):
    words, labels = ["Bob", "\u200b", "Stone", "went"], ["B-PER", "I-PER", "I-PER", "O"]
    record = {"words": words, "labels": labels}
    (answer,) = tagger.predict([words])
    assert entities_of(answer)[0] == ("PER", "Bob \u200b Stone")
    assert tagger.evaluate([record]).labels["PER"].f1 == 1.0
