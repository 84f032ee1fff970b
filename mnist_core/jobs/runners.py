"""Runners train queued runs: `LocalRunner` in this process, `ServiceRunner` in worker processes that outlive it."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import psutil

from mnist_core.errors import JobError, MnistCoreError, StoreError, WriteError
from mnist_core.jobs import latency, local_service
from mnist_core.jobs.execution import Train, execute, sentence
from mnist_core.jobs.local_service import ServiceStatus
from mnist_core.runs import lease
from mnist_core.runs.run import Run
from mnist_core.runs.states import TRAINABLE
from mnist_core.runs.store import Store

if TYPE_CHECKING:
    from mnist_core.jobs.store_server import ServerRecord

SCHEDULER_VARIABLE = "MNIST_CORE_SCHEDULER"
UNENCRYPTED_VARIABLE = "MNIST_CORE_ALLOW_UNENCRYPTED"
_HERE = ("localhost", "127.0.0.1", "::1")
KILL_AFTER_S = 3.0
"""Seconds after which a training that does not obey a request to stop is killed with its process."""
MOST_KILLS = 3
"""So many processes that hold one run are ended, as it may be handed from one worker to the next."""
CONNECT_LIMIT_S = 10.0
"""Seconds without a connection after which a scheduler counts as unreachable."""
ANSWER_LIMIT_S = 2.0
"""Seconds without an answer after which a connected scheduler counts as unreachable."""
TAKEN_LIMIT_S = 10.0
"""Seconds after which a scheduler that has not taken a run counts as unreachable."""
_HELD = ("queued", "waiting", "no-worker", "processing")
"""The states of a task that the scheduler will have carried out."""
Absence = Literal["gone", "stopping", "stopped"]
"""Of the local service: it has ended, or somebody has stopped it, and it may still be closing its workers."""


class Runner(Protocol):
    """Sees to it that queued runs are trained."""

    address: str | None
    """Of a scheduler elsewhere, which nothing here can start."""

    def submit(self, run_id: str) -> None:
        """Have a queued or interrupted run trained; doing so twice is harmless."""

    def cancel(self, run_id: str) -> None:
        """Ask a run to stop; it keeps what it has reached."""

    def kill(self, run_id: str) -> None:
        """Make a run stop, if need be by ending its process; it keeps its finished epochs."""

    def status(self) -> ServiceStatus:
        """Return the state of the job service, or of what stands in for it."""

    def absent(self) -> Absence | None:
        """Return why nothing here can train until somebody starts it; None where something can. Cheap."""

    def unheld(self, runs: Sequence[Run]) -> list[Run]:
        """Return those of these queued or interrupted runs that must be submitted, as nothing is going to train them.

        Raises JobError where whatever trains does not answer.
        """


class LocalRunner:
    """Trains in this process, while the caller waits.

    Parameters
    ----------
    store
        the runs.
    train
        what trains; default: `mnist_core.training.train`.
    """

    address: str | None = None

    def __init__(self, store: Store, *, train: Train | None = None) -> None:
        self.store = store
        self._train = train
        self._busy = 0
        self._held: set[str] = set()

    def submit(self, run_id: str) -> None:
        """Train a queued run, and return when that is done."""
        self._busy += 1
        self._held.add(run_id)
        try:
            execute(self.store, run_id, train=self._train)
        finally:
            self._busy -= 1
            self._held.discard(run_id)

    def cancel(self, run_id: str) -> None:
        """Ask a run to stop; for another thread, as `submit` waits."""
        self.store.cancel(run_id)

    def kill(self, run_id: str) -> None:
        """Make a run stop; in this process that is a request to its training loop."""
        _kill(self.store, run_id)

    def status(self) -> ServiceStatus:
        """Return that it is always ready."""
        return ServiceStatus("ready", workers=1, warm=1, busy=min(1, self._busy))

    def absent(self) -> Absence | None:
        """Return None: this process is here."""
        return None

    def unheld(self, runs: Sequence[Run]) -> list[Run]:
        """Return the runs that were not submitted to this runner, or are over here."""
        return [run for run in runs if run.id not in self._held]


def _wait_until_free(run: Run) -> None:
    """Wait until no process holds the run, KILL_AFTER_S at the most."""
    deadline = time.monotonic() + KILL_AFTER_S
    while lease.held(run.path) and time.monotonic() < deadline:
        time.sleep(0.05)


def _kill(store: Store, run_id: str) -> None:
    """Cancel, wait, end the process that still holds the run, and write down that it is cancelled."""
    store.cancel(run_id)
    run = store.get(run_id)
    if run.recorded:
        return  # the process is a notebook of somebody, which looks for the request by itself
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
    if lease.trained_elsewhere(run.path):
        lease.revoke(run.path)  # its worker finds with its next message that the run is not its own any more
    if lease.held(run.path) and not store.get(run_id).ended:
        raise JobError(
            f"run {run.name} does not stop, and its process cannot be ended from here; "
            f"end it where it runs, which lease-{lease.attempts(run.path)}.json in the run's folder says"
        )
    store.cancel(run_id)


class ServiceRunner:
    """Trains in the workers of a dask scheduler: the local service, or one elsewhere.

    It may be kept for as long as the process lives and used by several threads. It connects when first needed, and
    again, after starting the service again, where that has gone away.

    Parameters
    ----------
    store
        the runs. The workers of a scheduler elsewhere send them to the store's server (see `store_server`); where none
        runs, they must see the same folder under the same path.
    address
        of a dask scheduler. Default: the environment variable MNIST_CORE_SCHEDULER, else the store's local service,
        which is started where it is not running.
    options
        for a local service that has to be started, as `python -m mnist_core.jobs.service --help` lists them.
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
        """Have a worker time the run's model. `latency` reads the result.

        Raises as `submit` does, and NotAllowed where the person may not train: it keeps the machine as busy.
        """
        self.store.person.check("train")
        if self._store_server():
            raise JobError("workers that do not see the store's folder cannot time a model; use the local service")
        latency.ask(self.store, self.store.get(run_id))
        self._send(lambda client: self._submit_timing(client, run_id), "the timing cannot be asked for")

    def _send(self, send: Callable[[Any], None], failing: str) -> None:
        with self._lock:
            problem: Exception | None = None
            for _ in range(2):  # once more, where the service or the connection turns out to be dead
                try:
                    send(self._connected())
                    return
                except (OSError, RuntimeError, TimeoutError, JobError, WriteError) as error:
                    problem = error
                    self._disconnect()
                    if self.address and isinstance(error, JobError):
                        break  # we have just waited for it, and this process cannot start a remote scheduler
            raise JobError(f"{failing}: {problem}") from problem

    def _submit_timing(self, client: Any, run_id: str) -> None:
        from distributed import fire_and_forget

        from mnist_core.jobs.worker import time_run

        forget: Any = fire_and_forget
        forget(client.submit(time_run, str(self._root), run_id, key=f"time-{run_id}-{time.time_ns()}", pure=False))

    def _submit(self, client: Any, run_id: str) -> None:
        from dask.base import annotate
        from distributed import fire_and_forget

        from mnist_core.jobs.worker import annotations_of, task_key

        run = self.store.get(run_id)
        if run.ended or run.read_only:
            return
        key = task_key(run)
        with annotate(**annotations_of(run)):
            future = client.submit(*self._work(run), key=key, pure=False)
        forget: Any = fire_and_forget
        forget(future)
        future.add_done_callback(lambda done: self._ended(run_id, done))
        # sending is asynchronous: wait until the scheduler has the task, as this process may end then
        deadline = time.monotonic() + TAKEN_LIMIT_S
        while not client.sync(client.scheduler.get_task_status, keys=[key], callback_timeout=TAKEN_LIMIT_S)[key]:
            if self.store.get(run_id).state not in TRAINABLE:
                return
            if time.monotonic() > deadline:
                raise TimeoutError("the scheduler does not take the run")
            time.sleep(0.005)

    def _work(self, run: Run) -> tuple[Any, ...]:
        """Return the function that trains the run in a worker, and its arguments."""
        from mnist_core.jobs.remote_training import Task
        from mnist_core.jobs.worker import task_environment, train_run, train_run_remotely

        server = self._store_server()
        if server is None:
            return train_run, str(self._root), run.id, task_environment()
        from mnist_core.jobs import store_server

        requests = run.status.requests
        token = store_server.tokens(self._root).training(run.id, requests)
        return train_run_remotely, Task(server.address, token, run.id, requests)

    def _store_server(self) -> ServerRecord | None:
        """Return the server to which workers elsewhere send runs; None where they see the store's folder.

        It is started where MNIST_CORE_SERVER says under which address it is to be reached.
        """
        if not self.address:
            return None
        from mnist_core.jobs import store_server  # HTTP and TLS, which the local service does without
        from mnist_core.remote.client import SERVER_VARIABLE

        address = os.environ.get(SERVER_VARIABLE)
        return store_server.start(self._root, address) if address else store_server.running(self._root)

    def _ended(self, run_id: str, future: Any) -> None:
        """Tell of a task that could not even begin, such as on a worker that lacks this package."""
        if future.status != "error":
            return
        with contextlib.suppress(StoreError, OSError):
            writer = self.store.open_writer(run_id)
            if writer is not None:
                state = self.store.get(run_id).status.state
                # one that was begun and killed its workers goes on; its attempts are counted where it is trained
                killed = type(future.exception()).__name__ == "KilledWorker"
                if state == "queued" or (state == "running" and not killed):
                    writer.ended("failed", f"the worker could not begin: {sentence(future.exception())}")
                writer.release()

    def cancel(self, run_id: str) -> None:
        """Ask a run to stop; its worker looks several times a second."""
        self.store.cancel(run_id)

    def kill(self, run_id: str) -> None:
        """Make a run stop, if need be by ending its worker, which is replaced at once."""
        _kill(self.store, run_id)

    def status(self) -> ServiceStatus:
        """Return the state of the service; cheap enough for every redraw of a page."""
        if self.address:
            return self._remote_status()
        found = local_service.status(self._root)
        if found.state != "stopped":
            return found
        warming = self._warming is not None and self._warming.is_alive()
        return ServiceStatus("starting") if warming else ServiceStatus("stopped", problem=self._problem)

    def absent(self) -> Absence | None:
        """Return whether the local service is gone or stopped; None where it is there or about to be."""
        if self.address:
            return None
        there = local_service.running(self._root) or lease.held(self._root / ".service")
        if local_service.stop_mark(self._root).exists():
            return "stopping" if there else "stopped"
        return None if there else "gone"

    def unheld(self, runs: Sequence[Run]) -> list[Run]:
        """Return the runs that the scheduler does not know, such as after it was started again. Starts no service."""
        from mnist_core.jobs.worker import task_key

        keys = {task_key(run): run for run in runs}
        if not self.address and not local_service.running(self._root):
            return []  # it is just starting or ending; a later check will find its answer
        with contextlib.suppress(JobError):  # which `submit` reports
            self._store_server()  # it may have died, and the workers then wait for it
        with self._lock:
            client = self._connected(limit_s=ANSWER_LIMIT_S, start=False)
            try:
                states = client.sync(client.scheduler.get_task_status, keys=list(keys), callback_timeout=ANSWER_LIMIT_S)
            except (OSError, RuntimeError, TimeoutError) as error:
                self._disconnect()
                raise JobError(f"the scheduler does not answer ({error})") from error
            missing = [key for key in keys if states[key] not in _HELD]
            if any(key in client.futures for key in missing):
                self._disconnect()  # this client holds on to a task that is over, and would not submit it again
        return [keys[key] for key in missing]

    def _remote_status(self) -> ServiceStatus:
        client = self._client
        if client is None or client.status != "running":
            return ServiceStatus("remote", problem=self._problem or f"not connected to {self.address}")
        try:
            found = client.sync(client.scheduler.identity, n_workers=-1, callback_timeout=ANSWER_LIMIT_S)
        except (OSError, RuntimeError, TimeoutError):
            return ServiceStatus("remote", problem=f"the scheduler at {self.address} does not answer")
        metrics = [worker["metrics"] for worker in found["workers"].values()]
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
                local_service.stop(self._root)

    def close(self) -> None:
        """Close the connection; the service and its runs go on."""
        with self._lock:
            self._disconnect()

    # -- the connection ----------------------------------------------------------------------------------------------

    def _connected(self, *, limit_s: float | None = None, start: bool = True) -> Any:
        """Return a client connected to the present scheduler; a local scheduler is started only if `start` is True."""
        address, record = self.address, None
        if address is None:
            record = local_service.start(self._root, *self._options) if start else local_service.running(self._root)
            if record is None:
                raise JobError("the job service has just ended")
            address = record.address
        else:
            _check_encryption(address)
        if self._client is not None:
            if self._client.status == "running" and self._client.scheduler.address == address:
                return self._client
            self._disconnect()
        from distributed import Client

        # late: it is a command too, and no module is to be there before it runs
        from mnist_core.jobs import credentials

        _quieten()
        connect: Any = Client
        # a scheduler elsewhere has its certificates in dask's own configuration, which is read where none are given
        security = credentials.security(record.credentials) if record else None
        try:
            self._client = connect(
                address,
                security=security,
                timeout=limit_s or CONNECT_LIMIT_S,
                set_as_default=False,
                name="mnist-core",
            )
        # TypeError: an encrypted address, but no certificates; ValueError: the scheduler has ended in the handshake
        except (OSError, TimeoutError, TypeError, ValueError) as error:
            raise JobError(f"no scheduler answers at {address} ({error}); {_remedy(str(address))}") from error
        return self._client

    def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):  # whatever a dead connection says when it is closed
                client.close(timeout=2)


def _check_encryption(address: str) -> None:
    """Raise JobError for an address elsewhere that is not encrypted: whoever reaches it could run code as we do."""
    kind, _, place = address.rpartition("://")
    host = place.rpartition(":")[0].strip("[]")
    if kind in ("tls", "wss", "inproc") or host in _HERE or os.environ.get(UNENCRYPTED_VARIABLE) == "1":
        return
    raise JobError(
        f"the scheduler's address {address} is not encrypted, and only one on this machine (localhost) may be; start "
        f"the scheduler with TLS and give tls://… (docs/cluster.md), or set {UNENCRYPTED_VARIABLE}=1 on a network "
        "where everybody may run code as you"
    )


def _remedy(address: str) -> str:
    if not address.startswith("tls://"):
        return "check that it runs there"
    names = ("CA_FILE", "CLIENT__CERT", "CLIENT__KEY")
    variables = ", ".join(f"DASK_DISTRIBUTED__COMM__TLS__{name}" for name in names)
    return f"check that it runs there, and that dask's configuration names its certificates ({variables})"


def _quieten() -> None:
    """Keep distributed from printing a traceback for each lost connection, which is dealt with above."""
    for name in ("client", "core", "batched", "comm", "utils"):
        logging.getLogger(f"distributed.{name}").setLevel(logging.CRITICAL)
    logging.getLogger("tornado.application").addFilter(_while_alive)  # one function is added once
    import distributed

    kind: Any = distributed.Client
    close = kind.__del__  # of a client that could not connect, it fails again, and Python prints that
    if close.__module__ != __name__:

        def close_quietly(client: Any) -> None:
            with contextlib.suppress(Exception):
                close(client)

        kind.__del__ = close_quietly


def _while_alive(record: logging.LogRecord) -> bool:
    """Return False for what distributed logs where a task has ended as this process ends, and nobody waits for it."""
    error = record.exc_info[1] if record.exc_info else None
    return not (isinstance(error, RuntimeError) and "after interpreter shutdown" in str(error))
