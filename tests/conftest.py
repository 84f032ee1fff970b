"""Shared by all tests: what a machine lacks makes tests skip with the reason, unless `.ci/run` demands them."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import settings

from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.configs import DatasetConfig, ModelConfig, RunConfig, TrainingConfig
from mnist_core.experiments.layers import DenseLayer
from mnist_core.experiments.presets import PRESETS
from mnist_core.runs import lease
from mnist_core.runs.records import EpochRow, Origin
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support import chromium, order
from tests.support.demanded import pytest_runtest_makereport, pytest_terminal_summary  # noqa: F401, hooks of pytest
from tests.support.disks import mounted_read_only, refusing
from tests.support.synthetic import FINGERPRINT, MakeRun, config, epoch_row, guesses

# Hundreds of processes start here, and without its cache Python compiles the whole project in each of them.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# Each worker loads TensorFlow, some seconds of a processor; tests that need two of them ask for two.
os.environ.setdefault("MNIST_CORE_WORKERS", "1")

# A test says nothing of how fast a busy machine is; that is for benchmarks/. In CI Hypothesis has this from itself.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# Collecting makes hundreds of thousands of objects that all stay; looking through them for garbage was a tenth of it.
gc.disable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: order.place(item.path))
    mnist = os.environ.get("MNIST_NPZ")
    reasons = {
        "mnist": None if mnist and Path(mnist).is_file() else "real MNIST is not here: set MNIST_NPZ to its path",
        "browser": None
        if chromium.FOR_TESTS
        else "Chromium is not installed (Debian: chromium-headless-shell or chromium)",
    }
    for item in items:
        for marker, reason in reasons.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish() -> None:
    gc.enable()


@pytest.fixture(autouse=True, scope="module")
def _nothing_old_to_collect() -> None:
    """Take what earlier modules left out of the garbage collector's sight.

    Streamlit collects all garbage after each run of a script; with TensorFlow's graphs about, that took seconds a test.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _no_lease_left_unwritten() -> Iterator[None]:
    """Forget the leases that this process could not write, as a process that trains on would be ended for them."""
    yield
    lease._unwritten.clear()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "artifacts")


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
        origin: Origin | None = None,
    ) -> Run:
        run_config = run_config or (PRESETS[preset].config if preset else config())
        run, _ = store.add(run_config, name=name, preset=preset, fingerprint=fingerprint, origin=origin)
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


@pytest.fixture(params=["mounted", "injected"])
def read_only(request: pytest.FixtureRequest, store: Store) -> Iterator[Callable[[], None]]:
    """`read_only()` makes `store` one that cannot be written, by a real mount or by made-up refusals."""
    with contextlib.ExitStack() as stack:
        how = mounted_read_only(store.root) if request.param == "mounted" else refusing(store.root, errno.EROFS)
        yield lambda: stack.enter_context(how)


@pytest.fixture(scope="session")
def small_config() -> RunConfig:
    """A dense net that trains on `digits` in a second."""
    return RunConfig(
        model=ModelConfig(layers=(DenseLayer(units=16, dropout=0.2),)),
        training=TrainingConfig(epochs=3, batch_size=64),
        dataset=DatasetConfig(name="digits"),
    )


@pytest.fixture(scope="module")
def started_processes() -> Iterator[Callable[[], list[psutil.Process]]]:
    """The processes that this module's tests have started and that still live; at the end there must be none."""
    mark = uuid.uuid4().hex
    os.environ["MNIST_CORE_TEST_MARK"] = mark  # inherited by whatever they start, however detached

    def alive() -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.pid != os.getpid() and process.environ().get("MNIST_CORE_TEST_MARK") == mark:
                    found.append(process)
            except (psutil.Error, OSError):
                continue
        return found

    yield alive
    deadline = time.monotonic() + 10
    while (left := alive()) and time.monotonic() < deadline:
        time.sleep(0.1)
    del os.environ["MNIST_CORE_TEST_MARK"]
    described = [" ".join(process.cmdline()) for process in left if process.is_running()]
    for process in left:
        process.kill()
    assert not described, f"these processes outlived the tests that started them: {described}"
