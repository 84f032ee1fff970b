"""Finding, starting and stopping the local job service, without importing its libraries.

The store's folder has `service.json` (the service's address and state), `service.log`, and `.service/`
(a lease, by which only one service serves a store, the service's credentials, and the workers' scratch space).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import psutil
from pydantic import TypeAdapter

from mnist_core import processes
from mnist_core.errors import JobError
from mnist_core.files import make_folder, printable, read_json, try_writing, write_json, writing
from mnist_core.runs import lease

START_LIMIT_S = 60.0
LOG_LIMIT_BYTES = 2_000_000

ServiceState = Literal["stopped", "starting", "ready", "remote"]


@dataclass(frozen=True)
class ServiceRecord(processes.NamedProcess):
    """`service.json`: address and process; workers, those warm and those busy; runs that wait for a worker.

    credentials: the file with the key and certificate that the service and its clients show each other.
    """

    address: str
    workers: int = 0
    warm: int = 0
    busy: int = 0
    queued: int = 0
    credentials: str = ""


_RECORD = TypeAdapter(ServiceRecord)


@dataclass(frozen=True)
class ServiceStatus:
    """The state of the job service, for a screen.

    state: `stopped`; `starting` until the first worker is warm; `ready`; `remote` for a scheduler elsewhere.
    workers, warm, busy: worker processes, those with TensorFlow loaded, those that train. queued: runs that wait.
    problem: why it could not be started, or nothing.
    """

    state: ServiceState
    workers: int = 0
    warm: int = 0
    busy: int = 0
    queued: int = 0
    problem: str = ""


def record_path(root: Path) -> Path:
    """Return the address file of the store at `root`."""
    return root / "service.json"


def lock_folder(root: Path) -> Path:
    """Return the folder of the service's lease, made if it does not exist. Raises WriteError."""
    folder = root / ".service"
    make_folder(folder)
    return folder


def stop_mark(root: Path) -> Path:
    """Return the file that says that somebody has stopped the service, so that nobody who waits starts it again."""
    return root / ".service" / "stopped"


def log_path(root: Path) -> Path:
    """Return the log file of the service and its workers."""
    return root / "service.log"


def write_record(root: Path, record: ServiceRecord) -> None:
    """Replace the address file; raises WriteError."""
    write_json(record_path(root), asdict(record), durable=False)


def running(root: Path) -> ServiceRecord | None:
    """Return the service of the store at `root`, where one is running and can be reached."""
    _reap()
    try:
        record = _RECORD.validate_python(read_json(record_path(root)))
    except (OSError, ValueError):
        return None
    return record if record.alive() else None


def status(root: Path) -> ServiceStatus:
    """Return the status of the local service; reads one small file."""
    record = running(root)
    if record is None:
        return ServiceStatus("starting" if lease.held(root / ".service") else "stopped")
    return ServiceStatus(
        "ready" if record.warm else "starting", record.workers, record.warm, record.busy, record.queued
    )


# -- starting ----------------------------------------------------------------------------------------------------------

_started: list[subprocess.Popen[bytes]] = []


def _reap() -> None:
    """Collect ended child processes of this process, so that they do not stay as zombies."""
    _started[:] = [process for process in _started if process.poll() is None]


def start(root: Path, *options: str) -> ServiceRecord:
    """Return the running service of the store at `root`, started where there is none.

    Raises
    ------
    JobError
        where it does not come up, with the end of its log; where another machine serves this store.
    WriteError
        where it could not, as the disk is full or the store read-only.
    """
    root = root.resolve()
    wait_for_another_machine(root / ".service", "job service")
    deadline = time.monotonic() + START_LIMIT_S
    process: subprocess.Popen[bytes] | None = None
    while time.monotonic() < deadline:
        record = running(root)
        if record is not None:
            return record
        if process is None:
            try_writing(root)
            process = _spawn(root, *options)
        elif process.poll() is not None:
            if process.returncode != 0:
                raise JobError(f"the job service ended at once ({_end_of_log(root)}); see {log_path(root).name}")
            if not lease.held(lock_folder(root)):
                process = None  # it gave way to another one, which has gone meanwhile
        time.sleep(0.02)
    raise JobError(f"the job service did not come up in {START_LIMIT_S:.0f} s; see {log_path(root).name} in the store")


def wait_for_another_machine(folder: Path, what: str) -> None:
    """Return when no process on another machine holds this folder of a store.

    One that has gone without a word, such as a container that was killed, counts as gone after a minute.

    Raises
    ------
    JobError
        as soon as one shows that it lives.
    """
    seen = lease.heartbeat(folder)
    while host := lease.holder_elsewhere(folder):
        if lease.heartbeat(folder) != seen:
            raise JobError(
                f"the {what} of this store runs on {printable(host)[:100]}; work there, stop it there, or give this "
                "machine a store of its own (MNIST_CORE_STORE); docs/cluster.md says how several machines train for one"
            )
        time.sleep(0.05)


def _spawn(root: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start a service process that outlives this one. If another service is there or faster, it ends at once."""
    rotate_log(root)
    stop_mark(root).unlink(missing_ok=True)
    return detached(["-m", "mnist_core.jobs.service", "--store", str(root), *options], log_path(root))


def detached(arguments: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start Python in a process that outlives this one; what it says is appended to `log`. Raises WriteError."""
    project = Path(__file__).resolve().parents[2]
    environment = os.environ | {
        # the packages need not be installed
        "PYTHONPATH": os.pathsep.join(filter(None, [str(project), os.environ.get("PYTHONPATH", "")])),
        "PYTHONUNBUFFERED": "1",
    }
    own_session: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        own_session = {"creationflags": subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP}
    with writing(log), log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            # not the caller's folder: it may hold modules of the same names, or be deleted
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            **own_session,
        )
    _started.append(process)
    return process


def rotate_log(root: Path) -> None:
    """Put a long log aside, as `service.log.1`; the one put aside before goes."""
    path = log_path(root)
    with contextlib.suppress(OSError):
        if path.stat().st_size > LOG_LIMIT_BYTES:
            os.replace(path, path.with_name(path.name + ".1"))


def _end_of_log(root: Path) -> str:
    try:
        lines = log_path(root).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return "without a word"
    return lines[-1][:300] if lines else "without a word"


# -- stopping ----------------------------------------------------------------------------------------------------------


def stop(root: Path, *, patience_s: float = 15.0) -> bool:
    """End the local service and all its workers; whether there was one. Runs in progress are interrupted by this."""
    record = running(root)
    if record is None:
        return False
    lock_folder(root)
    stop_mark(root).touch()
    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        service = psutil.Process(record.pid)
        family = [service, *service.children(recursive=True)]
        try:
            service.terminate()
        except psutil.AccessDenied:
            raise JobError(f"the job service was started by {service.username()}, who alone may stop it") from None
    processes.wait_for_end(family, patience_s)
    for one in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    processes.wait_for_end(family, 5)
    _reap()
    with contextlib.suppress(OSError):  # it names a process that is gone
        record_path(root).unlink(missing_ok=True)
    return True
