"""What tasks of this package remember beside the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from tfnlp.errors import ArgumentError
from tfnlp.labels import OUTSIDE
from tfnlp.tasks.settings import WindowSettings

Decoding = Literal["argmax", "constrained", "crf"]
Aggregation = Literal["none", "simple", "first", "average", "max"]
AGGREGATIONS: tuple[str, ...] = get_args(Aggregation)
# What makes a word of running text: the tokenizer's words, cut at punctuation and in scripts without spaces; each token
# by itself; or what transformers' pipeline takes for one.
Grouping = Literal["words", "tokens", "pipeline"]


@dataclass(frozen=True)
class TokenClassifierSettings(WindowSettings):
    """What a token classifier remembers beside the network.

    Attributes:
        aggregation: how tokens become entities, as in transformers' pipeline: `none`, `simple`, `first`, `average`,
            `max`. Training labels the first token of a word, so `first` is the default.
        label_all_tokens: train on every token of a word, not on its first alone.
        grouping: what a word of running text is: one of the tokenizer's, cut at punctuation and in scripts without
            spaces (`words`); each token (`tokens`), where spans begin and end within words; or what transformers'
            pipeline takes for one (`pipeline`). None: training data tells, and until then it is `words`.
        ignore_labels: types and labels that are left out of answers.
        decoding: how labels are chosen: each by itself (`argmax`); those of a text together, so that tags are well
            formed (`constrained`); or by a conditional random field, which is trained and saved with the network
            (`crf`).
        max_entities: of each text in what an exported SavedModel answers, whose outputs then have this width; None: as
            many as the text with most of them has. `num_entities` counts all.
    """

    of_model: ClassVar[tuple[str, ...]] = ("decoding",)
    aggregation: Aggregation = "first"
    label_all_tokens: bool = False
    grouping: Grouping | None = None
    ignore_labels: tuple[str, ...] = (OUTSIDE,)
    decoding: Decoding = "argmax"
    max_entities: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "ignore_labels", tuple(self.ignore_labels))
        for name, allowed in (
            ("aggregation", AGGREGATIONS),
            ("grouping", (*get_args(Grouping), None)),
            ("decoding", get_args(Decoding)),
        ):
            if getattr(self, name) not in allowed:
                raise ArgumentError(f"`{name}` must be one of {allowed}; it is {getattr(self, name)!r}.")
        if self.max_entities is not None and (not isinstance(self.max_entities, int) or self.max_entities < 1):
            raise ArgumentError(f"`max_entities` must be a whole number, at least 1; it is {self.max_entities!r}.")
        if self.decoding == "crf" and self.label_all_tokens:
            raise ArgumentError(
                "`label_all_tokens` trains every token of a word, and `decoding='crf'` is of words' labels: "
                "leave one of the two out."
            )
