"""Tensors in files that others may read."""

import os
import stat

import numpy as np
from safetensors.numpy import load_file

from tfnlp.tensor_files import write_tensors


def test_the_mode_is_that_of_any_new_file(tmp_path):
    before = os.umask(0o027)
    try:
        write_tensors({"a": np.arange(3)}, tmp_path / "a.safetensors")
        write_tensors({"a": np.arange(4)}, tmp_path / "a.safetensors")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.safetensors").stat().st_mode) == 0o640
    assert load_file(tmp_path / "a.safetensors")["a"].tolist() == [0, 1, 2, 3]
