"""How far runs are that are being trained, or wait to be, as shares and lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from mnist_core.jobs import estimates
from mnist_core.jobs.turns import in_turn
from mnist_core.plots import style
from mnist_core.runs.run import Run

ENDINGS = {
    "finished": "finished",
    "paused": "paused",
    "cancelled": "cancelled",
    "diverged": "diverged: the loss grew beyond all bounds, as with too large a learning rate",
    "failed": "failed",
    "interrupted": "interrupted",
}
"""Words for how a run ended, by its state."""


def waiting(live: Sequence[Run]) -> list[Run]:
    """Return those of the live runs that wait, in the order in which the queue will take them."""
    queued = [run for run in live if run.state == "queued"]
    return in_turn(queued, [run for run in live if run.state == "running"])


def words(run: Run, place: int, stopping: bool, now: float) -> tuple[float, str]:
    """Return how far a live run is, 0 to 1, and the line about it. place: its place in the queue, 0 if it runs."""
    if stopping:
        return 0.0 if place else share(run), "stopping …"
    if run.state == "interrupted":
        return share(run), f"{ENDINGS['interrupted']}; it is handed over again"
    if place:
        return 0.0, "next in line" if place == 1 else f"waiting: number {place} in line"
    rows, inside, epochs = run.rows(), run.progress(), run.planned_epochs
    if epochs is None:
        return 0.0, f"epoch {len(rows) + 1}; how many were planned is not known"
    epoch = min(epochs, len(rows) + 1)
    left = estimates.time_left(rows, inside, epochs, now)
    if left is not None and run.pause() is not None:
        return share(run), f"epoch {epoch} of {epochs}, then it is paused"
    if left is not None:
        left += run.slow_motion() * max(0, epochs - epoch)
    most = "at most " if run.recorded or run.config.training.early_stopping else ""
    text = (
        f"{most}{style.duration(left)} left"
        if left is not None
        else "getting ready"
        if inside is None
        else "first epoch"
    )
    return share(run), f"epoch {epoch} of {epochs}, {text}"


def share(run: Run) -> float:
    """Return how much of a training is done, 0 to 1."""
    inside, epochs = run.progress(), run.planned_epochs
    done = run.epochs_done / epochs if epochs else 0.0
    return min(1.0, max(done, inside.share if inside else 0.0))
