"""`pipeline`: the calls and the answers of `transformers.pipeline`, on this library's tasks."""

from tfnlp.pipelines.loading import PIPELINES, pipeline

__all__ = ["PIPELINES", "pipeline"]
