"""Correlations and errors of numbers, by SciPy."""

from __future__ import annotations

import numpy as np

from tfnlp.reports import RegressionReport


def regression_report(gold: np.ndarray, predicted: np.ndarray) -> RegressionReport:
    """Compare numbers. A correlation with numbers that are all equal is not defined, and is NaN.

    Args:
        gold: the right ones. Shape `(texts,)`, float.
        predicted: the answers. Shape `(texts,)`, float.
    """
    from scipy import stats

    is_defined = np.ptp(gold) > 0 and np.ptp(predicted) > 0 if len(gold) > 1 else False
    error = float(np.mean((gold - predicted) ** 2))
    return RegressionReport(
        pearson=float(stats.pearsonr(gold, predicted)[0]) if is_defined else float("nan"),
        spearman=float(stats.spearmanr(gold, predicted)[0]) if is_defined else float("nan"),
        mean_squared_error=error,
        num_records=len(gold),
        loss=error,
    )
