"""Files of named columns: Parquet by pyarrow, Excel by pandas, TFRecord by TensorFlow, imported when one is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from tfnlp.data.files import OnError, Record, Records, existing_file, not_empty, unpacked_suffix
from tfnlp.data.tables import check_names, renamed
from tfnlp.errors import ArgumentError, DataError, VersionError

Read = Callable[[Path], Iterator[tuple[list[str], Iterable[Record]]]]  # columns, and records that have them; in parts
OPTIONS = frozenset({"rename", "on_error"})  # that readers of such files have
_ROWS = 4096  # of a Parquet file, in memory together
# Fields that are lists, also in a TFRecord file in which each of them has one item.
_LISTS = {"words", "tokens", "labels", "tags", "ner_tags", "pos_tags", "choices"}


def reader_of_columns(path: str | Path) -> Callable[..., Records] | None:
    """Return what reads a file, as its name tells; None: it is no file of named columns."""
    read = _READERS.get(unpacked_suffix(Path(path)))
    if read is None:
        return None

    def reader(
        path: str | Path, *, rename: Mapping[str, str] | None = None, on_error: OnError = "raise", **others: Any
    ) -> Records:
        if others:
            names = ", ".join(f"`{name}=`" for name in sorted(others))
            raise ArgumentError(f"{path}: Parquet, Excel and TFRecord files take no {names}.")
        file = existing_file(path)
        return Records(file, lambda: _records(file, read(file), rename or {}), on_error)

    return reader


def _records(
    path: Path, parts: Iterator[tuple[list[str], Iterable[Record]]], rename: Mapping[str, str]
) -> Iterator[Record]:
    """Yield the records of a file under other names; missing numbers and texts are None.

    Raises:
        DataError: if it is damaged, holds no record, or has no column to rename.
        VersionError: if what reads it is missing.
    """

    def everything() -> Iterator[Record]:
        for columns, records in parts:
            names = dict(zip(columns, renamed(columns, rename, path), strict=True))
            check_names(list(names.values()), path)
            for record in records:
                yield {names[name]: None if _is_missing(value) else value for name, value in record.items()}

    yield from not_empty(everything(), f"{path}: the file holds no record.")


def _is_missing(value: Any) -> bool:
    """Tell whether this is NaN, or pandas's NaT: the values that are not equal to themselves."""
    return not isinstance(value, (list, dict)) and bool(value != value)  # noqa: PLR0124


def _of_parquet(path: Path) -> Iterator[tuple[list[str], Iterable[Record]]]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise VersionError(f"{path}: pyarrow reads it: install it. {error}") from error
    try:
        with parquet.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if not name.startswith("__index_level_")]  # pandas's
            for batch in file.iter_batches(_ROWS, columns=names):
                yield names, batch.to_pylist()
    except (ArrowException, OSError) as error:
        raise DataError(f"{path}: pyarrow can't read it: {error}") from error


def _of_excel(path: Path) -> Iterator[tuple[list[str], Iterable[Record]]]:
    """Read the first sheet."""
    try:
        import pandas

        table = pandas.read_excel(path)
    except ImportError as error:
        raise VersionError(
            f"{path}: pandas reads it, with openpyxl (.xlsx) or xlrd (.xls): install these. {error}"
        ) from error
    except Exception as error:  # each of the libraries that pandas asks has its own
        raise DataError(f"{path}: pandas can't read it: {error}") from error
    table.columns = [str(name) for name in table.columns]
    yield list(table.columns), table.astype(object).to_dict("records")


def _of_tfrecord(path: Path) -> Iterator[tuple[list[str], Iterable[Record]]]:
    """Read `tf.train.Example` by name: bytes as text, a list where one of the file's examples has several items."""
    names, lists = _kinds_of_features(path, path.stat().st_mtime_ns)
    yield (
        list(names),
        (
            {name: items if name in lists else next(iter(items), None) for name, items in example.items()}
            for example in _examples(path)
        ),
    )


@lru_cache(maxsize=256)
def _kinds_of_features(path: Path, changed: int) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the names of a file's features, and of those that are lists; `changed` tells files of a name apart."""
    del changed
    names, lists = dict[str, None](), set(_LISTS)
    for example in _examples(path):
        names.update(dict.fromkeys(example))
        lists.update(name for name, items in example.items() if len(items) > 1)
    return tuple(names), frozenset(lists)


def _examples(path: Path) -> Iterator[dict[str, list[Any]]]:
    """Yield the features of a file's examples, each a list of items."""
    from google.protobuf.message import DecodeError

    from tfnlp._backend import tf

    data = tf.data.TFRecordDataset(str(path), "GZIP" if path.suffix.lower() == ".gz" else "")

    try:
        for number, record in enumerate(data.as_numpy_iterator(), start=1):
            features = tf.train.Example.FromString(record).features.feature
            yield {name: _items(value, f"{path}: record {number}") for name, value in features.items()}
    except DecodeError as error:
        raise DataError(f"{path}: a record is no `tf.train.Example`: {error}.") from error
    except (tf.errors.DataLossError, tf.errors.InvalidArgumentError) as error:
        raise DataError(f"{path}: the file is cut short or damaged: {error.message}") from error


def _items(feature: Any, where: str) -> list[Any]:
    if feature.WhichOneof("kind") != "bytes_list":
        return [*feature.int64_list.value, *feature.float_list.value]
    try:
        return [item.decode("utf-8") for item in feature.bytes_list.value]
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: bytes that are not UTF-8: {error}.") from error


_READERS: dict[str, Read] = {
    ".parquet": _of_parquet,
    ".xlsx": _of_excel,
    ".xls": _of_excel,
    ".tfrecord": _of_tfrecord,
    ".tfrecords": _of_tfrecord,
}
