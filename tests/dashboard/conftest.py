"""Stores with clearly synthetic runs, for the tests of the dashboard; nothing here was trained."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.presets import PRESETS
from mnist_core.runs.records import EpochRow
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.jobs import FakeRunner
from tests.support.synthetic import FINGERPRINT, MakeRun, config, epoch_row, guesses

APP = str(Path(__file__).resolve().parents[2] / "dashboard" / "app.py")


@pytest.fixture
def make_run(store: Store) -> MakeRun:
    """`make_run(name, config, rows=6, errors=20, state="finished")` puts a synthetic run into `store`."""

    def make(
        name: str,
        run_config: RunConfig | None = None,
        *,
        rows: int | list[EpochRow] | None = None,
        errors: int | None = 20,
        state: str = "finished",
        reason: str = "all epochs done",
        preset: str | None = None,
        floor: float = 0.10,
        fingerprint: str = FINGERPRINT,
        predictions: Predictions | None = None,
    ) -> Run:
        run_config = run_config or (PRESETS[preset].config if preset else config())
        run, _ = store.add(run_config, name=name, preset=preset, fingerprint=fingerprint)
        if state == "queued":
            return run
        writer = store.open_writer(run.id)
        assert writer is not None
        writer.started([])
        if rows is None:
            rows = run_config.training.epochs
        history = [epoch_row(epoch, floor=floor) for epoch in range(1, rows + 1)] if isinstance(rows, int) else rows
        for row in history:
            writer.epoch(row)
        if state == "running":
            return store.get(run.id)
        if errors is not None and state == "finished":
            writer.predictions(predictions or guesses(errors))
        losses = [row.val_loss if np.isfinite(row.val_loss) else np.inf for row in history]
        best = int(np.argmin(losses)) + 1 if losses else None
        writer.ended(state, reason, best_epoch=best, kept_epoch=len(history) or None)
        return store.get(run.id)

    return make


@pytest.fixture
def app(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], AppTest]]:
    """`app("views/compare/page.py")` runs a page of the whole app on `store`, without a job service."""
    from dashboard import resources

    monkeypatch.setenv("MNIST_CORE_STORE", str(store.root))
    monkeypatch.setattr(resources, "warm_up", lambda: None)
    resources.store.cache_clear()
    resources.runner.cache_clear()

    def open_page(page: str = "views/compare/page.py", /, **query: str | list[str]) -> AppTest:
        test = AppTest.from_file(APP, default_timeout=30)
        for key, value in query.items():
            test.query_params[key] = value
        test.run()
        if page != "views/compare/page.py":
            test.switch_page(page).run()
        return test

    yield open_page
    resources.store.cache_clear()
    resources.runner.cache_clear()


@pytest.fixture
def runner(app: Callable[..., AppTest], store: Store, monkeypatch: pytest.MonkeyPatch) -> FakeRunner:
    """Takes the place of the job service; MNIST is not here."""
    from dashboard import resources

    fake = FakeRunner(store)
    monkeypatch.setattr(resources, "runner", functools.cache(lambda: fake))
    monkeypatch.delenv("MNIST_NPZ", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(store.root / "keras"))
    return fake


@pytest.fixture
def manage(app: Callable[..., AppTest]) -> AppTest:
    """What is in the dialog that manages runs, without it: AppTest closes a dialog at every click."""

    def inside() -> None:
        from dashboard import resources
        from dashboard.shared import panels
        from dashboard.views.compare import manage

        with panels.in_words():
            own = resources.scan()[0]
            if own:
                manage._edit(own)
            manage._trash()

    return AppTest.from_function(inside, default_timeout=30)
