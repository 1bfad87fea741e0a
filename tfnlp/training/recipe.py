"""`Recipe`: how to train, with the defaults that fine-tuning papers agree on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, Literal, get_args, get_type_hints

from tfnlp.errors import ArgumentError, did_you_mean
from tfnlp.precision import Precision, check_precision

ScheduleName = Literal["linear", "cosine", "constant"]
# What a value is checked for, by the type of its field.
_KINDS: dict[type, tuple[type, str]] = {
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    bool: (bool, "True or False"),
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How to train.

    Attributes:
        epochs: how often to go through the data.
        batch_size: rows in a batch.
        learning_rate: at its peak.
        warmup: the share of all steps in which the learning rate rises, in [0, 1).
        schedule: of the learning rate after that: it falls to 0 in a line (`linear`) or as a `cosine`, or stays
            `constant`.
        layer_decay: what the learning rate is multiplied with from each layer to the one below it, in (0, 1].
        accumulate: how many batches make one step, by the mean of their gradients.
        freeze: weights that stay as they are: `embeddings`; `encoder`, which is all but the task's own layers; or a
            list of regular expressions, of which one is found in PyTorch's name of a weight.
        jit_compile: compile steps by XLA, each length of rows anew, which takes long and pays for long trainings.
        weight_decay: of all weights but biases and layer norms.
        max_gradient_norm: gradients together are clipped to this norm; 0: they are not.
        label_weights: the weight of labels in the loss, by name; 1 for those not named. `balanced`: by how rare each
            is in the training data, as in scikit-learn.
        label_smoothing: the share of the target that is spread over all labels, in [0, 1).
        optimizer: a tf_keras optimizer to use instead; learning rate, decay and clipping are then its own.
        seed: of the order of rows and of dropout.
        precision: that products of matrices are computed in, `float32` or `bfloat16`; None: as the task's settings say.
        patience: epochs without a better main metric, after which training stops; None: it goes on.
        ema: the decay of an exponential moving average of weights, in (0, 1): the averages are evaluated, and stay in
            the end; None: the weights themselves.
        keep: whose weights stay, those of the `last` epoch or of the `best` by the main metric; None: of the best where
            there is `patience`, else of the last.
    """

    epochs: int = 3
    batch_size: int = 16
    learning_rate: float = 5e-5
    warmup: float = 0.1
    schedule: ScheduleName = "linear"
    layer_decay: float = 1.0
    accumulate: int = 1
    freeze: Literal["embeddings", "encoder"] | Sequence[str] | None = None
    jit_compile: bool = False
    weight_decay: float = 0.01
    max_gradient_norm: float = 1.0
    label_weights: Mapping[str, float] | Literal["balanced"] | None = None
    label_smoothing: float = 0.0
    optimizer: Any = None
    seed: int = 0
    precision: Precision | None = None
    patience: int | None = None
    ema: float | None = None
    keep: Literal["last", "best"] | None = None

    def __post_init__(self) -> None:
        self._check_types()
        self._check_steps()
        if self.epochs < 1 or self.batch_size < 1:
            raise ArgumentError(f"`epochs` and `batch_size` must be at least 1: {self.epochs}, {self.batch_size}.")
        for name in ("learning_rate", "weight_decay", "max_gradient_norm"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ArgumentError(f"`{name}` must be a number, at least 0; it is {getattr(self, name)!r}.")
        if isinstance(self.label_weights, str) and self.label_weights != "balanced":
            raise ArgumentError(f"`label_weights` must be a dict or 'balanced'; it is {self.label_weights!r}.")
        self._check_choice_of_weights()
        if self.precision is not None:
            check_precision(self.precision)
        for name in ("warmup", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise ArgumentError(f"`{name}` must be in [0, 1); it is {getattr(self, name)}.")

    def _check_types(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            type_ = next((one for one in get_args(hint) if one in _KINDS), hint)
            value = getattr(self, name)
            if type_ not in _KINDS or (value is None and type(None) in get_args(hint)):
                continue
            kind, said = _KINDS[type_]
            is_other = isinstance(value, bool) != (type_ is bool)  # True is a number to Python
            if is_other or not isinstance(value, kind):
                raise ArgumentError(f"`{name}` must be {said}; it is {value!r}.")

    def _check_steps(self) -> None:
        if self.accumulate < 1:
            raise ArgumentError(f"`accumulate` must be at least 1; it is {self.accumulate}.")
        if not 0 < self.layer_decay <= 1:
            raise ArgumentError(f"`layer_decay` must be in (0, 1]; it is {self.layer_decay}.")
        if self.schedule not in get_args(ScheduleName):
            raise ArgumentError(f"`schedule` must be one of {get_args(ScheduleName)}; it is {self.schedule!r}.")
        if self.ema is not None and not 0 < self.ema < 1:
            raise ArgumentError(f"`ema` must be in (0, 1); it is {self.ema}.")
        own = ("accumulate", "layer_decay", "schedule", "ema")
        changed = [one.name for one in fields(self) if one.name in own and getattr(self, one.name) != one.default]
        if self.optimizer is not None and changed:
            raise ArgumentError(f"`{changed[0]}` is of our own optimizer: leave it out, or leave out `optimizer`.")

    def _check_choice_of_weights(self) -> None:
        if self.patience is not None and self.patience < 1:
            raise ArgumentError(f"`patience` must be a whole number, at least 1; it is {self.patience!r}.")
        if self.keep not in (None, "last", "best"):
            raise ArgumentError(f"`keep` must be 'last' or 'best'; it is {self.keep!r}.")

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Recipe:
        """Make one of options by name.

        Raises:
            ArgumentError: if there is no such option, or its value is not allowed.
        """
        known = [field.name for field in fields(cls)]
        for name in options:
            if name not in known:
                raise ArgumentError(
                    f"`{name}` is no option of training; its options are {known}.{did_you_mean(name, known)}"
                )
        return cls(**options)

    @property
    def keeps(self) -> Literal["last", "best"]:
        """Whose weights stay."""
        return self.keep or ("last" if self.patience is None else "best")

    def refuse(self, *names: str, reason: str = "is for tasks with labels, which this one has not") -> None:
        """Raise `ArgumentError` if one of these fields, which mean nothing to a task, is set."""
        for name in names:
            if getattr(self, name):
                raise ArgumentError(f"`{name}` {reason}.")

    def build_optimizer(
        self, steps_per_epoch: int, rates: Mapping[str, float] | None = None, schedule: Any = None
    ) -> Any:
        """Return the optimizer.

        Args:
            steps_per_epoch: batches in an epoch.
            rates: by names of variables, what the learning rate is multiplied with.
            schedule: of the learning rate of our own optimizer; None: the recipe's.

        Raises:
            ArgumentError: if `optimizer` is not one of tf_keras's.
        """
        from tfnlp._backend import keras
        from tfnlp.training.optimizer import AccumulatingAdamW, AdamW
        from tfnlp.training.schedules import SCHEDULES

        if self.optimizer is None:
            num_batches = self.epochs * steps_per_epoch
            steps = math.ceil(num_batches / self.accumulate)
            options: dict[str, Any] = {"weight_decay": self.weight_decay, "rates": rates, "ema": self.ema}
            if self.max_gradient_norm:
                options["global_clipnorm"] = self.max_gradient_norm
            if schedule is None:
                schedule = SCHEDULES[self.schedule](self.learning_rate, steps, int(self.warmup * steps))
            if self.accumulate == 1:
                return AdamW(schedule, **options)
            return AccumulatingAdamW(schedule, batches=self.accumulate, num_batches=num_batches, **options)
        if isinstance(self.optimizer, str):
            return keras.optimizers.get(self.optimizer)
        if isinstance(self.optimizer, (keras.optimizers.Optimizer, keras.optimizers.legacy.Optimizer)):
            return self.optimizer
        raise ArgumentError(
            f"{type(self.optimizer).__module__}.{type(self.optimizer).__name__} is no tf_keras optimizer. "
            "transformers' heads are tf_keras models: take it from `tf_keras.optimizers`, not from `keras`."
        )
