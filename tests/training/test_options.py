"""Options of training: which weights, how fast, by which schedule, and over how many batches."""

import numpy as np
import pytest

import tfnlp
from tests.marks import slow_case
from tests.tiny import LABELS, RECORDS, write_checkpoint
from tests.training.test_resuming import interrupted, weights_of
from tfnlp import AdamW, CosineSchedule, LinearSchedule
from tfnlp._backend import tf
from tfnlp.checkpoints.weights import variables_by_name
from tfnlp.errors import ArgumentError
from tfnlp.training.choosing import rates_by_layer
from tfnlp.training.optimizer import AccumulatingAdamW
from tfnlp.training.recipe import Recipe
from tfnlp.training.schedules import SCHEDULES

RECIPE = {"epochs": 2, "batch_size": 2, "learning_rate": 1e-2, "verbose": 0}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    directory = tmp_path_factory.mktemp("checkpoints")
    written = {}

    def make(name="bert", **options):
        if name not in written:
            written[name] = write_checkpoint(name, directory / name)
        return tfnlp.TokenClassifier.from_pretrained(written[name], **options)

    return make


@pytest.mark.torch
@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_are_those_of_transformers(name):
    torch = pytest.importorskip("torch")
    from transformers import get_scheduler

    kind = {"constant": "constant_with_warmup"}.get(name, name)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    theirs = get_scheduler(kind, optimizer, num_warmup_steps=4, num_training_steps=20)
    ours = SCHEDULES[name](0.3, 20, 4)
    for step in range(20):
        assert float(ours(step)) == pytest.approx(theirs.get_last_lr()[0], abs=1e-7)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize("clip", [{}, {"global_clipnorm": 0.1}])
def test_batches_make_a_step_with_the_mean_of_their_gradients(clip):
    draw = np.random.default_rng(0)
    start = [draw.normal(size=shape).astype(np.float32) for shape in ((4, 3), (3,))]
    batches = [[draw.normal(size=value.shape).astype(np.float32) for value in start] for _ in range(10)]
    together, apart = ([tf.Variable(value) for value in start] for _ in range(2))
    whole = AdamW(LinearSchedule(0.1, 3, 1), weight_decay=0.1, **clip)
    for first in (0, 4, 8):  # the last step has two batches
        means = [np.mean(part, 0) for part in zip(*batches[first : first + 4], strict=True)]
        whole.apply_gradients(whole._transform_gradients(list(zip(means, together, strict=True))))
    split = AccumulatingAdamW(LinearSchedule(0.1, 3, 1), batches=4, num_batches=10, weight_decay=0.1, **clip)
    for batch in batches:
        split.apply_gradients(
            split._transform_gradients([(tf.constant(g), v) for g, v in zip(batch, apart, strict=True)])
        )
    assert int(split.iterations) == int(whole.iterations) == 3
    for one, other in zip(together, apart, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert not any(split.get_slot(variable, "sum").numpy().any() for variable in apart)


@pytest.mark.slow
def test_a_training_that_accumulates_goes_on(fresh, tmp_path):
    options = {"accumulate": 3, **RECIPE}
    whole = fresh(hidden_dropout_prob=0.2)
    whole.fit(RECORDS * 2, **options)
    assert int(whole.model.optimizer.iterations) == -(-int(whole.model.optimizer._seen) // 3)
    options |= {"checkpoint_dir": tmp_path, "save_every": 1}
    interrupted(fresh(hidden_dropout_prob=0.2), RECORDS * 2, 5, **options)
    again = fresh(hidden_dropout_prob=0.2)
    again.fit(RECORDS * 2, **options)
    assert weights_of(again) == weights_of(whole)


@pytest.mark.parametrize(
    ("name", "freeze", "is_frozen"),
    [
        slow_case("bert", "embeddings", lambda name: ".embeddings." in name),
        ("bert", "encoder", lambda name: name.startswith("bert.")),
        slow_case("bert", ["layer.0.", "LayerNorm"], lambda name: "layer.0" in name or "LayerNorm" in name),
        ("modernbert", ["layers.0.", "tok_embeddings"], lambda name: "layers.0." in name or "tok_emb" in name),
        slow_case("deberta-v2", "encoder", lambda name: name.startswith("deberta.")),
    ],
)
def test_frozen_weights_stay_and_others_learn(fresh, name, freeze, is_frozen):
    task = fresh(name, labels=LABELS)
    before = {name: value.numpy() for name, value in variables_by_name(task.head).items()}
    trainable = [variable.ref() for variable in task.model.trainable_weights]
    task.fit(RECORDS, freeze=freeze, **RECIPE)
    after = variables_by_name(task.head)
    stayed = {name for name, value in before.items() if np.array_equal(value, after[name])}
    expected = {name for name in before if is_frozen(name)}
    assert expected
    assert expected <= stayed
    # A bias of keys has no gradient but rounding's, and token types are not used.
    assert not [name for name in stayed - expected if "key" not in name and "token_type" not in name]
    assert [variable.ref() for variable in task.model.trainable_weights] == trainable


@pytest.mark.parametrize(
    ("freeze", "message"),
    [
        (["nothing_like_it"], r"'nothing_like_it' is found in no name of a weight; the names are bert\."),
        (["."], "leaves no weight to be trained"),
        ("head", "must be 'embeddings', 'encoder' or a list of patterns; it is 'head'"),
        (["("], r"'\(' is no regular expression"),
    ],
)
def test_what_can_not_be_frozen(fresh, freeze, message):
    with pytest.raises(ArgumentError, match=message):
        fresh().fit(RECORDS, freeze=freeze, **RECIPE)


def test_lower_layers_learn_slower(fresh):
    task = fresh(labels=LABELS)
    rates = rates_by_layer(task.head, 0.5)
    by_name = {name: rates[variable.name] for name, variable in variables_by_name(task.head).items()}
    layers = task.config.num_hidden_layers
    assert by_name["classifier.weight"] == 1.0
    assert by_name[f"bert.encoder.layer.{layers - 1}.output.dense.weight"] == 0.5
    assert by_name["bert.encoder.layer.0.attention.self.query.bias"] == 0.5**layers
    assert by_name["bert.embeddings.word_embeddings.weight"] == 0.5 ** (layers + 1)
    before = {name: value.numpy() for name, value in variables_by_name(task.head).items()}
    task.fit(RECORDS, layer_decay=0.5, warmup=0.0, schedule="constant", **RECIPE | {"epochs": 1, "batch_size": 99})
    # Adam's first step is the learning rate long, whatever the gradient.
    for name, rate in (("classifier.bias", 1.0), ("bert.encoder.layer.0.output.dense.bias", 0.5**layers)):
        step = np.abs(variables_by_name(task.head)[name].numpy() - before[name]).max()
        assert step == pytest.approx(1e-2 * rate * int(task.model.optimizer.iterations), rel=0.02)


@pytest.mark.slow
def test_steps_that_xla_compiles(fresh):
    rates = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    plain, compiled = fresh(**rates), fresh(**rates)
    losses = plain.fit(RECORDS, **RECIPE).history["loss"]
    assert compiled.fit(RECORDS, jit_compile=True, **RECIPE).history["loss"] == pytest.approx(losses, rel=1e-3)
    fresh().fit(RECORDS, jit_compile=True, **RECIPE)  # with dropout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"accumulate": 0}, "`accumulate` must be at least 1; it is 0"),
        ({"accumulate": 1.5}, "`accumulate` must be a whole number; it is 1.5"),
        ({"accumulate": True}, "`accumulate` must be a whole number; it is True"),
        ({"epochs": None}, "`epochs` must be a whole number; it is None"),
        ({"jit_compile": "yes"}, "`jit_compile` must be True or False; it is 'yes'"),
        *(
            ({name: "a"}, f"`{name}` must be a number; it is 'a'")
            for name in ("warmup", "layer_decay", "weight_decay", "max_gradient_norm", "label_smoothing", "ema")
        ),
        ({"weight_decay": -1}, "`weight_decay` must be a number, at least 0; it is -1"),
        ({"layer_decay": 0}, r"`layer_decay` must be in \(0, 1\]; it is 0"),
        ({"schedule": "step"}, r"`schedule` must be one of \('linear', 'cosine', 'constant'\); it is 'step'"),
        ({"accumulate": 2, "optimizer": "adam"}, "`accumulate` is of our own optimizer"),
    ],
)
def test_recipes_that_are_wrong(options, message):
    with pytest.raises(ArgumentError, match=message):
        Recipe(**options)


def test_a_recipe_s_schedule():
    schedule = Recipe(schedule="cosine", epochs=2, accumulate=2, warmup=0.25).build_optimizer(8).learning_rate
    assert isinstance(schedule, CosineSchedule)
    assert (schedule.num_steps, schedule.num_warmup_steps) == (8, 2)


def test_an_average_of_weights_is_what_stays(fresh):
    """It is evaluated and stays; training itself goes on from the weights."""
    options = {**RECIPE, "epochs": 3, "learning_rate": 1e-3}
    steps = []

    class Note(tfnlp._backend.keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            steps.append([weight.numpy() for weight in self.model.trainable_variables])

    plain, averaged = fresh(labels=LABELS), fresh(labels=LABELS)
    plain.fit(RECORDS, callbacks=[Note()], **options)
    history = averaged.fit(RECORDS, RECORDS, ema=0.9, **options).history
    expected = steps[0]
    for weights in steps[1:]:
        expected = [0.9 * old + 0.1 * new for old, new in zip(expected, weights, strict=True)]
    for weight, value in zip(averaged.model.trainable_variables, expected, strict=True):
        np.testing.assert_allclose(weight.numpy(), value, atol=1e-6)
    assert history["val_loss"][-1] == pytest.approx(averaged.evaluate(RECORDS).loss, rel=1e-5)


@pytest.mark.slow
def test_averages_go_on_where_they_stopped(fresh, tmp_path):
    options = {**RECIPE, "learning_rate": 1e-3, "ema": 0.9, "accumulate": 2}
    kept = {"checkpoint_dir": tmp_path, "save_every": 2, **options}
    whole, again = fresh(labels=LABELS), fresh(labels=LABELS)
    whole.fit(RECORDS, **options)
    interrupted(fresh(labels=LABELS), RECORDS, 3, **kept)
    again.fit(RECORDS, **kept)
    assert weights_of(again) == weights_of(whole)


@pytest.mark.parametrize("callback", ["EarlyStopping", "ModelCheckpoint"])
def test_averages_and_callbacks_that_keep_weights(fresh, tmp_path, callback):
    options = {"ModelCheckpoint": {"filepath": tmp_path / "w.h5", "save_weights_only": True}}.get(callback, {})
    made = getattr(tfnlp._backend.keras.callbacks, callback)(**options)
    with pytest.raises(ArgumentError, match=f"{callback} keeps weights, and with `ema` averages of them are evaluated"):
        fresh(labels=LABELS).fit(RECORDS, ema=0.9, callbacks=[made])


@pytest.mark.parametrize("ema", [0, 1, 1.5])
def test_wrong_decays(ema):
    with pytest.raises(ArgumentError, match=rf"`ema` must be in \(0, 1\); it is {ema}"):
        Recipe(ema=ema)
