"""`tfnlp train`: a command for each task; its options are the fields of the recipe and of the task's settings."""

from __future__ import annotations

import importlib
import inspect
import shlex
import shutil
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from tfnlp.cli.display import show_report
from tfnlp.cli.options import options_of, parameter, with_options
from tfnlp.cli.reading import READING, read_data
from tfnlp.paths import address_of
from tfnlp.tasks.names import TASK_NAMES
from tfnlp.tasks.settings import WindowSettings
from tfnlp.training.recipe import Recipe

train_app = typer.Typer(help="Train a model for a task.", no_args_is_help=True)


def _tune_threshold(task: Any, dev: Any) -> None:
    if task.settings.handle_impossible_answer:
        task.tune_threshold(dev)
    else:
        typer.echo("every question has an answer: there is no threshold to choose")


# What a task offers beside: an option, and what it does with the trained task and the data for development.
_AFTER: dict[str, dict[str, tuple[str, Callable[[Any, Any], Any]]]] = {
    "text-classification": {
        "tune_thresholds": (
            "Choose each label's threshold on the data for development.",
            lambda task, dev: task.tune_thresholds(dev),
        )
    },
    "question-answering": {
        "tune_threshold": ("Choose on the data for development when to give no answer.", _tune_threshold)
    },
}
_PROBLEM_TYPES = Literal["single_label_classification", "multi_label_classification", "regression"]
_OWN = {
    "text-classification": parameter(
        "problem_type",
        _PROBLEM_TYPES,
        typer.Option(help="One label a text, several, or a number; the data tells where it can."),
    )
}


def _train(
    *,
    model: Annotated[str, typer.Option(help="Directory or Hub name of a checkpoint.")],
    train: Annotated[
        list[Path], typer.Option(help="Training data: a file, or a pattern in quotes. Give it again for more files.")
    ],
    output: Annotated[Path, typer.Option(help="Directory to write the model to.")],
    dev: Annotated[list[Path] | None, typer.Option(help="Data to evaluate after every epoch.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with a training that stopped.")] = False,
    save_every: Annotated[
        int | None, typer.Option(help="Steps after which to save the state of training; else every epoch.")
    ] = None,
    **given: Any,
) -> None:
    """Make the task, fit it, save it, and show how it does on the data for development.

    Args:
        model: to begin with.
        train: data to train on.
        output: where to save.
        dev: data to evaluate.
        resume: whether to go on with a training that stopped, whose state is in `OUTPUT-training`, or, where the output
            is elsewhere, in the directory of that name here.
        save_every: steps after which that state is saved.
        given: `name` of the task, `settings`, `recipe` and `reading` by name, and what to do `after`.
    """
    import tfnlp
    from tfnlp.checkpoints.directories import check_target, holds_checkpoint

    needs_dev = "patience" if "patience" in given["recipe"] else next(iter(given["after"]), None)
    if needs_dev is not None and not dev:
        raise typer.BadParameter(f"--{needs_dev.replace('_', '-')} needs --dev")
    address = address_of(output)
    target = output.resolve() if address is None else address
    state = (output.resolve().parent if address is None else Path.cwd()) / f"{output.name}-training"
    _check_state(state, resume=resume)
    if address is None:
        check_target(output, holds_checkpoint)
    seed = {"seed": given["recipe"]["seed"]} if "seed" in given["recipe"] else {}
    task = getattr(tfnlp, TASK_NAMES[given["name"]][1]).from_pretrained(model, **seed, **given["settings"])
    held_out = read_data(task, dev, **given["reading"]) if dev else None
    records = read_data(task, train, **given["reading"])
    try:
        task.fit(records, held_out, checkpoint_dir=state, save_every=save_every, **given["recipe"])
    except KeyboardInterrupt:
        _say_how_to_go_on(state)
        raise typer.Exit(130) from None
    task.save(target)
    for name in given["after"]:
        _AFTER[given["name"]][name][1](task, held_out)
        task.save(target)
    shutil.rmtree(state)
    typer.echo(f"saved to {target}")
    if held_out is not None:
        show_report(task.evaluate(held_out), Path(held_out.path).name)


def _check_state(state: Path, *, resume: bool) -> None:
    from tfnlp.training.training_directory import states_in

    is_there = bool(states_in(state))
    if is_there and not resume:
        raise typer.BadParameter(f"{state} holds a training that stopped: pass --resume to go on, or remove it")
    if resume and not is_there:
        raise typer.BadParameter(f"--resume: {state} holds no training that stopped")


def _say_how_to_go_on(state: Path) -> None:
    from tfnlp.training.training_directory import states_in

    if states_in(state):
        command = [word for word in sys.argv[1:] if word != "--resume"]
        typer.echo(f"\nstopped. To go on: {shlex.join(['tfnlp', *command, '--resume'])}", err=True)
    else:
        typer.echo("\nstopped before an epoch had ended: nothing was saved. --save-every saves sooner.", err=True)


def _register(name: str, package: str, class_name: str) -> None:
    """Make a command of a task."""
    module = importlib.import_module(f"tfnlp.tasks.{package}")
    of_settings = options_of(_settings_class(package, class_name), without=("pairs", "handle_impossible_answer"))
    if name in _OWN:
        of_settings.append(_OWN[name])
    of_recipe = options_of(Recipe, without={option.name for option in of_settings})  # a setting is for training, too
    layout = importlib.import_module(f"tfnlp.tasks.{package}.records").LAYOUT
    of_reading = [READING[option] for option in READING if option in layout.options_of_any]
    after = {
        option: inspect.Parameter(
            option, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, typer.Option(help=help_)]
        )
        for option, (help_, _) in _AFTER.get(name, {}).items()
    }

    def train_by_options(**given: Any) -> None:
        def chosen(parameters: list[inspect.Parameter]) -> dict[str, Any]:
            values = {one.name: given.pop(one.name) for one in parameters}
            return {option: value for option, value in values.items() if value is not None}

        settings, recipe, reading = chosen(of_settings), chosen(of_recipe), chosen(of_reading)
        wanted = [option for option in after if given.pop(option)]
        if name == "text-classification" and "label_separator" in reading:
            settings.setdefault("problem_type", "multi_label_classification")
        _train(name=name, settings=settings, recipe=recipe, reading=reading, after=wanted, **given)

    shared = [one for one in inspect.signature(_train, eval_str=True).parameters.values() if one.name != "given"]
    train_by_options.__doc__ = module.__doc__
    train_app.command(name)(
        with_options(train_by_options, [*shared, *of_recipe, *of_settings, *of_reading, *after.values()])
    )


def _settings_class(package: str, class_name: str) -> type:
    name = f"tfnlp.tasks.{package}.settings"
    if find_spec(name) is None:  # it has none of its own
        return WindowSettings
    return getattr(importlib.import_module(name), f"{class_name}Settings", WindowSettings)


for _name, (_package, _class_name) in TASK_NAMES.items():
    _register(_name, _package, _class_name)
