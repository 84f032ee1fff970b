"""The code that runs inside a worker process of the job service.

Also a preload of the workers (`dask worker --preload mnist_core.jobs.worker` on a cluster): it loads TensorFlow in the
background as soon as the process starts. Importing this module imports neither distributed nor TensorFlow.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from mnist_core.data.datasets import MNIST_VARIABLE
from mnist_core.errors import RunNotFound
from mnist_core.jobs import latency
from mnist_core.jobs.execution import execute
from mnist_core.jobs.remote_training import Task, train_remotely
from mnist_core.jobs.turns import OWNER_KEY
from mnist_core.runs import lease
from mnist_core.runs.run import Run
from mnist_core.runs.states import RunState
from mnist_core.runs.store import Store

TRAININGS_PER_PROCESS = int(os.environ.get("MNIST_CORE_TRAININGS_PER_PROCESS", "40"))
BYTES_PER_PROCESS = 1_200_000_000
"""TensorFlow grows by 10 MB a training and more, which nothing but a fresh process gives back. A worker is replaced
after so many trainings, or when it has grown so far after a few.
"""
_FEW = 3

DOOMED_S = 10.0
"""Seconds for which the process of a worker that the scheduler has dropped may still hold its run; wait that long."""

NICENESS = "MNIST_CORE_WORKER_NICENESS"
"""Variable of the environment: by how much a worker's process lowers its own priority, from 0 to 19."""

logger = logging.getLogger("mnist_core.jobs.worker")


class _Process:
    """The state of this worker process."""

    def __init__(self) -> None:
        self.warming: threading.Thread | None = None
        self.warm = False
        self.replaceable = False
        self.trainings = 0
        self._active = 0
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def training(self) -> Iterator[None]:
        """Mark, for the time within, that a run is being trained."""
        with self._lock:
            # the scheduler gives a task that has not begun to the next process, and the run never notices
            self._end_if_due()
            self._active += 1
        try:
            yield
        finally:
            with self._lock:
                self._active -= 1
            # not at once: the scheduler must hear first that this task is done
            threading.Timer(1.0, self.end_if_due).start()

    def end_if_due(self) -> None:
        """End this process, for its nanny to start a fresh one, where it has done its share and does nothing else."""
        with self._lock:
            self._end_if_due()

    def _end_if_due(self) -> None:
        if not self.replaceable or self._active:
            return
        if lease.unreleased():  # for others, this process trains for as long as it lives
            os._exit(0)
        if self.trainings >= TRAININGS_PER_PROCESS or (self.trainings >= _FEW and _own_bytes() > BYTES_PER_PROCESS):
            os._exit(0)


def _own_bytes() -> int:
    """Return this process's memory, without the libraries that it shares with other workers where that is known."""
    info = psutil.Process().memory_info()
    return int(info.rss - getattr(info, "shared", 0))


_process = _Process()


# -- tasks -------------------------------------------------------------------------------------------------------------


def task_key(run: Run) -> str:
    """Return the scheduler's key for training this run: one key for all attempts of a request, another for the next.

    With the key, a caller can check if the scheduler has the run, and submitting it twice is harmless.
    """
    return f"train-{run.id}-{round(run.status.created_at * 1e6)}-{run.status.requests}"


def annotations_of(run: Run) -> dict[str, str]:
    """Return what the scheduler is to know of the run's task: whose turn it is."""
    return {OWNER_KEY: run.meta.owner}


def task_environment() -> dict[str, str]:
    """Return the part of the requester's environment that the worker needs."""
    given = os.environ.get(MNIST_VARIABLE)
    return {MNIST_VARIABLE: str(Path(given).resolve())} if given else {}


def train_run(root: str, run_id: str, environment: dict[str, str]) -> RunState | None:
    """Train a run of the store at `root`; the result is what `execute` gives."""
    for name, value in environment.items():
        if Path(value).exists():  # on another machine it may lie elsewhere
            os.environ[name] = value
    store = Store(root)
    with _process.training(), contextlib.suppress(RunNotFound):  # it may be deleted while it is queued
        _wait_until_warm(store, run_id)
        state = execute(store, run_id) or _after_a_doomed_holder(store, run_id)
        if state is not None:
            _process.warm = True
            _process.trainings += 1
        return state
    return None


def train_run_remotely(task: Task) -> RunState | None:
    """Train a run of a store server, on a machine that does not see the store's folder."""
    with _process.training():
        if _process.warming:
            _process.warming.join()
        state = train_remotely(task)
        if state is not None:
            _process.warm = True
            _process.trainings += 1
        return state


def time_run(root: str, run_id: str) -> None:
    """Measure how long a run's model takes to answer, as requested through `latency.ask`."""
    store = Store(root)
    with _process.training(), contextlib.suppress(RunNotFound):
        if _process.warming:
            _process.warming.join()
        latency.answer(store, store.get(run_id))


def _wait_until_warm(store: Store, run_id: str) -> None:
    """Do not build two models at once in one process; but a cancelled run need not wait for TensorFlow."""
    while _process.warming and _process.warming.is_alive():
        _process.warming.join(0.1)
        if (store.get(run_id).path / "cancel").exists():
            return


def _after_a_doomed_holder(store: Store, run_id: str) -> RunState | None:
    """Train what somebody else seemed to be training, where they are gone a moment later.

    A scheduler that loses touch with a worker gives its task to another one at once, while the lost worker's process
    may still have a few seconds to live.
    """
    end = time.monotonic() + DOOMED_S
    while time.monotonic() < end:
        run = store.get(run_id)
        if run.read_only or run.ended:
            return None
        if not lease.held(run.path):
            state = execute(store, run_id)
            if state is not None:
                return state
        time.sleep(0.25)
    return None


# -- the process -------------------------------------------------------------------------------------------------------


def dask_setup(worker: Any) -> None:
    """Prepare the worker process; distributed calls it when the process begins."""
    _give_way()
    worker.metrics["mnist_core_warm"] = lambda worker: _process.warm
    _process.replaceable = worker.nanny is not None
    _process.warming = threading.Thread(target=_warm_up, name="warm-up", daemon=True)
    _process.warming.start()


def _give_way() -> None:
    """Lower the priority of this process as its environment requests; where there is no such thing, nothing happens."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        os.nice(int(os.environ.get(NICENESS, "0")))


def _warm_up() -> None:
    from mnist_core.training.models import backend, not_importable
    from mnist_core.training.train import warm_up

    # a worker that cannot warm up still says why in each run that it fails
    try:
        # Keras imports both if it can, for its wrappers and for data frames: a third of the time, and 120 MB
        with not_importable("pandas", "sklearn"):
            backend()
        warm_up()
        _process.warm = True
    except Exception:
        logger.exception("TensorFlow could not be warmed up")
