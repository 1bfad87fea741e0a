"""The architecture's borders, read from the source."""

import ast
import importlib
from pathlib import Path

import pytest

import tfnlp

ROOT = Path(tfnlp.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
# A module imports only from its own floor and those below.
FLOORS = {
    "layers": 1, "errors": 0, "labels": 0, "outputs": 0, "reports": 0, "_backend": 0,
    "tokenization": 2, "checkpoints": 2, "data": 3, "training": 3, "tasks": 4, "export": 5, "pipelines": 5, "demo": 6, "cli": 7,
}  # fmt: skip
WITHOUT_TENSORFLOW = ("errors", "labels", "outputs", "reports", "data.readers", "data.sources", "data.token_records", "data.text_records", "data.question_records", "data.choice_records", "data.plain_records", "data.pair_records", "data.table_records", "data.joining", "data.tables", "tokenization.alignment",
                      "tokenization.encoded", "tokenization.pretrained", "checkpoints.directories", "training.metrics", "training.text_metrics", "training.answer_metrics")  # fmt: skip
TRANSFORMERS = (
    "checkpoints.heads",
    "checkpoints.weights",
    "checkpoints.upstream",
    "tokenization.pretrained",
    "demo.tour",
)


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path, *, at_top=False):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if at_top else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_down(path):
    name = name_of(path)
    if name == "__init__":
        return
    own = FLOORS[name.split(".")[0]]
    for imported in imports_of(path, at_top=True):
        if imported.startswith("tfnlp."):
            assert FLOORS[imported.split(".")[1]] <= own, f"{name} imports {imported}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_frameworks_come_through_their_doors(path):
    name = name_of(path)
    packages = {imported.split(".")[0] for imported in imports_of(path)}
    if name != "_backend":
        assert not packages & {"tensorflow", "tf_keras"}
    if "transformers" in packages:
        assert name in TRANSFORMERS
    assert "torch" not in packages
    if name in WITHOUT_TENSORFLOW or name.split(".")[0] in WITHOUT_TENSORFLOW:
        assert "tfnlp._backend" not in imports_of(path)


def test_modules_have_names_that_say_something():
    vague = {"utils", "util", "helpers", "common", "misc"}
    assert not {path.stem for path in FILES} & vague


def test_public_names_are_there():
    for name in tfnlp.__all__:
        assert getattr(tfnlp, name) is not None
    assert set(tfnlp.__all__) <= set(dir(tfnlp))
    with pytest.raises(AttributeError, match="module 'tfnlp' has no attribute 'Nothing'"):
        _ = tfnlp.Nothing


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_module_says_what_lives_in_it(path):
    assert importlib.import_module(f"tfnlp.{name_of(path)}".removesuffix(".__init__")).__doc__


def test_versions_are_checked(monkeypatch):
    from tfnlp import _backend
    from tfnlp.errors import VersionError

    versions = {"tensorflow": (2, 20), "tf_keras": (2, 20), "transformers": (4, 57)}
    monkeypatch.setattr(_backend, "_version", versions.get)
    _backend.check_versions()
    versions["transformers"] = (5, 1)
    with pytest.raises(VersionError, match=r"^tfnlp works with transformers>=4\.57,<5\.0; 5\.1 is installed\.$"):
        _backend.check_versions()
    versions |= {"transformers": (4, 57), "tf_keras": (2, 19)}
    with pytest.raises(VersionError, match=r"^tf-keras must have TensorFlow's minor version"):
        _backend.check_versions()
