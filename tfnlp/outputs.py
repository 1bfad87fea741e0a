"""What `predict` and `evaluate` answer with: small immutable objects that compare, print and display well."""

from __future__ import annotations

import html
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, overload


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


class Predictions(Sequence[Entities]):
    """The answers for several texts, in their order. Equals a list of the same answers."""

    __slots__ = ("_answers",)

    def __init__(self, answers: Iterable[Entities]) -> None:
        self._answers = tuple(answers)

    @overload
    def __getitem__(self, index: int) -> Entities: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Entities, ...]: ...
    def __getitem__(self, index: int | slice) -> Entities | tuple[Entities, ...]:
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
        return "\n".join(answer._repr_html_() for answer in self._answers)


@dataclass(frozen=True, slots=True)
class Scores:
    """Precision, recall and F1 of one label, each in [0, 1], and how often the label occurs in the gold data."""

    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True)
class Report:
    """An evaluation: scores of each label and their averages.

    Attributes:
        labels: the scores of each entity type, or of each label where labels are not tags of entities.
        micro: over all entities together; for single-word labels its F1 is the accuracy.
        macro: the plain mean over `labels`.
        accuracy: the share of words whose label is right, in [0, 1].
        num_records: how many records were evaluated.
        loss: the mean cross entropy of a labelled token, in nats.
    """

    labels: Mapping[str, Scores]
    micro: Scores
    macro: Scores
    accuracy: float
    num_records: int
    loss: float | None = None

    @property
    def f1(self) -> float:
        """The micro-averaged F1."""
        return self.micro.f1

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data, ready for JSON."""
        return asdict(self)

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False)

    def rows(self) -> list[tuple[str, str, str, str, str]]:
        """Return the table's rows, `(label, precision, recall, f1, support)`, averages last."""
        named = [*self.labels.items(), ("micro avg", self.micro), ("macro avg", self.macro)]
        return [(name, f"{s.precision:.4f}", f"{s.recall:.4f}", f"{s.f1:.4f}", str(s.support)) for name, s in named]

    def __str__(self) -> str:
        header = ("", "precision", "recall", "f1", "support")
        table = [header, *self.rows()]
        width = max(len(row[0]) for row in table)
        lines = [f"{row[0]:<{width}}" + "".join(f"{cell:>11}" for cell in row[1:]) for row in table]
        return "\n".join([*lines, f"accuracy {self.accuracy:.4f} over {self.num_records} records"])

    def _repr_html_(self) -> str:
        header = "".join(f"<th>{name}</th>" for name in ("", "precision", "recall", "f1", "support"))
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows()
        )
        return f"<table><tr>{header}</tr>{body}</table><p>accuracy {self.accuracy:.4f}</p>"


def _highlight(entity: Entity) -> str:
    hue = zlib.crc32(entity.label.encode()) % 360  # the same label has the same colour in every session
    return (
        f'<mark title="score {entity.score:.3f}" style="background: hsl({hue}, 75%, 85%); padding: 0.2em 0.4em; '
        f'border-radius: 0.35em">{html.escape(entity.text)} '
        f'<small style="font-weight: bold">{html.escape(entity.label)}</small></mark>'
    )
