"""Loads the Hugging Face tokenizer of a checkpoint. With `checkpoints`, the only importer of transformers."""

from __future__ import annotations

import warnings
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from tfnlp.errors import CheckpointError, UnsupportedTokenizerError, VersionError


def load_tokenizer(name_or_path: str | Path, **options: Any) -> Any:
    """Load the tokenizer of a directory or Hub name: the fast (Rust) one, converting slow files where need be.

    Marian's exists in Python only, and is loaded so.

    Args:
        name_or_path: a directory or Hub name.
        options: passed to `AutoTokenizer.from_pretrained`.

    Raises:
        CheckpointError: if there is no tokenizer there, or the Hub can't be reached.
        UnsupportedTokenizerError: if the checkpoint's tokenizer exists in Python only, and is not Marian's.
    """
    tokenizer = _load(name_or_path, **options)
    if is_marian(tokenizer):
        return tokenizer
    if not tokenizer.is_fast:
        raise UnsupportedTokenizerError(
            f"{name_or_path}: {type(tokenizer).__name__} exists in Python only; tfnlp needs a fast (Rust) tokenizer, "
            "which knows where in the text each token stands."
        )
    return as_saved(tokenizer)


def load_table_tokenizer(name_or_path: str | Path, **options: Any) -> Any:
    """Load TAPAS's tokenizer, which exists in Python only, of a directory or Hub name.

    Raises:
        VersionError: if pandas is missing, or newer than this tokenizer knows (transformers 4.57 with pandas 3).
        CheckpointError: if there is no tokenizer there, or the Hub can't be reached.
    """
    installed = version("pandas") if find_spec("pandas") else "none"
    if not installed.startswith(("1.", "2.")):
        raise VersionError(
            f"TAPAS's tokenizer works with pandas<3; {installed} is installed: `pip install 'tfnlp[tables]'`."
        )
    return _load(name_or_path, **options)


def _load(name_or_path: str | Path, **options: Any) -> Any:
    from transformers import AutoTokenizer

    try:
        with warnings.catch_warnings():  # of what Marian's tokenizer would normalize with, if it were asked to
            warnings.filterwarnings("ignore", "Recommended: pip install sacremoses")
            return AutoTokenizer.from_pretrained(str(name_or_path), **options)
    except ImportError as error:  # MeCab, for example
        raise CheckpointError(f"{name_or_path}: its tokenizer needs another package: {error}") from error
    except Exception as error:  # the Rust library raises bare ones
        raise CheckpointError(
            f"{name_or_path}: no tokenizer could be loaded from there: {error}\nA checkpoint's directory holds "
            "`tokenizer.json`, or the vocabulary files of its model, beside `config.json`; a Hub name needs the "
            "network, or an earlier download. A file of a newer version needs a newer library: `pip install -U "
            "tokenizers`."
        ) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # of Rust, which is no `Exception`
            raise
        raise CheckpointError(
            f"{name_or_path}: the tokenizer's file is damaged: {error}. Download it again."
        ) from error


def is_marian(tokenizer: Any) -> bool:
    """Tell whether a tokenizer is transformers' for Marian."""
    return any(kind.__name__ == "MarianTokenizer" for kind in type(tokenizer).__mro__)


def as_saved(tokenizer: Any) -> Any:
    """Give a fast tokenizer the Rust tokenizer that it would have if it were saved and loaded again.

    A tokenizer fresh from slow files may keep flags of added tokens that it does not write (transformers 4.57,
    tokenizers 0.22): XLNet's `<mask>` is looked for before normalization, and after it once it has been saved.
    """
    tokenizer._tokenizer = Tokenizer.from_str(tokenizer._tokenizer.to_str())
    return tokenizer
