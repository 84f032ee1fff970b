"""Runs of MLflow become runs here, and runs from here become runs of MLflow.

The files below are those that MLflow 3.17 wrote for the same calls, `workspace` and `mlflow.user` included.
"""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import yaml

from mnist_core.cli.parser import main
from mnist_core.errors import ConfigError, DamagedFile
from mnist_core.evaluation.predictions import Predictions
from mnist_core.recording import mlflow_store
from mnist_core.recording.importing import read, read_all
from mnist_core.recording.mlflow_files import STATES
from mnist_core.recording.mlflow_store import STATUS
from mnist_core.runs.states import RunState
from mnist_core.runs.store import Store
from tests.support.outside import HISTORY, LETTERS, MLFLOW_SCHEMA, labels_of, probabilities, recorded

EXPERIMENT, NET, FOREST = "865566322480754498", "712984ebf857464c8216bc79505f6bab", "54ccc8640c4749a6be138a7afa3bb1d1"


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def run_folder(
    experiment: Path, run: str, name: str, metrics: dict[str, list[float]], *, stage: str = "active", status: int = 3
) -> Path:
    """Write a run as MLflow does: one step an epoch, counted from 0."""
    own = experiment / run
    write(
        own / "meta.yaml",
        f"artifact_uri: file://{own}/artifacts\nend_time: 1795716579919\nentry_point_name: ''\n"
        f"experiment_id: '{EXPERIMENT}'\nlifecycle_stage: {stage}\nrun_id: {run}\nrun_name: {name}\nsource_name: ''\n"
        f"source_type: 4\nsource_version: ''\nstart_time: 1795716579862\nstatus: {status}\ntags: []\nuser_id: root\n",
    )
    for metric, values in metrics.items():
        lines = [f"{1795716579885 + step} {value} {step}\n" for step, value in enumerate(values)]
        write(own / "metrics" / metric, "".join(lines))
    for param, value in (("lr", "0.01"), ("opt/name", "adam")):
        write(own / "params" / param, value)
    for tag, value in (("mlflow.runName", name), ("mlflow.user", "root"), ("mlflow.autologging", "keras")):
        write(own / "tags" / tag, value)
    (own / "artifacts").mkdir()
    return own


def experiment_folder(root: Path, number: str, name: str) -> Path:
    write(
        root / number / "meta.yaml",
        f"artifact_location: file://{root}/{number}\ncreation_time: 1795716579690\n"
        f"effective_trace_archival_retention: null\nexperiment_id: '{number}'\nlast_update_time: 1795716579690\n"
        f"lifecycle_stage: active\nname: '{name}'\ntrace_location: null\nworkspace: default\n",
    )
    return root / number


@pytest.fixture
def mlruns(tmp_path: Path) -> Path:
    """A store with two runs with a history, one without, and one that was deleted."""
    root = tmp_path / "mlruns"
    experiment_folder(root, "0", "Default")
    own = experiment_folder(root, EXPERIMENT, 'digits: "héé"')
    run_folder(own, NET, "net a", {**HISTORY, "test_accuracy": [0.9]})
    run_folder(own, FOREST, "forest", {"train/loss": HISTORY["loss"], "val/accuracy": [math.nan, 0.5, 0.6]}, status=4)
    run_folder(own, "c" * 32, "no curve", {"f1": [0.9]})
    run_folder(own, "d" * 32, "gone", HISTORY, stage="deleted")
    # a logged model of MLflow 3 has a meta.yaml and metrics, too, and is no run
    write(own / "models" / "m-1" / "meta.yaml", f"model_id: m-1\nsource_run_id: {NET}\n")
    (root / ".trash").mkdir()
    return root


def imported(store: Store, *arguments: object) -> int:
    return main(["import", *map(str, arguments), "--store", str(store.root)])


def test_a_store_of_mlflow_becomes_the_runs_that_have_curves(store, mlruns) -> None:
    assert imported(store, mlruns) == 0
    assert {run.name for run in store.runs() if run.recorded} == {"net a", "forest"}
    net, forest = store.find("net a"), store.find("forest")
    for name, values in HISTORY.items():
        assert net.history()[name].tolist() == values
    assert net.predictions() is None
    assert net.recorded.framework == "keras"
    assert net.meta.note == "Parameters in MLflow: lr 0.01, opt/name adam."
    assert forest.history()["loss"].tolist() == HISTORY["loss"]
    assert forest.history()["val_accuracy"].tolist()[1:] == [0.5, 0.6]
    assert math.isnan(forest.history()["val_accuracy"].iloc[0])
    assert forest.meta.note.startswith("In MLflow, this run is FAILED.")


@pytest.mark.parametrize("part", ["", EXPERIMENT, f"{EXPERIMENT}/{NET}"])
def test_a_store_an_experiment_and_a_run_can_each_be_given(mlruns, part) -> None:
    names = [item.name for item in read_all(mlruns / part)]
    assert names == (["net a"] if NET in part else ["forest", "net a"])


def test_one_run_takes_a_name_and_a_data_set_and_belongs_to_predictions(store, digits, mlruns, tmp_path) -> None:
    one = mlruns / EXPERIMENT / NET
    np.savez(tmp_path / "net.npz", probabilities=probabilities(digits.y_test, 10))
    assert imported(store, tmp_path / "net.npz", "--dataset", "digits", "--name", "mine", "--history", one) == 0
    assert store.find("mine").history()["loss"].tolist() == HISTORY["loss"]


def test_a_name_for_several_runs_is_refused(store, mlruns, capsys) -> None:
    assert imported(store, mlruns, "--name", "mine") == 2
    assert "--name is for one run, and mlruns holds 2" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="holds 2 runs; give a file or a folder of one"):
        read(mlruns)


def test_values_that_were_logged_without_a_step_are_taken_in_their_order(mlruns) -> None:
    write(mlruns / EXPERIMENT / NET / "metrics" / "loss", "11 0.5 0\n10 0.9 0\n12 0.4 0\n")
    assert read(mlruns / EXPERIMENT / NET).history["loss"] == [0.9, 0.5, 0.4]


def test_lines_without_a_step_and_with_a_data_set_are_read(mlruns) -> None:
    write(mlruns / EXPERIMENT / NET / "metrics" / "loss", "11 0.5\n12 0.25 1 train 1a2b\n")
    assert read(mlruns / EXPERIMENT / NET).history["loss"][:2] == [0.5, 0.25]


def test_a_run_of_an_older_version_has_its_name_in_a_tag(mlruns) -> None:
    path = mlruns / EXPERIMENT / NET / "meta.yaml"
    write(path, path.read_text().replace("run_name: net a", "run_name: null"))
    assert read(mlruns / EXPERIMENT / NET).name == "net a"


def test_the_last_value_of_a_step_counts_and_a_plain_name_is_preferred(mlruns) -> None:
    metrics = mlruns / EXPERIMENT / NET / "metrics"
    write(metrics / "loss", "10 0.5 0\n11 0.4 0\n12 0.3 1\n")
    write(metrics / "train_loss", "10 9 0\n12 9 1\n13 9 2\n")
    assert read(mlruns / EXPERIMENT / NET).history["loss"][:2] == [0.4, 0.3]


# -- the database ------------------------------------------------------------------------------------------------------


def database(path: Path, schema: str = MLFLOW_SCHEMA) -> Path:
    connection = sqlite3.connect(path)
    with connection:
        connection.executescript(schema)
        for run, name, stage in ((NET, "net a", "active"), (FOREST, "gone", "deleted")):
            connection.execute(
                "INSERT INTO runs VALUES (?, ?, 'LOCAL', 'FINISHED', 1, 2, ?, '/a', 1)", (run, name, stage)
            )
            for step in range(3):
                for metric, values in HISTORY.items():
                    connection.execute(
                        "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, 0)", (metric, values[step], step, run, step)
                    )
            connection.execute("INSERT INTO metrics VALUES ('lr', 0, 1, ?, 1, 1)", (run,))
            connection.execute("INSERT INTO params VALUES ('units', '64', ?)", (run,))
    connection.close()
    return path


def test_the_database_of_newer_versions_is_read_and_not_changed(store, tmp_path) -> None:
    path = database(tmp_path / "mlflow.db")
    before = path.read_bytes()
    assert imported(store, path) == 0
    run = store.find("net a")
    for name, values in HISTORY.items():
        assert run.history()[name].tolist() == values
    assert np.isnan(run.history()["learning_rate"]).all(), "a NaN is stored as 0 with a mark"
    assert run.meta.note == "Parameters in MLflow: units 64."
    assert path.read_bytes() == before
    assert len([run for run in store.runs() if run.recorded]) == 1


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ("CREATE TABLE other (a)", "has no table runs"),
        (
            MLFLOW_SCHEMA.replace('TABLE "params"', 'TABLE "real_params"')
            + "CREATE VIEW params AS WITH RECURSIVE x(key) AS (SELECT 1 UNION ALL SELECT key FROM x) "
            "SELECT key, key AS value, 'a' AS run_uuid FROM x",
            "has no table params",
        ),
    ],
)
def test_a_database_of_something_else_or_with_a_view_is_refused(tmp_path, schema, says) -> None:
    path = tmp_path / "mlflow.db"
    connection = sqlite3.connect(path)
    connection.executescript(schema)
    connection.close()
    with pytest.raises(DamagedFile, match=says):
        read_all(path)


def test_a_damaged_database_is_refused_by_name(tmp_path) -> None:
    path = database(tmp_path / "mlflow.db")
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 4000)
    with pytest.raises(DamagedFile, match=r"mlflow\.db is not a database of MLflow that can be read"):
        read_all(path)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("meta.yaml", "a: [1", "meta.yaml is not YAML"),
        ("meta.yaml", "[" * 100_000, "meta.yaml is longer than 64 KB, the most that is read"),
        ("meta.yaml", "[" * 5000, "meta.yaml is not YAML"),
        ("meta.yaml", "- 1\n", "holds no table of facts"),
        (
            "metrics/loss",
            "10 zero 0\n",
            "metric loss, line 1: it is '10 zero 0'; it must be a time, a value and a step",
        ),
        ("metrics/loss", "10 0.5 0 1\n", "metric loss, line 1"),
    ],
)
def test_a_damaged_store_is_refused_by_name(store, mlruns, capsys, file, content, says) -> None:
    write(mlruns / EXPERIMENT / NET / file, content)
    assert imported(store, mlruns) == 1
    output = capsys.readouterr().err
    assert says in output
    assert "Traceback" not in output
    assert not [run for run in store.runs() if run.recorded]


def test_yaml_that_would_make_an_object_makes_a_text(mlruns, tmp_path) -> None:
    path = mlruns / EXPERIMENT / NET / "meta.yaml"
    trap = f"!!python/object/apply:os.mkdir ['{tmp_path}/made']"
    write(path, path.read_text().replace("run_name: net a", f"run_name: {trap}"))
    read_all(mlruns)
    assert not (tmp_path / "made").exists()


def test_a_link_shows_no_other_file_of_this_machine(mlruns, tmp_path) -> None:
    write(tmp_path / "secret", "hidden")
    (mlruns / EXPERIMENT / NET / "params" / "key").symlink_to(tmp_path / "secret")
    with pytest.raises(DamagedFile, match="key is a link"):
        read_all(mlruns)


def test_runs_without_a_curve_are_refused_with_the_names_of_their_metrics(store, mlruns, capsys) -> None:
    assert imported(store, mlruns / EXPERIMENT / ("c" * 32)) == 1
    assert "has the metrics f1; a history needs loss, accuracy, val_loss or val_accuracy" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("MOST_RUNS", "mlruns has 4 runs, and 1 are read; give one experiment or run"),
        ("MOST_VALUES", "the run has more than 1 values of metrics, the most that are read"),
        ("MOST_NAMES", "tags has more than 1 files, the most that are read"),
    ],
)
def test_too_many_runs_values_or_names_are_refused(mlruns, monkeypatch, limit, reason) -> None:
    monkeypatch.setattr(mlflow_store, limit, 1)
    with pytest.raises(DamagedFile, match=f"{reason}$"):
        read_all(mlruns)


def test_a_deleted_run_alone_is_refused(mlruns) -> None:
    with pytest.raises(DamagedFile, match="has no runs of MLflow that are not deleted"):
        read_all(mlruns / EXPERIMENT / ("d" * 32))


# -- the way out -------------------------------------------------------------------------------------------------------


def exported(store: Store, folder: Path, *names: str) -> int:
    return main(["export", *names, "--to", "mlflow", "--out", str(folder), "--store", str(store.root)])


def test_an_exported_run_comes_back_with_its_curves_and_its_predictions(store, digits, tmp_path) -> None:
    made = probabilities(digits.y_test, 10)
    path = tmp_path / "net.npz"
    np.savez(path, probabilities=made)
    write(tmp_path / "history.csv", "epoch,loss,val_loss\n0,1.0,0.9\n1,0.5,NA\n")
    given: tuple[Any, ...] = ("--dataset", "digits", "--parameters", 99, "--framework", "PyTorch 2")
    assert imported(store, path, *given, "--history", tmp_path / "history.csv") == 0
    assert exported(store, tmp_path / "mlruns", "net") == 0
    other = Store(tmp_path / "other")
    assert imported(other, tmp_path / "mlruns") == 0
    (back,), ours = [run for run in other.runs() if run.recorded], store.find("net")
    assert (back.name, back.dataset, back.pictures, back.recorded.framework) == ("net", "digits", True, "PyTorch 2")
    np.testing.assert_array_equal(back.predictions().probabilities, ours.predictions().probabilities)
    np.testing.assert_array_equal(back.history()["loss"], ours.history()["loss"])
    np.testing.assert_array_equal(back.history()["val_loss"], ours.history()["val_loss"])


def test_predictions_that_are_of_another_kind_are_left_and_noted(store, mlruns) -> None:
    np.savez(mlruns / EXPERIMENT / NET / "artifacts" / "predictions.npz", arr_0=np.zeros(3))
    assert imported(store, mlruns / EXPERIMENT / NET) == 0
    run = store.find("net a")
    assert run.predictions() is None
    assert "Its predictions were not read: predictions.npz" in run.meta.note


def test_the_files_are_those_that_mlflow_writes(tmp_path, mlruns) -> None:
    """The same keys as above, so that what MLflow reads of its own it reads of these; it has read them once."""
    store = Store(tmp_path / "own")
    run = recorded(store, "a: 'b' é", LETTERS, history=HISTORY, parameters=7)
    assert exported(store, tmp_path / "out", run.id) == 0
    (experiment,) = (tmp_path / "out").iterdir()
    (own,) = (item for item in experiment.iterdir() if item.is_dir())
    theirs = mlruns / EXPERIMENT
    facts = yaml.safe_load((own / "meta.yaml").read_text("utf-8"))
    assert facts.keys() == yaml.safe_load((theirs / NET / "meta.yaml").read_text("utf-8")).keys()
    assert (facts["run_name"], facts["status"], facts["experiment_id"]) == ("a: 'b' é", 3, experiment.name)
    known = yaml.safe_load((experiment / "meta.yaml").read_text("utf-8"))
    assert known.keys() <= yaml.safe_load((theirs / "meta.yaml").read_text("utf-8")).keys()
    assert known["name"] == "own-26"
    lines = (own / "metrics" / "val_loss").read_text().splitlines()
    assert [line.split()[1:] for line in lines] == [["0.9", "0"], ["0.6", "1"], ["0.65", "2"]]
    assert (own / "params" / "parameters").read_text() == "7"
    score = float((own / "metrics" / "test_accuracy").read_text().split()[1])
    assert score == run.test_scores().accuracy
    assert (own / "artifacts" / "predictions.npz").is_file()


def test_mlflow_has_a_word_for_every_state() -> None:
    assert set(STATES) == set(get_args(RunState))
    assert set(STATES.values()) <= set(STATUS.values())


def test_runs_join_an_experiment_of_the_same_name_in_a_store_that_is_there(mlruns, tmp_path) -> None:
    store = Store(tmp_path / "own")
    run = recorded(store, "one", LETTERS)
    meta = mlruns / EXPERIMENT / "meta.yaml"
    write(meta, meta.read_text("utf-8").replace('digits: "héé"', "own-26"))
    before = meta.read_bytes()
    for _ in range(2):
        assert exported(store, mlruns, run.id) == 0
    assert (mlruns / EXPERIMENT / run.id / "meta.yaml").is_file()
    assert meta.read_bytes() == before


def test_a_configuration_becomes_parameters(store, tmp_path) -> None:
    run = next(run for run in Store().runs() if run.name == "notebook/model_1")
    assert main(["export", run.id, "--to", "mlflow", "--out", str(tmp_path / "out")]) == 0
    (own,) = (tmp_path / "out").glob(f"*/{run.id}")
    assert (own / "params" / "training.learning_rate").read_text() == str(run.config.training.learning_rate)
    assert (own / "artifacts" / "model.keras").read_bytes() == run.model_file.read_bytes()


def test_a_file_name_and_a_tool_do_not_go_together(store, tmp_path, capsys) -> None:
    recorded(store, "one", LETTERS)
    arguments = ["export", "one", "--to", "mlflow", "--out", str(tmp_path / "x.npz"), "--store", str(store.root)]
    assert main(arguments) == 2
    assert "x.npz is a file, and mlflow needs a folder" in capsys.readouterr().err


def test_a_run_that_has_guesses_only_is_exported_with_them(store, tmp_path) -> None:
    run = recorded(store, "hard", LETTERS, predicted=labels_of(26))
    assert exported(store, tmp_path / "out", "hard") == 0
    (own,) = (tmp_path / "out").glob(f"*/{run.id}")
    assert not (own / "metrics" / "test_loss").exists()
    found = read(own)
    kept = Predictions.of_guesses(found.labels, found.predicted, 26)
    np.testing.assert_array_equal(kept.predicted, labels_of(26))
