"""Results of a benchmark: a table in the terminal, JSON, a plot, and the machine that they are of."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import date
from importlib import metadata
from pathlib import Path

from rich.console import Console
from rich.table import Table

_PACKAGES = (
    "tensorflow", "tf_keras", "transformers", "tokenizers", "numpy", "torch", "onnxruntime", "keras-hub",
)  # fmt: skip


def machine() -> dict[str, str]:
    """Return what a result depends on: processor, cores, versions, the day."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    units = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16") if flag in flags]
    found = {"day": str(date.today()), "processor": names[0] if names else platform.processor()}
    found |= {"units": " ".join(units), "cores": str(os.cpu_count()), "Python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class Line:
    """A contender's result.

    Attributes:
        name: of the contender.
        value: its median.
        lowest: of its rounds.
        highest: of its rounds.
        note: what is to be known of it.
    """

    name: str
    value: float
    lowest: float
    highest: float
    note: str = ""


@dataclass(frozen=True)
class Result:
    """What a benchmark found.

    Attributes:
        title: what was measured.
        unit: of values.
        lines: of contenders; the first is ours.
        is_rate: whether more is better.
        machine: what it ran on.
    """

    title: str
    unit: str
    lines: list[Line]
    is_rate: bool
    machine: dict[str, str] = field(default_factory=machine)

    def ratio(self, line: Line) -> float:
        """Return how many times better the first contender is than another."""
        ours = self.lines[0].value
        return ours / line.value if self.is_rate else line.value / ours

    def show(self) -> None:
        """Print a table."""
        table = Table(title=f"{self.title}, {self.unit}")
        for column in ("", "median", "lowest", "highest", "ours is better by", "note"):
            table.add_column(column, justify="left" if column in ("", "note") else "right")
        for line in self.lines:
            numbers = (f"{number:,.4g}" for number in (line.value, line.lowest, line.highest))
            table.add_row(line.name, *numbers, f"{self.ratio(line):.2f}", line.note)
        console = Console()
        console.print(table)
        console.print("; ".join(f"{name} {version}" for name, version in self.machine.items()), highlight=False)

    def write(self, directory: Path, name: str) -> None:
        """Write `NAME.json` and a plot, `NAME.svg`."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"{name}.json").write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")
        self._plot().savefig(directory / f"{name}.svg", bbox_inches="tight")

    def _plot(self):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(7, 0.4 * len(self.lines) + 0.8))
        axes = figure.subplots()
        names, values = [line.name for line in self.lines], [line.value for line in self.lines]
        spread = [[line.value - line.lowest for line in self.lines], [line.highest - line.value for line in self.lines]]
        axes.barh(names, values, xerr=spread, color=["tab:blue", *["tab:gray"] * (len(names) - 1)])
        axes.invert_yaxis()
        axes.set(title=self.title, xlabel=f"{self.unit} ({'more' if self.is_rate else 'less'} is better)")
        return figure
