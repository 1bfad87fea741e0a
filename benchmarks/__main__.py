"""`python -m benchmarks NAME`: tfnlp beside its peers, in one run, in turn; only ratios within a run count.

Peers are installed by `pip install -e .[benchmarks]`. A model is a token classifier, as `tfnlp train` saves it; data
is a file of words and labels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benchmarks import generation, tokenizer
from benchmarks.contenders import classify as classifying
from benchmarks.contenders import fit as fitting
from benchmarks.contenders import predict as predicting
from benchmarks.contenders import serve as serving
from benchmarks.contenders import startup as starting
from benchmarks.contenders.tagging import texts_of
from benchmarks.results import Line, Result
from benchmarks.workers import Measured, alternate, start_anew

app = typer.Typer(add_completion=False, help=__doc__, no_args_is_help=True)
Model = Annotated[Path, typer.Option(help="The directory of a token classifier.")]
Data = Annotated[Path, typer.Option(help="A file of words and labels.")]
Rounds = Annotated[int, typer.Option(help="How often each contender is measured.")]
Output = Annotated[Path | None, typer.Option(help="Where to write JSON and a plot.")]


@app.command()
def predict(model: Model, data: Data, rounds: Rounds = 5, output: Output = None) -> None:
    """Texts to entities: texts a second."""
    options = {"model": str(model), "data": str(data)}
    found = alternate("predict", list(predicting.CONTENDERS), options, rounds)
    count = len(texts_of(str(data)))
    counts = {name: count * predicting.SHARES.get(name, 1) for name in found}
    _tell(_rates("texts to entities", "texts/s", found, counts), output, "predict")


@app.command()
def fit(model: Model, data: Data, rounds: Rounds = 3, output: Output = None) -> None:
    """An epoch of training after the first: tokens a second, without padding."""
    options = {"model": str(model), "data": str(data)}
    found = alternate("fit", list(fitting.CONTENDERS), options, rounds)
    count = fitting.count_tokens(str(model), str(data))
    _tell(_rates("training after the first epoch", "tokens/s", found, dict.fromkeys(found, count)), output, "fit")


@app.command()
def classify(
    model: Annotated[Path, typer.Option(help="The directory of a BERT without a head.")],
    data: Data,
    rounds: Rounds = 3,
    output: Output = None,
) -> None:
    """Texts to labels, and an epoch of training on them: texts a second."""
    for trains, title in ((False, "texts to labels"), (True, "training on texts with labels")):
        options = {"model": str(model), "data": str(data), "trains": trains}
        found = alternate("classify", list(classifying.CONTENDERS), options, rounds)
        count = len(classifying.labelled(str(data))[0] if trains else texts_of(str(data)))
        result = _rates(title, "texts/s", found, dict.fromkeys(found, count))
        _tell(result, output, f"classify_{'fit' if trains else 'predict'}")


@app.command()
def serve(model: Model, data: Data, rounds: Rounds = 5, output: Output = None) -> None:
    """One text at a time, short and long: milliseconds."""
    for is_long, name in ((False, "short"), (True, "long")):
        options = {"model": str(model), "data": str(data), "is_long": is_long}
        found = alternate("serve", list(serving.CONTENDERS), options, rounds)
        size = len(serving.text_of(str(model), str(data), is_long=is_long).split())
        _tell(_times(f"one text of {size} words", "ms", found, 1000 / serving.ASKED), output, f"serve_{name}")


@app.command()
def startup(model: Model, rounds: Rounds = 3, output: Output = None) -> None:
    """From the start of Python to the first answer, and to the end of the first step of training: seconds."""
    for trains, name in ((False, "first answer"), (True, "first step of training")):
        options = {"model": str(model), "trains": trains}
        found = start_anew("startup", list(starting.CONTENDERS), options, rounds)
        _tell(_times(f"from the start to the {name}", "s", found, 1), output, f"startup_{name.split()[1]}")


@app.command()
def memory(model: Model, data: Data, output: Output = None) -> None:
    """The most memory that a process has which predicts, or trains: MB."""
    options = {"model": str(model), "data": str(data)}
    ours = ("tfnlp", "tfnlp over transformers' code")
    peers = {
        "predict": ("transformers' TF pipeline", "PyTorch sorted, logits only"),
        "fit": ("transformers' TF `fit`", "PyTorch, grouped by length"),
    }
    for module, others in peers.items():
        found = start_anew(module, [*ours, *others], options, 1)
        lines = [Line(name, one.memory, one.memory, one.memory) for name, one in found.items()]
        _tell(Result(f"peak memory of `{module}`", "MB", lines, is_rate=False), output, f"memory_{module}")


app.command("tokenize")(tokenizer.measure)


@app.command()
def generate(tokens: int = 64, rounds: Rounds = 6) -> None:
    """Text out: GPT-2 and T5, one prompt and eight."""
    for kind in ("gpt2", "t5"):
        for num_prompts in (1, 8):
            generation.compare(kind, num_prompts, tokens, rounds)


def _rates(title: str, unit: str, found: dict[str, Measured], counts: dict[str, float]) -> Result:
    lines = [
        Line(name, counts[name] / one.median, counts[name] / max(one.seconds), counts[name] / min(one.seconds))
        for name, one in found.items()
    ]
    return Result(title, unit, lines, is_rate=True)


def _times(title: str, unit: str, found: dict[str, Measured], scale: float) -> Result:
    lines = [
        Line(name, scale * one.median, scale * min(one.seconds), scale * max(one.seconds))
        for name, one in found.items()
    ]
    return Result(title, unit, lines, is_rate=False)


def _tell(result: Result, output: Path | None, name: str) -> None:
    result.show()
    if output is not None:
        result.write(output, name)


if __name__ == "__main__":
    app()
