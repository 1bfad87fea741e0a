import pytest

from tfnlp.checkpoints.directories import holds_checkpoint, read_settings, write_settings, written_whole
from tfnlp.errors import ArgumentError, CheckpointError


def is_older(directory):
    return (directory / "marker").is_file()


def write(target, text="new"):
    with written_whole(target, is_older=is_older) as directory:
        (directory / "marker").write_text(text)


def test_a_directory_is_written_and_replaced(tmp_path):
    write(tmp_path / "a" / "x", "old")
    write(tmp_path / "a" / "x")
    assert (tmp_path / "a" / "x" / "marker").read_text() == "new"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["x"]


def test_an_error_leaves_the_old_one(tmp_path):
    write(tmp_path / "x", "old")
    with pytest.raises(RuntimeError, match="halfway"), written_whole(tmp_path / "x", is_older=is_older) as directory:
        (directory / "marker").write_text("new")
        raise RuntimeError("halfway")
    assert (tmp_path / "x" / "marker").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_what_somebody_else_wrote_is_not_replaced(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ArgumentError, match=r"file: this is a file; name a directory to write to\.$"):
        write(tmp_path / "file")
    (tmp_path / "x").mkdir()
    write(tmp_path / "x")  # an empty one is
    (tmp_path / "y" / "1").mkdir(parents=True)
    with pytest.raises(
        ArgumentError,
        match=r"y: the directory holds other files \(1\) and nothing that was saved before, so it is not replaced",
    ):
        write(tmp_path / "y")


def test_other_files_stay_and_old_weights_go(tmp_path):
    write(tmp_path / "x", "old")
    (tmp_path / "x" / "serving" / "1").mkdir(parents=True)
    for name in ("notes.txt", "pytorch_model.bin", "model-00001-of-00002.safetensors", "model.safetensors.index.json"):
        (tmp_path / "x" / name).write_text("mine")
    write(tmp_path / "x")
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["marker", "notes.txt", "serving"]
    assert (tmp_path / "x" / "marker").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_checkpoint_is_told_by_its_configuration(tmp_path):
    for text, is_one in (("{}", False), ("[]", False), ("{", False), ('{"model_type": "bert"}', True)):
        (tmp_path / "config.json").write_text(text)
        assert holds_checkpoint(tmp_path) == is_one


def test_settings(tmp_path):
    write_settings(tmp_path, "Task", {"a": 1})
    assert read_settings(tmp_path / "tfnlp.json") == ("Task", {"a": 1})
    (tmp_path / "tfnlp.json").write_text("[]")
    with pytest.raises(CheckpointError, match=r"tfnlp\.json: not the settings that `save` writes: "):
        read_settings(tmp_path / "tfnlp.json")
