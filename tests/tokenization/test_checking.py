import pytest

from tests.tiny import build_tokenizer
from tfnlp import check_tokenizer
from tfnlp.tokenization import checking


@pytest.mark.parametrize("name", ["bert", "albert"])
def test_a_tokenizer_that_agrees(tmp_path, name):
    found = check_tokenizer(build_tokenizer(name, tmp_path), ["Ada lives", "in Paris"])
    assert found.is_exact
    assert found.num_texts == len(checking.DIFFICULT_TEXTS) + 2
    assert found.graph_rate > 0 < found.rust_rate
    assert str(found).startswith(f"0 differences in {found.num_texts} texts")
    assert found.to_dict()["unsupported"] is None


def test_differences_are_named(tmp_path, monkeypatch):
    rust = build_tokenizer("bert", tmp_path)
    other = build_tokenizer("roberta", tmp_path)
    compiled = checking.GraphTokenizer(other)
    monkeypatch.setattr(checking, "GraphTokenizer", lambda _: compiled)
    found = check_tokenizer(rust, ["Ada"])
    decoded = ("decode", "decode with special tokens")
    assert not found.is_exact
    assert {difference.field for difference in found.differences} == {"input_ids", *decoded}
    assert [difference.field for difference in found.differences if difference.text == "Ada"] == ["input_ids", *decoded]
    assert "input_ids of '': graph [" in str(found)
