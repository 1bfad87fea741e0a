"""Arguments of benchmarks that train token classifiers in several ways, and compare what they find."""

from __future__ import annotations

import argparse
from pathlib import Path


def fitting_parser(description: str | None) -> argparse.ArgumentParser:
    """Return the arguments that all of these take."""
    found = argparse.ArgumentParser(description=description)
    found.add_argument("--model", required=True)
    found.add_argument("--train", required=True, type=Path)
    found.add_argument("--test", required=True, type=Path)
    found.add_argument("--epochs", type=int, default=4)
    found.add_argument("--learning-rate", type=float, default=1e-4)
    return found
