"""Sweeps in a store: started, cut short, taken up again, and what they come to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mnist_core.errors import ConfigError, RunNotFound
from mnist_core.experiments.grids import SWEEPS, SweepSpec, parse_spec
from mnist_core.jobs.runners import LocalRunner
from mnist_core.runs.records import Origin
from mnist_core.runs.store import Store
from mnist_core.studies import sweeps


def small(**changes: Any) -> SweepSpec:
    base = {
        "model": {"layers": [{"units": 8}]},
        "training": {"epochs": 2, "batch_size": 128, "validation": {"source": "held_out", "fraction": 0.2}},
    }
    data = {"name": "small", "base": base, "grid": {"training.learning_rate": [0.1, 0.01], "stack.units": [4, 8]}}
    return parse_spec(data | changes)


class Counting(LocalRunner):
    """Trains, and calls `between` before each run but the first."""

    def __init__(self, store: Store, between: Callable[[int], None] = lambda number: None) -> None:
        super().__init__(store)
        self.submitted: list[str] = []
        self._between = between

    def submit(self, run_id: str) -> None:
        self._between(len(self.submitted))
        self.submitted.append(run_id)
        super().submit(run_id)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, sweeps.Sweep]:
    store = Store(tmp_path_factory.mktemp("sweeps"))
    return store, sweeps.start(store, LocalRunner(store), small())[0]


def test_a_sweep_trains_every_point_and_is_found_again(trained: tuple[Store, sweeps.Sweep]) -> None:
    store, sweep = trained
    assert len(sweep.run_ids) == 4
    assert sweep.progress(store).complete
    assert sweeps.SHELF.all(store) == ([sweep], [])
    assert sweeps.SHELF.find(store, "small") == sweeps.SHELF.find(store, sweep.id[:5]) == sweep
    assert sweep.axes == ["training.learning_rate", "stack.units"]
    run = store.get(sweep.points[1].run)
    assert run.name == "small, learning rate 0.1, first width 8"
    assert (run.meta.origin, run.meta.tags) == (Origin(kind="sweep", id=sweep.id), ())


def test_results_are_those_of_the_kept_weights(trained: tuple[Store, sweeps.Sweep]) -> None:
    store, sweep = trained
    table = sweeps.results(store, sweep, reveal=True)
    assert list(table["stack.units"]) == [4, 8, 4, 8]
    for row, point in zip(table.to_dict("records"), sweep.points, strict=True):
        run = store.get(point.run)
        found = run.predictions()
        assert found is not None
        assert found.val_labels is not None
        assert found.val_probabilities is not None
        assert row["run"] == point.run
        assert row["state"] == "finished"
        assert row["test_error"] == pytest.approx((found.predicted != found.labels).mean())
        assert row["val_error"] == pytest.approx((found.val_probabilities.argmax(axis=1) != found.val_labels).mean())
        assert row["parameters"] == run.config.model.parameter_count()
        assert row["seconds"] > 0
    best = sweeps.best(table)
    assert best == table.loc[table["val_loss"].idxmin(), "run"]
    assert sweeps.best(table, "val_accuracy") == table.loc[table["val_accuracy"].idxmax(), "run"]


def test_a_sweep_asked_for_again_trains_nothing_twice(trained: tuple[Store, sweeps.Sweep]) -> None:
    store, sweep = trained
    runner = Counting(store)
    again, requested = sweeps.start(store, runner, small())
    assert again == sweep
    assert {item.outcome for item in requested} == {"stored"}
    assert runner.submitted == []


def test_losses_leave_the_penalty_out(store: Store) -> None:
    spec = small(grid={"model.layers.*.l2": [0.5]})
    sweep = sweeps.start(store, LocalRunner(store), spec)[0]
    row = sweeps.results(store, sweep).iloc[0]
    kept = store.get(sweep.points[0].run).rows()[-1]
    assert kept.penalty > 0.1
    assert row["val_loss"] == pytest.approx(kept.val_loss - kept.penalty)
    assert row["train_loss"] == pytest.approx(kept.train_eval_loss - kept.penalty)


def test_cancelling_stops_what_waits_and_asking_again_goes_on(store: Store) -> None:
    sweep = sweeps.make(store, small())[0]

    def cancel(number: int) -> None:
        if number == 2:
            sweep.cancel(store, LocalRunner(store))

    runner = Counting(store, cancel)
    sweeps.start(store, runner, small())
    done = sweep.progress(store)
    assert done.states == {"finished": 2, "cancelled": 2}
    assert (done.live, done.complete, done.share) == (False, False, 0.5)
    assert len(sweeps.results(store, sweep)["val_loss"].dropna()) == 2

    runner = Counting(store)
    again, requested = sweeps.start(store, runner, small())
    assert [item.outcome for item in requested] == ["stored", "stored", "resumed", "resumed"]
    assert runner.submitted == sweep.run_ids[2:]
    assert again.id == sweep.id
    assert sweep.progress(store).complete


def test_a_sweep_whose_process_died_goes_on_where_it_was(store: Store) -> None:
    class Died(Exception):
        pass

    def die(number: int) -> None:
        if number == 1:
            raise Died

    with pytest.raises(Died):
        sweeps.start(store, Counting(store, die), small())
    sweep = sweeps.SHELF.all(store)[0][0]  # it was written down before the first training
    assert sweep.progress(store).states == {"finished": 1, "queued": 3}
    runner = Counting(store)
    sweeps.start(store, runner, small())
    assert runner.submitted == sweep.run_ids[1:]
    assert sweep.progress(store).complete


def test_points_of_the_same_run_train_once(store: Store) -> None:
    runner = Counting(store)
    sweep = sweeps.start(store, runner, small(grid={"stack.depth": [1], "stack.ratio": [1.0, 0.5]}))[0]
    assert len(sweep.points) == 2
    assert len(sweep.run_ids) == len(runner.submitted) == 1
    assert len(sweeps.results(store, sweep)) == 2


def test_a_deleted_run_is_missing_and_can_be_trained_again(store: Store) -> None:
    spec = small(grid={"training.seed": [0, 1]})
    sweep = sweeps.start(store, LocalRunner(store), spec)[0]
    store.delete(sweep.run_ids[0])
    assert sweep.progress(store).states == {"missing": 1, "finished": 1}
    assert list(sweeps.results(store, sweep)["state"]) == ["missing", "finished"]
    sweeps.start(store, LocalRunner(store), spec)
    assert sweep.progress(store).complete


def test_weights_can_be_left_out(store: Store) -> None:
    sweep = sweeps.start(store, LocalRunner(store), small(), keep_weights=False)[0]
    runs = [store.get(run_id) for run_id in sweep.run_ids]
    assert all(run.model_file is None and run.predictions() is not None for run in runs)


@pytest.mark.parametrize(("name", "optimistic"), [("tuning/grid_90", False), ("coursera/lambda", True)])
def test_a_sweep_that_is_evaluated_on_the_test_set_says_so(store: Store, name: str, optimistic: bool) -> None:
    assert sweeps.make(store, SWEEPS[name])[0].optimistic is optimistic


def test_holding_out_too_much_is_refused_before_anything_is_trained(store: Store) -> None:
    spec = SWEEPS["tuning/grid_90"].with_fixed({"dataset.name": "digits"})
    with pytest.raises(ConfigError, match="holding out 10000 of 1442"):
        sweeps.start(store, LocalRunner(store), spec)
    assert store.runs() == []
    assert sweeps.SHELF.all(store) == ([], [])


def test_a_damaged_file_is_reported_and_a_forgotten_sweep_leaves_its_runs(store: Store) -> None:
    sweep = sweeps.start(store, LocalRunner(store), small(grid={"training.seed": [0]}))[0]
    (store.root / "sweeps" / "damaged.json").write_text("{")
    found, problems = sweeps.SHELF.all(store)
    assert found == [sweep]
    assert "the sweep damaged is damaged: damaged.json" in problems[0].reason
    sweeps.SHELF.forget(store, sweep.id)
    with pytest.raises(RunNotFound, match="no sweep is called 'small'"):
        sweeps.SHELF.find(store, "small")
    assert store.get(sweep.run_ids[0]).state == "finished"


def test_a_run_of_a_sweep_has_a_short_name_in_words() -> None:
    grid = SWEEPS["tuning/grid_90"]
    values = {"stack.units": 512, "stack.ratio": 0.5, "stack.depth": 4, "stack.activation": "relu"}
    text = "baseline, first width 512, width ratio 0.5, layers 4, activation relu"
    assert sweeps.run_name(grid, values) == text
    own = parse_spec({"name": "x", "base": "notebook/model_1", "grid": {"model.layers.*.dropout": [0.4]}})
    assert sweeps.run_name(own, {"model.layers.*.dropout": 0.4}) == "model_1, dropout 0.4"
    many = {f"model.layers.{layer}.units": 100 + layer for layer in range(6)}
    assert sweeps.run_name(own, many).endswith(", …")
    assert len(sweeps.run_name(own, many)) <= 80


def test_the_best_finished_run_comes_first_and_what_is_not_comparable_last() -> None:
    table = pd.DataFrame(
        {
            "run": ["worse", "early", "best", "missing"],
            "state": ["finished", "cancelled", "finished", "missing"],
            "val_loss": [0.2, 0.01, 0.1, float("nan")],
        }
    )
    assert list(sweeps.best_first(table)["run"]) == ["best", "worse", "early", "missing"]
    assert list(sweeps.best_first(table, higher_is_better=True)["run"])[:2] == ["worse", "best"]


def test_linked_settings_count_as_one(tmp_path: Path) -> None:
    widths = [
        {"model.layers.0.units": 8, "model.layers.1.units": 4},
        {"model.layers.0.units": 16, "model.layers.1.units": 8},
    ]
    grid = {"widths": widths, "training.learning_rate": [0.1, 0.01]}
    base = {"model": {"layers": [{"units": 8}, {"units": 4}]}}
    sweep, _ = sweeps.make(Store(tmp_path), parse_spec({"name": "linked", "base": base, "grid": grid}))
    assert sweep.independent_axes == ["model.layers.0.units", "training.learning_rate"]
    assert sweep.settings == 2
