"""`GenerationOptions`: how text is made, by the names of transformers' `GenerationConfig`. Knows no TensorFlow."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from numbers import Integral, Real
from typing import Any, Literal, NamedTuple

from tfnlp.errors import ArgumentError, did_you_mean

logger = logging.getLogger(__name__)

DEFAULT_NEW_TOKENS = 256  # as in transformers' pipeline
# Options of transformers that change what is made, and that are not done here.
_NOT_DONE = (
    "constraints", "diversity_penalty", "dola_layers", "encoder_repetition_penalty", "epsilon_cutoff", "eta_cutoff",
    "exponential_decay_length_penalty", "force_words_ids", "guidance_scale", "num_beam_groups", "penalty_alpha",
    "sequence_bias", "watermarking_config",
)  # fmt: skip
_WITHOUT_EFFECT = {"encoder_repetition_penalty": 1, "guidance_scale": 1, "num_beam_groups": 1}
_OF_CALLS = ("compile", "seed")  # not kept in files


class Range(NamedTuple):
    """The numbers that an option may be."""

    text: str
    low: float
    high: float = math.inf
    is_open: bool = False  # without `low` itself

    def holds(self, value: Any) -> Any:
        """Tell whether a number is allowed, or of a tensor of numbers which are."""
        return (value > self.low if self.is_open else value >= self.low) & (value <= self.high)

    def __str__(self) -> str:
        return self.text


RANGES = {
    "max_new_tokens": Range("in [1, 2147483647]", 1, 2**31 - 1),
    "seed": Range("in [-2147483648, 2147483647]", -(2**31), 2**31 - 1),
    "temperature": Range("greater than 0", 0, is_open=True),
    "top_p": Range("in (0, 1]", 0, 1, is_open=True),
    "typical_p": Range("in (0, 1]", 0, 1, is_open=True),
    "min_p": Range("in [0, 1]", 0, 1),
}
# Options that are numbers of each text in a graph, so that another value needs no other graph; where they do nothing:
_OFF = {"top_p": 1.0, "min_p": 0.0, "typical_p": 1.0}
PER_TEXT = ("max_new_tokens", "seed", "temperature", *_OFF)
_ANY_NUMBER = 1 << 30  # of new tokens, which each text has its own of


@dataclass(frozen=True, kw_only=True, repr=False)
class GenerationOptions:
    """How text is made.

    Attributes:
        max_new_tokens: the most tokens to make, those of the prompt not counted.
        max_length: the most tokens of prompt and answer together, instead of `max_new_tokens`.
        min_new_tokens: the end is not allowed before so many new tokens.
        min_length: the end is not allowed before so many tokens of prompt and answer together.
        do_sample: draw tokens by their probabilities, instead of taking the likeliest.
        temperature: of sampling; what scores are divided by, greater than 0.
        top_k: sample among so many of the likeliest tokens; 0: among all.
        top_p: sample among the likeliest tokens that together have this probability, in (0, 1].
        min_p: sample among tokens that have at least this share of the likeliest one's probability, in [0, 1].
        typical_p: sample among the tokens whose surprise is nearest to the expected one and that together have this
            probability, in (0, 1] (Meister et al. 2022).
        num_beams: of beam search; 1: none.
        length_penalty: the power of the length that a sequence's log probability is divided by.
        early_stopping: of beam search: stop once there are `num_beams` whole sequences (`True`), once no better one is
            likely (`False`), or once none is possible (`"never"`).
        num_return_sequences: how many sequences to give for each prompt.
        repetition_penalty: what scores of tokens that stand there already are divided by (Keskar et al. 2019).
        no_repeat_ngram_size: no sequence of so many tokens comes twice; 0: any may.
        encoder_no_repeat_ngram_size: no sequence of so many tokens comes that the given text has; 0: any may.
        renormalize_logits: after all rules, let the probabilities of all tokens together be 1 again.
        bad_words_ids: sequences of tokens that may not come.
        suppress_tokens: tokens that may not come.
        begin_suppress_tokens: tokens that may not come first.
        eos_token_id: the tokens that end a sequence.
        stop_strings: texts that end a sequence, once they stand in it.
        decoder_start_token_id: what an answer starts with, of models with an encoder.
        pad_token_id: the token that fills up short sequences in transformers; kept for it.
        forced_bos_token_id: the first token after the decoder's start: the language, of models of many.
        forced_eos_token_id: the last token where a sequence has its full length.
        seed: of sampling; the same text comes of the same seed.
        compile: whether XLA compiles the network, which takes seconds for each new size of a batch and then makes
            tokens several times as fast; None: once a size has made some tokens without it.
    """

    max_new_tokens: int | None = None
    max_length: int | None = None
    min_new_tokens: int = 0
    min_length: int = 0
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 1.0
    min_p: float = 0.0
    typical_p: float = 1.0
    num_beams: int = 1
    length_penalty: float = 1.0
    early_stopping: bool | Literal["never"] = False
    num_return_sequences: int = 1
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    encoder_no_repeat_ngram_size: int = 0
    renormalize_logits: bool = False
    bad_words_ids: tuple[tuple[int, ...], ...] = ()
    suppress_tokens: tuple[int, ...] = ()
    begin_suppress_tokens: tuple[int, ...] = ()
    eos_token_id: tuple[int, ...] = ()
    stop_strings: tuple[str, ...] = ()
    decoder_start_token_id: int | None = None
    pad_token_id: int | None = None
    forced_bos_token_id: int | None = None
    forced_eos_token_id: int | None = None
    seed: int = 0
    compile: bool | None = None

    def __repr__(self) -> str:
        changed = (f"{name}={value!r}" for name, value in self._changed().items())
        return f"GenerationOptions({', '.join(changed)})"

    def _changed(self) -> dict[str, Any]:
        """Return what differs from the defaults."""
        options = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, default) in options.items() if value != default}

    def __post_init__(self) -> None:
        self._check_types()
        self._check_lengths()
        for name, allowed in RANGES.items():
            value = getattr(self, name)
            is_asked = value is not None and (self.do_sample or name != "temperature")
            if is_asked and not allowed.holds(value):
                advice = " For the likeliest tokens, pass `do_sample=False`." if name == "temperature" else ""
                raise ArgumentError(f"`{name}` must be {allowed}; it is {value}.{advice}")
        if not self.repetition_penalty > 0:
            raise ArgumentError(f"`repetition_penalty` must be greater than 0; it is {self.repetition_penalty}.")
        if self.early_stopping not in (True, False, "never"):
            raise ArgumentError(f"`early_stopping` must be True, False or 'never'; it is {self.early_stopping!r}.")
        if self.num_return_sequences > self.num_beams and (self.num_beams > 1 or not self.do_sample):
            raise ArgumentError(
                f"`num_return_sequences={self.num_return_sequences}` is more than `num_beams={self.num_beams}`: pass "
                "as many beams, or sample with `do_sample=True` and without beams."
            )

    def _check_types(self) -> None:
        for field in fields(self):
            value, default = getattr(self, field.name), field.default
            wanted: Any = Real if isinstance(default, float) else tuple if isinstance(default, tuple) else Integral
            if isinstance(default, bool) or field.name == "compile":
                wanted = (bool, str) if field.name == "early_stopping" else bool
            is_number = wanted in (Integral, Real)
            if value is not default and (not isinstance(value, wanted) or (is_number and isinstance(value, bool))):
                kind = {Real: "a number", Integral: "a whole number", tuple: "a list"}.get(wanted, "True or False")
                raise ArgumentError(f"`{field.name}` must be {kind}; it is {value!r:.80}.")

    def _check_lengths(self) -> None:
        if self.max_new_tokens is not None and self.max_length is not None:
            raise ArgumentError(
                f"`max_new_tokens={self.max_new_tokens}` and `max_length={self.max_length}` contradict each other: "
                "pass one of them."
            )
        for name in ("max_length", "num_beams", "num_return_sequences"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ArgumentError(f"`{name}` must be at least 1; it is {value}.")
        for low, high in (("min_new_tokens", "max_new_tokens"), ("min_length", "max_length")):
            most = getattr(self, high)
            if most is not None and getattr(self, low) > most:
                raise ArgumentError(f"`{low}={getattr(self, low)}` is more than `{high}={most}`.")

    @property
    def reads_texts(self) -> bool:
        """Whether a rule looks at the texts that were given."""
        return self.encoder_no_repeat_ngram_size > 0

    @property
    def numbers(self) -> dict[str, int | float]:
        """The options that a graph for these takes as numbers of each text, but for the seed."""
        numbers: dict[str, int | float] = {}
        if self.max_new_tokens is not None:
            numbers["max_new_tokens"] = int(self.max_new_tokens)
        if self.do_sample:
            numbers["temperature"] = float(self.temperature)
            numbers |= {name: float(getattr(self, name)) for name, off in _OFF.items() if getattr(self, name) != off}
        return numbers

    def taking(self, names: Iterable[str]) -> GenerationOptions:
        """Return options for which a graph takes numbers of each text; their values here say only that it does.

        Args:
            names: of these, some of `PER_TEXT`.
        """
        values: dict[str, Any] = {}
        for name in names:
            values[name] = {"max_new_tokens": _ANY_NUMBER, "seed": 0, "temperature": 1.0}.get(name, 0.5)
        if "max_new_tokens" in values:
            values["max_length"] = None
        return replace(self, **values)

    def without_numbers(self) -> GenerationOptions:
        """Return what a graph is built for: all options but for the values of its numbers."""
        return self.taking([*self.numbers, "seed"])

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> GenerationOptions:
        """Make options of what `generation_config.json` holds; what tfnlp can't do is logged, and left out."""
        known = {field.name for field in fields(cls)} - set(_OF_CALLS)
        given = _uniform({name: value for name, value in config.items() if name in known})
        unknown = [name for name in _NOT_DONE if config.get(name) and config[name] != _WITHOUT_EFFECT.get(name)]
        if unknown:
            logger.warning("generation_config.json asks for %s, which tfnlp does not do", ", ".join(unknown))
        if given.get("max_new_tokens") is not None:
            given.pop("max_length", None)
        given["eos_token_id"] = tuple(token for token in given.get("eos_token_id", ()) if token >= 0)  # -1: none
        return cls(**given)

    def changed(self, options: Mapping[str, Any]) -> GenerationOptions:
        """Return these options with others in the place of some.

        Raises:
            ArgumentError: if an option is unknown, or contradicts another one.
        """
        known = [field.name for field in fields(self)]
        for name in options:
            if name not in known:
                raise ArgumentError(f"`{name}` is no option of generation.{did_you_mean(name, known)}")
        given = _uniform(options)
        for name, other in (("max_new_tokens", "max_length"), ("max_length", "max_new_tokens")):
            if given.get(name) is not None:
                given.setdefault(other, None)  # that of before
        return replace(self, **given)

    def to_config(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """Return what `generation_config.json` is to hold: these options, and what it held `before` beside them."""
        own = {field.name for field in fields(self)}
        kept = {name: value for name, value in before.items() if name not in own}
        return kept | {name: value for name, value in self._changed().items() if name not in _OF_CALLS}


def _uniform(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options with lists as tuples, one token or text that ends a sequence as several, and None as "off"."""
    off = {field.name: field.default for field in fields(GenerationOptions)} | {"top_k": 0}
    given = {name: off[name] if value is None else _as_tuple(value) for name, value in options.items()}
    for name in ("eos_token_id", "stop_strings"):
        if isinstance(given.get(name), (int, str)):
            given[name] = (given[name],)
    return given


def _as_tuple(value: Any) -> Any:
    """Return lists, also those in lists, as tuples."""
    return tuple(_as_tuple(item) for item in value) if isinstance(value, (list, tuple)) else value
