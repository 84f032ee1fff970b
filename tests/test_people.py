"""Who may do what, in the store itself: a page that shows a button too many does no harm."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from mnist_core import people
from mnist_core.errors import ConfigError, NotAllowed
from mnist_core.experiments.spaces import parse_search
from mnist_core.files import write_json
from mnist_core.jobs import latency
from mnist_core.jobs.runners import ServiceRunner
from mnist_core.people import OWNER, TEACHER, VISITOR, Person, checked_name, student
from mnist_core.runs.records import Meta
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.studies import searches
from tests.support.synthetic import FINGERPRINT, MakeRun, config

ADA, BEN, HEAD = student("Ada"), student("Ben"), Person(TEACHER, "teacher")


class As:
    """A store that a person uses; `person` may change."""

    def __init__(self, store: Store) -> None:
        self.person = OWNER
        self.store = Store(store.root, who=lambda: self.person)

    def __call__(self, person: Person) -> Store:
        """Return the store as this person uses it."""
        self.person = person
        return self.store


@pytest.fixture
def used_by(store: Store) -> As:
    """`used_by(ADA)` is the store as Ada uses it."""
    return As(store)


@pytest.fixture
def run_of_ada(used_by: As) -> Run:
    """A queued run that Ada has requested."""
    return used_by(ADA).add(config((8,)), name="hers", fingerprint=FINGERPRINT)[0]


CHANGES: dict[str, Callable[[Store, str], object]] = {
    "delete": lambda store, run_id: store.delete(run_id),
    "cancel": lambda store, run_id: store.cancel(run_id),
    "describe": lambda store, run_id: store.describe(run_id, name="mine now"),
    "request_pause": lambda store, run_id: store.request_pause(run_id),
    "set_slow_motion": lambda store, run_id: store.set_slow_motion(run_id, 1.0),
    "prune": lambda store, run_id: store.prune(run_id, "x"),
}
"""What changes a run that somebody has requested."""

FREE = {"request_again"}
"""Anybody in the class may have a run go on that was stopped."""
OF_ALL = {"add", "add_recorded", "adopt", "discard", "restore", "empty_trash"}
"""Changes of the store that have tests of their own below."""


def test_every_method_that_changes_the_store_is_tested_here() -> None:
    changing = {
        name
        for name, function in inspect.getmembers(Store, inspect.isfunction)
        if not name.startswith("_") and ("self.check(" in (code := inspect.getsource(function)) or "_refuse_" in code)
    }
    assert changing == CHANGES.keys() | FREE | OF_ALL | {"open_writer"}


@pytest.mark.parametrize("change", CHANGES)
def test_a_student_cannot_change_the_run_of_another(used_by: As, run_of_ada: Run, change: str) -> None:
    before = {path.name: path.read_bytes() for path in run_of_ada.path.iterdir()}
    with pytest.raises(NotAllowed, match=r"Ben may not .* the run hers, which is by Ada; only Ada or the teacher may"):
        CHANGES[change](used_by(BEN), run_of_ada.id)
    assert {path.name: path.read_bytes() for path in run_of_ada.path.iterdir()} == before


@pytest.mark.parametrize("person", [ADA, HEAD, OWNER], ids=["the student", "the teacher", "no class"])
@pytest.mark.parametrize("change", CHANGES)
def test_the_student_and_the_teacher_can(used_by: As, run_of_ada: Run, change: str, person: Person) -> None:
    CHANGES[change](used_by(person), run_of_ada.id)


@pytest.mark.parametrize("change", CHANGES)
def test_whoever_has_no_name_can_change_nothing(used_by: As, run_of_ada: Run, change: str) -> None:
    with pytest.raises(NotAllowed, match="enter your name"):
        CHANGES[change](used_by(VISITOR), run_of_ada.id)


def test_whoever_has_no_name_can_request_nothing(used_by: As) -> None:
    with pytest.raises(NotAllowed, match="may train here"):
        used_by(VISITOR).add(config(), name="x", fingerprint=FINGERPRINT)


def test_whoever_has_no_name_can_have_no_search_carried_on_and_no_model_timed(
    used_by: As, run_of_ada: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(searches, "spawn", lambda store, search_id: begun.append(search_id))
    base: dict[str, object] = {"model": {"layers": [{"units": 8}]}, "dataset": {"name": "digits"}}
    base["training"] = {"epochs": 1, "validation": {"source": "held_out", "fraction": 0.2}}
    spec = parse_search({"name": "hers", "base": base, "trials": 2, "space": {"training.learning_rate": [0.1, 0.01]}})
    search = searches.add(used_by(ADA), spec)
    visited = used_by(VISITOR)
    runner = ServiceRunner(visited)
    with pytest.raises(NotAllowed, match="resume here"):
        search.resume(visited, runner)
    with pytest.raises(NotAllowed, match="train here"):
        runner.measure_latency(run_of_ada.id)
    assert not begun
    assert not latency.waiting(visited, run_of_ada)


def test_a_run_without_an_owner_is_the_teachers(make_run: MakeRun, used_by: As) -> None:
    run = make_run("from before")
    with pytest.raises(NotAllowed, match="which is by nobody in the class; only the teacher may"):
        used_by(ADA).delete(run.id)
    with pytest.raises(NotAllowed):
        used_by(VISITOR).delete(run.id)
    used_by(HEAD).delete(run.id)


def test_a_run_has_the_name_of_whoever_requested_it_and_keeps_it(used_by: As, run_of_ada: Run) -> None:
    assert run_of_ada.meta.owner == "Ada"
    assert used_by(HEAD).describe(run_of_ada.id, name="renamed").meta.owner == "Ada"
    same, new = used_by(BEN).add(config((8,)), name="his", fingerprint=FINGERPRINT)
    assert (same.meta.owner, new) == ("Ada", False)


def test_outside_a_class_a_run_has_no_owner(store: Store) -> None:
    assert store.add(config(), name="x", fingerprint=FINGERPRINT)[0].meta.owner == ""


def test_a_meta_file_from_before_there_were_owners_is_read(run_of_ada: Run, store: Store) -> None:
    data = run_of_ada.meta.model_dump(mode="json")
    del data["owner"]
    write_json(run_of_ada.path / "meta.json", data)
    assert store.get(run_of_ada.id).meta == Meta(name="hers")


def test_what_a_student_deletes_the_student_and_the_teacher_bring_back(used_by: As, run_of_ada: Run) -> None:
    used_by(ADA).delete(run_of_ada.id)
    with pytest.raises(NotAllowed, match="Ben may not restore the run hers"):
        used_by(BEN).restore(run_of_ada.id)
    assert used_by(ADA).restore(run_of_ada.id).meta.owner == "Ada"


def test_only_the_teacher_empties_the_trash(used_by: As, run_of_ada: Run) -> None:
    used_by(ADA).delete(run_of_ada.id)
    with pytest.raises(NotAllowed, match="Ada may not empty the trash; only the teacher may"):
        used_by(ADA).empty_trash()
    assert used_by(HEAD).empty_trash() == 1


def test_only_the_teacher_throws_damaged_runs_away(used_by: As, run_of_ada: Run) -> None:
    (run_of_ada.path / "config.json").write_text("{")
    with pytest.raises(NotAllowed):
        used_by(ADA).discard(run_of_ada.id)
    used_by(HEAD).discard(run_of_ada.id)


def test_only_the_teacher_takes_over_runs_with_histories_of_their_own(used_by: As) -> None:
    with pytest.raises(NotAllowed, match="take over runs from an archive"):
        used_by(ADA).adopt("0" * 12, {})


def test_only_the_teacher_registers_data_sets_which_are_paths_on_this_machine(
    used_by: As, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mnist_core.data.datasets.read_npz", lambda path: {})
    with pytest.raises(NotAllowed, match="download, register or remove data sets"):
        used_by(ADA).catalog.register("secret", tmp_path / "x.npz")
    write_json(used_by.store.root / "datasets.json", {"fashion": "/x.npz"})
    with pytest.raises(NotAllowed):
        used_by(ADA).catalog.forget("fashion")
    used_by(HEAD).catalog.forget("fashion")


def test_a_student_may_do_with_runs_what_the_table_says_and_a_teacher_everything() -> None:
    for action, reach in people.ALLOWED.items():
        assert ADA.may(action, "Ada") == (reach != "none")
        assert ADA.may(action, "Ben") == (reach == "all")
        assert HEAD.may(action, "Ada")
        assert not VISITOR.may(action, "")


@pytest.mark.parametrize("text", ["", "   ", "x" * 41, "a\u202eb", "a\0b"])
def test_a_name_is_one_short_line_that_can_be_seen(text: str) -> None:
    with pytest.raises(ConfigError):
        checked_name(text)


@pytest.mark.parametrize("text", ["Ada  Lovelace ", "Ada\n Lovelace"])
def test_spaces_in_a_name_are_made_single(text: str) -> None:
    assert checked_name(text) == "Ada Lovelace"


def test_any_other_name_is_kept_as_it_is_typed() -> None:
    for text in ("<b>Ada</b>", "Łucja", "李 雷", "O'Neil :smile:"):
        assert checked_name(text) == text
