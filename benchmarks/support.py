"""Every TensorFlow head of transformers: loaded from PyTorch and compared, then saved, loaded by PyTorch and compared.

    python -m benchmarks.support [--only TEXT] [--output docs/support.md]

A head is small and its weights are drawn at random, so no file of anybody's is needed; PyTorch is.
"""

from __future__ import annotations

import argparse
import copy
import inspect
import logging
import re
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tfnlp
from benchmarks.small_configs import small_config
from tfnlp._backend import keras
from tfnlp.checkpoints.heads import head_names, save_config
from tfnlp.checkpoints.upstream import HEADS_OF_NO_AUTO_CLASS, import_heads, prepare_config
from tfnlp.checkpoints.weights import save_safetensors
from tfnlp.errors import UnsupportedModelError

TOLERANCE = 1e-4  # of the largest output, or of 1
_DUPLICATES = (
    "TFAutoModelForPreTraining",
    "TFAutoModelWithLMHead",
)  # of the other auto classes, but for the last heads
ROWS, LENGTH, CHOICES = 2, 7, 3


@dataclass(frozen=True)
class Head:
    """A head of a model type, in the auto class that loads it."""

    auto_class: str
    model_type: str
    name: str


@dataclass(frozen=True)
class Result:
    """What became of a head: the largest differences to PyTorch, or why there is none.

    Attributes:
        loaded: of what is loaded from PyTorch's file, as a share of the largest output (at least 1).
        saved: of what PyTorch loads of the file saved here.
        outputs: how many outputs were compared.
        without_place: weights that only one of the two networks has.
        refused: what tfnlp said, where it refuses the head.
        problem: what went wrong otherwise.
    """

    head: Head
    loaded: float | None = None
    saved: float | None = None
    outputs: tuple[str, ...] = ()
    without_place: tuple[str, ...] = ()
    refused: str = ""
    problem: str = ""

    @property
    def is_equal(self) -> bool:
        """Whether both ways give PyTorch's numbers."""
        return None not in (self.loaded, self.saved) and max(self.loaded or 0, self.saved or 0) <= TOLERANCE


def heads() -> list[Head]:
    """Return every head that an auto class has, each once."""
    names = [name for name in dir(import_heads()) if name.startswith("TFAutoModel")]
    names = [*sorted(set(names) - set(_DUPLICATES)), *HEADS_OF_NO_AUTO_CLASS, *_DUPLICATES]
    seen: set[tuple[str, str]] = set()
    found = []
    for auto_class in names:
        for model_type, classes in head_names(auto_class).items():
            if (model_type, classes[0]) not in seen:
                seen.add((model_type, classes[0]))
                found.append(Head(auto_class, model_type, classes[0]))
    return found


def check(head: Head, directory: Path, seed: int = 0) -> Result:
    """Compare a head with its PyTorch twin, both ways."""
    import torch
    import transformers

    theirs = getattr(transformers, head.name.removeprefix("TF"))
    config = small_config(head.model_type, head.name)
    try:
        prepare_config(copy.deepcopy(config), head.name)
    except UnsupportedModelError as error:
        return Result(head, refused=str(error))
    torch.manual_seed(seed)
    model = theirs(config)
    draw_weights(model, seed)
    model.eval()  # only now: some compute tables of their weights here
    model.save_pretrained(directory / "theirs")
    ours, report = getattr(tfnlp, head.auto_class).from_pretrained(directory / "theirs", output_loading_info=True)
    without_place = (*report.fresh, *report.unused)
    inputs = small_inputs(ours, model)
    expected = _outputs(model, inputs)
    answers = ours(dict(inputs), training=False)
    answers = answers._asdict() if hasattr(answers, "_asdict") else dict(answers)  # of heads of our own, a tuple
    found = {name: value for name, value in _flat(answers) if value.dtype.kind == "f"}
    compared = tuple(sorted(expected.keys() & found.keys()))
    if not compared:
        return Result(head, problem=f"no output in common: {sorted(expected)} and {sorted(found)}")
    loaded = max(_difference(found[name], expected[name]) for name in compared)
    save_config(ours, directory / "ours")
    save_safetensors(ours, directory / "ours" / "model.safetensors")
    again, info = theirs.from_pretrained(directory / "ours", output_loading_info=True)
    wrong = {name: info[name] for name in ("missing_keys", "mismatched_keys", "error_msgs") if info[name]}
    if wrong:
        return Result(head, loaded, None, compared, without_place, problem=f"PyTorch, of what is saved: {wrong}")
    answers = _outputs(again.eval(), inputs)
    saved = max(_difference(answers[name], expected[name]) for name in compared)
    return Result(head, loaded, saved, compared, without_place)


def draw_weights(model: Any, seed: int) -> None:
    """Give a PyTorch model weights and statistics of which no two are alike, and outputs that spread."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.requires_grad and value.is_floating_point():
                drawn = torch.randn(value.shape, generator=generator)
                if value.ndim > 1 and "original0" not in name:
                    value.copy_(drawn / max(1, value[0].numel()) ** 0.5)
                else:
                    value.copy_(value + 0.1 * drawn)
        for name, value in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                value.copy_((value + 0.3 * torch.randn(value.shape, generator=generator)).abs() + 0.3)


def small_inputs(ours: Any, theirs: Any) -> dict[str, np.ndarray]:
    """Return inputs that both networks take, by the names of the TensorFlow head's signature."""
    generator = np.random.default_rng(0)
    taken = inspect.signature(theirs.forward).parameters
    shape = (ROWS, CHOICES, LENGTH) if "MultipleChoice" in type(ours).__name__ else (ROWS, LENGTH)
    config = theirs.config
    vision = getattr(config, "vision_config", None) or getattr(config, "encoder", None) or config
    size = getattr(vision, "image_size", None) or 64
    num_channels = getattr(vision, "num_channels", 3)
    text = getattr(config, "text_config", None) or getattr(config, "decoder", None) or config
    vocabulary = min(getattr(text, "vocab_size", 0) or 20, 20)
    ids = generator.integers(4, vocabulary, shape).astype(np.int32)
    ids[..., [2, 3, -1]] = 2  # separators, and the end
    made = {
        "input_ids": ids,
        "attention_mask": np.ones(shape, np.int32),
        "token_type_ids": np.zeros((*shape, 7) if config.model_type == "tapas" else shape, np.int32),
        "bbox": np.tile(np.array([1, 2, 5, 9], np.int32), (*shape, 1)),
        "pixel_values": generator.normal(size=(ROWS, num_channels, size, size)).astype(np.float32),
        "input_values": generator.normal(size=(ROWS, 2000)).astype(np.float32),
        "input_features": generator.normal(size=_feature_shape(config)).astype(np.float32),
        "input_points": generator.uniform(0, size, (ROWS, 1, 1, 2)).astype(np.float32),
        "noise": generator.uniform(size=(ROWS, 16)).astype(np.float32),  # by which ViTMAE shuffles its patches
        "visual_feats": generator.normal(size=(ROWS, 3, 2048)).astype(np.float32),
        "visual_pos": generator.uniform(size=(ROWS, 3, 4)).astype(np.float32),
    }
    wanted = {*ours.input_signature, "noise", "visual_feats", "visual_pos"}  # signatures lack the latter
    if "input_ids" not in ours.input_signature:
        wanted -= {"attention_mask"}  # of sound, which has another length
    given = {name: values for name, values in made.items() if name in wanted and name in taken}
    copies_its_input = type(theirs).__name__.endswith(("SequenceClassification", "ForQuestionAnswering"))
    if "decoder_input_ids" in taken and (config.model_type == "blip" or not copies_its_input):
        given["decoder_input_ids"] = generator.integers(4, vocabulary, (ROWS, 4)).astype(np.int32)
    return given


def _feature_shape(config: Any) -> tuple[int, ...]:
    if config.model_type == "whisper":
        return ROWS, config.num_mel_bins, 2 * config.max_source_positions
    return ROWS, 24, getattr(config, "input_feat_per_channel", 1)


def _outputs(model: Any, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    import torch

    with torch.no_grad():
        answers = model(
            **{
                name: torch.tensor(value).long() if value.dtype == np.int32 else torch.tensor(value)
                for name, value in inputs.items()
            }
        )
    return {name: value for name, value in _flat(dict(answers)) if value.dtype.kind == "f" and name != "loss"}


def _flat(outputs: dict[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    for name, value in outputs.items():
        if hasattr(value, "keys"):
            yield from ((f"{name}.{inner}", array) for inner, array in _flat(dict(value)))
        elif hasattr(value, "numpy"):
            yield name, value.numpy()


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))


def as_markdown(results: list[Result]) -> str:
    """Return the page of what works and what does not."""
    lines = [
        "# Architectures and heads",
        "",
        "Written by `python -m benchmarks.support --output docs/support.md` (needs PyTorch): each head, small and with",
        "random weights, is loaded from the file that PyTorch saved and compared with PyTorch, then saved, loaded by",
        f'PyTorch and compared again. "Works" means that both differ by at most {TOLERANCE:g} of the largest output.',
        "",
        f"{sum(r.is_equal for r in results)} work, {sum(bool(r.refused) for r in results)} are refused, "
        f"{sum(not r.is_equal and not r.refused for r in results)} have a problem.",
    ]
    for auto_class in dict.fromkeys(result.head.auto_class for result in results):
        lines += ["", f"## `{auto_class}`", "", "| architecture | head | |", "|---|---|---|"]
        for result in results:
            if result.head.auto_class == auto_class:
                lines.append(f"| {result.head.model_type} | `{result.head.name}` | {_verdict(result)} |")
    return "\n".join(lines) + "\n"


def _verdict(result: Result) -> str:
    if result.is_equal:
        told = f"works ({max(result.loaded or 0, result.saved or 0):.0e})"
        names = ", ".join(f"`{name}`" for name in result.without_place[:2])
        return f"{told}; without effect: {names}" if names else told
    if result.refused:
        return f"refused: {result.refused}"
    told = result.problem or f"differs: loaded {result.loaded:.0e}, saved {result.saved:.0e}"
    return re.sub(r"\s+", " ", told)[:300].replace("|", "\\|")


def main() -> None:
    """Check the heads that were asked for, print a line for each, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="a part of the name of a head or an architecture")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    results = []
    for head in heads():
        if options.only not in f"{head.model_type} {head.name} {head.auto_class}":
            continue
        with tempfile.TemporaryDirectory() as directory:
            try:
                result = check(head, Path(directory))
            except Exception as error:  # one head's failure is a line of the table
                result = Result(head, problem=f"{type(error).__name__}: {error}")
        keras.backend.clear_session()
        print(f"{head.auto_class:45} {head.name:45} {_verdict(result)}", flush=True)
        results.append(result)
    if options.output:
        options.output.write_text(as_markdown(results), encoding="utf-8")


if __name__ == "__main__":
    main()
