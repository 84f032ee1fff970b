"""Stores with clearly synthetic runs, for the tests of the dashboard; nothing here was trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from mnist_core.configs import DatasetConfig, DenseLayer, ModelConfig, RunConfig, TrainingConfig
from mnist_core.events import EpochRow
from mnist_core.presets import PRESETS
from mnist_core.runs import Predictions, Run
from mnist_core.store import Store

APP = str(Path(__file__).resolve().parents[2] / "dashboard" / "app.py")
FINGERPRINT = "5" * 16


def config(units: tuple[int, ...] = (64, 64), *, dropout: float = 0.2, epochs: int = 6, seed: int = 0) -> RunConfig:
    """A dense net on `digits`."""
    return RunConfig(
        model=ModelConfig(layers=tuple(DenseLayer(units=size, dropout=dropout) for size in units)),
        training=TrainingConfig(epochs=epochs, seed=seed),
        dataset=DatasetConfig(name="digits"),
    )


def epoch_row(epoch: int, *, floor: float = 0.10, speed: float = 0.6, turn: int = 4) -> EpochRow:
    """A row of a made-up history: losses fall towards `floor`, and validation loss rises again after epoch `turn`."""
    fallen = 2.0 * np.exp(-speed * epoch)
    rise = 0.01 * max(0, epoch - turn)
    val_loss = floor + fallen * 0.6 + rise
    return EpochRow(
        epoch=epoch,
        loss=floor + fallen,
        accuracy=1 - (floor + fallen) / 3.2,
        clean_loss=floor * 0.8 + fallen * 0.7,
        clean_accuracy=1 - (floor * 0.8 + fallen * 0.7) / 3.2,
        val_loss=val_loss,
        val_accuracy=1 - (floor + fallen * 0.6) / 3.2,
        val_loss_correct=val_loss * 0.3,
        val_loss_wrong=val_loss * 0.7,
        penalty=0.0,
        val_confidence=0.97,
        val_ece=0.01,
        learning_rate=1e-3,
        seconds=0.5,
    )


def guesses(errors: int, images: int = 500, seed: int = 0) -> Predictions:
    """Made-up predictions with exactly `errors` wrong guesses."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(images) % 10).astype(np.uint8)
    guessed = labels.astype(int)
    wrong = rng.choice(images, errors, replace=False)
    guessed[wrong] = (guessed[wrong] + rng.integers(1, 10, errors)) % 10
    probabilities = rng.uniform(0.0, 0.03, (images, 10))
    probabilities[np.arange(images), guessed] = rng.uniform(0.5, 1.0, images)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return Predictions(labels, probabilities.astype(np.float32))


MakeRun = Callable[..., Run]


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
    """`app("views/compare.py")` runs a page of the whole app on `store`, without a job service."""
    from dashboard import resources

    monkeypatch.setenv("MNIST_CORE_STORE", str(store.root))
    monkeypatch.setattr(resources, "warm_up", lambda: None)
    resources.store.cache_clear()
    resources.runner.cache_clear()

    def open_page(page: str = "views/compare.py", **query: str) -> AppTest:
        test = AppTest.from_file(APP, default_timeout=30)
        for key, value in query.items():
            test.query_params[key] = value
        test.run()
        if page != "views/compare.py":
            test.switch_page(page).run()
        return test

    yield open_page
    resources.store.cache_clear()
    resources.runner.cache_clear()
