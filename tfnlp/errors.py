"""The errors tfnlp raises. Each is a `TfnlpError` and a standard type as well, so either can be caught."""

import difflib
from collections.abc import Iterable


class TfnlpError(Exception):
    """Base of all errors raised by tfnlp."""


class ArgumentError(TfnlpError, ValueError):
    """An argument has a value that is not allowed."""


class DataError(TfnlpError, ValueError):
    """A file or record of training, evaluation or prediction data can't be used."""


class LabelError(TfnlpError, ValueError):
    """A label is not one of the model's labels, or labels are missing."""


class CheckpointError(TfnlpError, OSError):
    """A checkpoint is missing, incomplete, damaged or of another architecture."""


class UnsafeCheckpointError(CheckpointError):
    """A pickled checkpoint asks for code to be run."""


class UnsupportedModelError(TfnlpError, ValueError):
    """The architecture has no such TensorFlow head, or one that is known to give wrong numbers."""


class UnsupportedTokenizerError(TfnlpError, ValueError):
    """A component or setting of a tokenizer can't be reproduced exactly in the graph."""


class StorageError(TfnlpError, OSError):
    """A file or directory elsewhere (`gs://...`) is not there, or can't be reached."""


class ExportError(TfnlpError, RuntimeError):
    """An exported SavedModel does not answer as `predict` does."""


class VersionError(TfnlpError, ImportError):
    """An installed package has a version that tfnlp does not work with."""


def did_you_mean(name: str, allowed: Iterable[str]) -> str:
    """Return ` Did you mean 'X'?` for the closest allowed name, or an empty string.

    >>> did_you_mean("B-PRE", ["O", "B-PER", "B-LOC"])
    " Did you mean 'B-PER'?"
    """
    close = difflib.get_close_matches(name, list(allowed), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
