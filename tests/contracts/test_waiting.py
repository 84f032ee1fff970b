"""Whoever waits is told: real commands and watches, whose job service or scheduler is killed while they wait."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mnist_core.errors import JobError, MnistCoreError, WriteError
from mnist_core.experiments.configs import RunConfig
from mnist_core.jobs import local_service, runners, watch
from mnist_core.jobs.local_service import ServiceStatus
from mnist_core.jobs.request import request, resume
from mnist_core.jobs.runners import Absence, LocalRunner, ServiceRunner
from mnist_core.jobs.watch import MOST_TRIES, Notice, Watch, sentence
from mnist_core.runs import lease
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from tests.support.waiting import suspend, until

ROOT = Path(__file__).parents[2]
EPOCHS = 3
LONG = 40
"""A run of so many epochs is not over before its process is held."""
NEVER = 500
DIGITS = {"dataset.name": "digits", "training.epochs": EPOCHS}
TRAIN = ("train", "notebook/model_1", "--dataset", "digits")
GRID = {"base": "notebook/model_1", "fixed": DIGITS, "grid": {"stack.units": [96, 128]}}
SPACE = {
    "base": "notebook/model_1",
    "sampler": "random",
    "trials": 2,
    "fixed": DIGITS | {"training.validation": {"source": "held_out", "fraction": 0.2}},
    "space": {"stack.units": {"low": 64, "high": 128}},
}
FAILS = "The training service cannot be started"


class Command:
    """A command line that runs, and what it has printed so far."""

    def __init__(self, store: Store, *arguments: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mnist_core", *arguments, "--store", str(store.root)],
            cwd=ROOT, env=dict(os.environ, **environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self.lines: list[str] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line)

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def expect(self, text: str, limit_s: float = 60) -> None:
        deadline = time.monotonic() + limit_s
        while text not in self.text:
            assert time.monotonic() < deadline, f"{text!r} was not printed:\n{self.text}"
            time.sleep(0.02)

    def ends(self, limit_s: float = 200) -> int:
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"it waits without end:\n{self.text}") from None
        self._reading.join(10)
        return self.process.returncode


@pytest.fixture
def waited(store: Store, started_processes: object) -> Iterator[Store]:
    """A store whose job service is stopped at the end."""
    yield store
    local_service.stop(store.root.resolve())


def specification(folder: Path, content: dict[str, object]) -> str:
    """The path of a file with the specification of a sweep or a search."""
    path = folder / f"{len(list(folder.iterdir()))}.json"
    path.write_text(json.dumps(content))
    return str(path)


def hold(store: Store) -> psutil.Process:
    """Suspend the process of a run that is in training; return it."""
    while True:
        until(lambda: any(run.state == "running" and run.epochs_done >= 2 for run in store.runs()), 180)
        run = next((run for run in store.runs() if run.state == "running"), None)
        pid = lease.holder_pid(run.path) if run else None
        if run is None or pid is None:
            continue
        process = suspend(pid)
        if lease.held(run.path) and run.epochs_done < run.config.training.epochs:
            return process
        process.resume()


def handed_over(store: Store, count: int, address: str | None = None) -> None:
    """Wait until the store has `count` runs, the scheduler all that have not ended, and the commands have heard so.

    A command that loses its scheduler before says so and ends; it has not begun to wait.
    """
    runner = ServiceRunner(store, address=address)

    def taken() -> bool:
        runs = store.runs()
        with contextlib.suppress(JobError):  # on a busy machine an answer may be late
            return len(runs) == count and not runner.unheld([run for run in runs if not run.ended])
        return False

    until(taken)
    runner.close()
    time.sleep(2 * watch.CHECK_S)  # a command asks every few milliseconds whether the scheduler has its run


def kill_service(store: Store) -> None:
    """`kill -9` of the service's own process; its workers are left to themselves."""
    record = local_service.running(store.root.resolve())
    assert record is not None
    psutil.Process(record.pid).kill()


@contextlib.contextmanager
def no_service_can_start(store: Store) -> Iterator[None]:
    """For a while, as where the disk is full: the file that a service writes its log to cannot be written."""
    log = local_service.log_path(store.root.resolve())
    aside = log.with_name("log-of-the-first")
    log.rename(aside)
    log.mkdir()
    yield
    log.rmdir()
    aside.rename(log)


def assert_trained_once(runs: list[Run]) -> None:
    for run in runs:
        assert run.state == "finished", run.status.reason
        assert [row.epoch for row in run.rows()] == list(range(1, run.config.training.epochs + 1))
        assert lease.attempts(run.path) <= 2
        assert not lease.held(run.path)


# -- the local service -------------------------------------------------------------------------------------------------


def test_waiting_commands_start_a_killed_service_again_and_finish(
    waited: Store, tmp_path: Path, small_config: RunConfig
) -> None:
    resumed = waited.add(small_config.replace(training__epochs=LONG), name="a run")[0]
    waited.cancel(resumed.id)
    commands = [Command(waited, "resume", resumed.id)]
    worker = hold(waited)  # before the others begin: all of their runs wait behind this one
    commands += [
        Command(waited, *TRAIN, "--epochs", str(EPOCHS), "--seeds", "2"),
        Command(waited, "sweep", specification(tmp_path, GRID)),
        Command(waited, "search", specification(tmp_path, SPACE)),
    ]
    handed_over(waited, 1 + 2 + 2 + 1)  # a search requests a second trial when the first has ended
    with no_service_can_start(waited):  # until each of them has noticed; then one of them starts it for all
        kill_service(waited)
        worker.resume()
        for command in commands:
            command.expect(FAILS, limit_s=20)
    for command in commands:
        assert command.ends() == 0, command.text
        assert "training goes on" in command.text
        assert "Traceback" not in command.text
    assert len(waited.runs()) == 1 + 3 * 2
    assert_trained_once(waited.runs())
    assert any(lease.attempts(run.path) == 2 for run in waited.runs())


def test_a_service_that_was_stopped_stays_stopped_and_the_command_says_so(waited: Store) -> None:
    command = Command(waited, *TRAIN, "--epochs", str(NEVER), "--seeds", "3")
    until(lambda: any(run.epochs_done >= 2 for run in waited.runs()))
    assert local_service.stop(waited.root.resolve())
    assert command.ends(20) == 1
    assert "The training service was stopped, and 3 runs are unfinished" in command.text
    assert "Traceback" not in command.text
    assert local_service.running(waited.root.resolve()) is None
    assert all(not run.ended for run in waited.runs())


def test_what_is_cancelled_while_its_service_is_away_stays_cancelled(waited: Store) -> None:
    """Runs that somebody cancels, and those of a command that is interrupted as it hands them over again."""
    command = Command(waited, *TRAIN, "--epochs", str(NEVER), "--seeds", "2")
    until(lambda: len(waited.runs()) == 2)
    cancelled = {run.id for run in waited.runs()}
    interrupted = Command(waited, *TRAIN, "--epochs", str(NEVER - 1), "--seeds", "2")
    worker = hold(waited)
    handed_over(waited, 4)
    with no_service_can_start(waited):
        kill_service(waited)
        worker.resume()
        until(lambda: any(run.state == "interrupted" for run in waited.runs()))
        for run_id in cancelled:
            waited.cancel(run_id)
        assert command.ends(20) == 1
        assert {run.state for run in waited.runs() if run.id in cancelled} == {"cancelled"}
        interrupted.expect(FAILS, limit_s=20)
    until(lambda: local_service.status(waited.root.resolve()).state != "stopped")
    interrupted.process.send_signal(signal.SIGINT)
    assert interrupted.ends(30) == 130
    until(lambda: all(run.state == "cancelled" for run in waited.runs()))


def test_an_open_page_starts_a_killed_service_again(waited: Store, small_config: RunConfig) -> None:
    """A page shows all runs of its store to a watch that adopts nothing, twice a second."""
    runner = ServiceRunner(waited)
    ids = [request(waited, runner, small_config.replace(training__seed=seed), name="a run").run.id for seed in range(2)]
    page = Watch(waited, ServiceRunner(waited), adopt=False)
    seen: list[str] = []

    def tick() -> bool:
        look = page.look(waited.runs())
        seen.extend([look.notice.code] if look.notice else [])
        time.sleep(0.1)
        return not look.waited

    assert not tick()
    kill_service(waited)  # before its worker has begun with them
    until(tick, limit_s=100)
    assert "service_gone" in seen
    assert_trained_once([waited.get(run_id) for run_id in ids])
    runner.close()
    page.runner.close()  # type: ignore[attr-defined]


def test_a_page_that_shows_nothing_unfinished_starts_no_service(waited: Store, small_config: RunConfig) -> None:
    interrupted = waited.add(small_config, name="long ago")[0]
    writer = waited.open_writer(interrupted.id)
    assert writer is not None
    writer.started([])
    writer.release()
    page = Watch(waited, ServiceRunner(waited), adopt=False)
    end = time.monotonic() + 2 * (watch.CHECK_S + watch.CONFIRM_S)
    while time.monotonic() < end:
        look = page.look(waited.runs())
        assert (look.waited, look.notice) == ([], None)
        time.sleep(0.1)
    assert local_service.status(waited.root).state == "stopped"


# -- a scheduler elsewhere ---------------------------------------------------------------------------------------------


class Cluster:
    """A dask scheduler and workers, as an administrator starts them."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self._port}"
        self._folder = folder
        self._started: list[subprocess.Popen[bytes]] = []

    def _dask(self, *arguments: str) -> None:
        self._started.append(
            subprocess.Popen(
                [sys.executable, "-m", *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": str(ROOT), "DASK_TEMPORARY_DIRECTORY": str(self._folder)},
            )
        )  # fmt: skip

    def scheduler(self) -> None:
        self._dask("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(self._port), "--no-dashboard")

    def worker(self) -> None:
        options = ("--nthreads", "1", "--preload", "mnist_core.jobs.worker", "--no-dashboard")
        self._dask("distributed.cli.dask_worker", self.address, *options)

    def kill(self) -> None:
        """`kill -9` of all of it."""
        family: list[psutil.Process] = []
        for process in self._started:
            if process.poll() is None:
                found = psutil.Process(process.pid)
                family += [found, *found.children(recursive=True)]
        for one in family:
            one.kill()
        for process in self._started:
            process.wait(10)
        self._started.clear()


@pytest.fixture
def cluster(tmp_path: Path, started_processes: object) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    cluster.scheduler()
    cluster.worker()
    yield cluster
    cluster.kill()


def test_commands_say_that_the_scheduler_is_away_and_then_the_workers_and_go_on_when_they_come(
    waited: Store, cluster: Cluster, tmp_path: Path
) -> None:
    address = cluster.address
    commands = [Command(waited, *TRAIN, "--epochs", str(LONG), "--seeds", "2", MNIST_CORE_SCHEDULER=address)]
    hold(waited)  # before the search begins: its first trial waits behind this run, and it has no second before that
    commands += [Command(waited, "search", specification(tmp_path, SPACE), MNIST_CORE_SCHEDULER=address)]
    handed_over(waited, 2 + 1, address)
    cluster.kill()
    for command in commands:
        command.expect(f"No scheduler answers at {address}", limit_s=15)
    cluster.scheduler()
    for command in commands:
        command.expect(f"The scheduler at {address} has no worker", limit_s=30)
        assert command.process.poll() is None
    cluster.worker()
    for command in commands:
        assert command.ends() == 0, command.text
        assert "training goes on" in command.text
        assert "Traceback" not in command.text
    assert_trained_once(waited.runs())
    assert local_service.status(waited.root).state == "stopped", "no local service takes a remote scheduler's place"


# -- without a process -------------------------------------------------------------------------------------------------


class Broken(LocalRunner):
    """Takes runs and loses them, or fails to."""

    def __init__(self, store: Store, *, absence: Absence | None = None, problem: MnistCoreError | None = None) -> None:
        super().__init__(store)
        self.absence, self.problem = absence, problem
        self.taken: list[str] = []

    def submit(self, run_id: str) -> None:
        if self.problem:
            raise self.problem
        self.taken.append(run_id)

    def absent(self) -> Absence | None:
        return self.absence

    def status(self) -> ServiceStatus:
        return ServiceStatus("stopped")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "CHECK_S", 0.01)
    monkeypatch.setattr(watch, "CONFIRM_S", 0.0)


def looked(held: Watch, run: Run) -> list[Notice | None]:
    """What a watch says until it no longer waits for the run."""
    notices: list[Notice | None] = []

    def over() -> bool:
        look = held.look([held.store.get(run.id)])
        if not notices or notices[-1] != look.notice:
            notices.append(look.notice)
        return not look.waited

    until(over, limit_s=20)
    return notices


def test_a_run_that_is_lost_each_time_is_given_up_with_a_sentence(
    store: Store, small_config: RunConfig, quick: None
) -> None:
    runner = Broken(store)
    run = store.add(small_config, name="a run")[0]
    notices = looked(Watch(store, runner), run)
    assert notices[-1] == Notice("given_up", 1)
    assert runner.taken == [run.id] * MOST_TRIES
    assert store.get(run.id).state == "queued"


def test_a_run_that_a_page_has_seen_in_training_is_handed_over_when_its_process_dies(
    store: Store, small_config: RunConfig, quick: None
) -> None:
    runner = Broken(store)
    run = store.add(small_config, name="a run")[0]
    writer = store.open_writer(run.id)
    assert writer is not None
    writer.started([])
    page = Watch(store, runner, adopt=False)
    assert [shown.state for shown in page.look([store.get(run.id)]).waited] == ["running"]
    writer.release()
    looked(page, run)
    assert run.id in runner.taken


@pytest.mark.parametrize("problem", [JobError("no memory"), WriteError("the disk is full")])
def test_a_service_that_cannot_be_started_is_tried_again_and_then_given_up_with_the_reason(
    store: Store, small_config: RunConfig, quick: None, problem: MnistCoreError
) -> None:
    run = store.add(small_config, name="a run")[0]
    notices = looked(Watch(store, Broken(store, absence="gone", problem=problem)), run)
    assert Notice("service_fails", 1, detail=str(problem)) in notices
    assert notices[-1] == Notice("given_up", 1, detail=str(problem))


def test_a_run_that_was_given_up_is_waited_for_again_when_it_is_started_again(
    store: Store, small_config: RunConfig, quick: None
) -> None:
    runner = Broken(store)
    run = store.add(small_config, name="a run")[0]
    held = Watch(store, runner)
    looked(held, run)
    store.cancel(run.id)
    resume(store, runner, run.id)
    assert held.look([store.get(run.id)]).waited


def test_a_stopped_service_that_is_there_again_is_waited_for_again(
    store: Store, small_config: RunConfig, quick: None
) -> None:
    runner = Broken(store, absence="stopped")
    run = store.add(small_config, name="a run")[0]
    held = Watch(store, runner)
    assert looked(held, run)[-1] == Notice("service_stopped", 1)
    assert runner.taken == []
    runner.absence = None
    assert held.look([store.get(run.id)]).waited


def test_a_run_that_was_asked_to_stop_before_its_process_died_is_cancelled(
    store: Store, small_config: RunConfig, quick: None
) -> None:
    run = store.add(small_config, name="a run")[0]
    writer = store.open_writer(run.id)
    assert writer is not None
    writer.started([])
    store.cancel(run.id)
    writer.release()
    assert store.get(run.id).state == "interrupted"
    runner = Broken(store)
    looked(Watch(store, runner), run)
    assert store.get(run.id).state == "cancelled"
    assert runner.taken == []


def test_looking_after_runs_starts_no_service_while_one_is_closing_its_workers(
    store: Store, small_config: RunConfig
) -> None:
    runner = ServiceRunner(store)
    run = store.add(small_config, name="a run")[0]
    assert runner.absent() == "gone"
    closing = lease.claim(local_service.lock_folder(store.root))
    assert closing is not None
    assert runner.absent() is None
    local_service.stop_mark(store.root).touch()
    assert runner.absent() == "stopping"
    assert runner.unheld([run]) == []
    assert not local_service.log_path(store.root).exists(), "a service was started"
    closing.release()
    assert runner.absent() == "stopped"


def test_a_closed_watch_hands_nothing_over(store: Store, small_config: RunConfig, quick: None) -> None:
    runner = Broken(store)
    run = store.add(small_config, name="a run")[0]
    with Watch(store, runner) as held:
        held.look([run])
    handed = len(runner.taken)
    for _ in range(20):
        held.look([run])
        time.sleep(0.01)
    assert len(runner.taken) == handed


def test_an_interrupted_run_is_submitted_and_keeps_count_of_its_attempts(store: Store, small_config: RunConfig) -> None:
    run = store.add(small_config, name="a run")[0]
    writer = store.open_writer(run.id)
    assert writer is not None
    writer.started([])
    writer.release()
    with Watch(store, LocalRunner(store)) as held:
        until(lambda: not held.look([store.get(run.id)]).waited)
    found = store.get(run.id)
    assert (found.state, found.status.requests, found.status.attempts_before) == ("finished", 0, 0)


def test_a_scheduler_that_never_answers_is_named_to_whoever_waits(
    store: Store, small_config: RunConfig, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "ANSWER_LIMIT_S", 0.3)
    run = store.add(small_config, name="a run")[0]
    held = Watch(store, ServiceRunner(store, "tcp://127.0.0.1:9"))
    until(lambda: held.look([run]).notice == Notice("unreachable", 1, "tcp://127.0.0.1:9"))
    assert held.look([run]).waited == [run]
    held.close()


@pytest.mark.parametrize(
    ("notice", "says"),
    [
        (Notice("service_gone", 1), "and 1 run goes on."),
        (Notice("service_gone", 3), "and 3 runs go on."),
        (Notice("service_fails", 2, detail="no memory"), "2 runs wait for it. It is tried again. no memory"),
        (Notice("service_silent", 1), "`python -m mnist_core.jobs.service --stop`"),
        (Notice("service_stopped", 1), "1 run is unfinished. Resume or start them"),
        (Notice("unreachable", 2, "tcp://a:1"), "at tcp://a:1, and 2 runs wait for it. Start it there again"),
        (Notice("no_worker", 1, "tcp://a:1"), "`dask worker tcp://a:1 --nthreads 1 --preload mnist_core.jobs.worker`"),
        (Notice("given_up", 2, detail="no memory"), "2 runs could not be handed to a worker in 5 attempts"),
    ],
)
def test_each_notice_says_what_is_missing_and_what_to_do(notice: Notice, says: str) -> None:
    assert says in sentence(notice)


def test_a_command_whose_task_ends_as_it_ends_prints_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    runners._quieten()
    log = logging.getLogger("tornado.application")
    for error in (RuntimeError("cannot schedule new futures after interpreter shutdown"), RuntimeError("another")):
        log.error("Exception in callback", exc_info=error)
    assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["another"]


def test_a_client_that_is_collected_after_its_scheduler_has_ended_prints_no_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import distributed

    def breaks(client: object) -> None:
        raise ValueError("IOStream is not idle; cannot convert to SSL")

    monkeypatch.setattr(distributed.Client, "__del__", breaks)
    runners._quieten()
    distributed.Client.__del__(object())
