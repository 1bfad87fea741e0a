"""What `predict` answers with: small immutable objects that compare, print and display well."""

from __future__ import annotations

import html
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar, overload

T = TypeVar("T")
Self = TypeVar("Self", bound="Items")


class Items(Sequence[T]):
    """An immutable sequence. Equals a list of the same items; a slice of it is of its own kind."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[T]) -> None:
        self._items = tuple(items)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self: Self, index: slice) -> Self: ...
    def __getitem__(self, index: Any) -> Any:
        return self._like(self._items[index]) if isinstance(index, slice) else self._items[index]

    def _like(self, items: Iterable[T]) -> Any:
        """Return one of its kind with other items."""
        return type(self)(items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (Items, list, tuple)):
            return self._items == tuple(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._items)

    def __repr__(self) -> str:
        return repr(list(self._items))


class Part:
    """A part of an answer: an immutable object with a few attributes."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as a plain dict, ready for JSON."""
        return asdict(self)  # type: ignore[call-overload]


@dataclass(frozen=True, slots=True)
class Entity(Part):
    """A labelled stretch of a text.

    Attributes:
        label: the entity type, without the tag scheme's prefix (`PER`).
        start: the first character, counted in Unicode characters.
        end: the character after the last one.
        text: `text[start:end]` of the text it was found in.
        score: the model's probability, in [0, 1].
    """

    label: str
    start: int
    end: int
    text: str
    score: float


class Entities(Items[Entity]):
    """The entities of one text, in its order. Equals a list of the same entities; highlights them in a notebook."""

    __slots__ = ("text",)

    def __init__(self, text: str, entities: Iterable[Entity]) -> None:
        super().__init__(entities)
        self.text = text

    def _like(self, items: Iterable[Entity]) -> Entities:
        return Entities(self.text, items)

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other) and (not isinstance(other, Entities) or self.text == other.text)

    def __hash__(self) -> int:
        return hash((self.text, self._items))

    def to_dict(self) -> dict[str, Any]:
        """Return the text and its entities as plain data, ready for JSON."""
        return {"text": self.text, "entities": [entity.to_dict() for entity in self._items]}

    def _repr_html_(self) -> str:
        pieces, position = [], 0
        for entity in self._items:
            if entity.start < position:  # overlaps what is already shown: a page can't nest it sensibly
                continue
            pieces += [html.escape(self.text[position : entity.start]), _highlight(entity)]
            position = entity.end
        pieces.append(html.escape(self.text[position:]))
        return f'<div style="line-height: 2; white-space: pre-wrap">{"".join(pieces)}</div>'


@dataclass(frozen=True, slots=True)
class Label(Part):
    """A label of a text.

    Attributes:
        name: of the label.
        score: the model's probability, in [0, 1]; of a regression the number itself.
    """

    name: str
    score: float


class Labels(Items[Label]):
    """Several labels of one text, the likeliest first. Equals a list of the same labels."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the labels as plain data, ready for JSON."""
        return {"labels": [label.to_dict() for label in self._items]}


@dataclass(frozen=True, slots=True)
class Answer(Part):
    """An answer to a question: a stretch of its context.

    Attributes:
        text: `context[start:end]`; empty where there is no answer.
        start: the first character, counted in Unicode characters.
        end: the character after the last one.
        score: the model's probability, in [0, 1].
        null_score: its probability that the context does not hold the answer, in [0, 1].
    """

    text: str
    start: int
    end: int
    score: float
    null_score: float


class Answers(Items[Answer]):
    """Several answers to one question, the likeliest first. Equals a list of the same answers."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the answers as plain data, ready for JSON."""
        return {"answers": [answer.to_dict() for answer in self._items]}


@dataclass(frozen=True, slots=True)
class Choice(Part):
    """One of the choices that a prompt came with.

    Attributes:
        index: its place among them, from 0.
        text: of the choice.
        score: the model's probability, in [0, 1].
    """

    index: int
    text: str
    score: float


class Choices(Items[Choice]):
    """Several choices of one prompt, the likeliest first. Equals a list of the same choices."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the choices as plain data, ready for JSON."""
        return {"choices": [choice.to_dict() for choice in self._items]}


@dataclass(frozen=True, slots=True)
class Fill(Part):
    """A token in the place of a mask.

    Attributes:
        token_id: its id in the vocabulary.
        token: as text.
        score: the model's probability, in [0, 1].
        text: the whole text with it.
    """

    token_id: int
    token: str
    score: float
    text: str


class Fills(Items[Fill]):
    """Several tokens for one mask, the likeliest first. Equals a list of the same fills."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fills as plain data, ready for JSON."""
        return {"fills": [fill.to_dict() for fill in self._items]}


@dataclass(frozen=True, slots=True)
class TableAnswer(Part):
    """An answer to a question about a table.

    Attributes:
        text: the cells, after the name of what is to be done with them.
        coordinates: the row and column of each cell, from 0.
        cells: their texts.
        aggregator: what is to be done with them (`SUM`, `COUNT` ...), as the checkpoint names it; empty: it has none.
        value: the number that comes out of it; None: there is nothing to be done, or the cells are no numbers.
    """

    text: str
    coordinates: tuple[tuple[int, int], ...]
    cells: tuple[str, ...]
    aggregator: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Generation(Part):
    """A text that was made.

    Attributes:
        text: without the prompt.
        ids: of its tokens, with that which ended it.
        score: the geometric mean of its tokens' probabilities, in [0, 1]; with a `length_penalty` other than 1, another
            root of their product.
    """

    text: str
    ids: tuple[int, ...]
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Return text, ids and score as plain data, ready for JSON; the text by transformers' name."""
        return {"generated_text": self.text, "score": self.score, "ids": list(self.ids)}


class Generations(Items[Generation]):
    """Several texts made for one input, the best first where beams were searched. Equals a list of the same texts."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the texts as plain data, ready for JSON."""
        return {"generations": [generation.to_dict() for generation in self._items]}


class Predictions(Items[T]):
    """The answers for several inputs, in their order. Equals a list of the same answers."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return "\n".join(
            answer._repr_html_() if hasattr(answer, "_repr_html_") else f"<pre>{html.escape(repr(answer))}</pre>"
            for answer in self._items
        )


def _highlight(entity: Entity) -> str:
    hue = zlib.crc32(entity.label.encode()) % 360  # the same label has the same colour in every session
    return (
        f'<mark title="score {entity.score:.3f}" style="background: hsl({hue}, 75%, 85%); padding: 0.2em 0.4em; '
        f'border-radius: 0.35em">{html.escape(entity.text)} '
        f'<small style="font-weight: bold">{html.escape(entity.label)}</small></mark>'
    )
