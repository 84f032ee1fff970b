"""A training that takes no time, in place of `training.train`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from mnist_core.data.datasets import Dataset
from mnist_core.experiments.configs import RunConfig
from mnist_core.training import checkpoints
from mnist_core.training.events import Ended, EpochEnded, Progress, Started, TrainingEvent
from tests.support.synthetic import row

EPOCHS = 3


class FakeModel:
    """Writes a file where a model is to be saved."""

    def save(self, path: Path) -> None:
        """Write it."""
        path.write_bytes(b"weights")


class FakeTrain:
    """Trains nothing, in the manner of `train`: resumes, emits, checkpoints, asks whether to stop.

    `before_epoch` is called with each epoch's number, and may raise, cancel or look around. `losses`: by epoch.
    """

    def __init__(
        self,
        before_epoch: Callable[[int], None] = lambda epoch: None,
        state: str = "finished",
        losses: list[float] | None = None,
    ) -> None:
        self.before_epoch = before_epoch
        self.state = state
        self.losses = losses or [0.5] * EPOCHS
        self.trained: list[int] = []

    def __call__(
        self,
        config: RunConfig,
        dataset: Dataset,
        *,
        on_event: Callable[[TrainingEvent], None],
        should_stop: Callable[[], bool],
        checkpoint: Path,
    ) -> Any:
        identity = f"{config.canonical_json()} {dataset.fingerprint}"
        found = checkpoints.load(checkpoint, identity)
        rows = found.rows if found else []
        on_event(Started(min(len(rows) + 1, EPOCHS), EPOCHS))
        state, reason = self.state, "all epochs are done"
        for epoch in range(len(rows) + 1, EPOCHS + 1):
            self.before_epoch(epoch)
            if should_stop():
                state, reason = "cancelled", f"cancelled in epoch {epoch}"
                break
            for step in range(50):
                on_event(Progress(epoch, EPOCHS, step, 50, float("nan"), 0.5, 0.1))
            loss = self.losses[epoch - 1]
            rows = [*rows, row(epoch, loss=loss, train_eval_loss=loss, val_loss=loss)]
            checkpoints.save(checkpoint, identity, checkpoints.State([], [], len(rows), list(rows)))
            on_event(EpochEnded(rows[-1], EPOCHS))
            self.trained.append(epoch)
        on_event(Ended(state, reason))  # type: ignore[arg-type]
        probabilities = np.full((len(dataset.y_test), 10), 0.1, np.float32) if rows else None
        return SimpleNamespace(
            state=state, reason=reason, history=tuple(rows), model=FakeModel(), probabilities=probabilities,
            best_epoch=len(rows) or None, kept_epoch=len(rows) or None, val_labels=None, val_probabilities=None,
            others={1: (np.eye(10, dtype=np.float32)[dataset.y_test], None)} if rows else {},
        )  # fmt: skip


class Killed(BaseException):
    """Stands for the end of the process: nothing in the code may catch it."""
