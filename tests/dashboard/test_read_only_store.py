"""The dashboard on a store that cannot be written: every page can be looked at, and refusals are in words."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard import resources
from dashboard.shared import datasets
from dashboard.shared.downloads import Download
from mnist_core.plots.labels import run_colours
from mnist_core.runs.store import Store
from tests.support.disks import refusing
from tests.support.pages import PAGES, words
from tests.support.resources import share
from tests.support.synthetic import MakeRun, config

NOTE = "This store is read-only"
REFUSED = "the store is read-only"

Open = Callable[..., AppTest]


@pytest.fixture
def locked(make_run: MakeRun, runner: object, app: Open, read_only: Callable[[], None]) -> None:
    """A store with finished runs, one cut short and one that waits, which can no longer be written."""
    make_run("one")
    make_run("two", preset="notebook/model_1")
    make_run("cut short", state="cancelled", rows=2, preset="notebook/model_2")
    make_run("waiting", config((32,)), state="queued")
    read_only()


@pytest.mark.parametrize("view", PAGES)
def test_every_page_opens_and_says_once_that_the_store_is_read_only(locked: None, app: Open, view: str) -> None:
    page = app(view)
    assert not page.exception
    assert not page.error
    assert words(page).count(NOTE) == 1


def test_a_store_that_can_be_written_has_no_note(make_run: MakeRun, app: Open) -> None:
    make_run("one")
    assert NOTE not in words(app())


def test_colours_stay_the_same_from_page_to_page(tmp_path: Path, store: Store, read_only: Callable[[], None]) -> None:
    read_only()
    palette = ["red", "green", "blue"]
    first = run_colours(store.root, ["a", "b"], palette)
    assert len(set(first.values())) == 2
    assert run_colours(store.root, ["c", "b", "a"], palette) == {**first, "c": "blue"}
    assert not (store.root / "colours.json").exists()


def test_colours_of_a_full_disk_are_written_once_there_is_space(store: Store) -> None:
    palette = ["red", "green", "blue"]
    with refusing(store.root, errno.ENOSPC):
        first = run_colours(store.root, ["b", "a"], palette)
    assert run_colours(store.root, ["a", "b"], palette) == first
    assert (store.root / "colours.json").exists()


def refusals(page: AppTest) -> str:
    """The errors on a page that shows no traceback."""
    assert not page.exception
    return "\n".join(str(error.value) for error in [*page.error, *page.toast])


def test_a_new_training_is_refused_in_words(locked: None, app: Open) -> None:
    page = app("views/train/page.py")
    page.button(key="train_go").click().run()
    assert REFUSED in refusals(page)


def test_a_new_sweep_is_refused_in_words(locked: None, app: Open) -> None:
    page = app("views/sweeps/page.py")
    page.button(key="sweep_go").click().run()
    assert REFUSED in refusals(page)


@pytest.mark.parametrize("kind", ["cancel", "resume", "seed"])
def test_cancel_and_resume_and_another_seed_are_refused_in_words(locked: None, app: Open, kind: str) -> None:
    page = app("views/train/page.py")
    next(item for item in page.button if str(item.key).startswith(f"live_{kind}_")).click().run()
    assert REFUSED in refusals(page)


def test_rename_and_delete_are_refused_in_words(locked: None, app: Open, store: Store) -> None:
    run_id = next(run.id for run in store.runs() if not run.live)
    page = app("views/runs/page.py", details=run_id, runs=run_id)
    page.text_input(key=f"describe_name_{run_id}").set_value("other")
    next(item for item in page.button if item.label == "Save").click().run()
    assert REFUSED in refusals(page)
    assert page.button(key="runs_delete").disabled
    assert store.get(run_id).name != "other"


def test_forgetting_a_dataset_is_refused_in_words(
    store: Store, runner: object, app: Open, read_only: Callable[[], None]
) -> None:
    (store.root / "datasets.json").write_text('{"known": "somewhere.npz"}')
    read_only()
    page = app("views/data.py")
    page.button(key="data_forget_known").click().run()
    assert REFUSED in refusals(page)


def test_a_download_that_cannot_keep_its_log_is_refused_in_words(
    locked: None, app: Open, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching = Download(store, ("true",))
    monkeypatch.setattr(datasets, "download", lambda: fetching)
    page = app("views/data.py")
    page.button(key="data_download").click().run()
    assert REFUSED in refusals(page)
    assert not fetching.running


def test_the_service_is_not_started_for_a_store_that_cannot_be_written(
    store: Store, read_only: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    read_only()
    share(monkeypatch, "store", lambda: store)
    share(monkeypatch, "runner", lambda: pytest.fail("asked to start"))
    resources.warm_up.__wrapped__()  # not the cached answer of another test
