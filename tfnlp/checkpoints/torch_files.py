"""Reads PyTorch's `.bin` files without PyTorch, and without the power to run anything.

Such a file is a pickle. The unpickler here knows ordered dictionaries, tensors and storages, by stand-ins of its own;
any other name in the file is an error, so there is nothing that a hostile file could call. Both layouts are read: the
zip archive of PyTorch 1.6 and later, and the older plain stream.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np

from tfnlp.errors import CheckpointError, UnsafeCheckpointError

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES: dict[str, Any] = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}

# What reading a damaged pickle or archive can raise.
_DAMAGE = (
    CheckpointError,
    OSError,
    EOFError,
    ArithmeticError,
    AttributeError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


class _Sealed:
    """Refuses the pickle instruction that sets an object's attributes, with which a file could forge one."""

    def __setstate__(self, state: Any) -> None:
        raise UnsafeCheckpointError(f"the file changes the inside of a {type(self).__name__.strip('_').lower()}")


@dataclass
class _ElementType(_Sealed):
    """Stands for `torch.FloatStorage` and its kin."""

    dtype: np.dtype


@dataclass
class _Storage(_Sealed):
    """A flat array of the file, read when it is first needed."""

    dtype: np.dtype
    size: int
    source: Any = None
    array: np.ndarray | None = None

    def read(self) -> np.ndarray:
        if self.array is None:
            data = self.source() if self.source is not None else b""
            if len(data) < self.size * self.dtype.itemsize:
                raise CheckpointError("a tensor's data is cut short")
            self.array = np.frombuffer(data, self.dtype, self.size)
        return self.array


@dataclass
class _Tensor(_Sealed):
    """A view of a storage."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def read(self) -> np.ndarray:
        last = self.offset + sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        if not isinstance(self.storage, _Storage):
            raise CheckpointError("a tensor without data")
        if min((self.offset, *self.shape, *self.strides)) < 0 or (0 not in self.shape and last >= self.storage.size):
            raise CheckpointError("a tensor reaches outside of its data")
        flat = self.storage.read()[self.offset :]  # as long as `size` says, or `read` has raised
        strides = tuple(step * flat.itemsize for step in self.strides)
        return np.lib.stride_tricks.as_strided(flat, self.shape, strides, writeable=False)


@dataclass
class TorchFile(Mapping[str, np.ndarray]):
    """The tensors of a PyTorch file by name, each read when it is asked for."""

    path: Path
    _tensors: dict[str, _Tensor] = field(repr=False)

    def __getitem__(self, name: str) -> np.ndarray:
        tensor = self._tensors[name]
        try:
            return tensor.read()
        except _DAMAGE as error:
            raise _damaged(self.path, error) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def open_torch_file(path: str | Path) -> TorchFile:
    """Open a `.bin` or `.pt` file that holds a dictionary of tensors.

    Raises:
        CheckpointError: if the file is damaged or holds something else.
        UnsafeCheckpointError: if it asks for anything but tensors to be built.
    """
    path = Path(path)
    try:
        found = _read_zip(path) if zipfile.is_zipfile(path) else _read_stream(path)
    except UnsafeCheckpointError as error:
        raise UnsafeCheckpointError(
            f"{path}: {error}. A file of weights needs no such thing, so it is not read. Get the checkpoint as "
            "safetensors from a source that you trust."
        ) from None
    except _DAMAGE as error:
        raise _damaged(path, error) from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: expected a dictionary of tensors, found {type(found).__name__}.")
    tensors = {str(name): value for name, value in found.items() if isinstance(value, _Tensor)}
    if found and not tensors:
        raise CheckpointError(
            f"{path}: the file holds no tensors but {sorted(map(str, found))}; save a `state_dict()`."
        )
    return TorchFile(path, tensors)


def _damaged(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"{path}: the file is damaged or no PyTorch checkpoint: {error}. Download it again.")


class _Unpickler(pickle.Unpickler):
    """Builds tensors; every other name is refused."""

    def __init__(self, file: BinaryIO, storages: _Storages) -> None:
        super().__init__(file, encoding="utf-8")
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in _REBUILDERS:
            return _REBUILDERS[name]
        if module == "torch" and name in _DTYPES:
            return _ElementType(np.dtype(_DTYPES[name]))
        raise UnsafeCheckpointError(f"the file asks for `{module}.{name}` to be run")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, element, key, _, size, *_ = pid
        if kind != "storage" or not isinstance(element, _ElementType):
            raise CheckpointError(f"unknown reference {kind!r}")
        return self._storages.get(str(key), element.dtype, int(size))


class _Storages:
    """The storages of one file; in a zip archive each knows the member that holds it."""

    def __init__(self, archive: zipfile.ZipFile | None = None, folder: str = "") -> None:
        self.by_key: dict[str, _Storage] = {}
        self._archive, self._folder = archive, folder

    def get(self, key: str, dtype: np.dtype, size: int) -> _Storage:
        if key not in self.by_key:
            archive, name = self._archive, f"{self._folder}data/{key}"
            self.by_key[key] = _Storage(dtype, size, (lambda: archive.read(name)) if archive else None)
        return self.by_key[key]


class _TensorRebuilder(_Sealed):
    """Stands for PyTorch's function of that task; an object, since a file can change a function."""

    def __call__(self, storage: _Storage, offset: int, shape: Any, strides: Any, *_: Any) -> _Tensor:
        return _Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


class _ParameterRebuilder(_Sealed):
    """Stands for PyTorch's function of that task: a parameter is its tensor."""

    def __call__(self, tensor: _Tensor, *_: Any) -> _Tensor:
        return tensor


_REBUILDERS = {
    "_rebuild_tensor": _TensorRebuilder(),
    "_rebuild_tensor_v2": _TensorRebuilder(),
    "_rebuild_parameter": _ParameterRebuilder(),
}


def _read_zip(path: Path) -> Any:
    archive = zipfile.ZipFile(path)
    pickled = [name for name in archive.namelist() if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickled) != 1:
        raise CheckpointError("the archive holds no `data.pkl`")
    folder = pickled[0].removesuffix("data.pkl")
    if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
        raise CheckpointError("the file was written on a big-endian machine")
    return _Unpickler(io.BytesIO(archive.read(pickled[0])), _Storages(archive, folder)).load()


def _read_stream(path: Path) -> Any:
    storages = _Storages()
    with path.open("rb") as file:

        def load() -> Any:
            return _Unpickler(file, storages).load()

        if load() != _LEGACY_MAGIC:
            raise CheckpointError("it does not begin as a PyTorch file does")
        load()  # the protocol's version
        load()  # the writer's machine
        tensors = load()
        for key in load():
            storage = storages.by_key[str(key)]
            (size,) = struct.unpack("<q", file.read(8))
            if size != storage.size:
                raise CheckpointError("a storage's size differs from its header")
            data = file.read(size * storage.dtype.itemsize)
            if len(data) < size * storage.dtype.itemsize:
                raise CheckpointError("the file is cut short")
            storage.array = np.frombuffer(data, storage.dtype, size)
    return tensors
