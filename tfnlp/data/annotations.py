"""What annotation tools write for a text with labelled spans, each tool's way in a function. Knows no TensorFlow.

doccano, Label Studio, Prodigy, DataTurks, spaCy, brat, and the layout of CLUENER.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfnlp.data.files import Record, Records, lines_of, of_several_files
from tfnlp.errors import DataError
from tfnlp.paths import local_path

Triple = tuple[int, int, str]
_TEXTS = ("text", "content", "data", "sentence")
_SPANS = ("spans", "entities", "label", "labels", "annotations")


def annotated_text(record: Any, where: str, text: str, label_names: Sequence[str] | None) -> Record | None:
    """Make a record of `text` and `spans` of an object of a file; None: its annotator did not accept it.

    Args:
        record: the object.
        where: it stands, for messages.
        text: the key of the text, where it is none of those that tools use.
        label_names: the names of labels that are given as numbers.

    Raises:
        DataError: if it is laid out in no way that is known.
    """
    if isinstance(record, list) and len(record) == 2 and isinstance(record[0], str) and isinstance(record[1], dict):
        record = {"text": record[0], **record[1]}  # spaCy 2
    if not isinstance(record, dict):
        raise DataError(f"{where}: expected a JSON object, found {type(record).__name__}.")
    if record.get("answer", "accept") != "accept":  # Prodigy: rejected or ignored
        return None
    if isinstance(record.get("data"), Mapping):  # Label Studio's full export
        return _label_studio(record, where)
    if "annotation" in record:
        return _dataturks(record, where)
    key = next((key for key in (text, *_TEXTS) if isinstance(record.get(key), str)), None)
    if key is None:
        raise DataError(
            f"{where}: expected words with labels, or a text with spans; found the keys {sorted(record)}. Pass "
            "`words=`, `labels=` or `text=` to name them."
        )
    spans = next((record[name] for name in _SPANS if name in record), None)
    if spans is None:
        return {"text": record[key]}
    if isinstance(spans, Mapping):
        return {"text": record[key], "spans": _by_type(spans, where)}
    return {"text": record[key], "spans": [_span(span, where, label_names) for span in spans]}


def _span(span: Any, where: str, names: Sequence[str] | None) -> Triple:
    try:
        if isinstance(span, Mapping):
            start, end = (
                span[f"{side}_offset"] if f"{side}_offset" in span else span[side] for side in ("start", "end")
            )
            label = span["label"] if "label" in span else span["labels"]
        else:
            start, end, label = span
        (label,) = label if isinstance(label, (list, tuple)) else (label,)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise DataError(
            f'{where}: a span must be {{"start": 0, "end": 5, "label": "PER"}} or [0, 5, "PER"]; found {span!r:.80}.'
        ) from error
    return start, end, named(label, names, where)


def named(label: Any, names: Sequence[str] | None, where: str) -> str:
    """Return the name of a label that is given as a name, or as a number from 0.

    Raises:
        DataError: if it is a number without a name.
    """
    if isinstance(label, bool) or not isinstance(label, int):
        return str(label).strip()
    if names is None or not 0 <= label < len(names):
        known = "" if names is None else f"; `label_names` names {len(names)}"
        raise DataError(f"{where}: the label {label} is a number{known}. Pass `label_names=`, the names from 0.")
    return names[label]


def _by_type(types: Mapping[str, Any], where: str) -> list[Triple]:
    """Read CLUENER's layout: places by text by type; the last character of a span is its own."""
    try:
        return [
            (start, end + 1, label)
            for label, texts in types.items()
            for places in texts.values()
            for start, end in places
        ]
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(
            f'{where}: expected spans by type and text, {{"name": {{"Ada": [[0, 2]]}}}}; found {types!r:.80}.'
        ) from error


def _label_studio(task: Mapping[str, Any], where: str) -> Record:
    texts = [value for value in task["data"].values() if isinstance(value, str)]
    if len(texts) != 1:
        raise DataError(f"{where}: a task of Label Studio must hold one text in 'data'; found {sorted(task['data'])}.")
    done = task.get("annotations") or task.get("completions") or [{"result": []}]
    values = [result["value"] for result in done[0].get("result", ()) if "labels" in result.get("value", ())]
    return {"text": texts[0], "spans": [_span(value, where, None) for value in values]}


def _dataturks(item: Mapping[str, Any], where: str) -> Record:
    """Read DataTurks' layout; the last character of a span is its own."""
    spans = []
    for annotation in item["annotation"] or ():
        for point in annotation["points"]:
            spans += [(point["start"], point["end"] + 1, label) for label in annotation["label"]]
    if not isinstance(item.get("content"), str):
        raise DataError(f"{where}: expected the text in 'content'; found the keys {sorted(item)}.")
    return {"text": item["content"], "spans": spans}


@of_several_files
def read_brat(path: str | Path, *, encoding: str | None = None) -> Records:
    """Read a folder of brat: texts in `.txt` files, and their spans in `.ann` files beside them.

    Spans in several pieces are taken from the first character to the last. Relations, events and notes are passed over.

    Raises:
        DataError: if the folder has no such pair of files, or a line of another form.
    """
    path = local_path(path)

    def read() -> Iterator[Record]:
        files = sorted(path.rglob("*.ann"))
        if not files:
            raise DataError(f"{path}: there is no `.ann` file in this directory: brat writes one beside each `.txt`.")
        for file in files:
            beside = file.with_suffix(".txt")
            if not beside.is_file():
                raise DataError(f"{file}: the text is missing: {beside.name} must stand beside it.")
            text = "\n".join(line for _, line in lines_of(beside, encoding))
            lines = ((f"{file}:{number}", line) for number, line in lines_of(file, encoding))
            yield {"text": text, "spans": [_brat_span(line, where) for where, line in lines if line.startswith("T")]}

    return Records(path, read)


def _brat_span(line: str, where: str) -> Triple:
    try:
        _, middle, *_ = line.split("\t")
        label, places = middle.split(" ", 1)
        numbers = [int(number) for piece in places.split(";") for number in piece.split()]
        return numbers[0], numbers[-1], label
    except (ValueError, IndexError) as error:
        raise DataError(f"{where}: expected `T1<TAB>PER 0 5<TAB>text`; found {line!r:.80}.") from error
