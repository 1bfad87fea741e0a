"""`ConfusionMatrix`: which label was answered for which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tfnlp.reports.base import plotting


@dataclass(frozen=True)
class ConfusionMatrix:
    """How often each label was answered where another was right.

    Attributes:
        labels: their names.
        counts: by the right label, then by the one that was answered.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    def plot(self, axes: Any = None) -> Any:
        """Draw the matrix, each row as shares of the right label. Returns matplotlib's axes.

        Args:
            axes: to draw in; None: those of a new figure.

        Raises:
            VersionError: if matplotlib is not installed.
        """
        pyplot = plotting()
        axes = pyplot.subplots(figsize=(2 + 0.5 * len(self.labels),) * 2)[1] if axes is None else axes
        shares = [[count / max(sum(row), 1) for count in row] for row in self.counts]
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(self.labels)), self.labels, rotation=90)
        axes.set_yticks(range(len(self.labels)), self.labels)
        axes.set_xlabel("answered")
        axes.set_ylabel("right")
        for i, row in enumerate(self.counts):
            for j, count in enumerate(row):
                colour = "white" if shares[i][j] > 0.5 else "black"
                axes.text(j, i, count, ha="center", va="center", color=colour)
        return axes

    def __str__(self) -> str:
        width = max(map(len, self.labels))
        cell = max(width, max((len(str(count)) for row in self.counts for count in row), default=1)) + 2
        header = " " * width + "".join(f"{name:>{cell}}" for name in self.labels)
        rows = [
            f"{name:<{width}}" + "".join(f"{count:>{cell}}" for count in row)
            for name, row in zip(self.labels, self.counts, strict=True)
        ]
        return "\n".join([header, *rows])
