"""The local job service: a dask scheduler with its workers, as a process of its own that outlives whoever started it.

    python -m mnist_core.jobs.service --store PATH [--stop]

It serves one store, listens on 127.0.0.1 only, takes nobody without its credentials (see `credentials`), and
ends by itself once nothing is to be done and nobody is connected.
`runners.ServiceRunner` starts it and talks to it; a cluster's scheduler takes its place through MNIST_CORE_SCHEDULER.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from mnist_core import processes
from mnist_core.errors import JobError, StaleAttempt, WriteError
from mnist_core.jobs import credentials, local_service
from mnist_core.jobs.local_service import ServiceRecord
from mnist_core.jobs.worker import NICENESS, annotations_of, task_environment, task_key, train_run
from mnist_core.runs import lease
from mnist_core.runs.store import Store

if TYPE_CHECKING:
    from distributed import Nanny, Scheduler

LOCAL = "127.0.0.1"
WORKER_BYTES = 1_300_000_000
"""Memory that a worker needs at most: TensorFlow, MNIST and a training."""
RESERVED_BYTES = 1_000_000_000
"""Memory kept free for the dashboard and its browser."""
IDLE_MINUTES = 10.0
TICK_S = 0.25
RENEW_S = 2.0
"""Seconds between two looks for workers that could not be started."""

# One thread inside an operation; the two halves of a batch run side by side where a core is free. Measured on two
# cores, an epoch of 400-300 takes 0.50 s alone (0.85 s with one thread for everything), and 0.93 s next to another
# (0.85 s). These are read when the libraries are loaded, so they are set before the workers exist.
ENVIRONMENT = {
    "KERAS_BACKEND": "tensorflow",
    "TF_NUM_INTRAOP_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "warning",
    # Trainings leave the processor to whoever looks at the dashboard. They lose the same seconds either way, and where
    # nothing else runs they lose none.
    NICENESS: "5",
}

# Measured: without the profiler TensorFlow is imported in 5.5 s, not 7.7; with the rest idle CPU falls from 15 % to
# 1.7 %.
LEAN = {
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.worker.http.routes": [],
    "distributed.scheduler.http.routes": [],
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-saturation": 1.0,
    # a queued run that never started must not be blamed for a dead worker; `execute` caps the attempts of each run
    "distributed.scheduler.allowed-failures": 1000,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.tick.limit": "60s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.diagnostics.nvml": False,
}

logger = logging.getLogger("mnist_core.jobs.service")


def worker_count(cores: int, available_bytes: int) -> int:
    """Return as many workers as there are cores, fewer where memory is short, at least one."""
    return max(1, min(cores, (available_bytes - RESERVED_BYTES) // WORKER_BYTES))


def _machine() -> tuple[int, int]:
    """Return cores and bytes of memory that this process may use, limits of containers included."""
    from dask.system import CPU_COUNT
    from distributed.system import MEMORY_LIMIT

    return CPU_COUNT, min(psutil.virtual_memory().available, MEMORY_LIMIT)


class Service:
    """One running service.

    Parameters
    ----------
    root
        the store's folder.
    held
        the lease on serving it.
    secret
        the file with the service's credentials.
    workers
        how many; None for as many as the machine bears.
    idle_s
        seconds without anything to do and without a client after which the service ends.
    """

    def __init__(self, root: Path, held: lease.Lease, secret: Path, *, workers: int | None, idle_s: float) -> None:
        self.root = root
        self._secret = secret
        self._security = credentials.security(str(secret))
        self.workers = workers or worker_count(*_machine())
        self.idle_s = idle_s
        self._lease = held
        self._stop = asyncio.Event()
        self._record: ServiceRecord | None = None
        self._published: tuple[int, int] | None = None

    async def serve(self) -> None:
        """Serve until stopped, or idle for too long."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError):  # Windows
                loop.add_signal_handler(number, self._stop.set)
        async with self._scheduler() as scheduler:
            self._publish(scheduler)  # now, so that runs can be queued while the workers start
            nannies = [self._nanny(scheduler, index) for index in range(self.workers)]
            starting = asyncio.gather(*nannies)
            renewing = asyncio.create_task(self._renew(scheduler, nannies, starting))
            try:
                await asyncio.to_thread(Store(self.root).tidy)  # a killed service, and its workers, may have left much
                await self._submit_queued(scheduler)
                await self._watch(scheduler, starting)
            finally:
                # first, so that nobody connects to a service that is about to end
                with contextlib.suppress(OSError):
                    local_service.record_path(self.root).unlink(missing_ok=True)
                renewing.cancel()
                starting.cancel()
                # no patience: what counts is on disk, and TensorFlow takes seconds to say good-bye
                await asyncio.gather(*(nanny.close(timeout=0.5) for nanny in nannies), return_exceptions=True)

    def _scheduler(self) -> Scheduler:
        from mnist_core.jobs.nodes import LocalScheduler

        return LocalScheduler(host=LOCAL, port=0, protocol="tls", security=self._security, dashboard=False)

    def _nanny(self, scheduler: Scheduler, index: int) -> Nanny:
        from distributed import Nanny

        from mnist_core.jobs.nodes import LocalWorker

        return Nanny(
            scheduler.address,
            worker_class=LocalWorker,
            security=self._security,
            name=f"worker-{index}",
            nthreads=1,
            host=LOCAL,
            dashboard=False,
            memory_limit=0,
            local_directory=str(local_service.lock_folder(self.root)),
            preload=["mnist_core.jobs.worker"],
            env=ENVIRONMENT,
        )

    async def _renew(self, scheduler: Scheduler, nannies: list[Nanny], starting: asyncio.Future[Any]) -> None:
        """Start workers that died and could not be started again, as their folder could not be written for a while."""
        with contextlib.suppress(Exception):  # `_watch` reports it
            await asyncio.shield(starting)
        while True:
            await asyncio.sleep(RENEW_S)
            for index, nanny in enumerate(nannies):
                if nanny.status.name not in ("closed", "failed"):
                    continue
                try:
                    nannies[index] = self._nanny(scheduler, index)
                    await nannies[index]
                except Exception as error:  # whatever it is, the next attempt may do better
                    logger.warning("worker %d cannot be started, which is tried again: %s", index, error)

    async def _submit_queued(self, scheduler: Scheduler) -> None:
        """Take up what an earlier service left in the queue; what it left half trained waits for a person to resume."""
        store = Store(self.root)
        queued = [run for run in store.runs() if run.state == "queued" and not lease.held(run.path)]
        if not queued:
            return
        import distributed
        from dask.base import annotate

        connect: Any = distributed.Client  # distributed has no types
        submit: Any = distributed.fire_and_forget
        async with connect(
            scheduler.address, security=self._security, asynchronous=True, set_as_default=False
        ) as client:
            for run in queued:
                arguments = (str(self.root), run.id, task_environment())
                with annotate(**annotations_of(run)):
                    submit(client.submit(train_run, *arguments, key=task_key(run), pure=False))
            while not all(task_key(run) in scheduler.tasks or run_has_begun(store, run.id) for run in queued):
                await asyncio.sleep(0.01)
        logger.info("took up %d queued runs", len(queued))

    async def _watch(self, scheduler: Scheduler, starting: asyncio.Future[Any]) -> None:
        idle_since = time.monotonic()
        while not self._stop.is_set():
            if starting.done() and starting.exception():
                raise RuntimeError("the workers could not be started") from starting.exception()
            self._publish(scheduler)
            self._bound_log()
            if _in_use(scheduler):
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > self.idle_s:
                logger.info("ends, as nothing was to be done for %.0f s", self.idle_s)
                return
            try:
                self._lease.check()
            except StaleAttempt:
                logger.info("ends, as its store is gone or another service has taken over")
                return
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stop.wait(), TICK_S)
        logger.info("ends, as it was told to")

    def _publish(self, scheduler: Scheduler) -> None:
        """Write down where the service is and how it is doing, whenever that changes or the file was spoiled."""
        states = list(scheduler.workers.values())
        record = ServiceRecord(
            address=scheduler.address,
            workers=len(states),
            warm=sum(bool(state.metrics.get("mnist_core_warm")) for state in states),
            busy=sum(bool(state.processing) for state in states),
            queued=len(scheduler.queued) + len(scheduler.unrunnable),
            credentials=str(self._secret),
            **processes.this_process(),
        )
        if record != self._record or self._published != self._on_disk():
            with contextlib.suppress(WriteError):  # the store may have been deleted; `_watch` will notice
                local_service.write_record(self.root, record)
                self._record, self._published = record, self._on_disk()

    def _on_disk(self) -> tuple[int, int] | None:
        """Return what changes with whoever replaces the address file; None where it is missing."""
        try:
            found = local_service.record_path(self.root).stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _bound_log(self) -> None:
        """Empty the log where it has grown too long. It is open for appending, so writing goes on from its start."""
        path = local_service.log_path(self.root)
        with contextlib.suppress(OSError):
            if path.stat().st_size > 2 * local_service.LOG_LIMIT_BYTES:
                os.truncate(path, 0)


def run_has_begun(store: Store, run_id: str) -> bool:
    """True if the run is no longer waiting."""
    return store.get(run_id).state != "queued"


def _in_use(scheduler: Scheduler) -> bool:
    clients = set(scheduler.clients) - {"fire-and-forget"}
    busy = any(state.processing for state in scheduler.workers.values())
    return bool(clients or busy or scheduler.queued or scheduler.unrunnable)


def _count(text: str) -> int:
    """Return how many workers `text` means; argparse makes a message of what is raised."""
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise argparse.ArgumentTypeError(f"{text!r} workers; give a whole number from 1 on (also MNIST_CORE_WORKERS)")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Run, or stop, the service of a store."""
    parser = argparse.ArgumentParser(prog="python -m mnist_core.jobs.service", description=__doc__.split("\n")[0])
    parser.add_argument("--store", type=Path, help="the store's folder; default: the usual one")
    parser.add_argument(
        "--workers",
        type=_count,
        default=os.environ.get("MNIST_CORE_WORKERS") or None,
        help="worker processes; default: MNIST_CORE_WORKERS, else one a core, if memory allows",
    )
    parser.add_argument(
        "--idle-minutes", type=float, default=IDLE_MINUTES, help="end after so long without work (default: %(default)g)"
    )
    parser.add_argument("--stop", action="store_true", help="stop the service of this store, and its workers")
    options = parser.parse_args(arguments)
    root = Store(options.store).root.resolve()
    if options.stop:
        try:
            local_service.stop(root)
        except JobError as error:
            parser.exit(1, f"{error}\n")
        return 0
    held = lease.claim(local_service.lock_folder(root))
    if held is None:
        return 0  # there is one already
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", force=True)
    try:
        local_service.stop_mark(root).unlink(missing_ok=True)
        held.forget_earlier()
        os.environ.update(ENVIRONMENT)
        import dask

        dask.config.set(LEAN)
        import distributed  # noqa: F401  # after the settings, which some of it reads when loaded

        # It would have malloc give freed memory back to the system at once (MALLOC_TRIM_THRESHOLD_), and each step of a
        # training would fetch its pages again. After the import, which fills in what is missing.
        dask.config.set({"distributed.nanny.pre-spawn-environ": {}})
        with credentials.made(held.folder, held.attempt) as secret:
            service = Service(root, held, secret, workers=options.workers, idle_s=60 * options.idle_minutes)
            asyncio.run(service.serve())
    finally:
        held.release()
    return 0


if __name__ == "__main__":
    sys.exit(main())
