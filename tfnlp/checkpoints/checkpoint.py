"""`Checkpoint`: a Hugging Face configuration and its head: where they are read from, and how they are written."""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any

from tfnlp._backend import has_bfloat16, tf
from tfnlp.checkpoints.directories import SETTINGS_FILE, read_settings
from tfnlp.checkpoints.heads import (
    AutoHead,
    architectures,
    find_file,
    load_config,
    network_options,
    save_config,
)
from tfnlp.checkpoints.sizes import position_limit
from tfnlp.checkpoints.vocabulary import with_vocabulary
from tfnlp.checkpoints.weight_files import SAFETENSORS
from tfnlp.checkpoints.weights import (
    LoadingReport,
    head_variables,
    save_safetensors,
    variables_by_name,
    variables_named,
)
from tfnlp.errors import ArgumentError, CheckpointError, did_you_mean
from tfnlp.networks.heads import HeadNetwork, OverNetwork, has_network
from tfnlp.networks.weights import from_variables
from tfnlp.precision import Precision, check_precision
from tfnlp.replicas import scope_of, strategy_in_force

logger = logging.getLogger(__name__)


class Checkpoint:
    """A head with its configuration.

    Attributes:
        auto_class: of transformers, that knows the head (`TFAutoModelForTokenClassification`).
        config: the Hugging Face configuration. Changes after the head is built have no effect.
        name_or_path: where to read weights from; None: they are initialised anew.
        location: where on the Hub, or in a cache, to look (`revision`, `token` ...).
        seed: of weights that are initialised anew.
        runs_head: whether transformers' own code runs it, though there is a network of ours.
        origin: what the user named, where that is the address of a copy.
        strategy: of `tf.distribute`, in whose scope it was made: where its variables lie.
    """

    def __init__(
        self,
        auto_class: str,
        config: Any,
        name_or_path: str | Path | None = None,
        *,
        seed: int = 0,
        location: dict[str, Any] | None = None,
    ) -> None:
        self.auto_class, self.config, self.name_or_path = auto_class, config, name_or_path
        self.seed, self.location = seed, location or {}
        self.origin = name_or_path
        self.runs_head = False
        self.strategy = strategy_in_force()
        self.generation_config: dict[str, Any] = {}  # what its file holds, once it is read
        self._head: Any = None

    @classmethod
    def from_pretrained(
        cls, auto_class: str, name_or_path: str | Path, *, seed: int = 0, config: Any = None, **location: Any
    ) -> Checkpoint:
        """Read the configuration of a directory or Hub name; the weights are read when the head is built.

        Raises:
            CheckpointError: if there is none.
        """
        config = load_config(name_or_path, **location) if config is None else config
        return cls(auto_class, config, name_or_path, seed=seed, location=location)

    @property
    def is_trained(self) -> bool:
        """Whether it was trained for its auto class, as its configuration and transformers' mapping tell."""
        known = architectures(self.auto_class)
        return any(name.removeprefix("TF") in known for name in self.config.architectures or ())

    def find_file(self, name: str) -> str | None:
        """Return the path of a file beside the configuration; None: there is none."""
        return None if self.name_or_path is None else find_file(self.name_or_path, name, **self.location)

    def settings_of(self, task: str) -> dict[str, Any] | None:
        """Return the settings that a task of this name has saved with it; None: none has.

        Raises:
            CheckpointError: if the file of settings is damaged.
        """
        file = self.find_file(SETTINGS_FILE)
        name, settings = read_settings(file) if file is not None else (None, {})
        return settings if name == task else None

    def position_limit(self, tokenizer_limit: int | None) -> int:
        """Return the longest row that the network takes; `tokenizer_limit` is the tokenizer's own."""
        return position_limit(self.config, tokenizer_limit)

    def configure(self, options: dict[str, Any], others: Collection[str], owner: str) -> None:
        """Set fields of the configuration that concern the network (`hidden_dropout_prob` ...).

        Args:
            options: by name.
            others: options that there are beside, for messages.
            owner: whose options they are, for messages.

        Raises:
            ArgumentError: if there is no such field.
        """
        known = network_options(self.config) if options else ()
        for name, value in sorted(options.items()):
            if name not in known:
                raise ArgumentError(
                    f"`{name}` is no option of a {owner}, nor of the network's configuration."
                    f"{did_you_mean(name, (*others, *known))}"
                )
            setattr(self.config, name, value)

    @property
    def vocab_size(self) -> int:
        """How many tokens the network has; of an encoder with a decoder of its own, the decoder."""
        own = getattr(self.config, "vocab_size", None)
        return self.config.decoder.vocab_size if own is None else own

    # The head

    @property
    def is_built(self) -> bool:
        """Whether the head is there."""
        return self._head is not None

    def build(self, *, num_tokens: int, fresh_head: bool = False) -> Any:
        """Return the Hugging Face TensorFlow head, built once.

        Args:
            num_tokens: of the tokenizer: the head gets a row for each.
            fresh_head: initialise the task's layers anew, though the checkpoint has them.

        Raises:
            CheckpointError: if weights are missing, incomplete or damaged.
            UnsupportedModelError: if the architecture has no such head.
            ArgumentError: in the scope of another strategy than it was made in.
        """
        if self._head is None:
            with self.scope():
                self._head = self._built(fresh_head=fresh_head)
                self._draw_from_generator()
        self.make_room(num_tokens)
        return self._head

    def _built(self, *, fresh_head: bool) -> Any:
        auto = AutoHead(self.auto_class)
        if self.name_or_path is None:
            return auto.from_config(self.config)
        head, report = auto.from_pretrained(
            self.name_or_path, config=self.config, seed=self.seed, fresh_head=fresh_head, output_loading_info=True,
            **self.location,
        )  # fmt: skip
        self._check_shapes(head, report, fresh_head=fresh_head)
        return head

    def scope(self) -> AbstractContextManager[None]:
        """Enter the scope of its strategy, to make variables or a Keras model.

        Raises:
            ArgumentError: in the scope of another strategy.
        """
        return scope_of(self.strategy)

    @cached_property
    def generator(self) -> tf.random.Generator:
        """What draws the random numbers of dropout."""
        with self.scope():
            return tf.random.Generator.from_seed(self.seed)

    def _draw_from_generator(self) -> None:
        """Let the head's dropout take its random numbers from the generator."""
        if isinstance(self._head, OverNetwork):
            self._head.generator = self.generator
        for layer in self._head._flatten_layers():
            own = getattr(layer, "_random_generator", None)
            if own is not None:
                own._rng_type, own._generator, own._built = own.RNG_STATEFUL, self.generator, True

    def _check_shapes(self, head: Any, report: LoadingReport, *, fresh_head: bool) -> None:
        """Refuse weights of other shapes than the configuration says, but those of a head that is to be new."""
        of_head = {id(variable) for variable in head_variables(head)}
        wrong = [
            f"{name} is {found}, not {wanted}"
            for name, found, wanted in report.mismatched
            for variable in variables_named(head, [name])
            if id(variable) not in of_head or (self.is_trained and not fresh_head)
        ]
        if wrong:
            raise CheckpointError(
                f"{self.name_or_path}: weights are of other shapes than `config.json` says: {'; '.join(wrong)}. "
                "Correct `num_labels`, `id2label` or `vocab_size` there, or leave out the option that changes a size; "
                "for a new head with other labels, pass `labels=[...]`."
            )

    def network(self, precision: Precision = "float32") -> Any:
        """Return what runs the head that is built: a network of ours where there is one, else the head itself.

        Both take the same inputs and give the same outputs, by name.

        Args:
            precision: that products of matrices are computed in, `float32` or `bfloat16`; where Keras's policy of the
                head says otherwise, and this is `float32`, the policy holds.

        Raises:
            ArgumentError: if there is no such precision, or it is not `float32` and there is no network of ours.
        """
        check_precision(precision)
        assert self._head is not None, "a head that is built"
        head, is_plain = self._head, precision == "float32"
        if not self.runs_head and has_network(self.auto_class, self.config):
            named = from_variables(variables_by_name(head), tf.as_dtype(head.compute_dtype if is_plain else precision))
            if not is_plain and not has_bfloat16():
                logger.warning("this processor computes no products in bfloat16: they will be slower than in float32")
            network = HeadNetwork(head, self.auto_class, named)
            network.generator = self.generator
            return network
        if is_plain:
            return head
        raise ArgumentError(
            f"`precision={precision!r}` is for networks of our own, and {type(head).__name__} is run by transformers' "
            f"code: call `tf_keras.mixed_precision.set_global_policy('mixed_{precision}')` before you make the task."
        )

    def make_room(self, num_tokens: int) -> None:
        """Give a head that is built a row for each of so many tokens."""
        if self._head is not None and num_tokens > self.vocab_size:
            with self.scope():
                self._head = with_vocabulary(self._head, self.auto_class, num_tokens, seed=self.seed)
                self._draw_from_generator()

    def save(self, directory: Path) -> None:
        """Write the configuration and `model.safetensors`, as transformers on PyTorch reads them."""
        save_config(self._head, directory)
        save_safetensors(self._head, directory / SAFETENSORS)
