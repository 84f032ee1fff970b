"""A store on a disk that is full or read-only: nothing is lost, and everything that is refused is refused in words."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from mnist_core.cli import main
from mnist_core.data import kept_digits
from mnist_core.errors import MnistCoreError, WriteError
from mnist_core.experiments.configs import RunConfig
from mnist_core.experiments.grids import sweep_spec
from mnist_core.experiments.spaces import search_spec
from mnist_core.files import read_json, temporary_near, write_json
from mnist_core.jobs import credentials, latency, local_service, service, store_server, worker
from mnist_core.jobs.attempts import Attempts
from mnist_core.jobs.execution import execute
from mnist_core.jobs.request import resume
from mnist_core.jobs.runners import LocalRunner
from mnist_core.people import OWNER
from mnist_core.recording.record import record
from mnist_core.remote.protocol import End, Heartbeat, Tokens
from mnist_core.runs import lease
from mnist_core.runs.classroom import Classroom
from mnist_core.runs.records import LiveProgress
from mnist_core.runs.run import Run
from mnist_core.runs.store import GONE, Store
from mnist_core.runs.writer import RunWriter
from mnist_core.studies import searches, sweeps
from tests.support.disks import contents, fill, refusing, tmpfs
from tests.support.synthetic import row

ROOT = Path(__file__).parents[2]


def figures(run: Run) -> list[object]:
    """The history of a run, without how long it took."""
    return [{**row.to_json(), "seconds": 0} for row in run.rows()]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A real disk of 2 MB."""
    with tmpfs(tmp_path / "disk", "2m"):
        yield tmp_path / "disk"


# -- every change ------------------------------------------------------------------------------------------------------


SWEEP = """
name = "mine"
base = "notebook/model_1"
[fixed]
"dataset.name" = "digits"
[grid]
"training.seed" = [0, 1]
"""
SEARCH = """
name = "mine"
base = "notebook/model_1"
trials = 2
[fixed]
"dataset.name" = "digits"
"training.validation" = { source = "held_out", fraction = 0.2 }
[space]
"training.learning_rate" = { low = 0.001, high = 0.01 }
"""


SECRET = "a" * 64
"""Of the attempt of a worker on another machine."""


class Idle(LocalRunner):
    """Trains nothing."""

    def submit(self, run_id: str) -> None:
        """Leave the run queued."""


def stock(store: Store, config: RunConfig) -> dict[str, str]:
    """Put runs into `store`, none of which was trained; their ids by their state, and `trash` of a deleted one."""
    ids = {}
    for seed, state in enumerate(("finished", "cancelled", "queued", "trash")):
        run, _ = store.add(config.replace(training__seed=seed), name=f"mine {state}")
        ids[state] = run.id
        if state in ("finished", "cancelled"):
            writer = store.open_writer(run.id)
            assert writer is not None
            writer.started([])
            writer.ended(state, f"{state} for the test")
    store.delete(ids["trash"])
    return ids


@pytest.fixture
def stocked(store: Store, small_config: RunConfig) -> dict[str, str]:
    return stock(store, small_config)


class Stocked:
    """A store that has something of every kind: runs, a sweep, searches, a class, a kept digit, a worker elsewhere."""

    def __init__(self, store: Store, config: RunConfig, folder: Path) -> None:
        self.store, self.ids = store, stock(store, config)
        texts = {"sweep": SWEEP, "search": SEARCH, "new": SWEEP.replace("0, 1", "2, 3")}
        for name, text in (texts | {"another": SEARCH.replace("0.001", "0.002")}).items():
            (folder / f"{name}.toml").write_text(text)
        self.sweep, _ = sweeps.start(store, Idle(store), sweep_spec(str(folder / "sweep.toml")))
        self.search = searches.add(store, search_spec(str(folder / "search.toml")))
        self.new_sweep = sweep_spec(str(folder / "new.toml"))
        self.new_search = search_spec(str(folder / "another.toml"))
        self.classroom = Classroom(store.root)
        self.digits = store.root / "digits"
        self.digit = kept_digits.keep(self.digits, np.eye(28, dtype=np.uint8), 1)
        labels = np.arange(10, dtype=np.uint8)
        images = np.random.default_rng(0).integers(0, 255, (10, 28, 28), np.uint8)
        self.data = folder / "data.npz"
        np.savez(self.data, x_train=images, y_train=labels, x_test=images, y_test=labels)
        self.attempts = Attempts(store, Tokens(b"secret"))
        self.sent = store.add(config.replace(training__seed=9), name="sent")[0].id
        self.attempts.claim(self.sent, 0, SECRET)
        self.beat()

    def run(self, state: str) -> Run:
        return self.store.get(self.ids[state])

    def beat(self, *epochs: int) -> None:
        """Have the worker send epochs."""
        rows = [row(epoch).to_json() for epoch in epochs]
        self.attempts.heartbeat(self.sent, 0, SECRET, Heartbeat(began=True, rows=rows or None))


WRITING: dict[str, Callable[[Stocked], object]] = {
    "rename": lambda s: s.store.describe(s.ids["finished"], name="other"),
    "cancel": lambda s: s.store.cancel(s.ids["queued"]),
    "request again": lambda s: s.store.request_again(s.ids["cancelled"]),
    "prune": lambda s: s.store.prune(s.ids["cancelled"], "given up"),
    "pause": lambda s: s.store.request_pause(s.ids["queued"]),
    "slow motion": lambda s: s.store.set_slow_motion(s.ids["queued"], 1.0),
    "train": lambda s: s.store.open_writer(s.ids["queued"]),
    "latency": lambda s: latency.ask(s.store, s.run("finished")),
    "a run from outside": lambda s: record("mine", predicted=list(range(10)), labels=list(range(10)), store=s.store),
    "a sweep": lambda s: sweeps.start(s.store, Idle(s.store), s.new_sweep),
    "a file of a sweep": lambda s: sweeps.SHELF.put(s.store, s.sweep.model_copy(update={"created_at": 1.0})),
    "a file of a search": lambda s: searches.add(s.store, s.new_search),
    "keep a digit": lambda s: kept_digits.keep(s.digits, np.eye(28, dtype=np.uint8), 2),
    "begin a class": lambda s: Classroom(s.store.root, new=True),
    "join a class": lambda s: s.classroom.join(s.classroom.code, "Ada"),
    "pin runs": lambda s: s.classroom.pin(OWNER, (s.ids["finished"],)),
    "close the board": lambda s: s.classroom.close_board(OWNER, True),
    "register data": lambda s: s.store.catalog.register("letters", s.data),
    "keep data": lambda s: s.store.catalog.keep("letters", s.data.read_bytes(), "data.npz"),
    "a file of a worker": lambda s: s.attempts.store_file(s.sent, 0, SECRET, "error.txt", b"it broke"),
    "an epoch of a worker": lambda s: s.beat(1),
    "the end of a worker": lambda s: s.attempts.end(s.sent, 0, SECRET, End(state="cancelled", files={})),
}
"""What takes space."""
DELETING: dict[str, Callable[[Stocked], object]] = {
    "delete": lambda s: s.store.delete(s.ids["finished"]),
    "restore": lambda s: s.store.restore(s.ids["trash"]),
    "empty the trash": lambda s: s.store.empty_trash(),
    "forget a sweep": lambda s: sweeps.SHELF.forget(s.store, s.sweep.id),
    "forget a search": lambda s: searches.SHELF.forget(s.store, s.search.id),
    "remove a digit": lambda s: kept_digits.remove(s.digits, s.digit.id),
}
"""What takes none, and so is done on a full disk too."""
STARTING: dict[str, Callable[[Stocked], object]] = {
    "service": lambda s: local_service.start(s.store.root),
    "server": lambda s: store_server.start(s.store.root, "https://localhost:1"),
    "a search": lambda s: searches.spawn(s.store, s.search.id),
}
"""What starts a process."""


class Disk(NamedTuple):
    """A disk with a store on it, and what fills it and makes room again."""

    store: Store
    fill: Callable[[], object]
    free: Callable[[], object]


@pytest.fixture(params=["mounted", "injected"])
def filling(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A store on a disk that can be filled: a real one, or one that refuses whatever takes space."""
    place = tmp_path / "disk"
    with contextlib.ExitStack() as stack:
        if request.param == "mounted":
            stack.enter_context(tmpfs(place, "2m"))
            store = Store(place / "store")
            yield Disk(store, lambda: fill(place), lambda: (place / "filler").unlink())
        else:
            store = Store(place / "store")
            yield Disk(store, lambda: stack.enter_context(refusing(place, errno.ENOSPC)), stack.close)


# -- full --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, small_config: RunConfig) -> list[object]:
    """The figures of the run of `small_config`, trained where there is space."""
    store = Store(tmp_path_factory.mktemp("space") / "store")
    run, _ = store.add(small_config, name="mine")
    execute(store, run.id)
    assert store.get(run.id).state == "finished"
    return figures(store.get(run.id))


class TestFull:
    def test_a_run_that_cannot_be_added_leaves_nothing(self, disk: Path, small_config: RunConfig) -> None:
        store = Store(disk / "store")
        filler = fill(disk)
        before = contents(disk / "store")
        with pytest.raises(WriteError, match="the disk is full; free some space, then try again; nothing"):
            store.add(small_config, name="mine")
        assert contents(disk / "store") == before
        assert os.listdir(store.root / "trash") == []
        filler.unlink()
        assert store.add(small_config, name="mine")[1]

    def test_a_made_up_refusal_leaves_nothing_either(self, store: Store, small_config: RunConfig) -> None:
        with refusing(store.root, errno.ENOSPC), pytest.raises(WriteError, match="the disk is full"):
            store.add(small_config, name="mine")
        assert os.listdir(store.root / "trash") == []
        assert store.scan() == ([], [])

    @pytest.mark.parametrize("change", WRITING)
    def test_what_takes_space_is_refused_leaves_nothing_and_is_done_when_there_is_room(
        self, tmp_path: Path, filling: Disk, small_config: RunConfig, change: str
    ) -> None:
        stocked = Stocked(filling.store, small_config, tmp_path)
        before = contents(filling.store.root)
        filling.fill()
        with pytest.raises(MnistCoreError, match="cannot be written: the disk is full; free some space"):
            WRITING[change](stocked)
        left = contents(filling.store.root)
        left.pop(f"runs/{stocked.ids['queued']}/cancel", None)  # the wish itself takes no space
        assert left == before
        filling.free()
        WRITING[change](stocked)
        assert contents(filling.store.root) != before

    def test_a_file_of_a_worker_that_was_refused_is_known_as_sent_once_there_is_room(
        self, tmp_path: Path, store: Store, small_config: RunConfig
    ) -> None:
        stocked = Stocked(store, small_config, tmp_path)
        with refusing(store.root, errno.ENOSPC), pytest.raises(WriteError):
            WRITING["a file of a worker"](stocked)
        WRITING["a file of a worker"](stocked)
        assert read_json(store.get(stocked.sent).path / "attempt.json")["sent"] == ["error.txt"]

    @pytest.mark.parametrize("change", DELETING)
    def test_what_takes_no_space_is_done_on_a_full_disk(
        self, tmp_path: Path, filling: Disk, small_config: RunConfig, change: str
    ) -> None:
        stocked = Stocked(filling.store, small_config, tmp_path)
        before = contents(filling.store.root)
        filling.fill()
        DELETING[change](stocked)
        assert contents(filling.store.root) != before

    @pytest.mark.parametrize("here", [(), ("--here",)])
    def test_the_command_says_so_in_a_sentence(
        self, disk: Path, here: tuple[str, ...], capsys: pytest.CaptureFixture[str]
    ) -> None:
        Store(disk / "store")
        fill(disk)
        command = ["train", "notebook/model_1", "--dataset", "digits", "--store", str(disk / "store"), *here]
        assert main(command) == 1
        output = capsys.readouterr().err.strip()
        assert output.startswith("mnist_core: ")
        assert output.endswith("cannot be written: the disk is full; free some space, then try again; nothing that is "
                             "stored is lost")  # fmt: skip
        assert "Traceback" not in output

    # from not even a claim to the run, over its attempt, history and environment, to the second checkpoint
    @pytest.mark.parametrize("free_kb", [0, 4, 8, 12, 16, 24, 150])
    def test_a_training_that_begins_with_little_space_says_so_and_goes_on_later(
        self, disk: Path, small_config: RunConfig, undisturbed: list[object], free_kb: int
    ) -> None:
        store, earlier, before, run = self.begun(disk, small_config)
        filler = fill(disk, free=1024 * free_kb)
        try:
            execute(store, run.id)
        except WriteError:  # not even the claim to the run can be written
            assert free_kb == 0
        self.check(store, run.id, filler, undisturbed)
        assert contents(earlier) == before

    @pytest.mark.parametrize("moment", ["started", "environment", "epoch", "model", "predictions", "ended"])
    def test_a_training_that_meets_a_full_disk_says_so_and_goes_on_later(
        self,
        disk: Path,
        small_config: RunConfig,
        undisturbed: list[object],
        moment: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        store, earlier, before, run = self.begun(disk, small_config)
        write = getattr(RunWriter, moment)

        def full(*arguments: Any, **options: Any) -> None:
            fill(disk)
            write(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(RunWriter, moment, full)
            execute(store, run.id)
        self.check(store, run.id, disk / "filler", undisturbed)
        assert contents(earlier) == before

    def begun(self, disk: Path, config: RunConfig) -> tuple[Store, Path, dict[str, str], Run]:
        """A store with a finished run, its folder and what is in it, and a queued run."""
        store = Store(disk / "store")
        earlier, _ = store.add(config.replace(training__seed=7, training__epochs=1), name="earlier")
        execute(store, earlier.id)
        assert store.get(earlier.id).state == "finished"
        return store, earlier.path, contents(earlier.path), store.add(config, name="mine")[0]

    def check(self, store: Store, run_id: str, filler: Path, undisturbed: list[object]) -> None:
        """The run says why it could not go on, is whole as far as it came, and goes on once there is space."""
        met = store.get(run_id)
        assert met.state in ("failed", "interrupted")
        assert "cannot be written: the disk is full; free some space" in met.status.reason
        assert not lease.held(met.path)
        rows = met.rows()  # raises where a line is torn
        assert [row.epoch for row in rows] == list(range(1, len(rows) + 1))
        assert not list(store.root.rglob(".tmp-*"))
        filler.unlink()
        resume(store, LocalRunner(store), run_id)
        assert store.get(run_id).state == "finished"
        assert figures(store.get(run_id)) == undisturbed

    def test_other_processes_learn_why_although_nothing_could_be_written(
        self, disk: Path, small_config: RunConfig
    ) -> None:
        """The reason stands in the lease, which needs no space."""
        store = Store(disk / "store")
        run, _ = store.add(small_config, name="mine")

        def fails(*arguments: object, **options: object) -> None:
            fill(disk)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(run.path / "checkpoint.npz"))

        assert execute(store, run.id, train=fails) == "interrupted"
        shown = subprocess.run(
            [sys.executable, "-m", "mnist_core", "show", run.id, "--store", store.root],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert f"mine ({run.id}) is interrupted: {run.id}/checkpoint.npz cannot be written: the disk is" in shown.stderr

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
    def test_made_up_refusals_in_the_middle_are_told_too(
        self, store: Store, small_config: RunConfig, number: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run, _ = store.add(small_config, name="mine")
        with contextlib.ExitStack() as stack:

            def fails(*arguments: object, **options: object) -> None:
                stack.enter_context(refusing(store.root, number))
                write_json(run.path / "environment.json", {})

            assert execute(store, run.id, train=fails) == "interrupted"
            if number == errno.ENOSPC:  # another process, which remembers nothing, learns it from the lease
                monkeypatch.setattr(lease, "_unwritten", {})
            met = store.get(run.id)
            assert met.state == "interrupted"
            assert met.status.reason.startswith(f"{run.id}/environment.json cannot be written: the ")
        assert store.request_again(run.id).state == "queued"

    def test_a_run_that_cannot_even_be_claimed_says_so_until_it_is_wanted_again(
        self, store: Store, small_config: RunConfig
    ) -> None:
        run, _ = store.add(small_config, name="mine")
        with refusing(store.root, errno.ENOSPC), pytest.raises(WriteError, match="the disk is full"):
            execute(store, run.id)
        met = store.get(run.id)
        assert (met.state, met.epochs_done) == ("interrupted", 0)
        assert "the disk is full" in met.status.reason
        assert store.request_again(run.id).state == "queued"

    def test_a_claim_that_cannot_be_written_leaves_no_empty_lease(self, disk: Path) -> None:
        """One would count as held for a moment, and as an attempt for ever."""
        fill(disk)
        with pytest.raises(WriteError, match=r"lease-1\.json cannot be written: the disk is full"):
            lease.claim(disk)
        assert lease.attempts(disk) == 0

    def test_the_service_is_not_started(self, disk: Path) -> None:
        store = Store(disk / "store")
        fill(disk)
        with pytest.raises(WriteError, match="the disk is full"):
            local_service.start(store.root)
        assert not local_service.log_path(store.root).exists()

    def test_a_training_does_not_end_for_want_of_its_progress(self, store: Store, small_config: RunConfig) -> None:
        run, _ = store.add(small_config, name="mine")
        writer = store.open_writer(run.id)
        assert writer is not None
        with refusing(store.root, errno.ENOSPC):
            writer.progress(LiveProgress(1, 3, 0, 10, 0.5, 0.5, 0.1))
        assert store.get(run.id).progress() is None

    def test_a_holder_that_cannot_let_go_holds_nothing_in_its_own_process(
        self, store: Store, small_config: RunConfig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(lease, "_unwritten", {})  # what other tests left
        run, _ = store.add(small_config, name="mine")
        writer = store.open_writer(run.id)
        assert writer is not None
        writer.started([])
        with refusing(store.root, errno.EROFS):
            with pytest.raises(WriteError, match="the store is read-only"):
                writer.ended("finished", "all epochs are done")
            writer.release("the store is read-only")
            assert lease.unreleased()  # so that a worker knows that it must end
            found = store.get(run.id)
            assert (found.state, found.status.reason) == ("interrupted", "the store is read-only")
        assert store.request_again(run.id).state == "queued"
        taken = store.open_writer(run.id)
        assert taken is not None
        assert not lease.unreleased()


def test_an_interrupted_run_always_has_a_reason(store: Store, small_config: RunConfig) -> None:
    run, _ = store.add(small_config, name="mine")
    writer = store.open_writer(run.id)
    assert writer is not None
    writer.started([])
    writer.release()
    assert (store.get(run.id).state, store.get(run.id).status.reason) == ("interrupted", GONE)


# -- read-only ---------------------------------------------------------------------------------------------------------


class TestReadOnly:
    def test_everything_can_be_read(
        self, store: Store, stocked: dict[str, str], read_only: Callable[[], None], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert store.writable
        read_only()
        again = Store(store.root)
        assert not again.writable
        assert [run.state for run in again.runs()] == ["finished", "cancelled", "queued"]
        assert [run.id for run in again.trash()[0]] == [stocked["trash"]]
        for command in (["runs"], ["runs", "--trash"], ["show", stocked["finished"]], ["sweeps"], ["searches"]):
            assert main([*command, "--store", str(store.root)]) == 0
        assert "Traceback" not in capsys.readouterr().err

    def test_a_store_of_shipped_runs_alone_can_be_read(self, tmp_path: Path, store: Store, read_only) -> None:
        for name in ("runs", "trash"):
            (store.root / name).rmdir()
        (store.root / "reference").mkdir()
        read_only()
        found = Store(store.root)
        assert found.scan() == ([], [])
        assert found.trash() == ([], [])
        assert not found.writable

    @pytest.mark.parametrize(
        "command",
        [
            "train notebook/model_1 --dataset digits --here",
            "train notebook/model_1 --dataset digits",
            "delete {finished}",
            "restore {trash}",
            "resume {cancelled} --here",
            "resume {queued}",
            "sweep {sweep} --here",
            "search {search} --here",
            "datasets --forget known",
        ],
    )
    def test_what_would_change_it_is_refused_in_a_sentence(
        self,
        tmp_path: Path,
        store: Store,
        stocked: dict[str, str],
        read_only: Callable[[], None],
        command: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        (store.root / "datasets.json").write_text('{"known": "somewhere.npz"}')
        files = {"sweep": tmp_path / "sweep.toml", "search": tmp_path / "search.toml"}
        files["sweep"].write_text(SWEEP)
        files["search"].write_text(SEARCH)
        before = contents(store.root)
        read_only()
        given = [part.format(**stocked, **files) for part in command.split()]
        assert main([*given, "--store", str(store.root)]) == 1
        output = capsys.readouterr().err
        assert "cannot be written: the store is read-only; to train or to change runs, use a store that" in output
        assert "Traceback" not in output
        assert contents(store.root) == before

    @pytest.mark.parametrize("change", [*WRITING, *DELETING, *STARTING])
    def test_every_change_is_refused(
        self, tmp_path: Path, store: Store, small_config: RunConfig, read_only: Callable[[], None], change: str
    ) -> None:
        stocked = Stocked(store, small_config, tmp_path)
        before = contents(store.root)
        read_only()
        with pytest.raises(MnistCoreError, match="cannot be written: the store is read-only"):
            (WRITING | DELETING | STARTING)[change](stocked)
        assert contents(store.root) == before


@pytest.mark.parametrize("change", ["forget", "stop", "run", "spawn"])
def test_a_sweep_or_a_search_that_is_there_cannot_be_changed_either(
    tmp_path: Path, store: Store, read_only: Callable[[], None], change: str
) -> None:
    (tmp_path / "sweep.toml").write_text(SWEEP)
    (tmp_path / "search.toml").write_text(SEARCH)
    sweep, _ = sweeps.start(store, Idle(store), sweep_spec(str(tmp_path / "sweep.toml")))
    search = searches.add(store, search_spec(str(tmp_path / "search.toml")))
    read_only()
    changes: dict[str, Callable[[], object]] = {
        "forget": lambda: sweeps.SHELF.forget(store, sweep.id),
        "stop": lambda: search.cancel(store, Idle(store)),
        "run": lambda: searches.run(store, Idle(store), search.id),
        "spawn": lambda: searches.spawn(store, search.id),
    }
    with pytest.raises(WriteError, match="cannot be written: the store is read-only"):
        changes[change]()
    assert sweeps.SHELF.get(store, sweep.id) == sweep
    assert searches.SHELF.get(store, search.id) == search


# -- the processes of the service --------------------------------------------------------------------------------------


def test_a_worker_that_cannot_let_go_of_a_run_ends_so_that_others_see_it(
    store: Store, small_config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "_unwritten", {})
    ended: list[int] = []
    monkeypatch.setattr(worker.os, "_exit", ended.append)
    process = worker._Process()
    process.replaceable = True
    process.end_if_due()
    assert ended == []
    held = lease.claim(store.add(small_config, name="mine")[0].path)
    assert held is not None
    with refusing(store.root, errno.EROFS):
        held.release()
    process.end_if_due()
    assert ended == [0]


def test_a_service_lives_on_where_its_address_cannot_be_written_for_a_while(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = lease.claim(local_service.lock_folder(store.root))
    assert held is not None
    scheduler: Any = SimpleNamespace(address="tls://127.0.0.1:1", workers={}, queued=[], unrunnable=[])
    with credentials.made(held.folder, held.attempt) as secret:
        serving = service.Service(store.root, held, secret, workers=1, idle_s=1.0)
        with refusing(store.root, errno.ENOSPC):
            serving._publish(scheduler)
        assert local_service.running(store.root) is None
        serving._publish(scheduler)
        assert local_service.running(store.root) is not None
        local_service.record_path(store.root).write_text("somebody else's")
        serving._publish(scheduler)
        assert local_service.running(store.root) is not None, "its address was spoiled and is there again"


def test_a_timing_that_cannot_be_kept_does_not_end_the_worker(
    store: Store, stocked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with refusing(store.root, errno.ENOSPC):
        latency.answer(store, store.get(stocked["finished"]))


# -- modes and what is left behind -------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o002])
def test_all_files_of_a_trained_run_have_the_mode_that_the_umask_gives(
    tmp_path: Path, small_config: RunConfig, umask: int
) -> None:
    before = os.umask(umask)
    try:
        store = Store(tmp_path / "store")
        run, _ = store.add(small_config, name="mine")
        execute(store, run.id)
        store.describe(run.id, note="a note")
    finally:
        os.umask(before)
    assert store.get(run.id).state == "finished"
    found = list(store.root.rglob("*"))
    assert {"model.keras", "predictions.npz", "history.jsonl", "meta.json", "lease-1.json"} <= {p.name for p in found}
    wrong = {
        str(path.relative_to(store.root)): oct(path.stat().st_mode & 0o777)
        for path in found
        if path.stat().st_mode & 0o777 != (0o777 if path.is_dir() else 0o666) & ~umask
    }
    assert wrong == {}


def killed(code: str, *arguments: object) -> None:
    """Run Python that kills itself without warning."""
    result = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT, check=False)
    assert result.returncode == -signal.SIGKILL


def test_what_a_killed_training_left_is_swept_when_the_run_is_next_opened(
    store: Store, small_config: RunConfig
) -> None:
    run, _ = store.add(small_config, name="mine")
    killed(
        "import os, signal, sys; from pathlib import Path\n"
        "from mnist_core.files import placing, replacing; from mnist_core.runs.store import Store\n"
        "run = Store(sys.argv[1]).open_writer(sys.argv[2]).run\n"
        "with replacing(run.path / 'checkpoint.npz') as file, replacing(run.path / 'status.json') as other:\n"
        "    with placing(run.path / 'model.keras') as model:\n"
        "        model.write_bytes(b'half'); file.write(b'half'); other.write(b'half')\n"
        "        os.kill(os.getpid(), signal.SIGKILL)",
        store.root,
        run.id,
    )
    assert len(list(run.path.glob(".*"))) == 3
    writer = store.open_writer(run.id)
    assert writer is not None
    assert list(run.path.glob(".*")) == []
    assert store.get(run.id).state == "queued"


def test_what_a_killed_request_left_is_swept_when_the_next_run_is_added(store: Store, small_config: RunConfig) -> None:
    killed(
        "import os, signal, sys; from pathlib import Path\n"
        "from mnist_core.runs import store as module; from mnist_core.experiments.configs import parse_config\n"
        "import json\n"
        "def die(path, data): path.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
        "module.write_json = die\n"
        "module.Store(sys.argv[1]).add(parse_config(json.loads(sys.argv[2])), name='mine')",
        store.root,
        small_config.model_dump_json(),
    )
    assert len(os.listdir(store.root / "trash")) == 1
    assert store.trash() == ([], [])
    assert store.add(small_config, name="mine")[1]
    assert os.listdir(store.root / "trash") == []


def test_what_killed_processes_left_anywhere_in_the_store_is_deleted_when_the_service_next_starts(
    store: Store, small_config: RunConfig
) -> None:
    run, _ = store.add(small_config, name="mine")
    execute(store, run.id)
    cancelled, _ = store.add(small_config.replace(training__seed=1), name="cancelled")
    store.cancel(cancelled.id)
    places = [store.root, run.path, cancelled.path, *(store.root / name for name in ("sweeps", "searches/0a", "trash"))]
    for place in places:
        place.mkdir(parents=True, exist_ok=True)
    before = contents(store.root)
    killed(
        "import os, signal, sys; from pathlib import Path; from mnist_core.files import temporary_near\n"
        "for place in sys.argv[1:]: temporary_near(Path(place) / 'some.json').write_bytes(b'half')\n"
        "os.kill(os.getpid(), signal.SIGKILL)",
        *places,
    )
    for name in ("checkpoint.npz", "progress.json"):  # its process was killed right after it had written the end
        (run.path / name).write_bytes(b"whole")
    assert len(contents(store.root)) == len(before) + len(places) + 2
    mine = temporary_near(run.path / "meta.json")  # of a process that is still at work
    mine.touch()
    store.tidy()
    mine.unlink()
    assert contents(store.root) == before
