"""The command line: what it prints for people and machines, and its exit status."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core.cli import main
from mnist_core.experiments.configs import RunConfig
from mnist_core.runs.store import Store
from tests.support.synthetic import MakeRun, config

SMALL = ["notebook/model_1", "--dataset", "digits", "--epochs", "2", "--here"]


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Runs one command on a store of its own: (exit status, standard output, standard error)."""

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            status = main([*arguments, "--store", str(tmp_path / "store")])
        except SystemExit as stop:
            status = int(stop.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def trained(cli) -> dict[str, Any]:
    status, out, _ = cli("train", *SMALL, "--json")
    assert status == 0
    return json.loads(out)[0]


def test_train_ends_with_a_finished_run(trained: dict[str, Any]) -> None:
    assert trained["state"] == "finished"
    assert trained["outcome"] == "new"
    assert trained["epochs_done"] == 2
    assert trained["parameters"] == 55_050
    assert trained["name"] == "notebook/model_1, epochs 2"
    assert 0.5 < trained["test"]["accuracy"] <= 1


def test_what_is_trained_already_comes_back_at_once_and_says_so(cli, trained: dict[str, Any]) -> None:
    status, out, err = cli("train", *SMALL)
    assert status == 0
    assert "is already trained" in err
    assert trained["id"] in out


def test_again_trains_anew_with_the_same_result(cli, trained: dict[str, Any]) -> None:
    status, out, _ = cli("train", *SMALL, "--again", "--json")
    again = json.loads(out)[0]
    assert (status, again["outcome"], again["id"]) == (0, "new", trained["id"])
    assert again["test"] == trained["test"]
    assert [run["id"] for run in json.loads(cli("runs", "--trash", "--json")[1])] == [trained["id"]]


def test_progress_is_a_line_an_epoch_off_a_terminal(cli) -> None:
    _, out, err = cli("train", *SMALL, "--seed", "5")
    assert "epoch 2/2, loss" in err
    assert "test accuracy" in out


def test_any_field_can_be_set(cli) -> None:
    status, out, _ = cli(
        "train", *SMALL, "--set", "training.learning_rate=0.0005", "--set", "model.layers.0.dropout=0.5", "--json"
    )
    config = json.loads(out)[0]["config"]
    assert status == 0
    assert config["training"]["learning_rate"] == 0.0005
    assert config["model"]["layers"][0]["dropout"] == 0.5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "model_9"], "there is no preset 'model_9'"),
        (["train", "notebook/model_1", "--epochs", "0"], "training.epochs: Input should be greater than or equal to 1"),
        (["train", "notebook/model_1", "--set", "training.epochs"], "has no '='"),
        (["train", "notebook/model_1", "--set", "training.rate=1"], "has no field 'rate'"),
        (["train", "notebook/model_1", "readme/model_1", "--name", "x"], "fits one preset"),
        (["compare", "x"], "no run is called 'x'"),
        (["train"], "required: PRESET"),
        (["train", "notebook/model_1", "--from", "x"], "and not both"),
        (["train", *SMALL, "--seeds", "0"], "0 seeds were asked for; ask for 1 to 100"),
        (["sweep", "nothing"], "there is no sweep 'nothing'; there are tuning/grid_90"),
        (["search", "nothing"], "there is no search 'nothing'; there are tuning/hyperband_mlp"),
        (["searches", "--cancel"], "name the search to cancel"),
        (["sweeps", "--cancel"], "name the sweep to cancel"),
        (["dance"], "invalid choice: 'dance'"),
    ],
)
def test_bad_usage_says_what_is_wrong(cli, arguments: list[str], says: str) -> None:
    status, out, err = cli(*arguments)
    assert status == (1 if arguments[:1] == ["compare"] else 2)
    assert says in err
    assert out == ""


def test_a_dataset_that_is_unknown_fails_before_anything_is_trained(cli, tmp_path: Path) -> None:
    status, _, err = cli("train", "notebook/model_1", "--dataset", "cifar", "--here")
    assert (status, Store(tmp_path / "store").runs()) == (1, [])
    assert "there is no dataset 'cifar'" in err


def test_a_diverged_run_is_no_success_and_keeps_its_history(cli) -> None:
    status, out, err = cli(
        "train", *SMALL, "--set", "training.optimizer=sgd", "--set", "training.learning_rate=10", "--json",
        "--set", "model.layers.0.l2=1",
    )  # fmt: skip
    run = json.loads(out)[0]
    assert (status, run["state"]) == (1, "diverged")
    assert run["epochs_done"] >= 1
    assert "is diverged" in err


def test_show_gives_configuration_history_and_figures(cli, trained: dict[str, Any]) -> None:
    status, out, _ = cli("show", trained["id"][:6], "--json")
    shown = json.loads(out)
    assert status == 0
    assert [row["epoch"] for row in shown["history"]] == [1, 2]
    assert shown["environment"]["keras"]
    text = cli("show", trained["id"])[1]
    assert "dense_1" in text
    assert "val loss" in text


def test_compare_gives_figures_and_differences(cli, trained: dict[str, Any]) -> None:
    other = json.loads(cli("train", *SMALL, "--seed", "1", "--json")[1])[0]
    status, out, _ = cli("compare", trained["id"], other["id"], "--json")
    compared = json.loads(out)
    assert status == 0
    assert compared["differences"] == {"training.seed": [0, 1]}
    assert [run["test"]["accuracy"] for run in compared["runs"]] == [
        trained["test"]["accuracy"],
        other["test"]["accuracy"],
    ]
    assert "accuracy points" in cli("compare", trained["id"], other["id"])[1]


def test_delete_and_restore(cli, trained: dict[str, Any]) -> None:
    assert cli("delete", trained["id"])[0] == 0
    assert json.loads(cli("runs", "--json")[1]) == []
    assert cli("restore", trained["id"])[0] == 0
    assert json.loads(cli("runs", "--json")[1])[0]["id"] == trained["id"]
    assert cli("restore", trained["id"])[0] == 1


def test_a_finished_run_cannot_be_resumed(cli, trained: dict[str, Any]) -> None:
    status, _, err = cli("resume", trained["id"], "--here")
    assert status == 1
    assert "only paused, cancelled, interrupted or failed" in err


def test_a_run_is_paused_goes_on_for_an_epoch_and_with_a_change(cli, tmp_path: Path, small_config: RunConfig) -> None:
    run = Store(tmp_path / "store").add(small_config, name="mine")[0].id
    status, _, err = cli("pause", run)
    assert (status, f"mine ({run}) is paused after its present epoch; `resume {run}` goes on" in err) == (0, True)
    status, _, err = cli("resume", run, "--here")
    assert (status, "is paused: paused after epoch 1 of 3" in err) == (1, True)
    status, out, _ = cli("resume", run, "--here", "--more", "1", "--json")
    found = json.loads(out)[0]
    assert (status, found["state"], found["epochs_done"]) == (0, "paused", 2)
    status, _, err = cli("resume", run, "--here", "--set", "training.seed=4")
    assert (status, "training.seed: only the dropout of layers" in err) == (2, True)
    status, out, _ = cli("resume", run, "--here", "--set", "model.layers.0.dropout=0.5", "--json")
    found = json.loads(out)[0]
    assert (status, found["state"], found["outcome"]) == (0, "finished", "new")
    assert (found["config"]["parent"], found["config"]["parent_epoch"]) == (run, 2)
    assert found["changes"] == [{"epoch": 2, "path": "model.layers.0.dropout", "before": 0.2, "after": 0.5}]
    child = json.loads(cli("train", "--from", found["id"], "--epochs", "1", "--here", "--json")[1])[0]
    assert (child["state"], child["config"]["parent"], child["config"]["parent_epoch"]) == (
        "finished",
        found["id"],
        None,
    )
    status, _, err = cli("pause", found["id"])
    assert (status, "is finished; only queued or running runs can be paused" in err) == (1, True)


def test_slow_motion_has_bounds(cli) -> None:
    status, _, err = cli("train", *SMALL, "--slow", "99")
    assert (status, "delay_s" in err) == (2, True)


def test_datasets_are_listed_registered_and_forgotten(cli, tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    images, labels = np.zeros((20, 28, 28), np.uint8), np.arange(20) % 10
    np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels)
    assert cli("datasets", "--register", "mine", str(path))[0] == 0
    assert "mine" in [row["name"] for row in json.loads(cli("datasets", "--json")[1])]
    assert cli("datasets", "--forget", "mine")[0] == 0
    assert cli("datasets", "--register", "digits", str(path))[0] == 1


def test_presets_carry_their_figures_and_assumptions(cli) -> None:
    rows = {row["name"]: row for row in json.loads(cli("presets", "--json")[1])}
    assert rows["notebook/model_2"]["published_test_accuracy"] == 0.9836
    assert rows["coursera/first"]["assumptions"]


def test_a_damaged_run_is_skipped_and_reported(cli, trained: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "store" / "runs" / trained["id"] / "config.json").write_text("{")
    status, out, err = cli("runs", "--json")
    assert (status, json.loads(out)) == (0, [])
    assert "skipped" in err


def test_the_module_can_be_run() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "mnist_core", "--help"], capture_output=True, text=True, check=False, timeout=60
    )
    assert result.returncode == 0
    for command in [
        "presets", "datasets", "train", "runs", "show", "compare", "report", "resume", "delete", "restore", "sweep",
        "sweeps", "search", "searches",
    ]:  # fmt: skip
        assert command in result.stdout


# -- many runs at once -------------------------------------------------------------------------------------------------

GRID = """
base = "notebook/model_1"
[fixed]
"dataset.name" = "digits"
"training.epochs" = 2
[grid]
"stack.units" = [8, 16]
"""


@pytest.fixture
def grid(tmp_path: Path) -> str:
    path = tmp_path / "widths.toml"
    path.write_text(GRID)
    return str(path)


def test_runs_are_listed_where_a_condition_holds(cli) -> None:
    cli("train", "notebook/model_1", "--dataset", "digits", "--epochs", "1", "--here", "--seeds", "2")
    runs = json.loads(cli("runs", "--json")[1])
    assert [run["seed"] for run in runs] == [0, 1]
    assert [run["seed"] for run in json.loads(cli("runs", "--json", "--where", "seed > 0 and dropout == 0.2")[1])] == [
        1
    ]
    assert len(json.loads(cli("runs", "--recipes", "--json", "--where", "accuracy > 0")[1])) == 1
    assert json.loads(cli("runs", "--json", "--where", "accuracy > 0.9999")[1]) == []


def test_a_condition_that_cannot_be_read_is_bad_usage_and_says_what_is_allowed(cli) -> None:
    status, out, err = cli("runs", "--where", "accuracy > 98")
    assert (status, out) == (2, "")
    assert "accuracy is a share from 0 to 1, and 98 is outside" in err
    assert "accuracy > 0.97" in err, "an example"
    assert "learning_rate" in cli("runs", "--columns")[1]


def test_seeds_are_runs_of_one_recipe(cli) -> None:
    status, out, _ = cli("train", *SMALL, "--seeds", "2", "--seed", "3", "--json")
    runs = json.loads(out)
    assert status == 0
    assert [run["config"]["training"]["seed"] for run in runs] == [3, 4]
    assert [run["name"] for run in runs] == [f"notebook/model_1, epochs 2, seed {seed}" for seed in (3, 4)]
    (recipe,) = json.loads(cli("runs", "--recipes", "--json")[1])
    assert {run["recipe"] for run in json.loads(cli("runs", "--json")[1])} == {recipe["recipe"]}
    assert (recipe["seeds"], recipe["finished"], recipe["name"]) == (2, 2, "notebook/model_1, epochs 2")
    accuracies = [run["test"]["accuracy"] for run in runs]
    assert recipe["test_accuracy"] == pytest.approx(np.mean(accuracies))
    assert "test accuracy sd" in cli("runs", "--recipes")[1]
    assert json.loads(cli("runs", "--recipes", "--trash", "--json")[1] or "null") is None


def test_training_goes_on_from_a_run(cli, trained: dict[str, Any]) -> None:
    arguments = ["train", "--from", trained["id"], "--set", "training.learning_rate=0.0001", "--here", "--json"]
    status, out, _ = cli(*arguments)
    (child,) = json.loads(out)
    assert status == 0
    assert child["config"]["parent"] == trained["id"]
    assert child["name"] == "notebook/model_1, epochs 2, continued, learning rate 0.0001"
    assert child["best_val_loss"] < trained["best_val_loss"]
    status, out, err = cli("train", "--from", trained["id"], "--set", 'model.layers=[{"units": 3}]', "--here")
    assert (status, out) == (2, "")
    assert "do not fit a model of 3 relu" in err


def test_a_published_continuation_trains_its_parent_first(cli, tmp_path: Path) -> None:
    cut = ["--dataset", "digits", "--epochs", "1", "--here", "--json"]
    status, out, _ = cli("train", "notebook/model_1_lr_1e-4", *cut)
    (child,) = json.loads(out)
    parent = Store(tmp_path / "store").get(child["config"]["parent"])
    assert status == 0
    assert (parent.meta.preset, parent.config.dataset.name, parent.state) == ("notebook/model_1", "digits", "finished")
    assert parent.config.training.epochs == 30
    assert child["epochs_done"] == 1


def test_a_sweep_is_trained_shown_and_listed(cli, grid: str) -> None:
    status, out, err = cli("sweep", grid, "--here")
    assert status == 0
    assert "2 of 2 runs have ended" in err
    assert "chosen on the test set, so that its test figures are optimistic" in err
    assert "first width" in out
    assert "stack.units" not in out
    status, out, _ = cli("sweep", grid, "--here", "--json")
    swept = json.loads(out)
    assert (status, swept["name"], swept["state"], swept["states"]) == (0, "widths", "complete", {"finished": 2})
    assert [row["stack.units"] for row in swept["results"]] == [8, 16]
    assert swept["best"] in {row["run"] for row in swept["results"]}
    assert json.loads(cli("sweeps", "widths", "--json")[1])["results"] == swept["results"]
    assert [row["id"] for row in json.loads(cli("sweeps", "--json")[1])] == [swept["id"]]
    assert "widths" in cli("sweeps")[1]
    assert cli("sweeps", swept["id"], "--forget")[0] == 0
    assert json.loads(cli("sweeps", "--json")[1]) == []
    assert cli("sweeps", "widths")[0] == 1


def test_options_fix_what_a_sweep_leaves_open(cli, grid: str) -> None:
    options = ["--epochs", "1", "--seed", "7", "--set", "stack.units=5", "--set", "stack.depth=1", "--no-weights"]
    status, _, err = cli("sweep", grid, "--here", "--json", *options)
    assert status == 2
    assert "at least 1 item" in err  # its only axis is fixed


def test_a_sweep_with_a_failed_run_is_no_success(cli, tmp_path: Path) -> None:
    path = tmp_path / "bad.json"
    grid = {"training.learning_rate": [0.001, 10], "training.optimizer": ["sgd"]}
    fixed = {"dataset.name": "digits", "training.epochs": 1, "model.layers.*.l2": 1}
    path.write_text(json.dumps({"base": "notebook/model_1", "fixed": fixed, "grid": grid}))
    status, out, _ = cli("sweep", str(path), "--here", "--json")
    swept = json.loads(out)
    # a run that diverged has come to an end of its own: nothing is left to train
    assert (status, swept["states"]) == (0, {"finished": 1, "diverged": 1})
    assert swept["results"][1]["val_loss"] is None


SPACE = {
    "base": "notebook/model_1",
    "sampler": "random",
    "trials": 3,
    "fixed": {
        "dataset.name": "digits", "training.epochs": 2, "training.validation": {"source": "held_out", "fraction": 0.2},
    },
    "space": {"stack.units": {"low": 4, "high": 16}, "training.optimizer": ["adam", "rmsprop"]},
}  # fmt: skip


def test_a_search_is_carried_out_shown_and_listed(cli, tmp_path: Path) -> None:
    path = tmp_path / "widths.json"
    path.write_text(json.dumps(SPACE))
    status, out, err = cli("search", str(path), "--here")
    assert status == 0
    assert "trial 2 of 3 is finished after epoch 2, val_loss" in err
    assert "test accuracy" in err
    assert "No look at the test results of the others is on record in this store." in err
    (listed,) = json.loads(cli("searches", "--json")[1])
    assert (listed["state"], listed["trials"], listed["planned"]) == ("complete", 3, 3)
    status, out, _ = cli("search", listed["id"], "--here", "--json")
    found = json.loads(out)
    assert status == 0
    assert [row["trial_state"] for row in found["results"]] == ["finished"] * 3
    assert [row["test_accuracy"] is None for row in found["results"]].count(False) == 1
    assert json.loads(cli("searches", "widths", "--json")[1]) == found
    assert cli("searches", "widths")[0] == 0
    changed = json.loads(cli("search", str(path), "--here", "--epochs", "1", "--json")[1])
    assert changed["id"] != found["id"]
    assert {row["epochs"] for row in changed["results"]} == {1}


def test_runs_of_one_name_are_told_apart_in_sentences(
    capsys: pytest.CaptureFixture[str], store: Store, make_run: MakeRun
) -> None:
    first = make_run("model", config())
    second = make_run("model", config(units=(32,)), errors=25)
    main(["compare", first.id, second.id, "--store", str(store.root)])
    out = capsys.readouterr().out
    assert "model, 32 relu, dropout 0.2 and model, 64-64 relu, dropout 0.2 are " in out
    assert "model and model" not in out
