"""The local job service as a process: one for a store, on this machine only, and gone without a trace when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from mnist_core.errors import JobError
from mnist_core.experiments.configs import RunConfig
from mnist_core.jobs import credentials, local_service, runners, service, store_server, worker
from mnist_core.jobs.local_service import ServiceRecord, ServiceStatus
from mnist_core.jobs.runners import LocalRunner, ServiceRunner
from mnist_core.jobs.service import RESERVED_BYTES, WORKER_BYTES, Service, worker_count
from mnist_core.runs import lease
from mnist_core.runs.store import Store
from mnist_core.training import models, train
from tests.support.jobs import workers_without_tensorflow
from tests.support.waiting import run_apart, until

ROOT = Path(__file__).parents[2]
ONE = ("--workers", "1")

TRIM = "MALLOC_TRIM_THRESHOLD_"

Alive = Callable[[], list[psutil.Process]]


@pytest.fixture
def training_root(tmp_path: Path, started_processes: Alive) -> Iterator[Path]:
    """The folder of a store; whatever serves it is stopped at the end."""
    root = Store(tmp_path / "artifacts").root
    yield root
    local_service.stop(root)


@pytest.fixture
def root(training_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same, for a service whose workers need not train."""
    with workers_without_tensorflow(tmp_path_factory.mktemp("no-tensorflow")):
        yield training_root


# -- without a process -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cores", "gigabytes", "workers"), [(2, 16, 2), (8, 16, 8), (8, 5, 3), (4, 2, 1), (1, 64, 1), (4, 0.5, 1)]
)
def test_there_are_as_many_workers_as_cores_where_memory_allows(cores: int, gigabytes: float, workers: int) -> None:
    assert worker_count(cores, int(gigabytes * 1e9)) == workers


def test_a_laptop_of_8_gigabytes_holds_all_of_it() -> None:
    free = 6_000_000_000  # the system has taken its share
    assert worker_count(16, free) * WORKER_BYTES + RESERVED_BYTES <= free


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_number_of_workers_that_is_none_is_refused_with_the_limit(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MNIST_CORE_WORKERS", text)
    with pytest.raises(SystemExit):
        service.main(["--store", str(tmp_path)])
    assert f"{text!r} workers; give a whole number from 1 on" in capsys.readouterr().err
    assert not (tmp_path / ".service").exists()


def test_a_worker_that_could_not_be_started_is_tried_again_until_it_can(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Nanny:
        """Fails to start until the disk can be written."""

        def __init__(self, name: str, *, works: bool) -> None:
            self.status = SimpleNamespace(name=name)
            self._works = works

        def __await__(self) -> Generator[None]:
            self.status = SimpleNamespace(name="running" if self._works else "failed")
            if not self._works:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            yield

    async def carry_out() -> None:
        held = lease.claim(local_service.lock_folder(store.root))
        assert held is not None
        with credentials.made(held.folder, held.attempt) as secret:
            serving = Service(store.root, held, secret, workers=2, idle_s=1.0)
        attempts = iter([False, True])
        monkeypatch.setattr(serving, "_nanny", lambda scheduler, index: Nanny("init", works=next(attempts)))
        healthy = Nanny("running", works=True)
        nannies: Any = [healthy, Nanny("closed", works=False)]
        renewing = asyncio.create_task(serving._renew(None, nannies, asyncio.gather()))  # type: ignore[arg-type]
        while nannies[1].status.name != "running":
            await asyncio.sleep(0.01)
        renewing.cancel()
        assert nannies[0] is healthy

    monkeypatch.setattr(service, "RENEW_S", 0.01)
    run_apart(carry_out(), limit_s=10)


def test_no_service_is_a_state_of_its_own(store: Store) -> None:
    assert local_service.status(store.root) == ServiceStatus("stopped")
    assert local_service.running(store.root) is None
    assert not local_service.stop(store.root)
    assert ServiceRunner(store).status().state == "stopped"


def test_an_address_file_of_a_dead_process_is_not_believed(store: Store) -> None:
    local_service.write_record(store.root, ServiceRecord("tcp://127.0.0.1:1", pid=2**22 + 1, process_started=0.0))
    assert local_service.running(store.root) is None
    me = psutil.Process()
    record = ServiceRecord("tcp://127.0.0.1:1", pid=me.pid, process_started=me.create_time() - 1000)
    local_service.write_record(store.root, record)
    assert local_service.running(store.root) is None
    local_service.record_path(store.root).write_text('{"address": "tc')
    assert local_service.running(store.root) is None


def test_a_long_log_is_put_aside(store: Store) -> None:
    path = local_service.log_path(store.root)
    path.write_bytes(b"x" * (local_service.LOG_LIMIT_BYTES + 1))
    local_service.rotate_log(store.root)
    assert not path.exists()
    assert (store.root / "service.log.1").exists()


@pytest.mark.parametrize("what", ["job service", "store server"])
def test_while_another_machine_serves_the_store_none_is_started_here(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Store(tmp_path / "artifacts").root
    folder = store_server.folder(root) if what == "store server" else local_service.lock_folder(root)
    held = {"host": "another-machine", "pid": 1, "process_started": 1.0}
    (folder / "lease-1.json").write_text(json.dumps(held))
    monkeypatch.setattr(local_service, "_spawn", lambda *given: pytest.fail("one was started"))
    monkeypatch.setattr(local_service, "detached", lambda *given: pytest.fail("one was started"))
    beats = iter(range(3))
    monkeypatch.setattr(lease, "heartbeat", lambda folder: float(next(beats)))
    with pytest.raises(JobError, match=f"the {what} of this store runs on another-machine; work there"):
        store_server.start(root, "https://here:1") if what == "store server" else local_service.start(root)


def test_a_service_of_another_machine_that_has_gone_without_a_word_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "lease-1.json"
    path.write_text(json.dumps({"host": "another-machine", "pid": 1, "process_started": 1.0}))
    monkeypatch.setattr(lease, "SILENCE_LIMIT_S", 0.1)
    local_service.wait_for_another_machine(tmp_path, "job service")
    assert not lease.held(tmp_path)


def test_a_service_that_cannot_start_says_why(root: Path) -> None:
    with pytest.raises(JobError, match="invalid float value"):
        local_service.start(root, "--idle-minutes", "soon")
    runner = ServiceRunner(Store(root), options=("--idle-minutes", "soon"))
    runner.warm()
    until(lambda: bool(runner.status().problem))
    assert "ended at once" in runner.status().problem


def test_a_scheduler_that_does_not_answer_is_named(
    store: Store, small_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "CONNECT_LIMIT_S", 0.5)
    runner = ServiceRunner(store, "tcp://127.0.0.1:9")
    run = store.add(small_config, name="a run")[0]
    with pytest.raises(JobError, match=r"tcp://127\.0\.0\.1:9"):
        runner.submit(run.id)
    assert runner.status().state == "remote"
    assert store.get(run.id).state == "queued"


def test_the_environment_names_a_remote_scheduler(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MNIST_CORE_SCHEDULER", "tcp://cluster:8786")
    assert ServiceRunner(store).address == "tcp://cluster:8786"
    assert ServiceRunner(store).status() == ServiceStatus("remote", problem="not connected to tcp://cluster:8786")


def test_a_request_has_a_task_of_its_own_and_only_one(store: Store, small_config: RunConfig) -> None:
    run = store.add(small_config, name="a run")[0]
    first = worker.task_key(run)
    assert worker.task_key(store.get(run.id)) == first
    store.cancel(run.id)
    store.request_again(run.id)
    assert worker.task_key(store.get(run.id)) != first


# -- as a process ------------------------------------------------------------------------------------------------------


def _is_service(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):  # it may end while it is looked at
        return "mnist_core.jobs.service" in " ".join(process.cmdline())
    return False


def test_two_starters_at_once_get_one_service(root: Path, started_processes: Alive) -> None:
    records: list[ServiceRecord] = []
    threads = [threading.Thread(target=lambda: records.append(local_service.start(root, *ONE))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({record.address for record in records}) == len({record.pid for record in records}) == 1
    until(lambda: sum(map(_is_service, started_processes())) == 1)
    assert local_service.start(root).pid == records[0].pid  # and later ones find it


def test_it_listens_on_this_machine_only_and_stops_without_a_trace(root: Path, started_processes: Alive) -> None:
    record = local_service.start(root, *ONE)
    until(lambda: local_service.status(root).workers == 1)
    listening = [
        connection.laddr.ip
        for process in started_processes()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening
    assert set(listening) == {"127.0.0.1"}
    assert psutil.Process(record.pid).children()
    # distributed's default makes malloc return freed memory at once, and trainings took half as long again
    assert {process.environ().get(TRIM) for process in started_processes()} == {os.environ.get(TRIM)}
    # what trains leaves the processor to the dashboard; the service, which hands out the work, does not
    own = psutil.Process().nice()
    until(lambda: {process.nice() - own for process in started_processes()} >= {0, 5})

    assert local_service.stop(root)
    until(lambda: not started_processes(), limit_s=5)
    assert not local_service.record_path(root).exists()
    assert not lease.held(local_service.lock_folder(root))
    assert local_service.status(root).state == "stopped"


def test_it_stops_when_idle(root: Path, started_processes: Alive) -> None:
    local_service.start(root, *ONE, "--idle-minutes", "0.001")
    until(lambda: not started_processes())
    assert local_service.status(root).state == "stopped"
    assert "nothing was to be done" in local_service.log_path(root).read_text()


def test_a_connected_client_keeps_it(root: Path, started_processes: Alive) -> None:
    import distributed  # noqa: F401  # in advance: it takes a second, and the service does not wait for long

    runner = ServiceRunner(Store(root), options=(*ONE, "--idle-minutes", "0.05"))
    runner.warm()
    until(lambda: local_service.status(root).workers == 1)
    time.sleep(4)
    assert local_service.running(root)
    runner.close()
    until(lambda: not started_processes())


def test_its_workers_do_not_outlive_a_killed_service(root: Path, started_processes: Alive) -> None:
    record = local_service.start(root, *ONE)
    until(lambda: local_service.status(root).workers == 1)
    psutil.Process(record.pid).kill()
    until(lambda: not started_processes(), limit_s=10)
    assert local_service.start(root, *ONE).pid != record.pid  # and another one can take its place


def test_it_ends_when_its_store_is_deleted(root: Path, started_processes: Alive) -> None:
    local_service.start(root, *ONE)
    until(lambda: local_service.status(root).workers == 1)
    root.rename(root.with_name("elsewhere"))
    until(lambda: not started_processes())
    root.with_name("elsewhere").rename(root)
    assert "its store is gone" in local_service.log_path(root).read_text()
    assert local_service.status(root).state == "stopped"


def test_the_command_line_runs_and_stops_it(root: Path, started_processes: Alive) -> None:
    command = [sys.executable, "-m", "mnist_core.jobs.service", "--store", str(root)]
    with subprocess.Popen([*command, *ONE], cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        until(lambda: local_service.status(root).state != "stopped")
        subprocess.run([*command, *ONE], cwd=ROOT, check=True)  # a second one gives way at once
        until(lambda: local_service.running(root) is not None)
        subprocess.run([*command, "--stop"], cwd=ROOT, check=True)
        assert process.wait(10) == 0
    until(lambda: not started_processes(), limit_s=5)


def test_it_takes_up_what_an_earlier_one_left_and_replaces_a_worker_after_many_trainings_and_no_run_suffers(
    training_root: Path, small_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNIST_CORE_TRAININGS_PER_PROCESS", "2")
    store = Store(training_root)
    queued = [store.add(small_config.replace(training__seed=seed), name="a run")[0] for seed in range(3)]
    cancelled = store.add(small_config.replace(training__seed=9), name="a run")[0]
    store.cancel(cancelled.id)
    local_service.start(training_root, *ONE)
    pids: set[int | None] = set()

    def done() -> bool:
        pids.update(lease.holder_pid(run.path) for run in queued)
        return all(store.get(run.id).state == "finished" for run in queued)

    until(done)
    assert store.get(cancelled.id).state == "cancelled"
    assert len(pids - {None}) > 1
    assert [lease.attempts(run.path) for run in queued] == [1] * 3


# -- the worker's task, without a worker -------------------------------------------------------------------------------


def test_a_deleted_run_is_no_error(store: Store) -> None:
    assert worker.train_run(str(store.root), "0123456789ab", {}) is None


def test_a_doomed_holder_is_waited_for(store: Store, small_config: RunConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler gives the task of a lost worker to another one while the lost one's process still lives."""
    monkeypatch.setattr(worker, "execute", lambda store, run_id: LocalRunner(store, train=_no_train).submit(run_id))
    run = store.add(small_config, name="a run")[0]
    doomed = lease.claim(run.path)
    assert doomed is not None
    threading.Timer(0.5, doomed.release).start()
    worker.train_run(str(store.root), run.id, {})
    assert store.get(run.id).status.reason == "RuntimeError: it was tried"


@pytest.mark.parametrize(
    ("trainings", "own_bytes", "replaceable", "due"),
    [
        (worker.TRAININGS_PER_PROCESS, 0, True, True),
        (worker.TRAININGS_PER_PROCESS, 0, False, False),  # nobody would start another one
        (worker.TRAININGS_PER_PROCESS - 1, worker.BYTES_PER_PROCESS, True, False),
        (3, worker.BYTES_PER_PROCESS + 1, True, True),
        (1, worker.BYTES_PER_PROCESS + 1, True, False),  # the data may be as large as that
    ],
)
def test_a_process_is_replaced_after_many_trainings_or_when_it_has_grown(
    trainings: int, own_bytes: int, replaceable: bool, due: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr("os._exit", ended.append)
    monkeypatch.setattr(worker, "_own_bytes", lambda: own_bytes)
    process = worker._Process()
    process.trainings, process.replaceable = trainings, replaceable
    process.end_if_due()
    assert bool(ended) == due


def test_a_process_that_trains_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr("os._exit", ended.append)
    process = worker._Process()
    process.replaceable = True
    with process.training():
        process.trainings = worker.TRAININGS_PER_PROCESS
        process.end_if_due()
        assert not ended
    process.replaceable = False  # the timer is not to end the tests


def _no_train(*arguments: object, **options: object) -> None:
    raise RuntimeError("it was tried")


def test_only_paths_that_exist_here_are_taken_over(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNIST_NPZ", str(tmp_path / "here.npz"))
    given = worker.task_environment()
    assert json.loads(json.dumps(given)) == {"MNIST_NPZ": str(tmp_path / "here.npz")}
    monkeypatch.setenv("MNIST_NPZ", "kept")
    worker.train_run(str(store.root), "0123456789ab", given)
    assert worker.task_environment()["MNIST_NPZ"].endswith("kept")


def test_a_worker_loads_keras_without_the_packages_that_keras_only_adapts_to(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[bool] = []
    for name in ("pandas", "sklearn"):
        monkeypatch.delitem(sys.modules, name, raising=False)

    def load() -> None:
        for name in ("pandas", "sklearn"):
            with contextlib.suppress(ImportError):
                found.append(bool(importlib.import_module(name)))

    monkeypatch.setattr(models, "backend", load)
    monkeypatch.setattr(train, "warm_up", lambda: None)
    worker._warm_up()
    assert found == []
    assert importlib.util.find_spec("pandas"), "a run may still import it"
