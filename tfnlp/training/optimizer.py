"""AdamW on TensorFlow's fused Adam kernel, and the linear warm-up and decay that fine-tuning uses."""

from __future__ import annotations

import re
from typing import Any

from tfnlp._backend import as_traced, keras, tf

# Biases and the parameters of layer norms, as every published fine-tuning recipe leaves them.
NO_DECAY = (r"bias", r"LayerNorm", r"layer_norm", r"layernorm", r"gamma", r"beta")


@keras.utils.register_keras_serializable("tfnlp")
class LinearSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly from 0 to `peak`, then falls linearly to 0.

    >>> schedule = LinearSchedule(1.0, num_steps=10, num_warmup_steps=2)
    >>> [round(float(schedule(step)), 3) for step in (0, 1, 2, 6, 10)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    def __init__(self, peak: float, num_steps: int, num_warmup_steps: int = 0) -> None:
        self.peak = peak
        self.num_steps = num_steps
        self.num_warmup_steps = num_warmup_steps

    def __call__(self, step: Any) -> tf.Tensor:
        """Return the learning rate at a step, counted from 0."""
        step = tf.cast(step, tf.float32)
        warmup = float(self.num_warmup_steps)
        rising = step / max(warmup, 1.0)
        falling = (self.num_steps - step) / max(self.num_steps - warmup, 1.0)
        return self.peak * tf.maximum(0.0, tf.where(step < warmup, rising, falling))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {"peak": self.peak, "num_steps": self.num_steps, "num_warmup_steps": self.num_warmup_steps}


@keras.utils.register_keras_serializable("tfnlp")
class AdamW(keras.optimizers.legacy.Adam):
    """Adam with decoupled weight decay (Loshchilov and Hutter, https://arxiv.org/abs/1711.05101).

    tf_keras's own AdamW is made of a dozen ops for each variable; this is one fused kernel and, where weights decay,
    one more op: faster in a step, and much faster to trace. Steps are those of `torch.optim.AdamW`.
    """

    def __init__(
        self,
        learning_rate: Any = 5e-5,
        *,
        weight_decay: float = 0.01,
        no_decay: tuple[str, ...] = NO_DECAY,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        name: str = "AdamW",
        **clipping: Any,
    ) -> None:
        """Make the optimizer.

        Args:
            learning_rate: a number or a schedule.
            weight_decay: what each weight loses in a step, as a share, times the learning rate.
            no_decay: patterns of the names of variables that don't decay.
            beta_1: decay of the mean of gradients.
            beta_2: decay of the mean of squared gradients.
            epsilon: keeps the division safe.
            name: of the optimizer.
            clipping: `clipnorm`, `clipvalue` or `global_clipnorm`.
        """
        super().__init__(learning_rate, beta_1, beta_2, epsilon, name=name, **clipping)
        self.weight_decay = weight_decay
        self.no_decay = tuple(no_decay)

    def decays(self, variable: tf.Variable) -> bool:
        """Tell whether a variable decays."""
        return bool(self.weight_decay) and not any(re.search(pattern, variable.name) for pattern in self.no_decay)

    def _transform_gradients(self, grads_and_vars: Any) -> Any:
        """Make gradients of embeddings dense first: as slices, a repeated token would count wrongly in the norm."""
        return super()._transform_gradients([(_dense(grad), var) for grad, var in grads_and_vars])

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: Any) -> None:
        """Scale epsilon as the root of the second moment: the kernel adds it before bias correction, PyTorch after."""
        super()._prepare_local(var_device, var_dtype, apply_state)
        state = apply_state[var_device, var_dtype]
        state["epsilon"] *= tf.sqrt(1 - state["beta_2_power"])

    def _resource_apply_dense(self, grad: tf.Tensor, var: tf.Variable, apply_state: Any = None) -> tf.Operation:
        if not self.decays(var):
            return super()._resource_apply_dense(grad, var, apply_state)
        rate = apply_state[var.device, var.dtype.base_dtype]["lr_t"]
        decayed = var.assign_sub(rate * self.weight_decay * var, use_locking=self._use_locking)
        with tf.control_dependencies([decayed]):
            return super()._resource_apply_dense(grad, var, apply_state)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "weight_decay": self.weight_decay, "no_decay": self.no_decay}


def _dense(grad: Any) -> Any:
    if isinstance(grad, tf.IndexedSlices):
        return tf.math.unsorted_segment_sum(grad.values, grad.indices, grad.dense_shape[0])
    return grad


def prepare_first_step(model: keras.Model) -> None:
    """Let the first step of a compiled model come sooner.

    The optimizer's slots and the trackers of losses are made now: left to the first step, they make `tf.function` trace
    that step twice, which takes as long again. On a CPU the step is run as it was traced, since optimizing its graph
    takes a second and makes it no faster.
    """
    optimizer = model.optimizer
    if isinstance(optimizer, keras.optimizers.legacy.Optimizer):
        optimizer._create_all_weights(model.trainable_variables)
    else:
        optimizer.build(model.trainable_variables)
    model.compiled_loss.build(model.output)
    if tf.config.list_physical_devices("GPU"):
        return
    step = model.make_train_function()

    def step_as_traced(iterator: Any) -> Any:
        with as_traced():
            return step(iterator)

    model.train_function = step_as_traced
