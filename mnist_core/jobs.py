"""Asking for runs to be trained, wherever that happens.

`request`, `request_all` and `resume` say what is wanted; a `Runner` sees to it: `LocalRunner` here and now,
`ServiceRunner` in worker processes that go on when this one ends. Both write nothing but the runs' folders, which is
where results are read.

Importing this module imports neither TensorFlow nor distributed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import psutil

from mnist_core import latency, launch, lease
from mnist_core.configs import RunConfig
from mnist_core.errors import JobError, MnistCoreError, RunNotFound, StoreError
from mnist_core.execution import Train, execute, sentence
from mnist_core.launch import ServiceStatus
from mnist_core.runs import Pause, Run
from mnist_core.store import Store

SCHEDULER_VARIABLE = "MNIST_CORE_SCHEDULER"
KILL_AFTER_S = 3.0
"""A training that was asked to stop and has not done so by then is killed with its process."""
MOST_KILLS = 3
"""So many processes that hold one run are ended, as it may be handed from one worker to the next."""

CONNECT_LIMIT_S = 10.0

Outcome = Literal["new", "stored", "joined", "resumed"]


@dataclass(frozen=True)
class Requested:
    """What became of a request.

    outcome: `new`, trained from the first epoch; `stored`, it was trained before; `joined`, it is being trained
    already; `resumed`, it goes on from its last finished epoch.
    """

    run: Run
    outcome: Outcome


class Runner(Protocol):
    """Sees to it that queued runs are trained."""

    def submit(self, run_id: str) -> None:
        """Have a queued run trained; doing so twice is harmless."""

    def cancel(self, run_id: str) -> None:
        """Ask a run to stop; it keeps what it has reached."""

    def kill(self, run_id: str) -> None:
        """Make a run stop, if need be by ending its process; it keeps its finished epochs."""

    def status(self) -> ServiceStatus:
        """How whatever trains is doing."""


# -- asking ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """A run that is wanted.

    config, name, preset: the experiment; `name`, `preset`, `tags` and `keep_weights` are given to a new run only.
    pause: stop after this epoch, as a cancelled run that can be resumed; not heeded by a run in progress.
    """

    config: RunConfig
    name: str
    preset: str | None = None
    tags: tuple[str, ...] = ()
    keep_weights: bool = True
    pause: Pause | None = None


def request(
    store: Store, runner: Runner, config: RunConfig, *, name: str, preset: str | None = None, again: bool = False
) -> Requested:
    """See to it that a configuration is trained, and train nothing twice.

    Parameters
    ----------
    store, runner
        where, and by what.
    config, name, preset
        the experiment; `name` is given to a new run only.
    again
        train from scratch although it has been trained: the earlier run goes to the trash. A run that ships with the
        project stays, hidden by the new one. A run in progress is joined even so.
    """
    return request_all(store, runner, [Wanted(config, name, preset)], again=again)[0]


def request_all(store: Store, runner: Runner, wanted: Sequence[Wanted], *, again: bool = False) -> list[Requested]:
    """As `request`, for many runs: all are in the queue before the first is trained, so that all can be cancelled."""
    fingerprints: dict[str, str] = {}  # reading a dataset to know it takes its time
    asked = []
    for item in wanted:
        dataset = item.config.dataset.name
        if dataset not in fingerprints:
            fingerprints[dataset] = store.catalog.fingerprint(dataset)
        asked.append(_queue(store, item, fingerprints[dataset], again=again))
    for one in asked:
        if store.get(one.run.id).state == "queued":  # also where it was before: whoever was to train it may be gone
            runner.submit(one.run.id)
    return [Requested(store.get(one.run.id), one.outcome) for one in asked]


def _queue(store: Store, wanted: Wanted, fingerprint: str, *, again: bool) -> Requested:
    if again:
        _put_aside(store, wanted.config.run_id(fingerprint))
    run, new = store.add(
        wanted.config,
        name=wanted.name,
        preset=wanted.preset,
        fingerprint=fingerprint,
        shadow_reference=again,
        tags=wanted.tags,
        keep_weights=wanted.keep_weights,
    )
    outcome: Outcome = "new"
    if not new:
        outcome = "resumed" if run.resumable else "joined" if run.live else "stored"
    if outcome == "resumed":
        _queue_again(store, run.id)
    if wanted.pause and outcome in ("new", "resumed"):
        store.set_pause(run.id, wanted.pause)
    return Requested(store.get(run.id), outcome)


def _put_aside(store: Store, run_id: str) -> None:
    with contextlib.suppress(RunNotFound):
        run = store.get(run_id)
        if not run.read_only and not run.live:
            store.delete(run.id)


def _queue_again(store: Store, run_id: str) -> None:
    try:
        store.request_again(run_id)
    except StoreError:
        if not store.get(run_id).live:  # else somebody else has just resumed it
            raise


def resume(store: Store, runner: Runner, run_id: str) -> Run:
    """Have a cancelled, interrupted or failed run go on from its last finished epoch; one in progress just goes on."""
    run = store.get(run_id)
    if not run.live:
        _queue_again(store, run_id)
    if store.get(run_id).state == "queued":
        runner.submit(run_id)
    return store.get(run_id)


# -- here --------------------------------------------------------------------------------------------------------------


class LocalRunner:
    """Trains in this process, while the caller waits.

    Parameters
    ----------
    store
        the runs.
    train
        what trains; default: `mnist_core.training.train`.
    """

    def __init__(self, store: Store, *, train: Train | None = None) -> None:
        self.store = store
        self._train = train
        self._busy = 0

    def submit(self, run_id: str) -> None:
        """Train a queued run, and return when that is done."""
        self._busy += 1
        try:
            execute(self.store, run_id, train=self._train)
        finally:
            self._busy -= 1

    def cancel(self, run_id: str) -> None:
        """Ask a run to stop; for another thread, as `submit` waits."""
        self.store.cancel(run_id)

    def kill(self, run_id: str) -> None:
        """Make a run stop; this very process can only be asked to."""
        _kill(self.store, run_id)

    def status(self) -> ServiceStatus:
        """Always ready."""
        return ServiceStatus("ready", workers=1, warm=1, busy=min(1, self._busy))


def _wait_until_free(run: Run) -> None:
    """Wait until no process holds the run, KILL_AFTER_S at the most."""
    deadline = time.monotonic() + KILL_AFTER_S
    while lease.held(run.path) and time.monotonic() < deadline:
        time.sleep(0.05)


def _kill(store: Store, run_id: str) -> None:
    """Cancel, wait, end the process that still holds the run, and write down that it is cancelled."""
    store.cancel(run_id)
    run = store.get(run_id)
    _wait_until_free(run)
    for _ in range(MOST_KILLS):
        pid = lease.holder_pid(run.path)
        if pid is None or pid == os.getpid():
            break
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            process.kill()
            process.wait(5)
        # the scheduler may have handed the run to another worker meanwhile, which finds by itself that it is cancelled
        _wait_until_free(run)
    if lease.held(run.path) and not store.get(run_id).ended:
        raise JobError(
            f"run {run.name} does not stop, and its process cannot be ended from here; "
            f"end it where it runs, which lease-{lease.attempts(run.path)}.json in the run's folder says"
        )
    store.cancel(run_id)


# -- in the service ----------------------------------------------------------------------------------------------------


class ServiceRunner:
    """Trains in the workers of a dask scheduler: the local service, or one elsewhere.

    It may be kept for as long as the process lives and used by several threads. It connects when first needed, and
    again, after starting the service anew, where that has gone away.

    Parameters
    ----------
    store
        the runs; a scheduler elsewhere must see the same folder under the same path.
    address
        of a dask scheduler. Default: the environment variable MNIST_CORE_SCHEDULER, else the store's local service,
        which is started where it is not running.
    options
        for a local service that has to be started, as `python -m mnist_core.service --help` lists them.
    """

    def __init__(self, store: Store, address: str | None = None, *, options: tuple[str, ...] = ()) -> None:
        self.store = store
        self.address = address or os.environ.get(SCHEDULER_VARIABLE) or None
        self._root = store.root.resolve()
        self._options = options
        self._lock = threading.RLock()
        self._client: Any = None
        self._warming: threading.Thread | None = None
        self._problem = ""

    def submit(self, run_id: str) -> None:
        """Queue a run at the scheduler; it is trained even if this process ends.

        Raises
        ------
        JobError
            where the scheduler cannot be reached, or the service not be started.
        """
        self._send(lambda client: self._submit(client, run_id), "the run stays queued, as it cannot be submitted")

    def measure_latency(self, run_id: str) -> None:
        """Have a worker time the run's model; `mnist_core.latency` tells what came of it. Raises as `submit` does."""
        latency.ask(self.store, self.store.get(run_id))
        self._send(lambda client: self._submit_timing(client, run_id), "the timing cannot be asked for")

    def _send(self, send: Callable[[Any], None], failing: str) -> None:
        with self._lock:
            problem: Exception | None = None
            for _ in range(2):  # once more, where the service or the connection turns out to be dead
                try:
                    send(self._connected())
                    return
                except (OSError, RuntimeError, TimeoutError, JobError) as error:
                    problem = error
                    self._disconnect()
                    if self.address and isinstance(error, JobError):
                        break  # it has just been asked for a while, and nothing here could start it
            raise JobError(f"{failing}: {problem}") from problem

    def _submit_timing(self, client: Any, run_id: str) -> None:
        from distributed import fire_and_forget

        from mnist_core.worker import time_run

        forget: Any = fire_and_forget
        forget(client.submit(time_run, str(self._root), run_id, key=f"time-{run_id}-{time.time_ns()}", pure=False))

    def _submit(self, client: Any, run_id: str) -> None:
        from distributed import fire_and_forget

        from mnist_core.worker import task_environment, task_key, train_run

        run = self.store.get(run_id)
        if not run.live:
            return
        key = task_key(run)
        arguments = (str(self._root), run_id, task_environment())
        future = client.submit(train_run, *arguments, key=key, pure=False)
        forget: Any = fire_and_forget
        forget(future)
        future.add_done_callback(lambda done: self._ended(run_id, done))
        # sending is asynchronous: be sure that the scheduler has it before this process may end
        deadline = time.monotonic() + 10
        while not client.sync(client.scheduler.get_task_status, keys=[key])[key]:
            if self.store.get(run_id).state != "queued":
                return
            if time.monotonic() > deadline:
                raise TimeoutError("the scheduler does not take the run")
            time.sleep(0.005)

    def _ended(self, run_id: str, future: Any) -> None:
        """Tell of a task that could not even begin, such as on a worker that lacks this package."""
        if future.status != "error":
            return
        with contextlib.suppress(StoreError, OSError):
            writer = self.store.open_writer(run_id)
            if writer is not None:
                if self.store.get(run_id).state == "queued":
                    writer.ended("failed", f"the worker could not begin: {sentence(future.exception())}")
                writer.release()

    def cancel(self, run_id: str) -> None:
        """Ask a run to stop; its worker looks several times a second."""
        self.store.cancel(run_id)

    def kill(self, run_id: str) -> None:
        """Make a run stop, if need be by ending its worker, which is replaced at once."""
        _kill(self.store, run_id)

    def status(self) -> ServiceStatus:
        """How the service is doing; cheap enough for every redraw of a page."""
        if self.address:
            return self._remote_status()
        found = launch.status(self._root)
        if found.state != "stopped":
            return found
        warming = self._warming is not None and self._warming.is_alive()
        return ServiceStatus("starting") if warming else ServiceStatus("stopped", problem=self._problem)

    def _remote_status(self) -> ServiceStatus:
        client = self._client
        if client is None or client.status != "running":
            return ServiceStatus("remote", problem=self._problem or f"not connected to {self.address}")
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        metrics = [worker["metrics"] for worker in workers]
        return ServiceStatus(
            "remote",
            workers=len(metrics),
            warm=sum(bool(metric.get("mnist_core_warm")) for metric in metrics),
            busy=sum(bool(metric["task_counts"].get("executing")) for metric in metrics),
        )

    def warm(self, after_s: float = 0.0) -> None:
        """Start the service and connect to it in the background, so that the first training begins at once.

        `after_s` lets whatever is under way have the processor first; the service counts as starting meanwhile.
        """
        if self._warming is None or not self._warming.is_alive():
            self._warming = threading.Thread(target=self._warm, args=(after_s,), name="job-service", daemon=True)
            self._warming.start()

    def _warm(self, after_s: float) -> None:
        time.sleep(after_s)
        try:
            with self._lock:
                self._connected()
            self._problem = ""
            # identifying the first run on `digits` would otherwise wait for scikit-learn to be imported
            self.store.catalog.fingerprint("digits")
        except MnistCoreError as error:
            self._problem = str(error)

    def stop(self) -> None:
        """End the local service and its workers; runs in progress become interrupted."""
        with self._lock:
            self._disconnect()
            if not self.address:
                launch.stop(self._root)

    def close(self) -> None:
        """Let go of the connection; the service and its runs go on."""
        with self._lock:
            self._disconnect()

    # -- the connection ----------------------------------------------------------------------------------------------

    def _connected(self) -> Any:
        """A client that is connected to the scheduler as it is now."""
        address = self.address or launch.start(self._root, *self._options).address
        if self._client is not None:
            if self._client.status == "running" and self._client.scheduler.address == address:
                return self._client
            self._disconnect()
        from distributed import Client

        _quieten()
        connect: Any = Client
        try:
            self._client = connect(address, timeout=CONNECT_LIMIT_S, set_as_default=False, name="mnist-core")
        except (OSError, TimeoutError) as error:
            raise JobError(f"no scheduler answers at {address} ({error}); check that it runs there") from error
        return self._client

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):  # whatever a dead connection says when it is closed
                client.close(timeout=2)


def _quieten() -> None:
    """A lost connection is dealt with above; distributed would also print a traceback for each."""
    for name in ("client", "core", "batched", "comm", "utils"):
        logging.getLogger(f"distributed.{name}").setLevel(logging.CRITICAL)
