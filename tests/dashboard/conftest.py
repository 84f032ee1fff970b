"""Stores with clearly synthetic runs, for the tests of the dashboard; nothing here was trained."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.scriptrunner import script_runner
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from mnist_core.runs.classroom import Classroom
from mnist_core.runs.store import Store
from tests.support.jobs import FakeRunner
from tests.support.lessons import subjects
from tests.support.pages import APP, CLASS_MENU, MENU
from tests.support.resources import share


@pytest.fixture(scope="session", autouse=True)
def _components_looked_for_once() -> Iterator[None]:
    """Look through the installed packages for components once: every new AppTest would read all their metadata."""
    found = functools.cache(manifest_scanner.scan_component_manifests)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", found)
        yield


@pytest.fixture(scope="session", autouse=True)
def _keras_left_alone() -> Iterator[None]:
    """Do not clear the session of Keras after each run of a script, which collects all garbage of TensorFlow's.

    Streamlit does so where Keras is loaded: not in the app's server, but in a process where other tests have trained.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script_runner, "_clean_problem_modules", lambda: None)
        yield


@pytest.fixture
def app(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], AppTest]]:
    """`app("views/compare/page.py")` runs a page of the whole app on `store`, without a job service."""
    from dashboard import resources

    monkeypatch.setenv("MNIST_CORE_STORE", str(store.root))
    share(monkeypatch, "warm_up", lambda: None)
    share(monkeypatch, "FRESH_S", 0.0)  # a test changes the store as another process would, and looks
    resources.store.cache_clear()
    resources.runner.cache_clear()

    def open_page(page: str = "views/compare/page.py", /, **query: str | list[str]) -> AppTest:
        test = AppTest.from_file(str(APP), default_timeout=30)
        for key, value in query.items():
            test.query_params[key] = value
        path = next(entry.path for entry in [*MENU, *CLASS_MENU] if entry.file == page)
        if path:  # as a browser asks for it by its address; `switch_page` would need a run of the front page first
            test._page_hash = calc_hash(path)
        test.run()
        assert not path or test._finished_page_script_hash == test._page_hash, f"{page} is not in the menu"
        return test

    yield open_page
    resources.store.cache_clear()
    resources.runner.cache_clear()


@pytest.fixture
def without_mnist(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """MNIST is not on this machine."""
    monkeypatch.delenv("MNIST_NPZ", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(store.root / "keras"))


@pytest.fixture
def runner(
    app: Callable[..., AppTest], store: Store, without_mnist: None, monkeypatch: pytest.MonkeyPatch
) -> FakeRunner:
    """Takes the place of the job service; MNIST is not here."""

    fake = FakeRunner(store)
    share(monkeypatch, "runner", functools.cache(lambda: fake))
    return fake


@pytest.fixture
def shipped_models(store: Store) -> dict[str, str]:
    """The ids of model_1 and model_2 as they ship, with weights: small_1 and small_2 are those for the small digits."""
    (store.root / "reference").mkdir(parents=True, exist_ok=True)
    ids = {}
    for name, subject in subjects("real-difference").items():
        assert subject.run is not None
        (store.root / "reference" / subject.run.id).symlink_to(subject.run.path)
        ids[name] = subject.run.id
    return ids


@pytest.fixture
def as_viewer(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Classroom]:
    """`as_viewer("Ada")` has the pages of a class opened by Ada; "" by a teacher, who can see the class."""
    from dashboard import classroom

    monkeypatch.setenv("MNIST_CORE_STORE", str(store.root))
    monkeypatch.setenv(classroom.CLASS_VARIABLE, "http://192.0.2.7:8501")
    classroom._classroom.cache_clear()

    def see(name: str) -> Classroom:
        room = classroom.classroom()
        assert room is not None
        token = room.join(room.code, name) if name else room.teach(room.secret)
        monkeypatch.setattr(classroom, "token", lambda: token)
        return room

    return see
