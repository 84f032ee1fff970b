"""What pages share of the store: one snapshot, and what is made of sweeps, kept until something changes."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import resources
from dashboard.cache import CACHE
from mnist_core.experiments.grids import parse_spec
from mnist_core.files import write_json
from mnist_core.runs.store import Store
from mnist_core.studies import sweeps
from tests.support.jobs import FakeRunner
from tests.support.resources import share
from tests.support.synthetic import MakeRun, config

SPEC = {
    "name": "widths",
    "base": {"model": {"layers": [{"units": 8}]}, "training": {"epochs": 1}},
    "fixed": {"dataset.name": "digits"},
    "grid": {"stack.units": [4, 8]},
}


@pytest.fixture
def sweep(app: Callable[..., AppTest], store: Store, runner: FakeRunner) -> sweeps.Sweep:
    """Two queued runs that belong together, in the store of the app."""
    return sweeps.start(store, runner, parse_spec(SPEC))[0]


def test_all_sessions_share_one_snapshot_until_the_store_changes(sweep: sweeps.Sweep, store: Store) -> None:
    first = resources.snapshot()
    assert resources.snapshot() is first
    store.describe(sweep.run_ids[0], note="changed elsewhere")
    assert resources.snapshot().number != first.number


def test_the_table_of_a_sweep_is_made_once_until_one_of_its_runs_changes(sweep: sweeps.Sweep, store: Store) -> None:
    first = resources.of_study(sweeps.results, sweep, reader=resources.READER)
    assert resources.of_study(sweeps.results, sweep, reader=resources.READER) is first
    assert list(first["state"]) == ["queued", "queued"]
    store.cancel(sweep.run_ids[0])
    second = resources.of_study(sweeps.results, sweep, reader=resources.READER)
    assert list(second["state"]) == ["cancelled", "queued"]
    store.delete(sweep.run_ids[0])
    third = resources.of_study(sweeps.results, sweep, reader=resources.READER)
    assert list(third["state"]) == ["missing", "queued"]


def test_names_of_runs_are_added_to_the_table_of_a_sweep_and_are_no_part_of_what_is_kept(
    sweep: sweeps.Sweep, store: Store
) -> None:
    names = ["renamed once", store.get(sweep.run_ids[1]).name]
    store.describe(sweep.run_ids[0], name=names[0])
    CACHE.clear()
    table = resources.of_study(sweeps.results, sweep, reader=resources.READER)
    assert "name" not in table
    assert not any(name in repr(key) for key in CACHE._entries for name in names)
    named = sweeps.with_names(table, resources.snapshot())
    assert list(named["name"]) == names
    assert list(named.drop(columns="name")) == list(table)
    store.delete(sweep.run_ids[0])
    assert list(sweeps.with_names(table, resources.snapshot())["name"]) == ["", names[1]]


def test_damage_of_one_of_its_runs_is_a_change(sweep: sweeps.Sweep, store: Store) -> None:
    resources.of_study(sweeps.results, sweep)
    path = store.get(sweep.run_ids[0]).path
    (path / "status.json").write_text("torn")
    assert list(resources.of_study(sweeps.results, sweep)["state"]) == ["damaged", "queued"]


def test_sweeps_are_read_again_only_when_their_files_change(sweep: sweeps.Sweep, store: Store) -> None:
    first = resources.studies()
    assert [item.id for item in first.known] == [sweep.id]
    assert resources.studies() is first
    path = store.root / "sweeps" / f"{sweep.id}.json"
    path.write_text("torn")
    torn = resources.studies()
    assert not torn.known
    assert [problem.path for problem in torn.problems] == [path]


def test_what_a_sweep_has_chosen_is_read_once_and_not_again_for_an_epoch_of_another_run(
    app: Callable[..., AppTest], store: Store, make_run: MakeRun
) -> None:
    runs = [make_run(f"width {units}", config((units,)), floor=0.1 * units) for units in (4, 8)]
    points = [{"values": {"stack.units": units}, "run": run.id} for units, run in zip((4, 8), runs, strict=True)]
    document = {"id": "5" * 12, "spec": SPEC, "dataset": "digits", "optimistic": False, "created_at": 1.0}
    sweeps_folder = store.root / "sweeps"
    sweeps_folder.mkdir()
    write_json(sweeps_folder / f"{'5' * 12}.json", document | {"points": points})
    found = resources.background(resources.scan()[0])
    assert [(run_id, item.won) for run_id, item in found.selections] == [(runs[0].id, True), (runs[1].id, False)]
    made = CACHE.made
    assert resources.background(resources.scan()[0]) == found
    assert CACHE.made == made
    (sweep,) = resources.studies().known
    first = resources.choice(sweep)
    make_run("in training", config((16,)), state="running")
    assert resources.choice(sweep) is first


def test_workers_wait_for_the_first_training_where_the_user_says_so(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[float] = []
    share(monkeypatch, "store", lambda: store)
    share(monkeypatch, "runner", lambda: SimpleNamespace(warm=lambda after_s: calls.append(after_s)))
    monkeypatch.setenv("MNIST_CORE_WARM_UP", "0")
    resources.warm_up.__wrapped__()  # not the cached answer of another test
    assert calls == []
    monkeypatch.delenv("MNIST_CORE_WARM_UP")
    resources.warm_up.__wrapped__()
    assert len(calls) == 1
