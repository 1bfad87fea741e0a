"""Marks of single cases."""

from typing import Any

import pytest


def slow_case(*values: Any, **options: Any) -> Any:
    """Return one case of a parametrized test that `make slow` runs and `make test` does not."""
    return pytest.param(*values, marks=pytest.mark.slow, **options)
