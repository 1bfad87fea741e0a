import numpy as np
import pytest

from tfnlp import AdamW, LinearSchedule, Recipe
from tfnlp._backend import keras, tf
from tfnlp.errors import ArgumentError
from tfnlp.training.callbacks import check_callbacks
from tfnlp.training.optimizer import prepare_first_step


def variables():
    source = np.random.default_rng(0)
    return [
        tf.Variable(source.normal(size=(6, 3)).astype(np.float32), name="embeddings"),
        tf.Variable(source.normal(size=(3, 2)).astype(np.float32), name="dense/kernel"),
        tf.Variable(source.normal(size=(2,)).astype(np.float32), name="dense/bias"),
    ]


def ours(steps, scale=1.0, **options):
    embeddings, kernel, bias = found = variables()
    optimizer = AdamW(LinearSchedule(0.1, 10, 2), weight_decay=0.1, **options)
    for step in range(steps):
        with tf.GradientTape() as tape:
            rows = tf.gather(embeddings, [0, 2, 2, step % 6])
            loss = scale * tf.reduce_sum(tf.tanh(rows @ kernel + bias) ** 2)
        optimizer.apply_gradients(zip(tape.gradient(loss, found), found, strict=True))
    return [variable.numpy() for variable in found]


def theirs(steps, clip, scale=1.0):
    import torch

    embeddings, kernel, bias = (torch.nn.Parameter(torch.tensor(v.numpy())) for v in variables())
    groups = [{"params": [embeddings, kernel], "weight_decay": 0.1}, {"params": [bias], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.1)
    schedule = LinearSchedule(0.1, 10, 2)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = float(schedule(step))
        loss = scale * (torch.tanh(embeddings[[0, 2, 2, step % 6]] @ kernel + bias) ** 2).sum()
        optimizer.zero_grad()
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_([embeddings, kernel, bias], clip)
        optimizer.step()
    return [parameter.detach().numpy() for parameter in (embeddings, kernel, bias)]


@pytest.mark.torch
@pytest.mark.parametrize("clip", [None, 0.5])
def test_steps_equal_pytorch_s(clip):
    pytest.importorskip("torch")
    options = {"global_clipnorm": clip} if clip else {}
    for a, b in zip(ours(8, **options), theirs(8, clip), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


@pytest.mark.torch
def test_steps_equal_pytorch_s_where_gradients_are_as_small_as_epsilon():
    pytest.importorskip("torch")
    for a, b in zip(ours(8, scale=1e-8), theirs(8, None, scale=1e-8), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_what_decays():
    optimizer = AdamW()
    names = (
        "dense/kernel:0",
        "dense/bias:0",
        "LayerNorm/gamma:0",
        "LayerNorm/beta:0",
        "layer_norm/gamma:0",
        "embeddings:0",
    )
    decays = [optimizer.decays(tf.Variable(0.0, name=name.removesuffix(":0"))) for name in names]
    assert decays == [True, False, False, False, False, True]
    assert not AdamW(weight_decay=0.0).decays(tf.Variable(0.0, name="kernel"))


def test_it_can_be_written_down():
    optimizer = AdamW(LinearSchedule(0.1, 10, 2), weight_decay=0.3, global_clipnorm=1.0)
    again = AdamW.from_config(optimizer.get_config())
    assert again.weight_decay == 0.3
    assert again.global_clipnorm == 1.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "`epochs` and `batch_size` must be at least 1: 0, 16."),
        ({"warmup": 1.0}, "`warmup` must be in [0, 1); it is 1.0."),
        ({"label_smoothing": -0.1}, "`label_smoothing` must be in [0, 1); it is -0.1."),
    ],
)
def test_recipes_that_are_refused(options, message):
    with pytest.raises(ArgumentError) as caught:
        Recipe(**options)
    assert str(caught.value) == message


def test_optimizers_of_keras_3_are_refused_and_others_taken():
    import keras as keras3

    with pytest.raises(ArgumentError, match=r"Adam is no tf_keras optimizer\. transformers' heads are tf_keras models"):
        Recipe(optimizer=keras3.optimizers.Adam()).build_optimizer(1)
    mine = keras.optimizers.Adam()
    assert Recipe(optimizer=mine).build_optimizer(1) is mine
    assert isinstance(Recipe(optimizer="sgd").build_optimizer(1), keras.optimizers.Optimizer)


@pytest.mark.parametrize("optimizer", [AdamW(), keras.optimizers.Adam()], ids=["ours", "keras"])
def test_the_training_step_is_traced_once(optimizer):
    traces = []

    class Counting(keras.layers.Layer):
        def call(self, inputs):
            traces.append(1)
            return inputs

    inputs = keras.Input([3])
    model = keras.Model(inputs, {"logits": Counting()(keras.layers.Dense(2)(inputs))})
    model.compile(optimizer=optimizer, loss={"logits": keras.losses.MeanSquaredError()})
    prepare_first_step(model)
    traces.clear()
    model.fit(np.ones([4, 3]), {"logits": np.ones([4, 2])}, verbose=0)
    assert len(traces) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epoch": 1}, r"`epoch` is no option of training; .* Did you mean 'epochs'\?"),
        ({"batch_size": "4"}, "`batch_size` must be a whole number; it is '4'"),
        ({"learning_rate": -1}, "`learning_rate` must be a number, at least 0; it is -1"),
        ({"learning_rate": float("nan")}, "`learning_rate` must be a number, at least 0; it is nan"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ArgumentError, match=message):
        Recipe.of(options)


def test_callbacks_that_set_the_learning_rate():
    callback = keras.callbacks.ReduceLROnPlateau()
    with pytest.raises(ArgumentError, match=r"^ReduceLROnPlateau can't set the learning rate"):
        check_callbacks([callback], has_schedule=True, has_averages=False)
    check_callbacks([callback], has_schedule=False, has_averages=False)
    with pytest.raises(ArgumentError, match="`callbacks` must be a list; it is ReduceLROnPlateau"):
        check_callbacks(callback, has_schedule=False, has_averages=False)
