import io
import json
import os
import shutil
import subprocess
import sys

import pytest
from typer.testing import CliRunner

import tfnlp
from tests.tiny import RECORDS, TEXTS
from tfnlp.cli import app, main
from tfnlp.errors import ArgumentError
from tfnlp.training.resuming import Watch

runner = CliRunner()


@pytest.fixture(scope="module")
def saved(tagger, tmp_path_factory):
    directory = tmp_path_factory.mktemp("cli") / "model"
    tagger.save(directory)
    return directory


@pytest.fixture
def conll(tmp_path):
    path = tmp_path / "data.conll"
    sentences = ["".join(f"{w}\t{t}\n" for w, t in zip(r["words"], r["labels"], strict=True)) for r in RECORDS]
    path.write_text("\n".join(sentences))
    return path


def run(*arguments, **options):
    result = runner.invoke(app, list(map(str, arguments)), **options)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_train_evaluate_predict_export(checkpoints, conll, tmp_path):
    output = tmp_path / "out"
    options = [
        "--epochs",
        2,
        "--batch-size",
        4,
        "--learning-rate",
        1e-3,
        "--max-length",
        24,
        "--stride",
        4,
        "--seed",
        1,
    ]
    found = run(
        "train", "token-classification", "--model", checkpoints["bert"], "--train", conll, "--dev", conll,
        "--output", output, "--patience", 1, *options,
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    assert f"saved to {output}" in found.output.replace("\n", "")
    settings = json.loads((output / "tfnlp.json").read_text())["settings"]
    assert (settings["max_length"], settings["stride"]) == (24, 4)
    found = run("export", output, tmp_path / "serving" / "1")
    assert found.exit_code == 0, found.output
    assert (tmp_path / "serving" / "1" / "saved_model.pb").exists()


def test_evaluate(saved, conll, tmp_path):
    report = tmp_path / "reports" / "report.json"
    found = run("evaluate", saved, "--data", conll, "--report", report, "--mode", "strict")
    assert found.exit_code == 0
    assert "micro avg" in found.output
    assert json.loads(report.read_text())["micro"]["f1"] == 1.0


def test_several_files_and_other_names_of_columns(saved, conll, tmp_path):
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    table = pandas.DataFrame(
        {"wrods": [record["words"] for record in RECORDS], "labels": [record["labels"] for record in RECORDS]}
    )
    table.to_parquet(tmp_path / "data.parquet")
    one, two = (
        run("evaluate", saved, *files, "--report", tmp_path / "report.json").output
        for files in (["--data", conll], ["--data", conll, "--data", tmp_path / "data.*onll"])
    )
    assert str(len(RECORDS)) in one.splitlines()[-2]
    assert str(2 * len(RECORDS)) in two.splitlines()[-2], two
    found = run("evaluate", saved, "--data", tmp_path / "data.parquet", "--rename", "wrods=words")
    assert "micro avg" in found.output


def test_where_to_write_is_looked_at_before(checkpoints, conll, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("years of work")
    for output, message in ((conll, "this is a file"), (tmp_path / "other", "the directory holds other files")):
        command = ["token-classification", "--model", checkpoints["bert"], "--train", conll, "--output", output]
        with pytest.raises(ArgumentError, match=message):
            run("train", *command)


def test_predict_from_a_file_and_from_standard_input(saved, tmp_path, monkeypatch):
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(TEXTS) + "\n")
    lines = [json.loads(line) for line in run("predict", saved, path).output.splitlines()]
    assert [line["text"] for line in lines] == TEXTS
    assert [e["text"] for e in lines[1]["entities"]] == ["Bob Stone", "New York"]
    table = run("predict", saved, "--format", "table", input=TEXTS[0] + "\n[MASK]\n")
    assert "Paris" in table.output
    assert "[MASK]" in table.output


def test_conllu_and_columns(checkpoints, tmp_path):
    path = tmp_path / "x.conll"
    path.write_text("1 O Ada\n2 B-PER Bob\n")
    options = ["--model", checkpoints["bert"], "--train", path, "--output", tmp_path / "o", "--epochs", 1]
    assert run("train", "token-classification", *options, "--columns", "-,label,word").exit_code == 0


def in_main(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["tfnlp", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code, capsys.readouterr().err


def test_an_error_is_one_message(monkeypatch, capsys, saved, tmp_path):
    code, message = in_main(monkeypatch, capsys, "evaluate", saved, "--data", tmp_path / "none.conll")
    assert (code, message) == (1, f"error: {tmp_path / 'none.conll'}: there is no such file.\n")
    code, message = in_main(monkeypatch, capsys, "export", tmp_path, tmp_path / "x")
    assert code == 1
    assert message.startswith(f"error: {tmp_path}: this directory is no checkpoint")
    bad = tmp_path / "bad.txt"
    bad.write_bytes(b"ok\n\xff\n")
    code, message = in_main(monkeypatch, capsys, "predict", saved, bad)
    assert (code, message) == (
        1,
        f"error: {bad}:2: byte 0xff at position 0 is not UTF-8. Pass `encoding=`, or convert the file to UTF-8.\n",
    )
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    code, message = in_main(monkeypatch, capsys, "predict", saved)
    assert (code, message) == (1, "error: standard input: the file is empty.\n")


def test_patience_needs_something_to_watch(checkpoints, conll, tmp_path):
    options = ["--model", checkpoints["bert"], "--train", conll, "--output", tmp_path / "x", "--patience", 1]
    found = run("train", "token-classification", *options)
    assert found.exit_code == 2
    assert "--patience needs --dev" in found.output


@pytest.mark.slow
def test_a_training_that_stopped_goes_on(checkpoints, conll, tmp_path, monkeypatch):
    output = tmp_path / "out"
    command = [
        "train", "token-classification", "--model", checkpoints["bert"], "--train", conll, "--output", output,
        "--epochs", 2, "--max-length", 24,
    ]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["tfnlp", *map(str, command)])
    end_epoch = Watch.on_epoch_end

    def stop(watch, epoch, logs=None):
        raise KeyboardInterrupt

    def save_and_stop(watch, epoch, logs=None):
        end_epoch(watch, epoch, logs)
        raise KeyboardInterrupt

    with monkeypatch.context() as changed:
        for on_epoch_end, message in (
            (stop, "stopped before an epoch had ended: nothing was saved. --save-every saves sooner"),
            (save_and_stop, f"stopped. To go on: tfnlp {' '.join(map(str, command))} --resume"),
        ):
            changed.setattr(Watch, "on_epoch_end", on_epoch_end)
            found = run(*command)
            assert found.exit_code == 130
            assert message in found.output
    found = run(*command)
    assert found.exit_code == 2
    assert "holds a training that stopped: pass --resume" in found.output.replace("\n", " ").replace("│ ", "")
    found = run(*command, "--resume")
    assert found.exit_code == 0, found.output
    assert "Epoch 1/2" not in found.output
    assert sorted(path.name for path in tmp_path.iterdir() if "out" in path.name) == ["out"]
    assert "holds no training" in run(*command, "--resume").output


def test_help_needs_no_tensorflow():
    code = "import sys, tfnlp.cli, typer.testing as t; r = t.CliRunner().invoke(tfnlp.cli.app, ['--help']); "
    code += "assert r.exit_code == 0 and 'train' in r.output; "
    code += "assert not {'tensorflow', 'transformers', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_the_user_s_keras_stays_keras_3():
    code = "import tfnlp, os, tensorflow as tf; from tfnlp.checkpoints.upstream import import_heads; import_heads(); "
    code += "assert 'TF_USE_LEGACY_KERAS' not in os.environ; assert tf.keras.__version__.startswith('3.')"
    environment = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_import_loads_nothing_heavy():
    code = "import sys, tfnlp; assert not {'tensorflow', 'transformers', 'numpy', 'rich'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_check_tokenizer(checkpoints, tmp_path):
    texts = tmp_path / "texts.txt"
    texts.write_text("Ada lives in Paris.\ndon't  stop\n", encoding="utf-8")
    result = run("check-tokenizer", checkpoints["roberta"], texts, "--report", tmp_path / "report.json")
    assert result.exit_code == 0
    assert "0 differences in 16 texts" in result.output
    assert json.loads((tmp_path / "report.json").read_text())["differences"] == []


def test_check_tokenizer_names_what_is_not_supported(checkpoints, tmp_path):
    directory = tmp_path / "model"
    shutil.copytree(checkpoints["roberta"], directory)
    file = directory / "tokenizer.json"
    spec = json.loads(file.read_text())
    spec["model"]["dropout"] = 0.5
    file.write_text(json.dumps(spec))
    result = run("check-tokenizer", directory)
    assert result.exit_code == 1
    assert result.output.startswith("not supported: `dropout=0.5` makes a tokenizer answer by chance")


@pytest.mark.slow
def test_text_classification(checkpoints, tmp_path):
    table = tmp_path / "data.tsv"
    table.write_text("".join(f"{text}\t{i % 2},{2 - i % 2}\t-\n" for i, text in enumerate(TEXTS)), encoding="utf-8")
    names = tmp_path / "labels.txt"
    names.write_text("a\nb\nc\n")
    reading = ["--columns", "text,label,-", "--label-separator", ",", "--label-names", names]
    found = run(
        "train", "text-classification", "--model", checkpoints["bert"], "--train", table, "--dev", table, "--output",
        tmp_path / "out", "--epochs", 1, "--max-length", 24, "--patience", 1, "--tune-thresholds", *reading,
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    assert "macro avg" in found.output
    assert len(json.loads((tmp_path / "out" / "tfnlp.json").read_text())["settings"]["thresholds"]) == 3
    found = run("evaluate", tmp_path / "out", "--data", table, "--report", tmp_path / "report.json", *reading)
    assert found.exit_code == 0, found.output
    assert set(json.loads((tmp_path / "report.json").read_text())["labels"]) == {"a", "b", "c"}
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps({"id": 7, "text": TEXTS[0]}) + "\n")
    answer = json.loads(run("predict", tmp_path / "out", questions).output)
    assert (answer["id"], answer["text"]) == (7, TEXTS[0])
    assert {label["name"] for label in answer["labels"]} <= {"a", "b", "c"}
    assert run("predict", tmp_path / "out", questions, "--format", "table").exit_code == 0
    with pytest.raises(ArgumentError, match="--format says nothing about files of a SequenceClassifier"):
        run("evaluate", tmp_path / "out", "--data", table, "--format", "conll")
    with pytest.raises(ArgumentError, match="--mode says nothing to a SequenceClassifier"):
        run("evaluate", tmp_path / "out", "--data", table, "--mode", "strict")


def test_version():
    assert run("--version").output.strip() == tfnlp.__version__


def test_options_are_the_fields_of_recipe_and_settings():
    from tfnlp.cli.options import descriptions_of, options_of
    from tfnlp.tasks.token_classification.settings import TokenClassifierSettings
    from tfnlp.training.recipe import Recipe

    assert {option.name for option in options_of(Recipe)} == {
        "epochs", "batch_size", "learning_rate", "warmup", "weight_decay", "max_gradient_norm", "label_smoothing", "seed",
        "precision", "patience", "keep", "ema", "accumulate", "jit_compile", "layer_decay", "schedule",
    }  # fmt: skip
    names = {option.name for option in options_of(TokenClassifierSettings)}
    assert names == {
        "max_length",
        "stride",
        "aggregation",
        "label_all_tokens",
        "grouping",
        "precision",
        "decoding",
        "max_entities",
    }
    assert descriptions_of(TokenClassifierSettings)["stride"].startswith("how many tokens of the text two")
    shown = run("train", "token-classification", "--help").output
    assert all(f"--{name.replace('_', '-')}"[:14] in shown for name in names)
