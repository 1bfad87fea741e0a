"""Options of the command line, made of the fields of dataclasses and described by their docstrings."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Collection
from dataclasses import MISSING, fields
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import typer

_PLAIN = (int, float, str, bool)


def options_of(kind: type, *, without: Collection[str] = ()) -> list[inspect.Parameter]:
    """Return an option for each field of a dataclass that can be written on a command line.

    Args:
        kind: the dataclass, whose docstring describes its fields under `Attributes:`.
        without: fields that are no options.

    Returns:
        Keyword-only parameters. Their default is None: the dataclass's own.
    """
    hints, described = get_type_hints(kind), descriptions_of(kind)
    options = []
    for field in fields(kind):
        type_ = _plain_type(hints[field.name])
        if field.name in without or type_ is None:
            continue
        default = "" if field.default in (MISSING, None) else f" Default: {field.default}."
        option = typer.Option(help=described[field.name] + default, show_default=False)
        options.append(parameter(field.name, type_, option))
    return options


def parameter(name: str, type_: Any, option: Any) -> inspect.Parameter:
    """Return a keyword-only parameter that may be left out."""
    annotation = Annotated[Union[type_, None], option]  # noqa: UP007 -- of a type that is known when this runs
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def with_options(command: Callable[..., None], parameters: list[inspect.Parameter]) -> Callable[..., None]:
    """Give a command options beside those that its signature names, in the place of its `**` argument."""

    def with_given(**given: Any) -> None:
        command(**given)

    own = inspect.signature(command, eval_str=True).parameters.values()
    every = [one for one in own if one.kind is not inspect.Parameter.VAR_KEYWORD] + parameters
    with_given.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
    with_given.__annotations__ = {one.name: one.annotation for one in every}
    with_given.__doc__ = command.__doc__
    return with_given


def descriptions_of(kind: type) -> dict[str, str]:
    """Return what docstrings say of a dataclass's fields, those of its bases included."""
    descriptions: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        _, _, attributes = (inspect.getdoc(base) or "").partition("Attributes:\n")
        for name, text in re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE):
            descriptions[name] = re.sub(r"\s+", " ", text)
    return descriptions


def _plain_type(hint: Any) -> Any:
    """Return the type of an option, without None; None: it can't be written on a command line."""
    if get_origin(hint) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not type(None)]
        return _plain_type(kinds[0]) if len(kinds) == 1 else None
    if get_origin(hint) is Literal:
        names = tuple(name for name in get_args(hint) if name is not None)
        return Literal[names]  # type: ignore[valid-type]
    return hint if hint in _PLAIN else None
