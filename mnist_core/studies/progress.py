"""Progress of many runs that belong together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from mnist_core.errors import RunNotFound, StoreError
from mnist_core.jobs.runners import Runner
from mnist_core.runs.run import Run, Runs
from mnist_core.runs.states import SETTLED
from mnist_core.runs.store import Store

Found = Run | Literal["missing", "damaged"]
"""A run, or why there is none to read."""


@dataclass(frozen=True)
class StudyProgress:
    """Progress of a set of runs.

    total: distinct runs. states: number of runs in each state; `missing` for those that are not in the store, deleted
    or not added yet, `damaged` for those that cannot be read. share: share of the planned epochs that are done, 0 to 1;
    a run that has ended for good counts in full. seconds_left: at the pace so far; None if nothing is being trained or
    no run has finished.
    """

    total: int
    states: dict[str, int]
    share: float
    seconds_left: float | None
    complete: bool
    """True if no run is left to train."""

    @property
    def live(self) -> bool:
        """True if some runs are queued or running."""
        return bool(self.states.get("queued") or self.states.get("running"))

    @property
    def ended(self) -> int:
        """Number of runs that have ended by themselves."""
        return sum(self.states.get(state, 0) for state in SETTLED)


def runs_of(runs: Runs, run_ids: Sequence[str]) -> list[Found]:
    """Return the runs as they are now; why it cannot be read in place of one that is missing or damaged."""
    return [read_run(runs, run_id) for run_id in run_ids]


def progress_of(found: Sequence[Found]) -> StudyProgress:
    """Return how far these runs, as `runs_of` reads them, are."""
    known = [run if isinstance(run, Run) else None for run in found]
    states: Counter[str] = Counter(run.state if isinstance(run, Run) else run for run in found)
    shares, durations = [], []
    for run in known:
        if run is None:
            shares.append(0.0)
        elif run.ended_well:
            shares.append(1.0)
            if run.status.started_at and run.status.ended_at:
                durations.append(run.status.ended_at - run.status.started_at)
        elif run.state == "queued" and run.status.started_at is None:
            shares.append(0.0)  # without opening its history, which matters for a thousand
        else:
            live = run.progress() if run.state == "running" else None
            shares.append(max(_share(run), live.share if live else 0.0))
    left = None
    if states["running"] and durations:
        unfinished = sum(1 - share for run, share in zip(known, shares, strict=True) if run and run.live)
        left = median(durations) * unfinished / states["running"]
    share = sum(shares) / len(shares) if shares else 1.0
    ended_well = sum(run is not None and run.ended_well for run in known)
    return StudyProgress(len(known), dict(states), share, left, complete=ended_well == len(known))


def _share(run: Run) -> float:
    """Return the share of the epochs that is done; 0 where the history is damaged, as training then begins again."""
    try:
        return run.epochs_done / (run.planned_epochs or 1)
    except StoreError:
        return 0.0


def read_run(runs: Runs, run_id: str) -> Found:
    """Return a run as it is now, or why it cannot be read."""
    try:
        return runs.get(run_id)
    except RunNotFound:
        return "missing"
    except StoreError:
        return "damaged"


def cancel_runs(store: Store, runner: Runner, run_ids: Sequence[str]) -> int:
    """Ask all runs that may still be trained to stop, the queued ones first; how many those were."""
    live = [run for run in runs_of(store, run_ids) if isinstance(run, Run) and not run.ended and not run.read_only]
    for run in sorted(live, key=lambda run: run.state != "queued"):
        runner.cancel(run.id)
    return len(live)
