"""What pages share of the store: one snapshot, and what is made of sweeps, kept until something changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import resources
from mnist_core.experiments.grids import parse_spec
from mnist_core.runs.store import Store
from mnist_core.studies import sweeps
from tests.support.jobs import FakeRunner

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


def test_damage_of_one_of_its_runs_is_a_change(sweep: sweeps.Sweep, store: Store) -> None:
    resources.of_study(sweeps.results, sweep)
    path = store.get(sweep.run_ids[0]).path
    (path / "status.json").write_text("torn")
    assert list(resources.of_study(sweeps.results, sweep)["state"]) == ["damaged", "queued"]


def test_sweeps_are_read_again_only_when_their_files_change(sweep: sweeps.Sweep, store: Store) -> None:
    first = resources.studies()
    assert [item.id for item in first.sweeps] == [sweep.id]
    assert resources.studies() is first
    path = store.root / "sweeps" / f"{sweep.id}.json"
    path.write_text("torn")
    torn = resources.studies()
    assert not torn.sweeps
    assert [problem.path for problem in torn.problems] == [path]
