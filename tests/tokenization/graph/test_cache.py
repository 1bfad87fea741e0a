import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from tfnlp.tokenization.graph import cache, compiler


@pytest.fixture
def rust():
    tokenizer = Tokenizer(models.Unigram([("<unk>", 0.0), ("a", -1.5), ("ab", -2.25)], unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer


def leaves(value):
    layout = cache._laid_out(value, arrays := {})
    return layout, arrays


def test_the_second_time_it_is_read(rust, tmp_path, monkeypatch):
    monkeypatch.setenv("TFNLP_CACHE", str(tmp_path / "cache"))
    content = rust.to_str()
    made = cache.cached(content, compiler.compile_tokenizer)
    read = cache.cached(content, lambda _: pytest.fail("compiled again"))
    (first, arrays), (second, again) = leaves(made), leaves(read)
    assert first == second
    for name, values in arrays.items():
        np.testing.assert_array_equal(values, again[name])
        assert values.dtype == again[name].dtype
    assert cache._digest(content) != cache._digest(content + " ")


def test_a_damaged_file_is_written_anew(rust, tmp_path, monkeypatch):
    monkeypatch.setenv("TFNLP_CACHE", str(tmp_path))
    cache.cached(rust.to_str(), compiler.compile_tokenizer)
    (file,) = tmp_path.glob("*.npz")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.warns(UserWarning, match="can't be read, and is written anew"):
        cache.cached(rust.to_str(), compiler.compile_tokenizer)
    cache.cached(rust.to_str(), lambda _: pytest.fail("compiled again"))


def test_a_place_that_can_not_be_written(rust, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TFNLP_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match=r"can't be (kept|read)"):
        cache.cached(rust.to_str(), compiler.compile_tokenizer)
