"""What holds for sweeps and for searches: one shelf, one protocol. Nothing is trained here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mnist_core.comparison.selection import StudyKind
from mnist_core.errors import ReadOnlyRun, RunNotFound, StoreError
from mnist_core.experiments.grids import parse_spec
from mnist_core.experiments.spaces import parse_search
from mnist_core.jobs.runners import LocalRunner
from mnist_core.runs import lease
from mnist_core.runs.store import Store
from mnist_core.studies import searches
from mnist_core.studies.kinds import SHELVES, AnyStudy, request, studies
from mnist_core.studies.study import Study

BASE = {
    "model": {"layers": [{"units": 8}]},
    "training": {"epochs": 1, "validation": {"source": "held_out", "fraction": 0.2}},
    "dataset": {"name": "digits"},
}
RATES = {"low": 1e-3, "high": 1e-1, "log": True}
KINDS: tuple[StudyKind, ...] = ("sweep", "search")
Make = Callable[..., AnyStudy]


class Idle(LocalRunner):
    """Takes runs and trains none."""

    def submit(self, run_id: str) -> None:
        pass


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> StudyKind:
    found: StudyKind = request.param
    return found


@pytest.fixture
def make(store: Store, kind: StudyKind, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setattr(searches, "spawn", lambda store, search_id: None)

    def made(name: str = "mine", **changes: Any) -> AnyStudy:
        grid = {"training.learning_rate": [0.1, 0.01]}
        spec = (
            parse_spec({"name": name, "base": BASE, "grid": grid} | changes)
            if kind == "sweep"
            else parse_search({"name": name, "base": BASE, "space": {"training.learning_rate": RATES}} | changes)
        )
        return request(store, Idle(store), spec)

    return made


def test_a_study_is_found_by_its_id_its_beginning_and_its_name(store: Store, kind: StudyKind, make: Make) -> None:
    study, shelf = make(), SHELVES[kind]
    assert study.kind == kind
    for text in (study.id, study.id[:4], "mine"):
        assert shelf.find(store, text) == study
    assert shelf.get(store, study.id) == study
    with pytest.raises(RunNotFound, match=f"no {kind} is called 'abc' .*; there are: {study.id} .mine, digits."):
        shelf.find(store, "abc")
    with pytest.raises(RunNotFound, match=f"there is no {kind} '000000000000'"):
        shelf.get(store, "0" * 12)


def test_the_newest_of_a_name_is_meant(store: Store, kind: StudyKind, make: Make) -> None:
    make(fixed={"training.seed": 1})
    newest = make(fixed={"training.seed": 2})
    assert SHELVES[kind].find(store, "mine") == newest


def test_asked_for_again_it_is_the_same(store: Store, make: Make) -> None:
    assert make() == make()
    assert len(studies(store)[0]) == 1


def test_what_is_forgotten_is_off_the_list_and_its_runs_stay(store: Store, kind: StudyKind, make: Make) -> None:
    study, before = make(), store.runs()
    SHELVES[kind].forget(store, study.id)
    assert studies(store) == ([], [])
    assert store.runs() == before
    assert make().id == study.id  # it can be asked for again


def test_what_ships_is_listed_hidden_by_the_users_own_and_cannot_be_forgotten(
    store: Store, kind: StudyKind, make: Make
) -> None:
    study, shelf = make(), SHELVES[kind]
    shipped = shelf.path(store.roots[1], study.id)
    shipped.parent.mkdir(parents=True)
    shipped.write_bytes(shelf.path(store.root, study.id).read_bytes())
    assert studies(store)[0] == [study]
    shelf.forget(store, study.id)
    assert studies(store)[0] == [study]
    with pytest.raises(ReadOnlyRun, match=f"the {kind} mine ships with the project"):
        shelf.forget(store, study.id)


def test_a_damaged_file_and_a_file_of_another_id_are_reported(store: Store, kind: StudyKind, make: Make) -> None:
    study, shelf = make(), SHELVES[kind]
    content = shelf.path(store.root, study.id).read_bytes()
    for study_id, text in (("0" * 12, b"{"), ("1" * 12, content)):
        path = shelf.path(store.root, study_id)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text)
    found, (torn, other) = studies(store)
    assert found == [study]
    assert torn.reason.startswith(f"the {kind} 000000000000 is damaged: ")
    assert f"it holds the {kind} {study.id}" in other.reason
    with pytest.raises(StoreError, match="is damaged"):
        shelf.get(store, "0" * 12)


def test_both_kinds_answer_the_same_questions(store: Store, make: Make) -> None:
    study: Study = make()
    assert study.state(store) in ("running", "stopped")
    assert not study.progress(store).complete
    assert study.progress(store).share == 0
    assert not study.optimistic
    assert not study.carried_out(store)
    assert len(study.table(store)) == len(study.run_ids)
    study.cancel(store, Idle(store))
    assert study.state(store) == "stopped"
    study.resume(store, Idle(store))
    assert {run.state for run in store.runs()} <= {"queued"}


def test_a_search_that_a_process_carries_out_cannot_be_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searches, "spawn", lambda store, search_id: None)
    spec = parse_search({"name": "mine", "base": BASE, "space": {"training.learning_rate": RATES}})
    search = request(store, Idle(store), spec)
    held = lease.claim(SHELVES["search"].path(store.root, search.id).parent)
    assert held is not None
    assert search.carried_out(store)
    assert search.state(store) == "running"
    with pytest.raises(StoreError, match="is being carried out; cancel it first"):
        SHELVES["search"].forget(store, search.id)
    held.release()
    SHELVES["search"].forget(store, search.id)
