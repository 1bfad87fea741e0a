"""What `predict` answers with: small immutable objects that compare, print and display well."""

from __future__ import annotations

import html
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar, overload

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entity:
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

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as a plain dict, ready for JSON."""
        return asdict(self)


class Entities(Sequence[Entity]):
    """The entities of one text, in its order. Equals a list of the same entities; highlights them in a notebook."""

    __slots__ = ("_entities", "text")

    def __init__(self, text: str, entities: Iterable[Entity]) -> None:
        self.text = text
        self._entities = tuple(entities)

    @overload
    def __getitem__(self, index: int) -> Entity: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Entity, ...]: ...
    def __getitem__(self, index: int | slice) -> Entity | tuple[Entity, ...]:
        return self._entities[index]

    def __len__(self) -> int:
        return len(self._entities)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Entities):
            return self.text == other.text and self._entities == other._entities
        if isinstance(other, (list, tuple)):
            return self._entities == tuple(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash((self.text, self._entities))

    def __repr__(self) -> str:
        return repr(list(self._entities))

    def to_dict(self) -> dict[str, Any]:
        """Return the text and its entities as plain data, ready for JSON."""
        return {"text": self.text, "entities": [entity.to_dict() for entity in self._entities]}

    def _repr_html_(self) -> str:
        pieces, position = [], 0
        for entity in self._entities:
            if entity.start < position:  # overlaps what is already shown: a page can't nest it sensibly
                continue
            pieces += [html.escape(self.text[position : entity.start]), _highlight(entity)]
            position = entity.end
        pieces.append(html.escape(self.text[position:]))
        return f'<div style="line-height: 2; white-space: pre-wrap">{"".join(pieces)}</div>'


@dataclass(frozen=True, slots=True)
class Label:
    """A label of a text.

    Attributes:
        name: of the label.
        score: the model's probability, in [0, 1]; of a regression the number itself.
    """

    name: str
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as a plain dict, ready for JSON."""
        return asdict(self)


class Labels(Sequence[Label]):
    """Several labels of one text, the likeliest first. Equals a list of the same labels."""

    __slots__ = ("_labels",)

    def __init__(self, labels: Iterable[Label]) -> None:
        self._labels = tuple(labels)

    @overload
    def __getitem__(self, index: int) -> Label: ...
    @overload
    def __getitem__(self, index: slice) -> Labels: ...
    def __getitem__(self, index: int | slice) -> Label | Labels:
        return Labels(self._labels[index]) if isinstance(index, slice) else self._labels[index]

    def __len__(self) -> int:
        return len(self._labels)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (Labels, list, tuple)):
            return self._labels == tuple(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._labels)

    def __repr__(self) -> str:
        return repr(list(self._labels))

    def to_dict(self) -> dict[str, Any]:
        """Return the labels as plain data, ready for JSON."""
        return {"labels": [label.to_dict() for label in self._labels]}


class Predictions(Sequence[T]):
    """The answers for several texts, in their order. Equals a list of the same answers."""

    __slots__ = ("_answers",)

    def __init__(self, answers: Iterable[T]) -> None:
        self._answers = tuple(answers)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        return self._answers[index]

    def __len__(self) -> int:
        return len(self._answers)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (Predictions, list, tuple)):
            return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._answers)

    def __repr__(self) -> str:
        return repr(list(self._answers))

    def _repr_html_(self) -> str:
        return "\n".join(
            answer._repr_html_() if hasattr(answer, "_repr_html_") else f"<pre>{html.escape(repr(answer))}</pre>"
            for answer in self._answers
        )


def _highlight(entity: Entity) -> str:
    hue = zlib.crc32(entity.label.encode()) % 360  # the same label has the same colour in every session
    return (
        f'<mark title="score {entity.score:.3f}" style="background: hsl({hue}, 75%, 85%); padding: 0.2em 0.4em; '
        f'border-radius: 0.35em">{html.escape(entity.text)} '
        f'<small style="font-weight: bold">{html.escape(entity.label)}</small></mark>'
    )
