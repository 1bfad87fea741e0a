"""How a task makes text by a `Generator`. The functions are methods of tasks whose settings have `generation`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from numbers import Integral
from pathlib import Path
from typing import Any

from tfnlp.checkpoints.checkpoint import Checkpoint
from tfnlp.checkpoints.generation_config import read_generation_config, write_generation_config
from tfnlp.data.files import Record
from tfnlp.errors import ArgumentError, CheckpointError, DataError, ExportError
from tfnlp.generation.decoders import Decoder
from tfnlp.generation.ends import Ends
from tfnlp.generation.generator import Generator
from tfnlp.generation.options import GenerationOptions
from tfnlp.preprocessor import Preprocessor

# Options and where they are kept


def options_of(checkpoint: Checkpoint) -> GenerationOptions:
    """Return how a checkpoint's text is made.

    Raises:
        CheckpointError: if what it says of that is damaged, or not allowed.
    """
    config = read_generation_config(checkpoint)
    try:
        return GenerationOptions.from_config(config)
    except ArgumentError as error:
        raise CheckpointError(
            f"{checkpoint.name_or_path}: how text is made, `generation_config.json`: {error}"
        ) from error


def settings_of_others(cls: Any, checkpoint: Checkpoint) -> dict[str, Any]:
    """Return how text is made, as `generation_config.json` tells."""
    del cls
    return {"generation": options_of(checkpoint)}


def generation(task: Any) -> GenerationOptions:
    """How text is made where a call does not say otherwise; `save` and `export` keep it."""
    return task.settings.generation


def configure_generation(task: Any, **options: Any) -> None:
    """Set how text is made from now on.

    Args:
        options: fields of `GenerationOptions`: `max_new_tokens`, `num_beams`, `do_sample` ...

    Raises:
        ArgumentError: if there is no such option, or two contradict each other.
    """
    task.settings = replace(task.settings, generation=task.generation.changed(options))


def own_settings(task: Any) -> dict[str, Any]:
    """The settings but for those of generation, which have their own file."""
    return {name: value for name, value in asdict(task.settings).items() if name != "generation"}


def write_beside(task: Any, directory: Path) -> None:
    """Write `generation_config.json`."""
    write_generation_config(task.generation.to_config(task.checkpoint.generation_config), directory)


# Asking


def predict(task: Any, inputs: Any, **options: Any) -> Any:
    """Make text.

    Args:
        inputs: a text, or a dict of `text`; a list of them; or an iterable, whose answers then come as a generator.
        options: fields of `GenerationOptions`, in the place of `generation`'s: `max_new_tokens`, `do_sample` ...

    Returns:
        For one text a `Generation`, or `Generations` with `num_return_sequences` greater than 1; for a list,
        `Predictions` of them. Texts that go on from a prompt are without it.

    Raises:
        ArgumentError: if there is no such option, or two contradict each other.
        DataError: if a text is empty, or too long with what is to be made of it.
    """
    settings, with_numbers = _asked(task, options, task.as_record)
    return task.predict_by(inputs, is_one=isinstance(inputs, (str, dict)), settings=settings, as_record=with_numbers)


def generate(task: Any, ids: Any, **options: Any) -> Any:
    """Make text of what is token ids already.

    Args:
        ids: lists or arrays of whole numbers, one for each text, without padding.
        options: as for `predict`.

    Returns:
        `Predictions`, as of `predict` for a list.
    """

    def as_record(given: Any, number: int) -> Record:
        return {"input_ids": _checked_ids(given, number, task.checkpoint.vocab_size), "number": number}

    settings, with_numbers = _asked(task, options, as_record)
    return task.predict_by(list(ids), is_one=False, settings=settings, as_record=with_numbers)


def stream(task: Any, inputs: Any, **options: Any) -> Iterator[str]:
    """Make text, and yield it piece by piece as it comes, spaces before punctuation as the tokens have them.

    Args:
        inputs: one text; or, for a task that chats, a list of messages.
        options: as for `predict`, but for beams and several sequences.

    Raises:
        ArgumentError: if there is no such option, or two contradict each other.
        DataError: if the text is empty, or too long with what is to be made of it.
    """
    settings, with_numbers = _asked(task, options, task.as_record)
    record = with_numbers(inputs, 1)
    rows = task.rows_of([record], settings)
    ids = rows.values("input_ids").tolist() if task.continues else []

    def written() -> str:
        return task.tokenizer.hf.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)

    shown = len(written())
    for token in task.answerer(settings).stream(rows):
        ids.append(token)
        text = written()
        if not text.endswith("\ufffd"):  # else the next token may complete a character
            yield text[shown:]
            shown = max(shown, len(text))
    yield written()[shown:]


def _asked(
    task: Any, options: Mapping[str, Any], as_record: Callable[[Any, int], Record]
) -> tuple[Any, Callable[[Any, int], Record]]:
    """Return settings for options of a call, and what makes a record with the call's seed and other numbers.

    These are no part of the settings, for each of which a graph is built.
    """
    chosen = task.generation.changed(options)
    settings = replace(task.settings, generation=chosen.without_numbers())
    numbers = {**chosen.numbers, "seed": int(chosen.seed)}
    return settings, lambda given, number: as_record(given, number) | {"numbers": numbers}


def _checked_ids(ids: Any, number: int, num_tokens: int) -> list[int]:
    """Return the token ids of one text as a list.

    Raises:
        DataError: if they are no whole numbers, or none of the vocabulary's; `number` says which text it is.
    """
    given = ids.tolist() if hasattr(ids, "tolist") else ids
    if not isinstance(given, (list, tuple)):
        raise DataError(f"text {number}: expected a list of token ids, one for each text; found {given!r:.80}.")
    for token in given:
        if not isinstance(token, Integral) or isinstance(token, bool) or not 0 <= int(token) < num_tokens:
            raise DataError(
                f"text {number}: token ids must be whole numbers in [0, {num_tokens}); found {token!r:.80}."
            )
    return [int(token) for token in given]


# Running


def generator_of(
    task: Any,
    preprocessor: Preprocessor,
    options: GenerationOptions,
    build: Callable[[bool], Decoder | None],
    *,
    longest: int,
) -> Generator:
    """Return what makes text by options, built once.

    Args:
        task: that asks.
        preprocessor: makes features of prompts.
        options: of generation.
        build: makes the decoder; see `Generator`.
        longest: the most tokens of a prompt.

    Raises:
        UnsupportedTokenizerError: if texts end a sequence, and the tokenizer can't be compiled.
    """
    options = options.without_numbers()
    key = "generator", options, longest
    if key not in task._graphs:
        pieces = task.tokenizer.graph.pieces if options.stop_strings else None
        ends = Ends(options.eos_token_id, options.stop_strings, pieces)
        strategy = task.checkpoint.strategy
        task._graphs[key] = Generator(build, preprocessor, options, ends, longest=longest, strategy=strategy)
    return task._graphs[key]


def fitting_samples(task: Any, texts: Sequence[str]) -> list[str]:
    """Return the texts, and the beginning of each, of which something can be made: to compare an exported model by."""
    beginnings = [" ".join(text.split()[:2]) for text in texts]
    candidates = [text for text in dict.fromkeys([*texts, *beginnings]) if text.strip()]
    rows = task.rows_of(task.as_records(candidates))
    fits = task.answerer(task.settings).fits(rows).tolist()
    if not any(fits):
        raise ExportError(
            "no text to compare the SavedModel by fits with what is to be made of it. Ask for fewer tokens by "
            "`configure_generation(max_new_tokens=...)`."
        )
    return [text for text, is_fit in zip(candidates, fits, strict=True) if is_fit]
