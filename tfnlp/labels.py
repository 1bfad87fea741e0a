"""Labels and their ids, and tag schemes to spans of words and back. Pure Python: knows no model and no tokenizer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

from tfnlp.errors import ArgumentError, LabelError, did_you_mean

OUTSIDE = "O"
IGNORE_ID = -100  # Hugging Face's id of a token that carries no label

Scheme = Literal["IOB1", "IOB2", "BIOES", "BMES"]

_TAG = re.compile(r"[BIOESMLU]-.+", re.DOTALL)
_PLACEHOLDER = re.compile(r"LABEL_\d+")
_BEGIN, _INSIDE, _END, _SINGLE = "B", "I", "E", "S"
# What each prefix means, whatever the scheme: BILOU's and BMES's letters are other names of the same four.
_ROLES = {"B": _BEGIN, "I": _INSIDE, "M": _INSIDE, "E": _END, "L": _END, "S": _SINGLE, "U": _SINGLE}


class Span(NamedTuple):
    """A labelled stretch `[start, end)`, of words or of Unicode characters as the context says."""

    label: str
    start: int
    end: int


@dataclass(frozen=True)
class LabelMap:
    """The labels of a model, in the order of their ids.

    >>> labels = LabelMap(("O", "B-PER", "I-PER"))
    >>> labels.id_of("I-PER"), labels.names[1], len(labels)
    (2, 'B-PER', 3)
    """

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.names:
            raise LabelError("A model needs at least one label; `labels` is empty.")
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated:
            raise LabelError(f"Each label must be given once; `labels` repeats {repeated}.")

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def from_id2label(cls, id2label: Mapping[int, str]) -> LabelMap:
        """Read the `id2label` of a Hugging Face configuration."""
        return cls(tuple(str(id2label[i]) for i in sorted(id2label)))

    @classmethod
    def from_tags(cls, tags: Iterable[str]) -> LabelMap:
        """Order the labels seen in data: `O` first, then by entity type with `B` before `I`.

        Where they are tags, `O` and the `I` of each type belong to them, seen or not.
        """
        names = set(tags)
        if are_tags(names):
            names |= {OUTSIDE, *(f"I-{split_tag(name)[1]}" for name in names if name.startswith("B-"))}
        return cls(tuple(sorted(names, key=_tag_order)))

    @cached_property
    def ids(self) -> dict[str, int]:
        """The id of each label."""
        return {name: i for i, name in enumerate(self.names)}

    @property
    def are_placeholders(self) -> bool:
        """Whether these are the names (`LABEL_0` ...) Hugging Face gives to labels nobody has named."""
        return all(_PLACEHOLDER.fullmatch(name) for name in self.names)

    @property
    def are_tags(self) -> bool:
        """Whether these are tags of entities (`O`, `B-PER` ...) and not labels of single words (`NOUN`)."""
        return are_tags(self.names)

    def id_of(self, name: str) -> int:
        """Return the id of a label.

        Raises:
            LabelError: if the model has no such label.
        """
        try:
            return self.ids[name]
        except KeyError:
            raise LabelError(self.unknown_message(name)) from None

    def unknown_message(self, name: str) -> str:
        """Return the message that says `name` is no label of the model."""
        return f"unknown label {name!r}.{did_you_mean(name, self.names)} The model's labels are {list(self.names)}."


def are_tags(names: Iterable[str]) -> bool:
    """Tell whether all names are `O` or a scheme's prefix with a type."""
    return all(name == OUTSIDE or _TAG.fullmatch(name) for name in names)


def split_tag(tag: str) -> tuple[str, str]:
    """Split a tag into its prefix and entity type; a name without a prefix counts as inside, as in seqeval.

    >>> split_tag("B-PER"), split_tag("O"), split_tag("NOUN")
    (('B', 'PER'), ('O', ''), ('I', 'NOUN'))
    """
    if tag == OUTSIDE:
        return OUTSIDE, ""
    if _TAG.fullmatch(tag):
        return tag[0], tag[2:]
    return _INSIDE, tag


def tags_to_spans(tags: Sequence[str]) -> list[Span]:
    """Read entities leniently, as conlleval and seqeval's default mode do: an `I` after `O` begins an entity.

    One reading serves IOB1, IOB2, BIOES (BILOU) and BMES.

    >>> tags_to_spans(["B-PER", "I-PER", "O", "I-LOC"])
    [Span(label='PER', start=0, end=2), Span(label='LOC', start=3, end=4)]
    """
    spans: list[Span] = []
    start, open_type, closed = 0, "", True
    for i, tag in enumerate(tags):
        prefix, kind = split_tag(tag)
        role = _ROLES.get(prefix)
        begins = role in (_BEGIN, _SINGLE) or closed or kind != open_type
        if not closed and (role is None or begins):
            spans.append(Span(open_type, start, i))
            closed = True
        if role is None:
            continue
        if begins:
            start, open_type = i, kind
        closed = role in (_END, _SINGLE)
        if closed:
            spans.append(Span(kind, start, i + 1))
    if not closed:
        spans.append(Span(open_type, start, len(tags)))
    return spans


def tags_to_spans_strictly(tags: Sequence[str]) -> list[Span]:
    """Read only entities that are well formed in IOB2 or BIOES, as seqeval's strict mode does.

    >>> tags_to_spans_strictly(["B-PER", "I-PER", "O", "I-LOC"])
    [Span(label='PER', start=0, end=2)]
    """
    roles = [(_ROLES.get(prefix, ""), kind) for prefix, kind in map(split_tag, tags)]
    closes = any(role in (_END, _SINGLE) for role, _ in roles)  # BIOES says where an entity ends, IOB2 does not
    spans: list[Span] = []
    for start, (role, kind) in enumerate(roles):
        end = start + 1
        if role == _BEGIN:
            while end < len(roles) and roles[end] == (_INSIDE, kind):
                end += 1
            if closes:
                if roles[end : end + 1] != [(_END, kind)]:
                    continue
                end += 1
        elif role != _SINGLE:
            continue
        spans.append(Span(kind, start, end))
    return spans


def well_formed(names: Sequence[str]) -> tuple[list[bool], list[bool], list[list[bool]]]:
    """Tell where well-formed tags stand, in IOB2 or BIOES (BILOU, BMES), as the prefixes of each type tell.

    An `I` or `E` follows a `B` or `I` of its type; where a type has an `E`, its `B` and `I` go on until one. A type
    without `B` may begin with `I`.

    Returns:
        Which tags may be the first, which the last, and for each which may follow it.

    >>> well_formed(["O", "B-PER", "I-PER"])
    ([True, True, False], [True, True, True], [[True, True, False], [True, True, True], [True, True, True]])
    """
    roles = [(_ROLES.get(prefix, ""), kind) for prefix, kind in map(split_tag, names)]
    is_begun = [role in (_INSIDE, _END) and (_BEGIN, kind) in roles for role, kind in roles]  # by another tag
    is_open = [role in (_BEGIN, _INSIDE) and (_END, kind) in roles for role, kind in roles]
    goes_on = [role in (_BEGIN, _INSIDE) for role, _ in roles]

    def may_follow(tag: int, after: int) -> bool:
        is_same = roles[tag][1] == roles[after][1] and goes_on[after] and roles[tag][0] in (_INSIDE, _END)
        return is_same or not (is_begun[tag] or is_open[after])

    steps = [[may_follow(after, before) for after in range(len(names))] for before in range(len(names))]
    return [not begun for begun in is_begun], [not is_open_ for is_open_ in is_open], steps


def spans_to_tags(spans: Iterable[Span], length: int, scheme: Scheme = "IOB2") -> list[str]:
    """Write entities, which must not overlap, as the tags of `length` words.

    Raises:
        ArgumentError: if a span is empty, reaches past `length`, or overlaps another.

    >>> spans_to_tags([Span("PER", 0, 2)], 3)
    ['B-PER', 'I-PER', 'O']
    """
    tags = [OUTSIDE] * length
    previous: Span | None = None
    for span in sorted(spans, key=lambda span: span.start):
        if not 0 <= span.start < span.end <= length:
            raise ArgumentError(f"{span} does not lie within the {length} words.")
        if previous is not None and span.start < previous.end:
            raise ArgumentError(f"{previous} and {span} overlap; a word carries one tag.")
        touches = previous is not None and previous.end == span.start and previous.label == span.label
        prefixes = _prefixes(span.end - span.start, scheme, touches)
        tags[span.start : span.end] = [f"{prefix}-{span.label}" for prefix in prefixes]
        previous = span
    return tags


def to_iob2(tags: Sequence[str]) -> list[str]:
    """Rewrite tags of any scheme as IOB2.

    >>> to_iob2(["I-PER", "O", "B-LOC", "M-LOC", "E-LOC", "S-ORG"])
    ['B-PER', 'O', 'B-LOC', 'I-LOC', 'I-LOC', 'B-ORG']
    """
    return spans_to_tags(tags_to_spans(tags), len(tags))


def _prefixes(length: int, scheme: Scheme, touches_same_type: bool) -> str:
    if scheme in ("BIOES", "BMES"):
        inside = "I" if scheme == "BIOES" else "M"
        return "S" if length == 1 else "B" + inside * (length - 2) + "E"
    if scheme not in ("IOB1", "IOB2"):
        raise ArgumentError(f"unknown tag scheme {scheme!r}; the schemes are IOB1, IOB2, BIOES and BMES.")
    first = "B" if scheme == "IOB2" or touches_same_type else "I"
    return first + "I" * (length - 1)


def _tag_order(tag: str) -> tuple[bool, str, str]:
    prefix, kind = split_tag(tag)
    return tag != OUTSIDE, kind, prefix
