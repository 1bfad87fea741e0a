"""AdamW on TensorFlow's fused Adam kernel, with rates by layer, sums of gradients, and averages of weights."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tfnlp._backend import as_traced, keras, tf

# Biases and the parameters of layer norms, as every published fine-tuning recipe leaves them.
AVERAGE = "average"
NO_DECAY = (r"bias", r"LayerNorm", r"layer_norm", r"layernorm", r"gamma", r"beta")
_COPY = re.compile(r"/replica_\d+:")  # in the name of a variable's copy on another replica than the first


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
        rates: Mapping[str, float] | None = None,
        ema: float | None = None,
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
            rates: by names of variables, what the learning rate is multiplied with; 1 for those not named.
            ema: the decay of an exponential moving average of each weight, in (0, 1), that is kept in the slot
                `average`; None: there is none.
            beta_1: decay of the mean of gradients.
            beta_2: decay of the mean of squared gradients.
            epsilon: keeps the division safe.
            name: of the optimizer.
            clipping: `clipnorm`, `clipvalue` or `global_clipnorm`.
        """
        super().__init__(learning_rate, beta_1, beta_2, epsilon, name=name, **clipping)
        self.weight_decay = weight_decay
        self.no_decay = tuple(no_decay)
        self.rates = dict(rates or {})
        self.ema = ema

    def decays(self, variable: tf.Variable) -> bool:
        """Tell whether a variable decays."""
        return bool(self.weight_decay) and not any(re.search(pattern, variable.name) for pattern in self.no_decay)

    def _create_slots(self, var_list: Sequence[tf.Variable]) -> None:
        super()._create_slots(var_list)
        for variable in var_list if self.ema is not None else ():
            self.add_slot(variable, AVERAGE)

    def _transform_gradients(self, grads_and_vars: Any) -> Any:
        """Make gradients of embeddings dense first: as slices, a repeated token would count wrongly in the norm."""
        return super()._transform_gradients([(_dense(grad), var) for grad, var in grads_and_vars])

    def _prepare_local(self, var_device: str, var_dtype: Any, apply_state: Any) -> None:
        """Scale epsilon as the root of the second moment: the kernel adds it before bias correction, PyTorch after."""
        super()._prepare_local(var_device, var_dtype, apply_state)
        state = apply_state[var_device, var_dtype]
        state["epsilon"] *= tf.sqrt(1 - state["beta_2_power"])
        if self.ema is not None:  # the first average is the weight itself
            state["ema"] = tf.where(tf.equal(self.iterations, 0), tf.zeros([], var_dtype), tf.cast(self.ema, var_dtype))

    def _resource_apply_dense(self, grad: tf.Tensor, var: tf.Variable, apply_state: Any = None) -> tf.Operation:
        key = var.device, var.dtype.base_dtype
        rate = apply_state[key]["lr_t"]
        name = _COPY.sub(":", var.name)
        if name in self.rates:
            rate *= self.rates[name]
            apply_state = {key: {**apply_state[key], "lr_t": rate}}
        decayed = []
        if self.decays(var):
            decayed = [var.assign_sub(rate * self.weight_decay * var, use_locking=self._use_locking)]
        with tf.control_dependencies(decayed):
            done = super()._resource_apply_dense(grad, var, apply_state)
        if self.ema is None:
            return done
        with tf.control_dependencies([done]):
            average, decay = self.get_slot(var, AVERAGE), apply_state[key]["ema"]
            return average.assign(decay * average + (1 - decay) * var.read_value())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        own = {"weight_decay": self.weight_decay, "no_decay": self.no_decay, "rates": self.rates, "ema": self.ema}
        return {**super().get_config(), **own}


@keras.utils.register_keras_serializable("tfnlp")
class AccumulatingAdamW(AdamW):
    """`AdamW` that takes a step after so many batches, with the mean of their gradients; `iterations` counts steps."""

    def __init__(self, learning_rate: Any = 5e-5, *, batches: int, num_batches: int, **options: Any) -> None:
        """Make the optimizer.

        Args:
            learning_rate: a number or a schedule.
            batches: in a step.
            num_batches: in all: after the last of them there is a step, however many came since the one before.
            options: of `AdamW`.
        """
        super().__init__(learning_rate, **options)
        self.batches, self.num_batches = batches, num_batches
        self._seen: Any = None

    def _create_slots(self, var_list: Sequence[tf.Variable]) -> None:
        super()._create_slots(var_list)
        for variable in var_list:
            self.add_slot(variable, "sum")
        if self._seen is None:
            self._seen = self.add_weight("seen", shape=[], dtype=tf.int64, trainable=False)
            self._weights.append(self._seen)  # is saved with the others

    def _transform_gradients(self, grads_and_vars: Any) -> Any:
        """Leave the gradients of a batch as they are: the mean of those of a step is clipped."""
        return [(_dense(grad), variable) for grad, variable in grads_and_vars]

    def _distributed_apply(self, distribution: Any, grads_and_vars: Any, apply_state: Any, name: str | None) -> Any:
        pairs, update = list(grads_and_vars), distribution.extended.update
        sums = [self.get_slot(variable, "sum") for _, variable in pairs]
        added = [
            update(sum_, lambda own, grad: own.assign_add(grad), (grad,))
            for sum_, (grad, _) in zip(sums, pairs, strict=True)
        ]
        with tf.control_dependencies(added):
            seen = tf.convert_to_tensor(self._seen.assign_add(1))
        of_step = tf.math.floormod(seen - 1, self.batches) + 1

        def take_step() -> tf.Tensor:
            means = [tf.convert_to_tensor(sum_) / tf.cast(of_step, sum_.dtype) for sum_ in sums]
            variables = [variable for _, variable in pairs]
            clipped = super(AccumulatingAdamW, self)._transform_gradients(list(zip(means, variables, strict=True)))
            done = super(AccumulatingAdamW, self)._distributed_apply(distribution, clipped, apply_state, name)
            with tf.control_dependencies([done]):
                emptied = [update(sum_, lambda own: own.assign(tf.zeros_like(own))) for sum_ in sums]
            with tf.control_dependencies(emptied):
                return tf.constant(True)

        is_due = tf.equal(of_step, self.batches) | tf.equal(seen, self.num_batches)
        return tf.cond(is_due, take_step, lambda: tf.constant(False))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {**super().get_config(), "batches": self.batches, "num_batches": self.num_batches}


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
