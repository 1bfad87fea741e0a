"""Trains tasks on one device, on two, or as one of two workers, and writes what comes out.

python -m tests.training.replicas_worker one|mirrored|workers OUTPUT [NAME ...]; of workers, `TF_CONFIG` tells which one.
"""

import json
import sys
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.conformance.cases import CASES
from tests.conformance.echo import Echo
from tests.tasks.table_question_answering.test_task import RECORDS as TABLES
from tests.tasks.table_question_answering.test_task import named, write_tapas
from tests.tiny import EXAMPLES, PAIRS, QUICK, RECORDS, TEXTS, UNNAMED, build_task
from tfnlp import Seq2SeqLM, SequenceClassifier, TableQuestionAnswerer, TextEncoder, TokenClassifier
from tfnlp._backend import keras, tf
from tfnlp.errors import ArgumentError, DataError
from tfnlp.replicas import all_together, shared_rows
from tfnlp.rows import Column, Rows
from tfnlp.running import Runner
from tfnlp.tasks import perplexity
from tfnlp.tokenization.tokenizer import Tokenizer


def _bert(task, **options):
    return lambda directory: build_task(task, "bert", directory, UNNAMED | QUICK, **options)


def _tapas(directory):
    dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    return TableQuestionAnswerer.from_pretrained(write_tapas(directory, 0), **dropout)


def _tapas_of_numbers(directory):
    numbers = {
        "use_answer_as_supervision": True, "use_gumbel_for_aggregation": False, "cell_selection_preference": 0.9,
        "huber_loss_delta": 1.0, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
    }  # fmt: skip
    return TableQuestionAnswerer.from_pretrained(write_tapas(directory, 4), **numbers)


_SEVERAL = [{"text": one["text"], "label": [one["label"]][: i % 3]} for i, one in enumerate(EXAMPLES)]
_NUMBERS = [{"text": one["text"], "label": float(i % 4)} for i, one in enumerate(EXAMPLES)]
_SCORED = [{"text": one["text"], "text_pair": one["text_pair"], "score": i % 3 / 2} for i, one in enumerate(PAIRS)]
_ADAM = {"optimizer": None, "learning_rate": 1e-3}
# What is trained, by what, and how.
LEARNERS = {
    **{case.task.__name__: (case.build, case.records, {}) for case in CASES if case.task is not Echo},
    "several labels": (_bert(SequenceClassifier, problem_type="multi_label_classification"), _SEVERAL, {}),
    "numbers": (_bert(SequenceClassifier, problem_type="regression"), _NUMBERS, {}),
    "scored pairs": (_bert(TextEncoder, objective="cosine"), _SCORED, {}),
    "crf": (_bert(TokenClassifier, decoding="crf"), RECORDS, {}),
    "adam": (_bert(TokenClassifier), RECORDS, {**_ADAM, "layer_decay": 0.5}),
    "accumulate": (_bert(TokenClassifier), RECORDS, {**_ADAM, "accumulate": 2}),
    "tables": (_tapas, TABLES, {}),
    "numbers of tables": (_tapas_of_numbers, named(TABLES), {}),
}


def strategy_of(mode):
    """Return a strategy of two replicas; None: there is but one."""
    if mode == "one":
        return None
    if mode == "workers":
        return tf.distribute.MultiWorkerMirroredStrategy()
    cpus = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], cpus)
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def train(name, strategy, output):
    """Train, and write weights and losses."""
    build, records, recipe = LEARNERS[name]
    directory = output / name
    directory.mkdir(parents=True)
    with nullcontext() if strategy is None else strategy.scope():
        task = build(directory)
    rate = 1e-3 if name == "numbers of tables" else 0.1  # whose gradients are large
    recipe = {"optimizer": keras.optimizers.SGD(rate), **recipe}
    history = task.fit(records, epochs=2, batch_size=3, verbose=0, **recipe)
    np.savez(output / f"{name}.npz", *task.model.get_weights())
    digest = sum(float(np.sum(np.square(weight, dtype=np.float64))) for weight in task.model.get_weights())
    (output / f"{name}.json").write_text(json.dumps({"loss": history.history["loss"], "digest": digest}))
    return task


# What is read from a file and validated, and the function whose first argument but `self` is what is tokenized.
VALIDATED = {
    "TokenClassifier": (TokenClassifier, "tensors"),
    "MaskedLM": (Tokenizer, "rows"),
    "CausalLM": (Tokenizer, "rows"),
    "Seq2SeqLM": (Seq2SeqLM, "tensors"),
}


@contextmanager
def counting(owner, name, size):
    """Count, call by call, what a function is given."""
    counts, function = [], getattr(owner, name)

    def counted(*given, **options):
        counts.append(size(*given))
        return function(*given, **options)

    setattr(owner, name, counted)
    try:
        yield counts
    finally:
        setattr(owner, name, function)


@contextmanager
def counting_guesses():
    """Count, call by call, the rows whose tokens are guessed."""
    counts, build = [], perplexity._on_replicas

    def building(strategy, graph):
        guess = build(strategy, graph)

        def counted(batches):
            counts.append(sum(len(labels) for _, labels in batches))
            return guess(batches)

        return counted

    perplexity._on_replicas = building
    try:
        yield counts
    finally:
        perplexity._on_replicas = build


def validate(name, strategy, output):
    """Learn from a file, then evaluate after each epoch; write how many texts and rows this process had, and losses."""
    build, records, _ = LEARNERS[name]
    directory = output / "validated" / name
    directory.mkdir(parents=True)
    with nullcontext() if strategy is None else strategy.scope():
        task = build(directory)
    if name == "Seq2SeqLM":
        task.settings = replace(task.settings, metrics="exact_match")
        task.configure_generation(max_new_tokens=3)
    file = directory / "train.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in records))
    task.learned = task.learn(task.source(records))
    recipe = {"epochs": 2, "batch_size": 3, "verbose": 0}
    with counting(*VALIDATED[name], lambda self, texts, *others: len(texts)) as texts:
        task.fit(str(file), optimizer=keras.optimizers.SGD(0.1), **recipe)
    with (
        counting(Runner, "run_batches", lambda self, columns, chosen: sum(map(len, chosen))) as rows,
        counting_guesses() as guessed,
    ):
        history = task.fit(records, records * 300, optimizer=keras.optimizers.SGD(0.1), **recipe).history
    found = {"history": history, "rows": sum(rows), "guessed": sum(guessed), "texts": sum(texts)}
    (output / f"{name}-validation.json").write_text(json.dumps(found | {"records": len(records)}))


def go_on(strategy, output):
    """Train, stop another training and go on with it: to the same weights. Return the trained task."""

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == 3:
                raise KeyboardInterrupt

    def made():
        directory = output / "dropout"
        directory.mkdir(exist_ok=True)
        return build_task(TokenClassifier, "bert", directory, UNNAMED | QUICK | {"hidden_dropout_prob": 0.3})

    recipe = {"epochs": 2, "batch_size": 3, "learning_rate": 1e-3, "verbose": 0}  # shares of one text and of two
    kept = {"checkpoint_dir": output.parent / "of all workers", "save_every": 1, **recipe}
    with strategy.scope():
        whole, stopped, again = made(), made(), made()
    history = whole.fit(RECORDS, RECORDS, **recipe)
    try:
        stopped.fit(RECORDS, RECORDS, callbacks=[Stop()], **kept)
    except KeyboardInterrupt:
        print("stopped")
    assert again.fit(RECORDS, RECORDS, **kept).history == history.history
    for one, other in zip(whole.model.get_weights(), again.model.get_weights(), strict=True):
        assert one.tobytes() == other.tobytes()
    return whole


def ask_and_go_on(strategy, output):
    """Predict, save and resume under a strategy, and fit a task that was made outside of it."""
    whole = go_on(strategy, output)
    whole.save(output / "saved")
    whole.export(output / "exported")
    texts = TEXTS * 150  # several batches, an odd number
    assert whole.network.num_replicas == 2
    alone = TokenClassifier.from_pretrained(output / "saved")
    assert alone.predict(texts) == whole.predict(texts)
    make_text(strategy, texts, output)
    try:
        whole.fit(RECORDS, jit_compile=True)
    except ArgumentError as error:
        print(error)
    try:
        with strategy.scope():
            alone.fit(RECORDS)
    except ArgumentError as error:
        print(error)


def make_text(strategy, texts, output):
    """Go on from prompts, by draws and by beams, as one device does."""
    for name, options in (("CausalLM", {"do_sample": True, "seed": 3}), ("Seq2SeqLM", {"num_beams": 2})):
        options |= {"max_new_tokens": 20, "compile": False}  # XLA rounds otherwise
        (output / "making" / name).mkdir(parents=True)
        build, _, _ = LEARNERS[name]
        with strategy.scope():
            task = build(output / "making" / name)
        with counting(Runner, "run_batches", lambda self, columns, chosen: len(chosen)) as together:
            made = task.predict(texts, **options)
        assert max(together) == 2
        task.save(output / "made" / name)
        assert type(task).from_pretrained(output / "made" / name).predict(texts, **options) == made
        try:
            task.predict(texts, compile=True)
        except ArgumentError as error:
            print(error)


def fail_together(strategy, output):
    """Make rows that one worker alone can't make, and of records that differ; write what is said of it."""

    def make(numbers):
        if 2 in numbers:
            raise DataError("record 2: it can't be used.")
        if 4 in numbers:
            raise MemoryError("too much")
        return Rows({"number": Column(np.array(numbers))}, np.arange(len(numbers)))

    said = []
    own = tf.distribute.cluster_resolver.TFConfigClusterResolver().task_id
    for items in ([1, 2], [3, 4], [5, 6 + own], [7]):
        try:
            found = all_together()(shared_rows)(strategy, items, make)
            said.append(found.values("number").tolist())
        except (DataError, RuntimeError) as error:
            said.append(str(error))
    (output / "said.json").write_text(json.dumps(said))


def main(mode: str, output: Path, *names: str) -> None:
    """Train each, and ask."""
    strategy = strategy_of(mode)
    for name in names or LEARNERS:
        task = train(name, strategy, output)
        task.save(output / "of chief" / name)
    for name in VALIDATED:
        validate(name, strategy, output)
    if mode == "workers":
        fail_together(strategy, output)
        go_on(strategy, output)
    if mode == "mirrored":
        ask_and_go_on(strategy, output)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
