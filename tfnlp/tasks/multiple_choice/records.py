"""Records of a prompt and choices: CommonsenseQA's and HellaSwag's files, JSON lines, lists. Knows no tokenizer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tfnlp.data.files import Record, Records, existing_file, lines_of, of_several_files, unpacked_suffix
from tfnlp.data.problems import text_problem
from tfnlp.data.sources import Layout, Source, as_record, checked
from tfnlp.data.tables import read_objects
from tfnlp.errors import ArgumentError, DataError

_SYNONYMS = {"ctx": "prompt", "context": "prompt", "endings": "choices", "answerKey": "label", "answer": "label"}
_NUM_ENDINGS = 4


@of_several_files
def read_choices(path: str | Path) -> Records:
    """Read prompts with their choices.

    A `.jsonl` file holds an object a line: `prompt`, `choices` and `label`, or those of CommonsenseQA
    (https://www.tau-nlp.sites.tau.ac.il/commonsenseqa) or HellaSwag (https://rowanzellers.com/hellaswag). A `.txt` file
    is HellaSwag as plain text: a prompt, the number of the right ending from 0, and four endings, each on its line.
    Packed files (`.gz`, `.bz2`, `.xz`) are unpacked while reading.

    Raises:
        ArgumentError: if the file's name tells neither.
        DataError: if the file is missing, damaged, or of another form.
    """
    suffix = unpacked_suffix(Path(path))
    if suffix in (".jsonl", ".ndjson"):
        return read_objects(path)
    if suffix == ".txt":
        return Records(existing_file(path), lambda: _hellaswag(Path(path)))
    raise ArgumentError(
        f"{path}: can't tell the format from the name. Choices come as `.jsonl`, or `.txt` of HellaSwag."
    )


def _hellaswag(path: Path) -> Iterator[Record]:
    lines: list[str] = []
    number = 0
    for number, line in lines_of(path):
        lines.append(line)
        if len(lines) == 2 + _NUM_ENDINGS:
            prompt, label, *endings = lines
            if not label.strip().isdecimal():
                where = f"{path}:{number - _NUM_ENDINGS}"
                raise DataError(f"{where}: expected the number of an ending, found {label!r:.80}.")
            yield {"prompt": prompt, "choices": endings, "label": int(label)}
            lines = []
    if any(lines) or not number:
        raise DataError(f"{path}: the last prompt lacks lines: it has {len(lines)} of {2 + _NUM_ENDINGS}.")


LAYOUT = Layout(
    read=read_choices,
    synonyms=_SYNONYMS,
    classes="",
    pair=lambda inputs, label: {**inputs, "label": label},
)


def checked_choices(source: Source) -> Iterator[Record]:
    """Yield the records of a source, made uniform: `prompt`, `choices`, a list of texts, and `label`, an index.

    Raises:
        DataError: naming the first records that are wrong, and why, or if there are none.
    """

    def uniform(record: Record) -> Record:
        parts, names = _parts(record)
        return parts | {"label": _index(record["label"], parts["choices"], names)}

    return checked(source, _problem, uniform)


def as_choices(given: Any, number: int) -> Record:
    """Make a record of what `predict` takes: a dict of `prompt` and `choices`, or a tuple of the two.

    Raises:
        DataError: if it is none of these; `number` says which it is.
    """
    return _parts(as_record(given, LAYOUT, ("prompt", "choices"), f"prompt {number}", problem=_parts_problem))[0]


def _parts(record: Record) -> tuple[Record, list[str]]:
    """Return a record's prompt and choices, and the names of the choices, if they have any."""
    prompt, choices = record.get("prompt", record.get("question")), record.get("choices")
    names: list[str] = []
    if isinstance(prompt, Mapping):  # CommonsenseQA's own form
        prompt, choices = prompt["stem"], prompt["choices"]
    if isinstance(choices, Mapping):  # that of `datasets`
        names, choices = list(choices["label"]), choices["text"]
    elif isinstance(choices, (list, tuple)) and all(isinstance(choice, Mapping) for choice in choices):
        names, choices = [choice["label"] for choice in choices], [choice["text"] for choice in choices]
    return {"prompt": prompt, "choices": choices}, names


def _parts_problem(record: Record) -> str | None:
    try:
        parts, _ = _parts(record)
    except (KeyError, TypeError):
        return f"expected 'prompt' and 'choices', or CommonsenseQA's form; found {record!r:.80}."
    if parts["prompt"] is None or parts["choices"] is None:
        return f"expected 'prompt' and 'choices'; found {sorted(map(str, record))}."
    if not isinstance(parts["choices"], (list, tuple)):
        return f"`choices` must be a list of texts; found {parts['choices']!r:.80}."
    if len(parts["choices"]) < 2:
        return f"`choices` must be at least two; there are {len(parts['choices'])}."
    texts = [(parts["prompt"], "prompt"), *((choice, "choices") for choice in parts["choices"])]
    return next(filter(None, (text_problem(*text) for text in texts)), None)


def _problem(record: Record) -> str | None:
    problem = _parts_problem(record)
    if problem is not None:
        return problem
    if record.get("label") in (None, ""):
        return "`label` is missing: the index of the right choice, its name, or its text."
    parts, names = _parts(record)
    if _index(record["label"], parts["choices"], names) is None:
        shown = names or parts["choices"]
        return f"`label` {record['label']!r:.80} is none of the {len(shown)} choices {shown!r:.160}."
    return None


def _index(label: Any, choices: list[str], names: list[str]) -> int | None:
    """Return which choice a label means: by its name, its text, or its index; None: none."""
    for known in (names, list(choices)):
        if known.count(label) == 1:
            return known.index(label)
    is_number = isinstance(label, int) or (isinstance(label, str) and label.isdecimal())
    return int(label) if is_number and 0 <= int(label) < len(choices) else None
