"""What ships with the project: runs without their predictions, sweeps and searches, all read-only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mnist_core.cli import main, remake
from mnist_core.errors import ReadOnlyRun, StoreError
from mnist_core.experiments.grids import parse_spec
from mnist_core.experiments.spaces import parse_search
from mnist_core.files import write_json
from mnist_core.jobs.request import RunRequest, request, request_all
from mnist_core.jobs.runners import LocalRunner
from mnist_core.runs.records import SCORES, Origin
from mnist_core.runs.store import Store
from mnist_core.runs.summary import summarise
from mnist_core.studies import searches, sweeps
from mnist_core.studies.searches import Search
from mnist_core.studies.sweeps import Sweep

BASE: dict[str, Any] = {
    "model": {"layers": [{"units": 8}]},
    "training": {"epochs": 2, "batch_size": 128, "validation": {"source": "held_out", "fraction": 0.2}},
}
SWEEP = parse_spec({"name": "widths", "base": BASE, "grid": {"stack.units": [4, 8]}})
SEARCH = parse_search(
    {
        "name": "a search", "base": BASE, "space": {"stack.units": {"low": 16, "high": 64}},
        "trials": 2, "sampler": "random",
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Sweep, Search]:
    """A sweep and a search that are really trained."""
    store = Store(tmp_path_factory.mktemp("made"))
    runner = LocalRunner(store)
    sweep, _ = sweeps.start(store, runner, SWEEP, keep_weights=False)
    return store, sweep, searches.run(store, runner, searches.add(store, SEARCH).id)


@pytest.fixture
def shipped(made: tuple[Store, Sweep, Search], store: Store) -> Store:
    """A store where these two ship, and the sweep's second run as a run of its own."""
    source, sweep, search = made
    target = store.root / "reference"
    for run_id in (*sweep.run_ids, *search.run_ids):
        remake.ship(source.get(run_id), target, whole=run_id == sweep.run_ids[1])
    for path, data in (
        (target / "sweeps" / f"{sweep.id}.json", sweep),
        (target / "searches" / search.id / "search.json", search),
    ):
        path.parent.mkdir(parents=True)
        write_json(path, data.model_dump(mode="json"))
    return store


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_figures_are_those_of_the_predictions_that_did_not_ship(
    shipped: Store, made: tuple[Store, Sweep, Search]
) -> None:
    source, sweep, _ = made
    bare, whole = (shipped.get(run_id) for run_id in sweep.run_ids)
    assert bare.predictions() is None
    assert whole.predictions() is not None
    for run in (bare, whole):
        assert run.test_scores() == source.get(run.id).test_scores()
        assert summarise(run).test == summarise(source.get(run.id)).test
        assert not run.listed
    assert [(run.path / SCORES).exists() for run in (bare, whole)] == [True, False]
    assert shipped.scan()[1] == []


def test_damaged_scores_are_reported(shipped: Store, made: tuple[Store, Sweep, Search]) -> None:
    run = shipped.get(made[1].run_ids[0])
    (run.path / SCORES).write_text('{"images": 1}')
    with pytest.raises(StoreError, match=r"scores of run .* are damaged"):
        run.test_scores()


def test_a_sweep_that_ships_has_its_results_and_stays(shipped: Store, made: tuple[Store, Sweep, Search]) -> None:
    source, sweep, _ = made
    assert sweeps.SHELF.all(shipped) == ([sweep], [])
    assert sweeps.SHELF.find(shipped, "widths") == sweep
    here, there = (sweeps.results(found, sweep, reveal=True) for found in (shipped, source))
    assert here.equals(there)
    assert here["test_accuracy"].notna().all()
    with pytest.raises(ReadOnlyRun, match="ships with the project"):
        sweeps.SHELF.forget(shipped, sweep.id)


def test_asking_for_what_ships_trains_and_writes_nothing(shipped: Store, made: tuple[Store, Sweep, Search]) -> None:
    _, sweep, search = made
    before = contents(shipped.root)
    runner = LocalRunner(shipped, train=lambda *args, **options: pytest.fail("trained again"))
    again, requested = sweeps.start(shipped, runner, SWEEP)
    assert again == sweep
    assert [item.outcome for item in requested] == ["stored"] * 2
    assert searches.add(shipped, SEARCH) == search
    assert searches.run(shipped, runner, search.id) == search
    search.cancel(shipped, runner)
    assert search.state(shipped) == "complete"
    assert searches.results(shipped, search)["test_accuracy"].notna().sum() == 1
    assert contents(shipped.root) == before


def test_a_run_of_a_sweep_that_ships_is_trained_where_it_is_wanted_for_itself(
    shipped: Store, made: tuple[Store, Sweep, Search]
) -> None:
    run = shipped.get(made[1].run_ids[0])
    mine = request(shipped, LocalRunner(shipped), run.config, name="mine")
    assert (mine.outcome, mine.run.id, mine.run.read_only) == ("new", run.id, False)
    assert mine.run.model_file is not None
    # trained here, it comes to the same, and takes the place of the other
    assert mine.run.test_scores() == run.test_scores()
    assert [found.name for found in shipped.runs() if found.listed] == ["mine"]


def test_a_run_that_ships_as_a_search_left_it_is_trained_by_the_sweep_that_wants_it(
    shipped: Store, made: tuple[Store, Sweep, Search]
) -> None:
    run = shipped.get(made[1].run_ids[0])
    write_json(run.path / "status.json", run.status.model_dump(mode="json") | {"state": "cancelled"})
    (requested,) = request_all(
        shipped, LocalRunner(shipped), [RunRequest(run.config, "again", origin=Origin(kind="sweep", id="0123456789ab"))]
    )
    assert (requested.outcome, requested.run.state, requested.run.read_only) == ("new", "finished", False)


def test_the_list_of_runs_leaves_out_those_of_sweeps_that_ship(
    shipped: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(shipped.root)
    assert main(["runs", "--store", root]) == 0
    assert "4 runs of sweeps and searches that ship are left out" in capsys.readouterr().err
    assert main(["runs", "--json", "--store", root]) == 0
    assert capsys.readouterr().out.strip() == "[]"
    assert main(["runs", "--all", "--json", "--store", root]) == 0
    assert capsys.readouterr().out.count('"read_only": true') == 4


def test_what_does_not_ship_cannot_be_remade(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert remake.main(["--only", "nothing", "--work", str(tmp_path)]) == 1
    assert "nothing ships by the name 'nothing'; there are notebook/model_1" in capsys.readouterr().err
