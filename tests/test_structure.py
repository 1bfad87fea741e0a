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
    "errors": 0, "labels": 0, "tag_spellings": 0, "paths": 0, "precision": 0, "rows": 0, "padding": 0, "replicas": 0, "tensor_files": 0, "digests": 0, "preprocessor": 0, "outputs": 0, "reports": 0, "_backend": 0,
    "tokenization": 1, "checkpoints": 1, "networks": 1, "data": 2, "training": 2, "export": 3, "running": 3, "warm_up": 3, "generation": 3, "tasks": 4, "pipelines": 5, "demo": 6, "cli": 7,
}  # fmt: skip
# These, and all that they import, do without TensorFlow; so do `records.py` and `metrics.py` of every task.
WITHOUT_TENSORFLOW = (
    "errors", "labels", "tag_spellings", "precision", "rows", "outputs", "reports", "data.files", "data.conll", "data.annotations", "data.readers", "data.sources", "data.problems", "data.tables", "tokenization.alignment",
    "tokenization.word_breaks", "tokenization.pretrained", "checkpoints.directories", "training.regression",
)  # fmt: skip
TRANSFORMERS = (
    "checkpoints.defaults",
    "checkpoints.generation_config",
    "checkpoints.heads",
    "checkpoints.weights",
    "checkpoints.upstream",
    "tokenization.pretrained",
    "demo.tour",
)


def name_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path, *, at_once=False):
    """All imports, also those inside functions; or `at_once` those that importing the module brings about."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if at_once else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = {name_of(path): path for path in FILES}
# The modules of the package that each imports.
IMPORTED = {
    name: {found for found in (one.removeprefix("tfnlp.") for one in imports_of(path)) if found in MODULES}
    for name, path in MODULES.items()
}


AT_ONCE = {
    name: {one.removeprefix("tfnlp.") for one in imports_of(path, at_once=True)} & set(MODULES)
    for name, path in MODULES.items()
}


def reached_from(name, imported=IMPORTED):
    """All modules that a module imports, directly or not."""
    found, waiting = set(), [name]
    while waiting:
        new = imported[waiting.pop()] - found
        found |= new
        waiting.extend(new)
    return found


@pytest.mark.parametrize("name", MODULES)
def test_imports_go_down_and_in_no_circle(name):
    if name == "__init__":
        return
    own = FLOORS[name.split(".")[0]]
    for imported in IMPORTED[name] - {"__init__"}:
        assert FLOORS[imported.split(".")[0]] <= own, f"{name} imports {imported}"
    assert name not in reached_from(name)


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("tasks.") and name.count(".") > 1])
def test_no_task_imports_another(name):
    own = name.rsplit(".", 1)[0]
    others = {imported for imported in IMPORTED[name] if imported.startswith("tasks.") and imported.count(".") > 1}
    assert all(imported.startswith(f"{own}.") for imported in others)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_frameworks_come_through_their_doors(path):
    name = name_of(path)
    packages = {imported.split(".")[0] for imported in imports_of(path)}
    if name != "_backend":
        assert not packages & {"tensorflow", "tf_keras"}
    if "transformers" in packages:
        assert name in TRANSFORMERS
    assert "torch" not in packages


@pytest.mark.parametrize("name", MODULES)
def test_records_and_metrics_do_without_tensorflow(name):
    of_task = name.startswith("tasks.") and name.endswith((".records", ".metrics"))
    if of_task or name in WITHOUT_TENSORFLOW or name.split(".")[0] in WITHOUT_TENSORFLOW:
        assert "_backend" not in reached_from(name, AT_ONCE)


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
    _backend.check_versions()
    versions["transformers"] = (6, 0)
    with pytest.raises(VersionError, match=r"^tfnlp works with transformers>=4\.57,<6\.0; 6\.0 is installed\.$"):
        _backend.check_versions()
    versions |= {"transformers": (4, 57), "tf_keras": (2, 19)}
    with pytest.raises(VersionError, match=r"^tf-keras must have TensorFlow's minor version"):
        _backend.check_versions()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_file_is_longer_than_it_should_be(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_tasks_are_final_and_of_one_level():
    """A task inherits from `Task` alone, and overrides none of its functions that all tasks share."""
    from tfnlp.tasks.loading import TASKS
    from tfnlp.tasks.task import Task

    shared = {
        "ask",
        "dataset",
        "export",
        "fit",
        "from_config",
        "from_pretrained",
        "rows_of",
        "save",
        "serve",
        "to_serving_inputs",
    }
    for task in set(TASKS.values()):
        assert task.__bases__ == (Task,)
        assert not shared & set(vars(task))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_answer_is_computed_twice(path):
    """What serves is what predicts: no function has a twin for graphs, and no task is copied to ask it otherwise."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert not [name for name in names if name.endswith("_in_graph") and name.removesuffix("_in_graph") != "run"]
    calls = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    if name_of(path).startswith(("tasks.", "pipelines.")):
        assert not {"copy.copy", "self.__dict__"} & calls


def test_one_decoder_a_task():
    """`rows`, `decode` and `answers` are defined once in each task."""
    from tfnlp.tasks.loading import TASKS

    for task in set(TASKS.values()):
        source = Path(importlib.import_module(task.__module__).__file__).read_text(encoding="utf-8")
        kind = next(n for n in ast.parse(source).body if isinstance(n, ast.ClassDef) and n.name == task.__name__)
        defined = [node.name for node in kind.body if isinstance(node, ast.FunctionDef)]
        assert [defined.count(name) for name in ("rows", "decode", "answers")] == [1, 1, 1]
