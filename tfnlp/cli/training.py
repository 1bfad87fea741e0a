"""`tfnlp train`: a command for each task, with the options that all training has beside its own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

from tfnlp.cli.display import show_report
from tfnlp.cli.reading import (
    ColumnsOption,
    FormatOption,
    LabelNamesOption,
    LabelSeparatorOption,
    SeparatorOption,
    read_data,
)

train_app = typer.Typer(help="Train a model for a task.", no_args_is_help=True)


@dataclass
class Job:
    """What a task's own options say.

    Attributes:
        task: the name of its class.
        settings: of the task; None: its default.
        recipe: of training, beside what all tasks have.
        reading: how to read its files.
        needs_dev: the option that needs data for development; None: none does.
        after: what to do with the trained task and the data for development, once it is saved; whether it changed.
    """

    task: str
    settings: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    reading: dict[str, Any] = field(default_factory=dict)
    needs_dev: str | None = None
    after: Callable[[Any, Any], bool] = lambda task, dev: False


def _train(
    job: Job,
    *,
    model: Annotated[str, typer.Option(help="Directory or Hub name of a checkpoint.")],
    train: Annotated[Path, typer.Option(help="Training data.")],
    output: Annotated[Path, typer.Option(help="Directory to write the model to.")],
    dev: Annotated[Path | None, typer.Option(help="Data to evaluate after every epoch.")] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 3,
    batch_size: Annotated[int, typer.Option(min=1)] = 16,
    learning_rate: Annotated[float, typer.Option(min=0.0)] = 5e-5,
    warmup: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of steps in which the rate rises.")] = 0.1,
    weight_decay: Annotated[float, typer.Option(min=0.0)] = 0.01,
    max_length: Annotated[int | None, typer.Option(help="Most tokens in a row; longer texts become windows.")] = None,
    stride: Annotated[int | None, typer.Option(help="Tokens that neighbouring windows share.")] = None,
    patience: Annotated[int | None, typer.Option(help="Stop after so many epochs without a better score.")] = None,
    seed: int = 0,
) -> None:
    """Make the task, fit it, save it, and show how it does on the data for development."""
    import tfnlp

    needs_dev = "--patience" if patience is not None else job.needs_dev
    if needs_dev is not None and dev is None:
        raise typer.BadParameter(f"{needs_dev} needs --dev")
    given = {"max_length": max_length, "stride": stride, **job.settings}
    settings = {name: value for name, value in given.items() if value is not None}
    task = getattr(tfnlp, job.task).from_pretrained(model, seed=seed, **settings)
    held_out = None if dev is None else read_data(task, dev, **job.reading)
    records = read_data(task, train, **job.reading)
    callbacks = [] if patience is None else [_early_stopping(patience, task, records, held_out)]
    recipe = {
        "epochs": epochs, "batch_size": batch_size, "learning_rate": learning_rate, "warmup": warmup,
        "weight_decay": weight_decay, "seed": seed, **job.recipe,
    }  # fmt: skip
    task.fit(
        records,
        held_out,
        callbacks=callbacks,
        **recipe,
    )
    task.save(output)
    if job.after(task, held_out):
        task.save(output)
    typer.echo(f"saved to {output}")
    if dev is not None:
        show_report(task.evaluate(held_out), dev.name)


def _early_stopping(patience: int, task: Any, records: Any, held_out: Any) -> Any:
    from tfnlp._backend import keras

    metric = task.watched_metric(task.source(records), task.source(held_out))
    return keras.callbacks.EarlyStopping(f"val_{metric}", mode="max", patience=patience, restore_best_weights=True)


def _task_command(name: str) -> Callable[[Callable[..., Job]], Callable[..., Job]]:
    """Make a command of a function from a task's own options to a job: it has those of `_train` too."""

    def register(own: Callable[..., Job]) -> Callable[..., Job]:
        ours = inspect.signature(own).parameters

        def run(**given: Any) -> None:
            job = own(**{name: given.pop(name) for name in ours})
            _train(job, **given)

        hints = get_type_hints(_train, include_extras=True) | get_type_hints(own, include_extras=True)
        shared = [p for p in inspect.signature(_train).parameters.values() if p.name != "job"]
        parameters = [
            p.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[p.name]) for p in (*shared, *ours.values())
        ]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        run.__doc__ = own.__doc__
        train_app.command(name)(run)
        return own

    return register


SmoothingOption = Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of the target spread over all labels.")]


@_task_command("token-classification")
def token_classification(
    label_all_tokens: Annotated[
        bool | None, typer.Option("--label-all-tokens/--label-first-token", help="Which tokens of a word to label.")
    ] = None,
    label_smoothing: SmoothingOption = 0.0,
    columns: ColumnsOption = None,
    format: FormatOption = None,
) -> Job:
    """Label the words of texts: named entities, parts of speech, slots."""
    return Job(
        "TokenClassifier",
        settings={"label_all_tokens": label_all_tokens},
        recipe={"label_smoothing": label_smoothing},
        reading={"columns": columns, "format": format},
    )


@_task_command("text-classification")
def text_classification(
    problem_type: Annotated[
        Literal["single_label_classification", "multi_label_classification", "regression"] | None,
        typer.Option(help="One label a text, several, or a number; the data tells where it can."),
    ] = None,
    windows: Annotated[
        Literal["mean", "first"] | None, typer.Option(help="Which windows of a long text count.")
    ] = None,
    tune_thresholds: Annotated[
        bool, typer.Option(help="Choose each label's threshold on the data for development.")
    ] = False,
    label_smoothing: SmoothingOption = 0.0,
    columns: ColumnsOption = None,
    separator: SeparatorOption = None,
    label_separator: LabelSeparatorOption = None,
    label_names: LabelNamesOption = None,
) -> Job:
    """Label whole texts, or pairs of texts: sentiment, topics, intents, similarity."""
    if problem_type is None and label_separator is not None:
        problem_type = "multi_label_classification"

    def after(task: Any, dev: Any) -> bool:
        if tune_thresholds:
            task.tune_thresholds(dev)
        return tune_thresholds

    return Job(
        "SequenceClassifier",
        settings={"problem_type": problem_type, "windows": windows},
        recipe={"label_smoothing": label_smoothing},
        reading={
            "columns": columns, "separator": separator, "label_separator": label_separator, "label_names": label_names,
        },
        needs_dev="--tune-thresholds" if tune_thresholds else None,
        after=after,
    )  # fmt: skip


@_task_command("question-answering")
def question_answering(
    max_answer_length: Annotated[int | None, typer.Option(min=1, help="Most tokens of an answer.")] = None,
    align_to_words: Annotated[
        bool | None, typer.Option("--align-to-words/--no-align-to-words", help="Answers begin and end as words do.")
    ] = None,
    tune_threshold: Annotated[
        bool, typer.Option(help="Choose on the data for development when to give no answer.")
    ] = False,
) -> Job:
    """Answer questions with stretches of a text: SQuAD's and CMRC's files, or JSON lines."""

    def after(task: Any, dev: Any) -> bool:
        if tune_threshold and not task.settings.handle_impossible_answer:
            typer.echo("every question has an answer: there is no threshold to choose")
        elif tune_threshold:
            task.tune_threshold(dev)
        return tune_threshold

    return Job(
        "QuestionAnswerer",
        settings={"max_answer_length": max_answer_length, "align_to_words": align_to_words},
        needs_dev="--tune-threshold" if tune_threshold else None,
        after=after,
    )


@_task_command("multiple-choice")
def multiple_choice() -> Job:
    """Choose among texts by a prompt: CommonsenseQA's and HellaSwag's files, or JSON lines."""
    return Job("MultipleChoice")


@_task_command("masked-lm")
def masked_lm(
    mask_probability: Annotated[float | None, typer.Option(help="Share of tokens, or words, to hide.")] = None,
    whole_words: Annotated[bool | None, typer.Option("--whole-words/--tokens", help="What to hide at a time.")] = None,
    line_by_line: Annotated[
        bool | None, typer.Option("--line-by-line/--blocks", help="A row a text, or texts joined and cut into rows.")
    ] = None,
) -> Job:
    """Train on plain text, a part of which is hidden."""
    settings = {"mask_probability": mask_probability, "whole_words": whole_words, "line_by_line": line_by_line}
    return Job("MaskedLM", settings=settings)


@_task_command("sentence-similarity")
def sentence_similarity(
    pooling: Annotated[
        Literal["mean", "cls", "max"] | None, typer.Option(help="How the vectors of tokens become one.")
    ] = None,
    highest_score: Annotated[float | None, typer.Option(help="The score of pairs that mean the same.")] = None,
    columns: ColumnsOption = None,
    separator: SeparatorOption = None,
) -> Job:
    """Turn texts into vectors, near where texts mean the same: pairs with scores, or pairs that belong together."""
    return Job(
        "TextEncoder",
        settings={"pooling": pooling, "highest_score": highest_score},
        reading={"columns": columns, "separator": separator},
    )


@_task_command("next-sentence-prediction")
def next_sentence_prediction(
    label_smoothing: SmoothingOption = 0.0,
    columns: ColumnsOption = None,
    separator: SeparatorOption = None,
) -> Job:
    """Tell whether a text follows another: pairs labelled IsNext or NotNext."""
    return Job(
        "NextSentencePrediction",
        recipe={"label_smoothing": label_smoothing},
        reading={"columns": columns, "separator": separator},
    )


@_task_command("table-question-answering")
def table_question_answering() -> Job:
    """Answer questions about tables with their cells, by TAPAS: JSON lines of tables, questions and answers."""
    return Job("TableQuestionAnswerer")
