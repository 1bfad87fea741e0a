import io
import os
import pickle
import zipfile

import numpy as np
import pytest

from tfnlp.checkpoints.torch_files import open_torch_file
from tfnlp.errors import CheckpointError, UnsafeCheckpointError

LAYOUTS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch writes the files that are read here")


@pytest.fixture
def tensors(torch):
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    return {
        "plain": base,
        "transposed": base.T,
        "slice": base[1:3, 2:5],
        "scalar": torch.tensor(3.5),
        "empty": torch.zeros(0, 3),
        "half": base.half(),
        "bfloat16": base.bfloat16(),
        "double": base.double(),
        "integers": torch.arange(5),
        "bools": torch.tensor([True, False]),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }


@pytest.mark.torch
@LAYOUTS
def test_tensors_of_every_kind(torch, tensors, tmp_path, zipped):
    path = tmp_path / "pytorch_model.bin"
    torch.save(tensors, path, _use_new_zipfile_serialization=zipped)
    found = open_torch_file(path)
    assert sorted(found) == sorted(tensors)
    assert len(found) == len(tensors)
    for name, tensor in tensors.items():
        expected = tensor.detach().float().numpy() if name in ("half", "bfloat16") else tensor.detach().numpy()
        assert np.array_equal(found[name].astype(expected.dtype), expected), name


@pytest.mark.torch
@LAYOUTS
def test_a_module_s_state(torch, tmp_path, zipped):
    state = torch.nn.Linear(3, 2).state_dict()
    torch.save(state, tmp_path / "x.bin", _use_new_zipfile_serialization=zipped)
    assert np.array_equal(open_torch_file(tmp_path / "x.bin")["weight"], state["weight"].numpy())


@pytest.mark.torch
@LAYOUTS
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_a_truncated_file(torch, tensors, tmp_path, zipped, share):
    path = tmp_path / "pytorch_model.bin"
    torch.save(tensors, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(CheckpointError, match=r"the file is damaged or no PyTorch checkpoint: .*Download it again\.$"):
        dict(open_torch_file(path))


class Hostile:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


def zipped_pickle(path, payload):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", payload)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "plain"])
def test_a_file_that_tries_to_run_code(tmp_path, zipped):
    path, target = tmp_path / "pytorch_model.bin", tmp_path / "harm"
    payload = pickle.dumps({"weight": Hostile(target)})
    zipped_pickle(path, payload) if zipped else path.write_bytes(payload)
    with pytest.raises(UnsafeCheckpointError) as caught:
        open_torch_file(path)
    assert str(caught.value) == (
        f"{path}: the file asks for `posix.system` to be run. A file of weights needs no such thing, so it is not read. "
        "Get the checkpoint as safetensors from a source that you trust."
    )
    assert not target.exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [("builtins", "eval"), ("torch", "load"), ("torch.storage", "_load_from_bytes"), ("collections", "namedtuple")],
)
def test_no_other_name_is_known(tmp_path, module, name):
    path = tmp_path / "x.bin"
    zipped_pickle(path, b"c" + f"{module}\n{name}\n".encode() + b".")
    with pytest.raises(UnsafeCheckpointError, match=rf"the file asks for `{module}.{name}` to be run"):
        open_torch_file(path)


def test_a_tensor_that_reaches_outside_of_its_data(tmp_path):
    buffer = io.BytesIO()
    path = tmp_path / "x.bin"

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return ("storage", Dtype, "0", "cpu", 4) if obj is STORAGE else None

    pickler = Pickler(buffer, 2)
    pickler.dump({"weight": Rebuilt()})
    payload = buffer.getvalue().replace(f"{__name__}\nDtype\n".encode(), b"torch\nFloatStorage\n")
    payload = payload.replace(f"{__name__}\n_rebuild\n".encode(), b"torch._utils\n_rebuild_tensor_v2\n")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", payload)
        archive.writestr("a/data/0", b"\0" * 16)
    with pytest.raises(CheckpointError, match="a tensor reaches outside of its data"):
        open_torch_file(path)["weight"]


STORAGE = object()


class Dtype:
    pass


def _rebuild(*_):
    raise AssertionError("never called")


class Rebuilt:
    def __reduce__(self):
        return _rebuild, (STORAGE, 0, (1000,), (1,))


def test_what_is_no_pytorch_file(tmp_path):
    path = tmp_path / "x.bin"
    for content in (b"", b"version https://git-lfs.github.com/spec/v1\n", pickle.dumps([1])):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="the file is damaged or no PyTorch checkpoint"):
            open_torch_file(path)
    zipped_pickle(path, pickle.dumps([1]))
    with pytest.raises(CheckpointError, match=r"expected a dictionary of tensors, found list\.$"):
        open_torch_file(path)


class Forged:
    """Pickles as an object whose inside is then set, which is how a file could forge a tensor."""

    def __init__(self, rebuilt):
        self.rebuilt = rebuilt

    def __reduce__(self):
        return _rebuild, self.rebuilt, {"offset": 10**6}


def test_no_object_s_inside_is_set(tmp_path):
    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return ("storage", Dtype, "0", "cpu", 4) if obj is STORAGE else None

    buffer = io.BytesIO()
    Pickler(buffer, 2).dump({"weight": Forged((STORAGE, 0, (2,), (1,)))})
    payload = buffer.getvalue().replace(f"{__name__}\nDtype\n".encode(), b"torch\nFloatStorage\n")
    payload = payload.replace(f"{__name__}\n_rebuild\n".encode(), b"torch._utils\n_rebuild_tensor_v2\n")
    zipped_pickle(tmp_path / "x.bin", payload)
    with pytest.raises(UnsafeCheckpointError, match="the file changes the inside of a tensor"):
        open_torch_file(tmp_path / "x.bin")
    function = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb."
    zipped_pickle(tmp_path / "y.bin", function)
    with pytest.raises(UnsafeCheckpointError, match="the file changes the inside of a tensorrebuilder"):
        open_torch_file(tmp_path / "y.bin")


@pytest.mark.torch
def test_a_file_without_tensors_or_with_one_missing(torch, tmp_path):
    path = tmp_path / "x.bin"
    torch.save({"model": {"weight": torch.ones(2)}}, path)
    with pytest.raises(CheckpointError, match=r"the file holds no tensors but \['model'\]; save a `state_dict\(\)`\.$"):
        open_torch_file(path)
    torch.save({"weight": torch.ones(2)}, path)
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(tmp_path / "y.bin", "w") as part:
        for name in whole.namelist():
            if "/data/" not in name:
                part.writestr(name, whole.read(name))
    with pytest.raises(CheckpointError, match="the file is damaged or no PyTorch checkpoint"):
        open_torch_file(tmp_path / "y.bin")["weight"]
