"""Searches in a store: carried out, stopped, taken up again, with Hyperband going on where trials were paused."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from mnist_core.errors import ConfigError, JobError, RunNotFound
from mnist_core.experiments.spaces import SearchSpec, parse_search
from mnist_core.jobs.request import request
from mnist_core.jobs.runners import LocalRunner
from mnist_core.runs import lease
from mnist_core.runs.records import Origin
from mnist_core.runs.store import Store
from mnist_core.studies import searches
from mnist_core.studies.searches import Search


def small(**changes: Any) -> SearchSpec:
    base = {
        "model": {"layers": [{"units": 8}]},
        "training": {"epochs": 2, "batch_size": 128, "validation": {"source": "held_out", "fraction": 0.2}},
    }
    space = {"stack.units": {"low": 4, "high": 32}, "training.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}}
    return parse_search({"name": "small", "base": base, "space": space, "trials": 4, "sampler": "random"} | changes)


BANDED = small(fixed={"training.epochs": 4}, hyperband={"min_epochs": 1, "factor": 2})
"""Brackets of 4 trials with rungs of 1, 2 and 4 epochs; 3 trials of 2 and 4; 3 trials of 4."""


class Counting(LocalRunner):
    """Trains, takes note of it, and calls `before` before each training."""

    def __init__(self, store: Store, before: Callable[[int], None] = lambda number: None) -> None:
        super().__init__(store)
        self.submitted: list[str] = []
        self._before = before

    def submit(self, run_id: str) -> None:
        self._before(len(self.submitted))
        self.submitted.append(run_id)
        super().submit(run_id)


TPE = small(sampler="tpe")


def carry_out(store: Store, spec: SearchSpec, runner: LocalRunner | None = None) -> Search:
    return searches.run(store, runner or LocalRunner(store), searches.add(store, spec).id)


@pytest.fixture(scope="module")
def banded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Search, Counting]:
    store = Store(tmp_path_factory.mktemp("banded"))
    runner = Counting(store)
    return store, carry_out(store, BANDED, runner), runner


@pytest.fixture(scope="module")
def undisturbed(banded: tuple[Store, Search, Counting], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Search]:
    """Searches as they end where nothing stops them."""
    return {"hyperband": banded[1], "tpe": carry_out(Store(tmp_path_factory.mktemp("tpe")), TPE)}


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_all_trials_are_trained_and_the_best_by_validation_wins(store: Store, sampler: str) -> None:
    search = carry_out(store, small(sampler=sampler))
    assert search.complete
    assert [trial.state for trial in search.trials] == ["finished"] * 4
    values = [store.get(trial.run).rows()[-1].val_loss for trial in search.trials]
    assert [trial.value for trial in search.trials] == values
    assert search.winner == search.trials[values.index(min(values))]
    assert search.state(store) == "complete"
    assert searches.SHELF.find(store, "small") == searches.SHELF.get(store, search.id) == search


def test_accuracy_is_to_be_high(store: Store) -> None:
    search = carry_out(store, small(metric="val_accuracy"))
    assert search.winner is not None
    assert search.winner.value == max(trial.value or 0 for trial in search.trials)
    assert list(searches.history(search)["best"]) == sorted(searches.history(search)["best"])


def test_only_the_winner_is_tested_and_once(store: Store) -> None:
    search = carry_out(store, small())
    table = searches.results(store, search).set_index("trial")
    assert search.winner is not None
    assert list(table.index[table["test_accuracy"].notna()]) == [search.winner.count]
    unfinished = search.model_copy(update={"trials": search.trials[:3]})
    assert searches.results(store, unfinished)["test_accuracy"].isna().all()


def test_hyperband_promotes_the_best_and_prunes_the_rest(banded: tuple[Store, Search, Counting]) -> None:
    store, search, _ = banded
    assert search.complete
    assert [sum(trial.bracket == number for trial in search.trials) for number in range(3)] == [4, 3, 3]
    first = [trial for trial in search.trials if trial.bracket == 0]
    after_one = {trial.number: store.get(trial.run).rows()[0].val_loss for trial in first}
    best_two = sorted(after_one, key=lambda number: after_one[number])[:2]
    assert {trial.number for trial in first if trial.rung >= 1} == set(best_two)
    assert [trial.state for trial in first].count("finished") == 1
    for trial in search.trials:
        run = store.get(trial.run)
        assert run.epochs_done == trial.epochs
        if trial.state == "pruned":
            assert (run.state, run.meta.pruned) == ("cancelled", True)
            assert run.status.reason.startswith(f"pruned after epoch {trial.epochs} by the search small: place ")
        else:
            assert (run.state, run.meta.pruned, trial.epochs) == ("finished", False, 4)
        assert (run.meta.origin, run.meta.tags) == (Origin(kind="search", id=search.id), ())


def test_a_promoted_trial_goes_on_and_trains_nothing_twice(
    banded: tuple[Store, Search, Counting], tmp_path_factory: pytest.TempPathFactory
) -> None:
    store, search, runner = banded
    trial = next(t for t in search.trials if t.bracket == 0 and t.state == "finished")
    assert runner.submitted.count(trial.run) == 3
    run = store.get(trial.run)
    other = Store(tmp_path_factory.mktemp("whole"))
    whole = request(other, LocalRunner(other), run.config, name="whole").run
    assert [row.val_loss for row in run.rows()] == [row.val_loss for row in whole.rows()]
    # three brackets: 4·1 + 2·1 + 1·2, 3·2 + 1·2, 3·4 epochs, each trained once
    assert sum(store.get(run_id).epochs_done for run_id in search.run_ids) == 4 + 2 + 2 + 6 + 2 + 12


def test_importance_compares_after_equally_many_epochs(banded: tuple[Store, Search, Counting]) -> None:
    store, search, _ = banded
    found, epochs = searches.importances(store, search)
    assert epochs == 1
    assert set(found) == set(search.spec.space)


class Died(Exception):
    """The controller's process."""


@pytest.mark.parametrize("kind", ["tpe", "hyperband"])
@pytest.mark.parametrize("when", [1, 3, 6])
def test_a_search_whose_controller_died_is_taken_up_and_ends_the_same(
    store: Store, undisturbed: dict[str, Search], kind: str, when: int
) -> None:
    def die(number: int) -> None:
        if number == when:
            raise Died

    spec = TPE if kind == "tpe" else BANDED
    search_id = searches.add(store, spec).id
    if when < spec.trial_count:
        with pytest.raises(Died):
            searches.run(store, Counting(store, die), search_id)
        assert searches.SHELF.get(store, search_id).state(store) == "stopped"
    taken_up = searches.run(store, LocalRunner(store), search_id)
    assert taken_up.complete
    assert taken_up.trials == undisturbed[kind].trials


def test_a_search_stops_when_asked_and_goes_on_later(store: Store) -> None:
    runner = Counting(store)

    def stop(number: int) -> None:
        if number == 2:
            searches.SHELF.get(store, search_id).cancel(store, LocalRunner(store))

    runner = Counting(store, stop)
    search_id = searches.add(store, small()).id
    stopped = searches.run(store, runner, search_id)
    assert not stopped.complete
    assert [trial.state for trial in stopped.trials] == ["finished", "finished", "open"]
    assert store.get(stopped.trials[2].run).state == "cancelled"
    done = searches.run(store, LocalRunner(store), search_id)
    assert [trial.state for trial in done.trials] == ["finished"] * 4


def test_a_trial_that_fails_is_told_and_the_search_goes_on(store: Store) -> None:
    layer = {"units": 8, "l2": 1.0}
    spec = small(
        space={"training.learning_rate": [1e-3, 10.0], "training.seed": [0, 1]},
        fixed={"training.optimizer": "sgd", "model.layers": [layer, layer]},
    )
    search = carry_out(store, spec)
    states = {trial.values["training.learning_rate"]: trial.state for trial in search.trials}
    assert search.complete
    assert states == {1e-3: "finished", 10.0: "failed"}
    assert search.winner is not None
    assert search.winner.values["training.learning_rate"] == 1e-3


@pytest.mark.parametrize("hyperband", [None, {"min_epochs": 1, "factor": 2}])
def test_trials_that_failed_on_a_full_disk_are_tried_again_when_the_search_is_started_again(
    store: Store, tmp_path: Path, hyperband: dict[str, int] | None
) -> None:
    def refused(*arguments: object, **options: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "checkpoint.npz")

    spec = small(hyperband=hyperband)
    search_id = searches.add(store, spec).id
    failed = searches.run(store, LocalRunner(store, train=refused), search_id)
    assert {trial.state for trial in failed.trials} == {"failed"}
    done = searches.run(store, LocalRunner(store), search_id)
    undisturbed = carry_out(Store(tmp_path / "other"), spec)
    assert done.complete
    assert done.trials == undisturbed.trials


def test_one_controller_at_a_time(store: Store) -> None:
    search_id = searches.add(store, small()).id
    held = lease.claim(store.root / "searches" / search_id)
    assert held is not None
    assert searches.SHELF.get(store, search_id).state(store) == "running"
    with pytest.raises(JobError, match="another process is carrying out"):
        searches.run(store, LocalRunner(store), search_id)
    held.release()
    assert searches.run(store, LocalRunner(store), search_id).complete


def test_a_pruned_run_that_is_resumed_is_no_longer_pruned(store: Store, banded: tuple[Store, Search, Counting]) -> None:
    shutil.copytree(banded[0].root, store.root, dirs_exist_ok=True)
    search = banded[1]
    trial = next(trial for trial in search.trials if trial.state == "pruned")
    run = request(store, LocalRunner(store), store.get(trial.run).config, name="again").run
    assert (run.state, run.epochs_done) == ("finished", 4)
    assert not run.meta.pruned


def test_what_cannot_be_searched_is_refused_at_once(store: Store) -> None:
    spec = small(fixed={"training.validation": {"source": "held_out", "count": 10_000}})
    with pytest.raises(ConfigError, match="holding out 10000 of 1442"):
        searches.add(store, spec)
    assert searches.SHELF.all(store) == ([], [])
    with pytest.raises(RunNotFound, match="no search is called 'x'"):
        searches.SHELF.find(store, "x")


def test_a_damaged_search_is_reported(store: Store) -> None:
    search = searches.add(store, small())
    (store.root / "searches" / search.id / "search.json").write_text("{}")
    found, problems = searches.SHELF.all(store)
    assert found == []
    assert "is damaged" in problems[0].reason


def test_a_search_can_be_carried_out_by_a_process_of_its_own(
    store: Store, started_processes: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mnist_core.jobs import local_service

    search = searches.add(store, small(trials=2))
    assert searches.spawn(store, search.id).wait(120) == 0, (
        store.root / "searches" / search.id / "search.log"
    ).read_text()
    assert searches.SHELF.get(store, search.id).complete
    local_service.stop(store.root.resolve())
