"""Kill, fill, lock, mislead and spoil the real system while it trains, and print what was lost, with the evidence.

    python -m benchmarks.storm --kills 200 --seed 1
    python -m benchmarks.storm --only disk clock

The job service, command lines and dashboards are real processes on one store, which lies on a small disk of its own
(a tmpfs in a mount namespace: Linux only; `unshare` must be allowed). After each part every command that was cut short
is given again, as a person would do it, and these must hold:

lost        no run that was finished is gone, and none of its files has changed
stuck       every command ends well when it is given again; no run stays queued, running or interrupted
different   each run that was resumed has the history (without seconds), the predictions and the weights, to the last
            bit, of a training of its configuration that nothing disturbs
orphans     no process of the store is left that belongs to no service, dashboard or command
leftovers   no temporary file, and no file that only an unfinished run needs
wordless    no command prints a traceback, and no page or log of a dashboard shows one
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.sync_api import sync_playwright

from mnist_core.errors import MnistCoreError
from mnist_core.jobs import local_service
from mnist_core.jobs.execution import execute
from mnist_core.jobs.service import ENVIRONMENT
from mnist_core.runs import lease
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.studies import sweeps
from tests.support import chromium, damaged_store
from tests.support.browser import ROOT, Screen, Server, end_processes, start_server
from tests.support.disks import contents, fill, mounted, tmpfs
from tests.support.same_results import difference

CHECKS = ("lost", "stuck", "different", "orphans", "leftovers", "wordless")
DISK = "400m"
PATIENCE_S = 240.0
"""A command that is given again must end within so many seconds."""
ROUNDS = 4
"""So often it is given again: a run whose process was killed three times in one epoch is failed, and then resumed."""
AT_ONCE = 4
"""So many of them are given at once."""
PAGES = ("", "train", "runs", "sweeps")
UNFINISHED_FILES = ("checkpoint.npz", "progress.json", "cancel", "pause.json")
KILLED = {"requester": 3, "dashboard": 1.5, "worker": 4, "service": 2}
"""How often each kind of process is killed, relative to the others."""
INSIDE, MARK, CLOCK = "MNIST_CORE_STORM", "MNIST_CORE_STORM_MARK", "MNIST_CORE_STORM_CLOCK"

SHIFTED_CLOCK = '''
"""Shift this process's clock by the seconds that a file names, as if the system's clock had been set."""
import os, time
import psutil

_time, _path, _known = time.time, os.environ["MNIST_CORE_STORM_CLOCK"], [-1.0, 0]

def _shift():
    now = time.monotonic()
    if now > _known[0]:
        try:
            with open(_path) as file:
                _known[:] = [now + 0.05, int(file.read() or 0)]
        except (OSError, ValueError):
            _known[0] = now + 0.05
    return _known[1]

time.time = lambda: _time() + _shift()
time.time_ns = lambda: int(_time() * 1e9) + _shift() * 10**9
if psutil.LINUX:  # the kernel counts the time of boot back from the clock, so it moves with it
    from psutil import _pslinux
    _boot_time = _pslinux.boot_time
    _pslinux.boot_time = psutil.boot_time = lambda: _boot_time() + _shift()
'''


class Command:
    """A command line that runs, and what it prints.

    arguments: as a person gives them. also: more statuses than 0 with which it may end, as what it asks for was
    refused in words.
    """

    count = 0

    def __init__(self, storm: Storm, *arguments: str) -> None:
        Command.count += 1
        self.arguments = arguments
        self.log = storm.folder / f"command-{Command.count}.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mnist_core", *arguments, "--store", str(storm.root)],
                cwd=ROOT, env=storm.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip

    @property
    def text(self) -> str:
        """Return what it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    @property
    def running(self) -> bool:
        """True until it has ended."""
        return self.process.poll() is None

    def wait(self, limit_s: float = PATIENCE_S) -> int | None:
        """Return its exit status; None, after it was killed, where it has not ended within the limit."""
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


@dataclass
class Row:
    """The result of one part.

    done: what was done, by kind. violations: how many, by check.
    """

    part: str
    done: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    finished: int = 0
    compared: int = 0
    seconds: float = 0.0


class Storm:
    """The real system on a store, and what it must keep.

    Parameters
    ----------
    folder
        for the store's disk and all logs.
    seed
        of all that is random here; the processes' own timing is not repeated by it.
    short
        as little of everything as shows that it works.
    """

    def __init__(self, folder: Path, seed: int, *, kills: int, short: bool) -> None:
        self.folder, self.short, self.kills = folder, short, kills
        self.disk = folder / "disk"
        self.root = self.disk / "store"
        self.random = random.Random(seed)
        self.clock = Path(os.environ[CLOCK])
        self.mark = uuid.uuid4().hex
        self.environment = os.environ | {
            MARK: self.mark, "MNIST_CORE_STORE": str(self.root), "TF_CPP_MIN_LOG_LEVEL": "3",
        }  # fmt: skip
        if short:
            self.environment["MNIST_CORE_WORKERS"] = "1"
        self.epochs_of_a_study = 12 if short else 30
        self.row = Row("")
        self.rows: list[Row] = []
        self.servers: list[Server] = []
        self.commands: list[Command] = []
        self.unfinished: list[tuple[str, ...]] = []
        self.hashes: dict[str, dict[str, str]] = {}
        self.compared: set[str] = set()
        self.foreign: set[str] = set()
        self.known_logs: dict[Path, int] = {}
        self.originals: dict[str, Path] = {}
        self.next_seed = 1000 * seed
        self.works = 0
        self.browser: Any = None

    # -- the system --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start a dashboard, which starts the job service."""
        self.store = Store(self.root)
        self.servers.append(self.dashboard())

    def dashboard(self) -> Server:
        """One more dashboard on the store."""
        log = self.folder / f"dashboard-{time.monotonic_ns()}.log"
        return start_server(self.store, log, environment=self.environment)

    def give(self, *arguments: str) -> Command:
        """Start a command, which is given again at the end of the part where it does not end well."""
        command = Command(self, *arguments)
        self.commands.append(command)
        return command

    def train(self, *options: str, epochs: int = 40, seeds: int = 1) -> tuple[str, ...]:
        """Return a command that trains new runs."""
        self.next_seed += seeds
        first = str(self.next_seed - seeds)
        return ("train", "notebook/model_1", "--dataset", "digits", "--epochs", str(epochs), "--seed", first,
                "--seeds", str(seeds), *options)  # fmt: skip

    def study(self, kind: str) -> tuple[str, ...]:
        """Return a command that trains a new sweep, or carries out a new search, with or without Hyperband."""
        self.next_seed += 1
        fixed: dict[str, Any] = {
            "dataset.name": "digits", "training.epochs": self.epochs_of_a_study, "training.seed": self.next_seed,
        }  # fmt: skip
        spec: dict[str, Any] = {"name": f"{kind} {self.next_seed}", "base": "notebook/model_1"}
        if kind == "sweep":
            spec |= {"fixed": fixed, "grid": {"training.learning_rate": [0.001, 0.003, 0.01]}}
        else:
            fixed["training.validation"] = {"source": "held_out", "fraction": 0.2}
            spec |= {"fixed": fixed, "sampler": "random", "seed": self.next_seed}
            spec["space"] = {"training.learning_rate": {"low": 0.0005, "high": 0.02, "log": True}}
            if self.random.random() < 0.5:
                spec["hyperband"] = {"min_epochs": 10, "factor": 3}
            else:
                spec["trials"] = 3
        path = self.folder / f"{kind}-{self.next_seed}.json"
        path.write_text(json.dumps(spec))
        return (kind.split()[0], str(path))

    def any_work(self) -> tuple[str, ...]:
        """Return a command of a random kind."""
        kinds = ("sweep", "search", "train", "stop early", "train")
        self.works += 1
        kind = kinds[self.works % 3] if self.short else self.random.choice(kinds)
        if kind == "train":
            return self.train(epochs=20 if self.short else self.random.randint(20, 60), seeds=2)
        if kind == "stop early":
            return self.train("--set", 'training.early_stopping={"patience": 5}', epochs=60, seeds=2)
        return self.study(kind)

    def until(self, condition: Callable[[], bool], limit_s: float = 60.0) -> bool:
        """Wait until something holds; return whether it did within the limit."""
        end = time.monotonic() + limit_s
        while not (held := condition()) and time.monotonic() < end:
            time.sleep(0.05)
        return held

    def training(self, least: int = 2) -> bool:
        """True if some run is in training and has finished as many epochs."""
        return any(run.state == "running" and run.epochs_done >= least for run in self.own_runs())

    def own_runs(self) -> list[Run]:
        """Return the runs that were trained here, without those that were put there to do harm."""
        return [run for run in self.store.runs() if run.id not in self.foreign]

    # -- parts -------------------------------------------------------------------------------------------------------

    def kill_at_random(self) -> None:
        """`kill -9` of worker, service, requester or dashboard, while trainings, sweeps and searches go on."""
        waiting: list[tuple[str, ...]] = []
        pause = 0.5 if self.short else 4.5
        for number in range(self.kills):
            self.collect(waiting)
            while sum(command.running for command in self.commands) < 2:
                self.give(*(waiting.pop(0) if waiting else self.any_work()))
            time.sleep(min(max(self.random.expovariate(1 / pause), 0.2), 3 * pause))
            kinds = list(KILLED)
            kind = kinds[number % 4] if self.short else self.random.choices(kinds, list(KILLED.values()))[0]
            if not self.kill(kind):  # nothing of the kind is there now, such as a worker that trains
                self.until(lambda kind=kind: bool(self.victims(kind)), 20)
                time.sleep(self.random.uniform(0, 1))
                if not self.kill(kind):
                    kind = "dashboard"
                    self.kill(kind)
            self.row.done[f"{kind} killed"] += 1
            if kind == "dashboard":
                self.servers[0] = self.dashboard()
            self.check_finished()
        self.unfinished += waiting

    def collect(self, waiting: list[tuple[str, ...]]) -> None:
        """Put the commands that have ended badly back into the queue."""
        for command in [command for command in self.commands if not command.running]:
            self.commands.remove(command)
            self.read(command)
            if command.process.returncode != 0:
                waiting.append(command.arguments)

    def kill(self, kind: str) -> bool:
        """Kill one process of a kind; return whether there was one."""
        with contextlib.suppress(psutil.NoSuchProcess):
            if found := self.victims(kind):
                victim = self.random.choice(found)
                psutil.Process(victim).kill()
                for child in [server.process for server in self.servers] + [one.process for one in self.commands]:
                    if child.pid == victim:
                        child.wait(10)
                return True
        return False

    def victims(self, kind: str) -> list[int]:
        """Return the processes of a kind: of workers those that train now."""
        if kind == "dashboard":
            return [self.servers[0].process.pid]
        if kind == "requester":
            return [command.process.pid for command in self.commands if command.running]
        if kind == "service":
            record = local_service.running(self.root)
            return [record.pid] if record else []
        return [pid for run in self.own_runs() if run.state == "running" and (pid := lease.holder_pid(run.path))]

    def fill_the_disk(self) -> None:
        """Leave so little space, in the middle of whatever is written, that this or that file does not fit any more."""
        free = [8] if self.short else [0, 0, 4, 4, 8, 8, 12, 16, 24, 40, 60, 100, 150, 250, 400, 700]
        for number, free_kb in enumerate(free):
            self.give(*self.train("--slow", "0.05", epochs=25, seeds=2))
            self.until(self.training)
            time.sleep(self.random.uniform(0, 0.3))
            filler = fill(self.disk, free=1024 * free_kb)
            requests = [self.any_work()] if self.short else [self.any_work(), ("sweeps",), ("runs",)]
            finished = [run.id for run in self.own_runs() if run.state == "finished"]
            if finished and number % 2:
                requests.append(("delete", finished[-1]))
            for arguments in requests:
                command = Command(self, *arguments)
                status = command.wait(60)
                self.read(command)
                if status != 0:
                    self.unfinished.append(arguments)
                self.row.done["commands on a full disk"] += 1
                if arguments[0] == "delete" and status == 0:
                    self.hashes.pop(arguments[1], None)
                    self.unfinished.append(("restore", arguments[1]))
            if not self.short:
                self.answer("runs")
            filler.unlink()
            self.row.done["times full"] += 1

    def lock_the_store(self) -> None:
        """Make the store read-only during a training: pages and lists go on, and what would change it is refused."""
        for _ in range(1 if self.short else 4):
            self.give(*self.train("--slow", "0.05", epochs=25, seeds=2))
            self.until(self.training)
            with locked(self.root, self.folder / "locked"):
                refused = self.any_work()
                for arguments in (refused,) if self.short else (refused, ("runs",), ("sweeps",)):
                    command = Command(self, *arguments)
                    status = command.wait(60)
                    self.read(command)
                    if (status == 0) != (len(arguments) == 1):
                        self.violated("wordless", f"{arguments} ended with {status} on a read-only store",
                                      command.text)  # fmt: skip
                self.unfinished.append(refused)
                if not self.short:
                    time.sleep(self.random.uniform(0, 2))
                    self.answer(*PAGES)
            self.row.done["times read-only"] += 1

    def set_the_clock(self) -> None:
        """Set the clock forward, back and to the right time while a run is in training; nothing may notice."""
        for shift in (600,) if self.short else (600, -600, 0, -3600, 3600, 0):
            command = self.give(*self.train("--slow", "0.1", epochs=25))
            began = self.until(self.training)
            before = local_service.running(self.root)
            self.clock.write_text(str(shift))
            time.sleep(0.2)
            found = Command(self, "runs")  # a process that only knows the new time
            found.wait(60)
            self.read(found)
            if " interrupted " in found.text:
                self.violated("stuck", f"a run in training is called interrupted after the clock was set by {shift} s",
                              found.text)  # fmt: skip
            status = command.wait()
            self.row.done["times set"] += 1
            if status != 0 or not began:
                self.violated("stuck", f"a training ended badly after the clock was set by {shift} s", command.text)
            if (now := local_service.running(self.root)) is None or before is None or now.pid != before.pid:
                self.violated("orphans", f"another service was started after the clock was set by {shift} s", str(now))
        self.clock.write_text("0")

    def work_twice(self) -> None:
        """Two dashboards, the same sweep twice and another one at the same time: each run is trained once."""
        self.servers.append(self.dashboard())
        same, other = self.study("sweep"), self.study("sweep")
        pairs = [self.give(*same), self.give(*same), self.give(*other)]
        for command in pairs:
            command.wait()
        names = {Path(path).stem.replace("-", " ") for _, path in (same, other)}
        found = [sweep for sweep in sweeps.SHELF.all(self.store)[0] if sweep.name in names]
        if len(found) != len(names):
            self.violated("different", f"the sweeps {sorted(names)} became {[sweep.id for sweep in found]}", "")
        for run in (self.store.get(run_id) for sweep in found for run_id in sweep.run_ids):
            if lease.attempts(run.path) != 1 or [row.epoch for row in run.rows()] != list(
                range(1, self.epochs_of_a_study + 1)
            ):
                self.violated("different", f"run {run.id} was trained {lease.attempts(run.path)} times", "")
        self.row.done["sweeps at once"] += 3
        self.row.done["dashboards at once"] += 2
        self.answer(*(() if self.short else PAGES), server=self.servers[1])
        self.end_dashboard(self.servers.pop())

    def replace_the_data(self) -> None:
        """Replace the file of a data set during training, let the run end; then kill its worker, and bring it back."""
        good, other, file = (self.folder / f"{name}.npz" for name in ("good", "other", "mine"))
        digits = self.store.catalog.load("digits")
        for path, order in ((good, slice(None)), (other, slice(None, None, -1))):
            np.savez(path, x_train=digits.x_train[order], y_train=digits.y_train[order],
                     x_test=digits.x_test, y_test=digits.y_test)  # fmt: skip
        shutil.copy(good, file)
        self.originals["mine"] = good
        register = Command(self, "datasets", "--register", "mine", str(file))
        register.wait()
        self.read(register)
        for kill in (True,) if self.short else (False, True):
            arguments = self.train("--slow", "0.1", epochs=25)
            command = self.give(*("mine" if part == "digits" else part for part in arguments))
            self.until(self.training)
            shutil.copy(other, self.folder / "new.npz")
            os.replace(self.folder / "new.npz", file)
            self.row.done["times replaced"] += 1
            if kill:
                self.row.done["worker killed"] += self.kill("worker")
            status = command.wait()
            if kill and (status == 0 or "has changed since this run was made" not in self.reasons("mine")):
                self.violated("wordless", "a run went on with other data", command.text + self.reasons("mine"))
            self.answer(*(() if self.short else PAGES))
            shutil.copy(good, self.folder / "new.npz")
            os.replace(self.folder / "new.npz", file)

    def reasons(self, dataset: str) -> str:
        """Return the reasons of the runs of a data set that have not finished."""
        return "\n".join(run.status.reason for run in self.own_runs() if run.dataset == dataset)

    def spoil_the_store(self) -> None:
        """Cut the files of an unfinished run short, then put every kind of damaged, foreign and hostile file there."""
        for name in ("checkpoint.npz",) if self.short else ("checkpoint.npz", "history.jsonl", "attempts.jsonl"):
            command = self.give(*self.train("--slow", "0.1", epochs=25))
            self.until(self.training)
            self.kill("service")
            self.until(lambda: not self.training(0), 20)
            for run in self.own_runs():
                path = run.path / name
                if run.state == "interrupted" and path.exists():
                    with path.open("r+b") as file:
                        file.truncate(path.stat().st_size * 2 // 3)
                    self.row.done["files cut short"] += 1
            command.wait()
        if self.short:  # each kind of damage has its own tests
            local_service.record_path(self.root).write_text("somebody else's")
            self.give(*self.train(epochs=5))
            return
        before = {path.name for path in (self.root / "runs").iterdir()}
        made = damaged_store.build(self.root)
        self.foreign = {path.name for path in (self.root / "runs").iterdir()} - before
        self.row.done["damaged runs"] += len(made.unreadable) + len(made.unpredictable) + len(made.harmless)
        for arguments in (("runs",), ("sweeps",), ("searches",), ("runs", "--recipes")):
            command = Command(self, *arguments)
            command.wait()
            self.read(command)
            if command.process.returncode not in (0, 1):
                self.violated("wordless", f"{arguments} ended with {command.process.returncode}", command.text)
        self.give(*self.train(epochs=5, seeds=2))
        self.give(*self.study("sweep"))

    # -- what must hold ----------------------------------------------------------------------------------------------

    def violated(self, check: str, what: str, evidence: str) -> None:
        """Print and count a violation."""
        self.row.violations[check] += 1
        print(f"\nVIOLATED ({check}, {self.row.part}): {what}\n{evidence[-1500:]}\n", flush=True)

    def read(self, command: Command) -> None:
        """Check what a command has printed."""
        if "Traceback" in command.text:
            self.violated("wordless", f"{' '.join(command.arguments)} printed a traceback", command.text)

    def settle(self) -> None:
        """Give each command that has not ended well again, until it does."""
        for command in self.commands:
            if command.wait() != 0:
                self.unfinished.append(command.arguments)
            self.read(command)
        self.commands.clear()
        again = list(dict.fromkeys(self.unfinished))
        self.unfinished.clear()
        for round_ in range(ROUNDS):
            left = []
            for first in range(0, len(again), AT_ONCE):
                for command in [Command(self, *arguments) for arguments in again[first : first + AT_ONCE]]:
                    status = command.wait()
                    self.read(command)
                    self.row.done["commands given again"] += 1
                    if status != 0:
                        left.append(command.arguments)
                    if status != 0 and round_ == ROUNDS - 1:
                        self.violated("stuck", f"{' '.join(command.arguments)} ended with {status}", command.text)
            again = left
            if round_ == 0:  # what a search had done with, as its training failed
                left += [("resume", run.id) for run in self.own_runs() if run.state == "failed"]
        for run in self.own_runs():
            pruned = run.state == "cancelled" and run.meta.pruned
            if run.state not in ("finished", "diverged") and not pruned:
                self.violated("stuck", f"run {run.id} ({run.name}) is {run.state}", run.status.reason)
            if lease.held(run.path):
                self.violated(
                    "stuck", f"run {run.id} ({run.name}) is still held", f"process {lease.holder_pid(run.path)}"
                )

    def check_finished(self) -> None:
        """Every run that was finished is there and has the same bytes; remember those that have finished since."""
        for run_id, before in self.hashes.items():
            now = contents(self.root / "runs" / run_id)
            if now != before:
                changed = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
                self.violated("lost", f"run {run_id} has changed", str(changed))
                self.hashes[run_id] = now
        for run in self.own_runs():
            if run.state == "finished" and run.id not in self.hashes and not lease.held(run.path):
                self.hashes[run.id] = contents(run.path)

    def check_bits(self) -> None:
        """Train the runs that were resumed, or whose data were replaced, where nothing disturbs, and compare."""
        resumed = [
            run
            for run in self.own_runs()
            if run.state == "finished"
            and run.id not in self.compared
            and (lease.attempts(run.path) > 1 or run.dataset in self.originals)
        ]
        if not resumed:
            return
        other = Store(self.folder / "undisturbed")
        for name, path in self.originals.items():
            if name not in other.catalog.registered():
                other.catalog.register(name, path)
        for run in resumed:
            other.add(run.config, name=run.name)
        subprocess.run([sys.executable, "-m", "benchmarks.storm", "--undisturbed", str(other.root)], cwd=ROOT,
                       env=self.environment | ENVIRONMENT, check=True)  # fmt: skip
        for run in resumed:
            found = difference(run, other.get(run.id))
            if found:
                self.violated("different", f"run {run.id} ({run.name}), attempts {lease.attempts(run.path)}", found)
            self.compared.add(run.id)
            self.row.compared += 1

    def check_processes(self) -> None:
        """Every process that the storm has started belongs to the service, a dashboard or a command.

        One moment in 20 seconds is enough: the processes of a service that is being started belong to nobody yet.
        """
        if self.until(lambda: not self.orphans(), 20):
            return
        for process in self.orphans():
            with contextlib.suppress(psutil.Error):
                self.violated("orphans", f"process {process.pid}", " ".join(process.cmdline()))
                process.kill()

    def orphans(self) -> list[psutil.Process]:
        """Return the processes that belong to nobody."""
        record = local_service.running(self.root)
        roots = [server.process.pid for server in self.servers] + [record.pid for record in [record] if record]
        roots += [command.process.pid for command in self.commands]
        known = set(roots)
        for pid in roots:
            with contextlib.suppress(psutil.NoSuchProcess):
                known |= {child.pid for child in psutil.Process(pid).children(recursive=True)}
        return [process for process in marked(self.mark) if process.pid not in known]

    def check_leftovers(self) -> None:
        """No temporary file anywhere in the store, and in finished runs nothing that only unfinished ones need."""
        own = {run.id: run for run in self.own_runs()}
        for folder, names, files in os.walk(self.root):
            place = Path(folder)
            if place.parent == self.root / "runs" and place.name not in own:
                names.clear()
                continue
            if place == self.root / ".service":
                names.clear()
                continue
            for name in [*names, *files]:
                done = place.name in own and own[place.name].state in ("finished", "diverged")
                if (name.startswith(".") and name != ".service") or (done and name in UNFINISHED_FILES):
                    self.violated("leftovers", f"{place.relative_to(self.root)}/{name}", "")

    def answer(self, *pages: str, server: Server | None = None) -> None:
        """Ask a dashboard whether it is well, and look at pages in a browser."""
        server = server or self.servers[0]
        try:
            urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=20).close()
            for path in pages:
                self.row.done["pages looked at"] += 1
                tab = self.browser.new_page()
                try:
                    screen = Screen(tab, server)
                    screen.open(path)
                    text = tab.locator("[data-testid=stMain]").inner_text(timeout=20_000)
                    if tab.get_by_test_id("stException").count() or len(text) < 40 or "encountered an error" in text:
                        self.violated("wordless", f"the page {path or 'compare'!r}", text)
                finally:
                    tab.close()
        except Exception as error:  # a browser's own errors too: whatever it is, the page did not answer
            self.violated("wordless", f"a dashboard does not answer ({type(error).__name__})",
                          f"{error}\n{server.log_text()}")  # fmt: skip

    def check_logs(self) -> None:
        """No dashboard has logged a traceback, nor has the service."""
        for path in [*self.folder.glob("dashboard-*.log")]:
            text = path.read_text(encoding="utf-8", errors="replace")
            seen, self.known_logs[path] = self.known_logs.get(path, 0), len(text)
            if "Traceback" in text[seen:]:
                self.violated("wordless", f"the log of a dashboard, {path.name}", text[seen:])

    # -- running -----------------------------------------------------------------------------------------------------

    def carry_out(self, part: str, *, settle: bool) -> None:
        """Carry out one part, and check what must hold; give what was cut short again if it is to be settled."""
        began = time.monotonic()
        self.row = Row(part)
        self.rows.append(self.row)
        try:
            PARTS[part](self)
        except MnistCoreError as error:
            self.violated("wordless", "the storm itself met an error", str(error))
        if settle:
            self.settle()
        self.check_finished()
        if not self.short:
            self.check_bits()
        self.check_processes()
        self.answer(*(() if self.short else PAGES))
        self.check_logs()
        self.row.finished = sum(run.state == "finished" for run in self.own_runs())
        self.row.seconds = time.monotonic() - began
        print(line(self.row), flush=True)

    def end(self) -> None:
        """Stop everything, and look for what is left."""
        self.answer(*PAGES)
        self.check_logs()
        for server in self.servers:
            self.end_dashboard(server)
        self.servers.clear()
        local_service.stop(self.root)
        self.check_processes()
        self.check_finished()
        self.check_bits()
        self.check_leftovers()

    def end_dashboard(self, server: Server) -> None:
        """End a dashboard as a person does, but not the job service."""
        server.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.process.wait(15)
        if server.process.poll() is None:
            self.violated("orphans", "a dashboard does not end when it is asked to", server.log_text())
            end_processes([server.process.pid])


PARTS: dict[str, Callable[[Storm], None]] = {
    "clock": Storm.set_the_clock,
    "twice": Storm.work_twice,
    "data": Storm.replace_the_data,
    "kills": Storm.kill_at_random,
    "disk": Storm.fill_the_disk,
    "read-only": Storm.lock_the_store,
    "files": Storm.spoil_the_store,
}
"""In this order: the first three need a store in which nothing waits to be given again."""


def train_undisturbed(root: Path) -> None:
    """Train what is queued in a store, here and now."""
    store = Store(root)
    for run in store.runs():
        if run.state == "queued":
            execute(store, run.id)


def marked(mark: str) -> list[psutil.Process]:
    """Return the living processes that were started, through whatever others, with this mark."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


HEADER = (
    "| part | what was done | finished runs | resumed and compared | " + " | ".join(CHECKS) + " | seconds |\n"
    + "|---" * (5 + len(CHECKS)) + "|"
)  # fmt: skip


def line(row: Row) -> str:
    """Return a row of the table."""
    done = ", ".join(f"{count} {what}" for what, count in sorted(row.done.items()))
    counts = " | ".join(str(row.violations[check]) for check in CHECKS)
    return f"| {row.part} | {done} | {row.finished} | {row.compared} | {counts} | {row.seconds:.0f} |"


@contextlib.contextmanager
def locked(folder: Path, side: Path) -> Iterator[None]:
    """Make a folder read-only in one moment, also for processes that go on writing; `side` is an empty place to mount.

    A mount can be made read-only only while nothing is open for writing through it.
    """
    side.mkdir(exist_ok=True)
    with mounted(side, "--bind", folder):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(side)], check=True)
        with mounted(folder, "--bind", side):
            yield


@contextlib.contextmanager
def kept_or_deleted(keep: Path | None) -> Iterator[Path]:
    """Give an empty folder, which is deleted at the end unless it is to be kept."""
    if keep:
        keep.mkdir(parents=True)
        yield keep
    else:
        with tempfile.TemporaryDirectory(prefix="storm-", ignore_cleanup_errors=True) as name:
            yield Path(name)


def main() -> int:
    """Run, and return how many parts have met a violation, 100 at the most."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="these parts only")
    parser.add_argument("--kills", type=int, help="number of processes to kill (default: 200; short: 4)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="as little of each part as shows that it works")
    parser.add_argument("--keep", type=Path, help="keep store and logs in this new folder")
    parser.add_argument("--undisturbed", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.undisturbed:
        train_undisturbed(given.undisturbed)
        return 0
    if INSIDE not in os.environ:
        return in_namespace(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that it ends what it has started
    kills = given.kills if given.kills is not None else 4 if given.short else 200
    with kept_or_deleted(given.keep and given.keep.absolute()) as folder:
        storm = Storm(folder, given.seed, kills=kills, short=given.short)
        with tmpfs(storm.disk, DISK), sync_playwright() as playwright:
            browser = chromium.launch(playwright, chromium.FOR_TESTS)
            storm.browser = browser.new_context(viewport={"width": 1280, "height": 800})
            try:
                storm.start()
                parts = [part for part in PARTS if part in given.only]
                for part in parts:
                    storm.carry_out(part, settle=not given.short or part == parts[-1])
                storm.end()
                if given.keep:
                    shutil.copytree(storm.root, folder / "store", symlinks=True, ignore=_special)
            finally:
                end_processes([process.pid for process in marked(storm.mark)])
                browser.close()
    print("\n" + "\n".join([HEADER, *map(line, storm.rows)]))
    return min(100, sum(bool(row.violations) for row in storm.rows))


def _special(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if not (path := Path(folder) / name).is_file() and not path.is_dir()]


def in_namespace(arguments: list[str]) -> int:
    """Start the storm again where it may mount, with a clock that can be set."""
    with tempfile.TemporaryDirectory(prefix="storm-clock-") as name:
        (Path(name) / "sitecustomize.py").write_text(SHIFTED_CLOCK)
        clock = Path(name) / "shift"
        clock.write_text("0")
        environment = os.environ | {
            INSIDE: "1", CLOCK: str(clock),
            "PYTHONPATH": os.pathsep.join(filter(None, [name, os.environ.get("PYTHONPATH", "")])),
        }  # fmt: skip
        for unshare in (["unshare", "-m"], ["unshare", "-rm"]):
            if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode == 0:
                command = [*unshare, sys.executable, "-m", "benchmarks.storm", *arguments]
                return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
    print("the storm must be allowed to mount a small disk: run it as root, or allow user namespaces", file=sys.stderr)
    return 101


if __name__ == "__main__":
    sys.exit(main())
