"""Whatever holds examples to checked records: files, lists, pandas, `datasets`, `tf.data`. Knows no tokenizer."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tfnlp.data.column_files import OPTIONS, reader_of_columns
from tfnlp.data.files import Files, OnError, Record, Records, are_files, is_file, of_several_files
from tfnlp.errors import ArgumentError, DataError

logger = logging.getLogger(__name__)

MAX_PROBLEMS = 5


@dataclass(frozen=True)
class Source:
    """Records that can be iterated again and again.

    Attributes:
        name: what to call it in messages.
        read: yields the records from the first.
        is_stream: whether they are read anew each time, and so are not to be kept in memory.
        on_error: whether a record that can't be used raises an error, or is left out, counted and reported.
        reported: what was said of them already; it is said once.
        known: what was found out about all of them, by name.
    """

    name: str
    read: Callable[[], Iterator[Record]]
    is_stream: bool
    on_error: OnError = "raise"
    reported: set[str] = field(default_factory=set, compare=False, repr=False)
    known: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def __iter__(self) -> Iterator[Record]:
        return self.read()

    def report(self, level: int, message: str) -> None:
        """Log a message about the records, once however often they are read."""
        if message not in self.reported:
            self.reported.add(message)
            logger.log(level, "%s: %s", self.name, message)


@dataclass(frozen=True)
class Layout:
    """How a task's records lie in whatever holds them.

    Attributes:
        read: what reads a file or directory.
        synonyms: other names of the fields of a record.
        classes: the field whose whole numbers a `datasets.Dataset` names.
        pair: what makes a record of the two parts of a tuple.
        options: of `read`, that the command line passes on.
    """

    read: Callable[..., Records]
    synonyms: Mapping[str, str]
    classes: str
    pair: Callable[[Any, Any], Record]
    options: frozenset[str] = frozenset()

    @property
    def options_of_any(self) -> frozenset[str]:
        """The options that some file of such records takes: the task's own files, or files of named columns."""
        return self.options | OPTIONS

    def read_file(self, path: Files, **options: Any) -> Records:
        """Read files or a directory: by name if they are of named columns, else as the task's own files are read."""
        return of_several_files(self._read_one)(path, **options)

    def _read_one(self, path: str | Path, **options: Any) -> Records:
        reader = reader_of_columns(path)
        if reader is not None:
            return reader(path, **options)
        unknown = sorted(set(options) - self.options)
        if unknown:
            raise ArgumentError(f"{path}: such files take no {', '.join(f'`{name}=`' for name in unknown)}.")
        return self.read(path, **options)


def as_source(data: Any, layout: Layout) -> Source:
    """Make a source of files, a reader's records, a list of records, a table, or a dataset.

    Records are dicts; tables and datasets have the same columns. A list or a `tf.data.Dataset` may also hold pairs.

    Raises:
        ArgumentError: if it is none of these.
    """
    if isinstance(data, Source):
        return data
    if isinstance(data, (str, os.PathLike)) or are_files(data):
        data = layout.read_file(data)
    if isinstance(data, Records):
        return Source(str(data.path), lambda: _renamed(data, layout), is_stream=True, on_error=data.on_error)
    module = type(data).__module__.split(".")[0]
    if module == "pandas":
        return Source("the table", lambda: _renamed(data.to_dict("records"), layout), is_stream=False)
    if module == "datasets":
        if isinstance(data, Mapping):
            raise ArgumentError(f"this holds several datasets: pass one of them, {sorted(data)}.")
        return Source("the dataset", lambda: _from_datasets(data, layout), is_stream=True)
    if hasattr(data, "as_numpy_iterator"):
        return Source("the tf.data.Dataset", lambda: _from_tf_data(data, layout), is_stream=True)
    if isinstance(data, Iterator):
        raise ArgumentError(
            "an iterator can be read only once, and training reads its data several times: pass a list, a file, or an "
            "object whose `__iter__` starts anew."
        )
    if isinstance(data, Iterable) and not isinstance(data, Mapping):
        _check_names(data)
        return Source("the records", lambda: _renamed(data, layout), is_stream=not isinstance(data, (list, tuple)))
    raise ArgumentError(f"can't read records from {type(data).__name__}: pass a file, a list of dicts, or a dataset.")


def _check_names(data: Iterable[Any]) -> None:
    """Raise `DataError` if a list holds a string, which can't be a record, and no file has this name."""
    names = data if isinstance(data, (list, tuple)) else ()
    strange = next((item for item in names if isinstance(item, str) and not is_file(item)), None)
    if strange is not None:
        raise DataError(f"a record must be a dict, and there is no file {strange!r:.80}.")


def _renamed(records: Iterable[Any], layout: Layout) -> Iterator[Record]:
    for given in records:
        record = layout.pair(*given) if isinstance(given, tuple) and len(given) == 2 else given
        if not isinstance(record, Mapping):
            raise DataError(f"a record must be a dict; found {record!r:.80}.")
        names = [layout.synonyms.get(key, key) for key in record]
        for name in set(layout.synonyms.values()).intersection(names):
            if names.count(name) > 1:
                both = [key for key in record if layout.synonyms.get(key, key) == name]
                raise DataError(f"a record has {both}, which all mean {name!r}: keep one of them.")
        yield {name: plain(value) for name, value in zip(names, record.values(), strict=True)}


def plain(value: Any) -> Any:
    """Return arrays, also in dicts and lists, as lists."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list) and value and not isinstance(value[0], (str, int, float)):
        return [plain(item) for item in value]
    return value


def _from_datasets(data: Any, layout: Layout) -> Iterator[Record]:
    names: list[str] = []
    for column, feature in (data.features or {}).items():
        inner = getattr(feature, "feature", feature)
        if hasattr(inner, "names") and layout.synonyms.get(column, column) == layout.classes:
            names = inner.names  # class labels come as integers
    for record in _renamed(data, layout):
        label = record.get(layout.classes)
        if names and label is not None:
            record[layout.classes] = (
                [_name(names, i) for i in label] if isinstance(label, list) else _name(names, label)
            )
        yield record


def _name(names: list[str], number: int) -> str | None:
    return names[number] if 0 <= number < len(names) else None  # -1 marks what has no label


def _from_tf_data(data: Any, layout: Layout) -> Iterator[Record]:
    for element in data.as_numpy_iterator():
        if isinstance(element, tuple) and len(element) == 2:
            yield layout.pair(*map(_decoded, element))
        elif isinstance(element, dict):
            yield from _renamed([{key: _decoded(value) for key, value in element.items()}], layout)
        else:
            raise DataError("an element of the tf.data.Dataset must be a dict, or a pair of tensors.")


def _decoded(value: Any) -> Any:
    value = plain(value)
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    return value.decode("utf-8") if isinstance(value, bytes) else value


def checked(
    source: Source, problem: Callable[[Record], str | None], uniform: Callable[[Record], Record]
) -> Iterator[Record]:
    """Yield the records of a source, made uniform.

    Args:
        source: the records.
        problem: what is wrong with a record, or None.
        uniform: what makes a right record uniform.

    Raises:
        DataError: naming the first records that are wrong, and why, or if there are none. Where the source skips such
            records, they are counted and reported, and only if none is left, or more than half is wrong, it is raised.
    """
    problems: list[tuple[int, str]] = []
    count = num_wrong = 0
    skips = source.on_error == "skip"
    for count, record in enumerate(source, start=1):
        reason = problem(record)
        if reason:
            num_wrong += 1
            problems = [*problems, (count, reason)][:MAX_PROBLEMS]
            if not skips and num_wrong == MAX_PROBLEMS:
                break
        elif skips or not problems:
            yield uniform(record)
    if problems and (not skips or 2 * num_wrong > count):
        raise DataError(_described(problems, source, may_skip=source.is_stream and not skips))
    if problems:
        first = "; ".join(f"record {number}: {reason}" for number, reason in problems[:3])
        source.report(logging.WARNING, f"{num_wrong} of {count} records are left out: {first}")
    if not count:
        raise DataError(f"{source.name}: there are no records.")


def _described(problems: list[tuple[int, str]], source: Source, *, may_skip: bool) -> str:
    """Say what is wrong with the first records: once, where all of them have the same."""
    if len(problems) == MAX_PROBLEMS and len({reason for _, reason in problems}) == 1:
        numbers = ", ".join(str(number) for number, _ in problems)
        lines = [f"{source.name}: records {numbers}, each: {problems[0][1]}"]
    else:
        lines = [f"{source.name}: record {number}: {reason}" for number, reason in problems]
    if may_skip and len(problems) == MAX_PROBLEMS:
        lines.append("Read the file with `on_error='skip'` to leave such records out.")
    return "\n".join(lines)


def as_record(
    given: Any,
    layout: Layout,
    names: tuple[str, str],
    where: str,
    *,
    problem: Callable[[Record], str | None] = lambda record: None,
) -> Record:
    """Make a record of what `predict` takes: a dict of two fields, or a tuple of the two.

    Args:
        given: one of these.
        layout: that tells other names of the fields.
        names: of the two.
        where: what to call it in messages.
        problem: what is wrong with the record, or None; without it, nothing is.

    Raises:
        DataError: if it is neither, or something is wrong with it.
    """
    if isinstance(given, tuple) and len(given) == 2:
        given = dict(zip(names, given, strict=True))
    if not isinstance(given, Mapping):
        raise DataError(
            f"{where}: expected a dict with {names[0]!r} and {names[1]!r}, or a pair of them; found {given!r:.80}."
        )
    record = {layout.synonyms.get(name, name): plain(value) for name, value in given.items()}
    reason = problem(record)
    if reason is not None:
        raise DataError(f"{where}: {reason}")
    return record
