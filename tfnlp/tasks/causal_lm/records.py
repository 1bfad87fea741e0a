"""Records to learn text from: plain texts, prompts with completions, and chats. Knows no tokenizer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tfnlp.data.files import Record, Records, of_several_files, unpacked_suffix
from tfnlp.data.plain_texts import read_texts
from tfnlp.data.problems import text_problem
from tfnlp.data.sources import Layout, Source, checked
from tfnlp.data.tables import read_examples
from tfnlp.errors import ArgumentError, DataError

ROLES = ("system", "user", "assistant", "tool")
Message = Mapping[str, Any]


@of_several_files
def read_language(path: str | Path, **options: Any) -> Records:
    """Read one text a line; or of a `.csv`, `.tsv` or `.jsonl` file, or a folder of texts, records.

    Args:
        path: the file, or the folder.
        options: of `read_examples`, for these.

    Raises:
        DataError: if the file is missing, is not UTF-8, or is empty.
        ArgumentError: if a file of lines is given options.
    """
    if os.path.isdir(path) or unpacked_suffix(Path(path)) in (".csv", ".tsv", ".jsonl", ".ndjson"):
        return read_examples(path, **options)
    if options:
        raise ArgumentError(f"{path}: a file of one text a line takes no `{next(iter(options))}=`.")
    return read_texts(path)


LAYOUT = Layout(
    read=read_language,
    synonyms={"sentence": "text", "content": "text", "response": "completion", "conversation": "messages"},
    classes="",
    pair=lambda first, second: {"prompt": first, "completion": second},
    options=frozenset({"columns", "separator", "rename", "encoding", "on_error"}),
)


def checked_records(source: Source) -> Iterator[Record]:
    """Yield records of a `text`; of a `prompt` and a `completion`; or of `messages`.

    Raises:
        DataError: naming the first records that are wrong, and why, or if there are none.
    """
    return checked(source, _problem, lambda record: record)


def _problem(record: Record) -> str | None:
    if "messages" in record:
        return messages_problem(record["messages"])
    if "completion" in record:
        if "prompt" not in record:
            return f"a 'completion' needs its 'prompt'; found {sorted(map(str, record))}."
        return text_problem(record["prompt"], "prompt") or text_problem(record["completion"], "completion")
    if "text" in record:
        return text_problem(record["text"], "text")
    return f"expected 'text', 'prompt' and 'completion', or 'messages'; found {sorted(map(str, record))}."


def messages_problem(messages: Any) -> str | None:
    """Return what is wrong with the messages of a chat to learn from; None: nothing."""
    if not isinstance(messages, (list, tuple)) or not messages:
        return f"`messages` must be a list of dicts, at least one; found {messages!r:.80}."
    for number, message in enumerate(messages, start=1):
        if not isinstance(message, Mapping) or not {"role", "content"} <= set(message):
            return f"message {number}: expected a dict of 'role' and 'content'; found {message!r:.80}."
        if message["role"] not in ROLES:
            return f"message {number}: `role` must be one of {', '.join(ROLES)}; it is {message['role']!r}."
        if not isinstance(message["content"], str):
            return f"message {number}: `content` must be a string; found {message['content']!r:.80}."
    if not any(message["role"] == "assistant" for message in messages):
        return "there is no message of the assistant to learn from."
    return None


def check_chat(messages: Any) -> None:
    """Raise `DataError` if messages can't be answered."""
    problem = messages_problem([*messages, {"role": "assistant", "content": ""}] if messages else messages)
    if problem is None and messages[-1]["role"] not in ("user", "tool"):
        problem = f"the last message must be the user's; it is the {messages[-1]['role']}'s."
    if problem is None and not any(message["role"] == "user" for message in messages):
        problem = "there is no message of the user to answer."
    if problem is not None:
        raise DataError(f"the chat: {problem}")
