"""Texts longer than the network reads, answered part by part. The functions are methods of `Seq2SeqLM`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tfnlp.data.problems import as_text
from tfnlp.errors import ArgumentError
from tfnlp.outputs import Generation, Predictions
from tfnlp.rows import as_numpy

_ENDS_OF_SENTENCES = ".!?…"  # before a space
_ENDS_WITHOUT_SPACES = "。！？"
_MARGIN = 2  # tokens that a text alone may have more than as a part of another


def summarize(task: Any, inputs: str | Sequence[str], **options: Any) -> Any:
    """Make text of texts of any length: what is longer than `max_length` is cut, and answered part by part.

    Parts end where a sentence does, if one ends in their second half; else between words.

    Args:
        task: a `Seq2SeqLM`.
        inputs: a text, or a list of texts.
        options: as for `predict`, but for several sequences.

    Returns:
        A `Generation` for a text, `Predictions` for a list: the texts of all parts with a space between, their ids one
        after the other, and the score that `predict` would give all tokens together.

    Raises:
        ArgumentError: if there is no such option, or several sequences are asked for.
        DataError: if a text is empty.
    """
    chosen = task.generation.changed(options)
    if chosen.num_return_sequences != 1:
        raise ArgumentError("a text of several parts has one answer: pass `num_return_sequences=1`.")
    texts = [inputs] if isinstance(inputs, str) else list(inputs)
    parts = [_parts(task, as_text(text, number, may_be_empty=False)) for number, text in enumerate(texts, start=1)]
    made = iter(task.predict([part for several in parts for part in several], **options))
    answers = [_joined([next(made) for _ in several], chosen.length_penalty) for several in parts]
    return answers[0] if isinstance(inputs, str) else Predictions(answers)


def _parts(task: Any, text: str) -> list[str]:
    """Cut a text so that each part fits."""
    tokenizer = task.tokenizer.of_texts
    whole = as_numpy(tokenizer.rows([task.settings.prefix + text]))
    if whole.lengths[0] <= task.settings.max_length:
        return [text]
    overhead = int(as_numpy(tokenizer.rows([task.settings.prefix or " "])).lengths[0]) + _MARGIN
    room = task.settings.max_length - overhead
    if room < 1:
        raise ArgumentError(
            f"`max_length={task.settings.max_length}` leaves no room for a part of a text beside the prefix. Raise it."
        )
    starts = as_numpy(tokenizer.rows([text], add_special_tokens=False)).values("starts").tolist()
    places = _places(text, starts, room)
    parts = [text[start:end].strip() for start, end in zip([0, *places], [*places, len(text)], strict=True)]
    return [part for part in parts if part]


def _places(text: str, starts: Sequence[int], room: int) -> list[int]:
    """Return where to cut a text so that no part has more than `room` tokens; `starts` are where tokens begin."""
    places: list[int] = []
    first = 0
    while len(starts) - first > room:
        latest_first = range(first + room, first, -1)
        after_sentences = (i for i in latest_first if i > first + room // 2 and _ends_sentence(text, starts[i]))
        between_words = (i for i in latest_first if _is_between_words(text, starts[i]))
        first = next(after_sentences, None) or next(between_words, None) or first + room
        places.append(starts[first])
    return places


def _is_between_words(text: str, place: int) -> bool:
    return text[place - 1].isspace() or text[place].isspace()


def _ends_sentence(text: str, place: int) -> bool:
    last = place - 1
    while last > 0 and text[last].isspace():
        last -= 1
    return text[last] in _ENDS_WITHOUT_SPACES or (text[last] in _ENDS_OF_SENTENCES and _is_between_words(text, place))


def _joined(parts: Sequence[Generation], length_penalty: float) -> Generation:
    ids = tuple(token for part in parts for token in part.ids)
    total = sum(len(part.ids) ** length_penalty * math.log(max(part.score, 1e-30)) for part in parts)
    score = math.exp(total / max(len(ids), 1) ** length_penalty)
    return Generation(" ".join(part.text for part in parts), ids, score)
