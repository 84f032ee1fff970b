"""Workers without the store's folder: a real server on localhost, and workers in this process; training is a fake."""

from __future__ import annotations

import dataclasses
import http.client
import io
import json
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mnist_core import processes
from mnist_core.data.datasets import fingerprint
from mnist_core.errors import ConfigError, JobError, StaleAttempt
from mnist_core.experiments.configs import DatasetConfig, RunConfig, parse_config
from mnist_core.files import MOST_JSON_BYTES, read_json, write_json
from mnist_core.jobs import attempts as attempts_module
from mnist_core.jobs import execution, local_service, remote_training, runners, store_server
from mnist_core.jobs.execution import execute
from mnist_core.jobs.remote_training import Task, train_remotely
from mnist_core.jobs.runners import ServiceRunner
from mnist_core.jobs.store_server import Options, StoreServer, running
from mnist_core.remote import protocol
from mnist_core.remote.client import Client, HeldByAnother, ServerAddress, Unreachable
from mnist_core.remote.protocol import Claimed, End, Heartbeat, NewRun, SentProgress
from mnist_core.runs import lease
from mnist_core.runs.recorded import Recorded
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store
from mnist_core.runs.writer import history_content
from tests.support.fake_training import EPOCHS, FakeTrain, Killed
from tests.support.synthetic import row
from tests.support.waiting import until

QUICK_S = 0.02
SHIPPED_WEIGHTS = Path(__file__).parents[2] / "artifacts" / "reference" / "ed325fc80f4c" / "model.keras"


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def _nothing_is_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(remote_training, "_wait", lambda tries: QUICK_S)
    monkeypatch.setenv("MNIST_CORE_CACHE", str(tmp_path / "cache"))
    execution._last_dataset = None
    yield
    execution._last_dataset = None


@pytest.fixture
def server(store: Store, clock: Clock) -> Iterator[StoreServer]:
    server = made(store, clock)
    yield server
    server.stop()


def made(store: Store, clock: Clock, port: int = 0) -> StoreServer:
    """Start a server of the store on this machine, whose time is `clock`."""
    server = StoreServer(store, Options(f"https://127.0.0.1:{port}", "127.0.0.1"))
    server.attempts._clock = clock
    server.start()
    return server


@pytest.fixture
def run(store: Store, small_config: RunConfig) -> Run:
    """A run that keeps no weights, as the fake of a training has none that could be checked."""
    return store.add(small_config, name="a run", keep_weights=False)[0]


@pytest.fixture
def kept(store: Store) -> Run:
    """A run whose weights ship, so that there is a file of them without a training."""
    config = parse_config(read_json(SHIPPED_WEIGHTS.parent / "config.json"))
    shipped = read_json(SHIPPED_WEIGHTS.parent / "status.json")
    return store.add(config, name="with weights", fingerprint=shipped["fingerprint"])[0]


def task(server: StoreServer, run: Run) -> Task:
    token = server.tokens.training(run.id, run.status.requests)
    return Task(server.address, token, run.id, run.status.requests)


def client(server: StoreServer, run: Run, *, token: str | None = None) -> Client:
    """A worker of its own, which has not claimed the run yet."""
    found = task(server, run)
    return Client(ServerAddress.parse(server.address), token or found.token, secrets.token_hex(32))


def claimed(server: StoreServer, run: Run) -> Client:
    found = client(server, run)
    found.claim(run.id, run.status.requests)
    return found


def work(server: StoreServer, run: Run, train: Any = None) -> Any:
    return train_remotely(task(server, run), train=train or FakeTrain(), interval_s=QUICK_S)


def arrived(run: Run, name: str) -> bool:
    """True if a file is in the folder in which a worker trains the run."""
    return any(Path(tempfile.gettempdir()).glob(f"mnist-core-run-*/runs/{run.id}/{name}"))


def recorded(server: StoreServer, dataset: str = "mnist", fingerprint: str = "f" * 16) -> tuple[Client, Claimed]:
    """A run from outside that has just been made, and the client that holds it with nothing but the recording token."""
    found = Client(ServerAddress.parse(server.address), server.tokens.recording, secrets.token_hex(32))
    source = Recorded(dataset=dataset, content=secrets.token_hex(32))
    new = NewRun(attempt=found.attempt, recorded=source, name="from outside", fingerprint=fingerprint)
    return found, found.record(new)


def predicted() -> bytes:
    """A file of predictions that is as it must be."""
    content = io.BytesIO()
    np.savez(content, labels=np.arange(10, dtype=np.uint8), probabilities=np.eye(10, dtype=np.float32))
    return content.getvalue()


def rows(*epochs: int) -> list[dict[str, Any]]:
    return [row(epoch).to_json() for epoch in epochs]


# -- a training --------------------------------------------------------------------------------------------------------


def test_a_run_comes_back_from_a_worker_that_has_no_part_of_the_store(
    server: StoreServer, store: Store, run: Run
) -> None:
    assert work(server, run, FakeTrain(state="diverged")) == "diverged"
    found = store.get(run.id)
    assert (found.state, found.status.best_epoch, found.status.kept_epoch) == ("diverged", EPOCHS, EPOCHS)
    assert [one.epoch for one in found.rows()] == [1, 2, 3]
    assert found.environment() is not None
    assert not lease.held(found.path)
    assert not found.checkpoint_file.exists()


def test_the_files_are_the_same_as_of_a_run_that_is_trained_here(
    server: StoreServer, store: Store, small_config: RunConfig, tmp_path: Path
) -> None:
    here = Store(tmp_path / "here")
    run = store.add(small_config, name="a run", keep_weights=False)[0]
    here.add(small_config, name="a run", keep_weights=False)
    assert execute(here, run.id, train=FakeTrain()) == work(server, run) == "finished"
    local, remote = here.get(run.id), store.get(run.id)
    for name in ("history.jsonl", "predictions.npz", "scores.json", "environment.json"):
        assert (local.path / name).read_bytes() == (remote.path / name).read_bytes()
    kept = {path.name for path in remote.path.iterdir()} - {attempts_module.RECORD}
    assert kept == {path.name for path in local.path.iterdir()}


def test_a_run_goes_on_from_the_epochs_that_another_worker_has_sent(
    server: StoreServer, store: Store, run: Run
) -> None:
    def dies(epoch: int) -> None:
        if epoch == 3:
            until(lambda: store.get(run.id).epochs_done == 2)
            raise Killed

    with pytest.raises(Killed):
        work(server, run, FakeTrain(dies))
    assert store.get(run.id).state == "interrupted"
    second = FakeTrain()
    assert work(server, run, second) == "finished"
    assert second.trained == [3]
    assert [one.epoch for one in store.get(run.id).rows()] == [1, 2, 3]
    numbers = [json.loads(line)["attempt"] for line in (run.path / "attempts.jsonl").read_text().splitlines()]
    assert numbers == [1, 2]


def test_the_reason_of_a_failed_run_and_its_traceback_arrive(server: StoreServer, store: Store, run: Run) -> None:
    def fails(epoch: int) -> None:
        raise RuntimeError("the net is too wide")

    assert work(server, run, FakeTrain(fails)) == "failed"
    found = store.get(run.id)
    assert "the net is too wide" in found.status.reason
    assert "RuntimeError" in (found.path / "error.txt").read_text()


def test_the_traceback_of_a_run_that_fails_at_once_arrives_too(server: StoreServer, store: Store, run: Run) -> None:
    at_once = claimed(server, run)
    at_once.send("error.txt", b"RuntimeError")
    at_once.heartbeat(Heartbeat(began=True, rows_from=0))  # its first one, sent with all that it has
    at_once.end(End(state="failed", reason="it broke", files={"error.txt": protocol.sha256(b"RuntimeError")}))
    assert store.get(run.id).status.reason == "it broke"
    assert (run.path / "error.txt").read_bytes() == b"RuntimeError"


def test_an_attempt_does_not_keep_the_traceback_of_an_earlier_one(server: StoreServer, store: Store, run: Run) -> None:
    (run.path / "error.txt").write_text("of an earlier attempt")
    assert work(server, run) == "finished"
    assert not (run.path / "error.txt").exists()


def test_a_cancelled_run_stops_at_the_worker_and_keeps_what_it_has(server: StoreServer, store: Store, run: Run) -> None:
    def at_two(epoch: int) -> None:
        if epoch == 2:
            store.cancel(run.id)
            until(lambda: arrived(run, "cancel"))

    work(server, run, FakeTrain(at_two, state="finished"))
    found = store.get(run.id)
    assert found.state == "cancelled"
    assert found.epochs_done == 1


def test_a_paused_run_pauses_at_the_worker_and_goes_on_with_another(
    server: StoreServer, store: Store, run: Run
) -> None:
    def at_two(epoch: int) -> None:
        if epoch == 2:
            store.request_pause(run.id)
            until(lambda: arrived(run, "pause.json"))

    work(server, run, FakeTrain(at_two))
    assert store.get(run.id).state == "paused"
    assert store.get(run.id).checkpoint_file.exists()
    store.request_again(run.id)
    second = FakeTrain()
    work(server, store.get(run.id), second)
    assert 1 not in second.trained


# -- two attempts ------------------------------------------------------------------------------------------------------


def test_of_two_attempts_the_later_one_counts_and_the_other_is_stale(
    server: StoreServer, store: Store, run: Run
) -> None:
    first = claimed(server, run)
    first.heartbeat(Heartbeat(began=True, rows=rows(1)))
    second = claimed(server, run)
    for send in (
        lambda: first.heartbeat(Heartbeat(began=True, rows_from=1, rows=rows(2))),
        lambda: first.send("environment.json", b"{}"),
        lambda: first.end(End(state="cancelled", files={})),
        lambda: first.claim(run.id, 0),
    ):
        with pytest.raises(StaleAttempt):
            send()
    second.heartbeat(Heartbeat(began=True, rows_from=1, rows=rows(2)))
    assert [one.epoch for one in store.get(run.id).rows()] == [1, 2]


def test_the_training_of_a_stale_attempt_stops_and_nothing_of_it_is_kept(
    server: StoreServer, store: Store, run: Run
) -> None:
    other: list[Client] = []

    def at_two(epoch: int) -> None:
        if epoch == 2:
            until(lambda: store.get(run.id).epochs_done == 1)
            other.append(claimed(server, run))
            until(lambda: arrived(run, "cancel"))

    train = FakeTrain(at_two)
    assert work(server, run, train) is None
    assert train.trained == [1]
    assert store.get(run.id).state == "running"
    other[0].heartbeat(Heartbeat(began=True, rows_from=0, rows=[]))


def test_a_claim_whose_answer_was_lost_may_be_repeated(server: StoreServer, run: Run) -> None:
    worker = client(server, run)
    assert worker.claim(run.id, 0) == worker.claim(run.id, 0)
    worker.heartbeat(Heartbeat(began=True))


def test_the_task_of_an_earlier_request_gets_nothing(server: StoreServer, store: Store, run: Run) -> None:
    worker = claimed(server, run)
    old = task(server, run)
    store.cancel(run.id)
    worker.end(End(state="cancelled", files={}))
    store.request_again(run.id)
    assert train_remotely(old, train=FakeTrain(), interval_s=QUICK_S) is None
    assert store.get(run.id).state == "queued"


def test_a_run_that_is_trained_on_the_servers_machine_is_not_given_away(
    server: StoreServer, store: Store, run: Run
) -> None:
    writer = store.open_writer(run.id)
    assert writer is not None
    with pytest.raises(HeldByAnother):
        claimed(server, run)
    writer.release()


def test_a_run_that_is_killed_is_taken_from_its_worker_and_the_server_lives(
    server: StoreServer, store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runners, "KILL_AFTER_S", 0.05)
    worker = claimed(server, run)
    worker.heartbeat(Heartbeat(began=True, rows=rows(1)))
    assert lease.holder_pid(run.path) is None
    runners._kill(store, run.id)
    assert store.get(run.id).state == "cancelled"
    with pytest.raises(StaleAttempt):
        worker.heartbeat(Heartbeat(began=True))


# -- silence -----------------------------------------------------------------------------------------------------------


def test_a_silent_worker_loses_its_run_which_another_takes_up(
    server: StoreServer, store: Store, run: Run, clock: Clock
) -> None:
    silent = claimed(server, run)
    silent.heartbeat(Heartbeat(began=True, rows=rows(1)))
    clock.now += 59
    assert server.attempts.release_silent() == []
    assert store.get(run.id).state == "running"
    clock.now += 2
    assert server.attempts.release_silent() == [run.id]
    assert store.get(run.id).state == "interrupted"
    claimed(server, run).heartbeat(Heartbeat(began=True))
    with pytest.raises(StaleAttempt):
        silent.heartbeat(Heartbeat(began=True))


def test_a_worker_that_comes_back_before_anybody_took_its_run_goes_on(
    server: StoreServer, store: Store, run: Run, clock: Clock
) -> None:
    worker = claimed(server, run)
    worker.heartbeat(Heartbeat(began=True, rows=rows(1)))
    clock.now += 90
    server.attempts.release_silent()
    assert store.get(run.id).state == "interrupted"
    assert worker.heartbeat(Heartbeat(began=True, rows_from=1, rows=rows(2))).epochs == 2
    assert store.get(run.id).state == "running"


def test_a_worker_goes_on_after_the_server_was_started_anew(store: Store, run: Run, clock: Clock) -> None:
    first = made(store, clock)
    port = ServerAddress.parse(first.address).port
    ends: list[StoreServer] = []

    def at_two(epoch: int) -> None:
        if epoch == 2:
            until(lambda: store.get(run.id).epochs_done == 1)
            first.stop()
            ends.append(made(store, clock, port))

    state = work(first, run, FakeTrain(at_two, state="diverged"))
    assert ends[0].address == first.address
    ends[0].stop()
    assert state == "diverged"
    assert store.get(run.id).state == "diverged"
    assert [one.epoch for one in store.get(run.id).rows()] == [1, 2, 3]


def test_the_clock_of_a_worker_does_not_matter(
    server: StoreServer, store: Store, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins = time.time()
    real = time.time

    def wrong() -> float:
        name = threading.current_thread().name
        here = name.startswith(("AnyIO", "store-server-"))
        return real() if here else real() - 600

    monkeypatch.setattr(time, "time", wrong)
    assert work(server, run, FakeTrain(state="diverged")) == "diverged"
    monkeypatch.setattr(time, "time", real)
    status = store.get(run.id).status
    assert status.started_at is not None
    assert status.ended_at is not None
    assert begins <= status.started_at <= status.ended_at <= time.time()


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_a_file_that_was_changed_on_the_way_is_refused(server: StoreServer, run: Run) -> None:
    worker = claimed(server, run)
    headers = {protocol.DIGEST_HEADER: protocol.digest(b"{}")}
    with pytest.raises(JobError, match=r"hash of environment\.json"):
        worker._ask("PUT", f"{worker._run}/files/environment.json", b"[]", headers)
    assert not (run.path / "environment.json").exists()


def test_an_end_whose_hashes_do_not_fit_is_refused_and_the_run_stays(
    server: StoreServer, store: Store, run: Run
) -> None:
    worker = claimed(server, run)
    worker.heartbeat(Heartbeat(began=True, rows=rows(1)))
    for files, problem in (
        ({"history.jsonl": "0" * 64}, "another hash"),
        ({"model.keras": "0" * 64}, "has not arrived"),
        ({"../status.json": "0" * 64}, "no file that a worker may send"),
    ):
        with pytest.raises(JobError, match=problem):
            worker.end(End(state="finished", files=files))
    assert store.get(run.id).state == "running"


@pytest.mark.parametrize(
    "name",
    [
        "model.keras", "predictions.npz", "predictions-1.npz", "checkpoint.npz", "scores.json", "environment.json",
        "error.txt",
    ],
)  # fmt: skip
def test_a_file_whose_content_is_not_as_it_must_be_is_refused_when_it_arrives(
    server: StoreServer, run: Run, name: str
) -> None:
    before = {path.name for path in run.path.iterdir()}
    worker = claimed(server, run)
    with pytest.raises(JobError, match=rf"refuses: .*{re.escape(name)}"):
        worker.send(name, b"\xff not what it must be")
    assert not {path.name for path in run.path.iterdir()} - before - {attempts_module.RECORD, "lease-1.json"}


def test_weights_are_taken_for_their_own_model_only(server: StoreServer, store: Store, run: Run, kept: Run) -> None:
    weights = SHIPPED_WEIGHTS.read_bytes()
    with pytest.raises(JobError, match="its layers are not those of"):
        claimed(server, run).send("model.keras", weights)
    claimed(server, kept).send("model.keras", weights)
    assert store.get(run.id).model_file is None
    assert store.get(kept.id).model_file is not None


def test_a_file_that_the_end_does_not_name_is_no_part_of_the_run(server: StoreServer, store: Store, kept: Run) -> None:
    worker, content = claimed(server, kept), predicted()
    worker.send("predictions.npz", content)
    worker.send("predictions-1.npz", content)
    worker.send("model.keras", SHIPPED_WEIGHTS.read_bytes())
    worker.end(End(state="cancelled", files={"predictions.npz": protocol.sha256(content)}))
    found = store.get(kept.id)
    assert found.state == "cancelled"
    assert found.predictions() is not None
    assert found.model_file is None
    assert not found.predictions_file(1).exists()


def test_what_an_earlier_end_named_stays_after_one_that_does_not_name_it(
    server: StoreServer, store: Store, run: Run
) -> None:
    worker, content = claimed(server, run), predicted()
    worker.send("predictions.npz", content)
    worker.end(End(state="cancelled", files={"predictions.npz": protocol.sha256(content)}))
    store.request_again(run.id)
    again = claimed(server, store.get(run.id))
    again.send("predictions-1.npz", content)
    again.end(End(state="cancelled", files={}))
    assert store.get(run.id).predictions() is not None
    assert not run.predictions_file(1).exists()


def test_what_a_lost_attempt_has_sent_is_no_part_of_a_run_that_another_ends(
    server: StoreServer, store: Store, run: Run
) -> None:
    claimed(server, run).send("predictions-2.npz", predicted())
    assert work(server, run) == "finished"
    assert not run.predictions_file(2).exists()


def test_a_run_with_epochs_does_not_end_without_the_hash_of_its_history(
    server: StoreServer, store: Store, run: Run
) -> None:
    worker = claimed(server, run)
    worker.heartbeat(Heartbeat(began=True, rows=rows(1)))
    with pytest.raises(JobError, match=r"SHA-256 of history\.jsonl is missing"):
        worker.end(End(state="cancelled", files={}))
    assert store.get(run.id).state == "running"
    worker.end(End(state="failed", reason="it was refused", files={}))  # there is nothing that it vouches for
    assert store.get(run.id).state == "failed"


def test_a_run_does_not_finish_without_its_predictions(server: StoreServer, store: Store, run: Run) -> None:
    worker = claimed(server, run)
    with pytest.raises(JobError, match=r"predictions\.npz has not arrived"):
        worker.end(End(state="finished", files={}))
    assert store.get(run.id).state == "queued"


def progress(**changes: Any) -> SentProgress:
    known = {"epoch": 1, "epochs": EPOCHS, "step": 1, "steps": 2, "loss": 0.5, "accuracy": 0.5, "seconds": 0.1}
    return SentProgress.model_validate(known | changes)


def test_a_run_has_no_more_epochs_than_its_plan(server: StoreServer, store: Store, run: Run) -> None:
    worker = claimed(server, run)
    for message in (
        Heartbeat(began=True, rows=rows(*range(1, EPOCHS + 2))),
        Heartbeat(began=True, progress=progress(epochs=EPOCHS + 1)),
    ):
        with pytest.raises(JobError, match=f"would have {EPOCHS + 1} epochs, and {EPOCHS} are planned"):
            worker.heartbeat(message)
    worker.heartbeat(Heartbeat(began=True, rows=rows(*range(1, EPOCHS + 1)), progress=progress()))
    assert store.get(run.id).epochs_done == EPOCHS
    with pytest.raises(ValueError, match="none may be above its number"):
        progress(step=3)


def test_a_run_from_outside_without_a_plan_has_a_limit_of_epochs_all_the_same(
    server: StoreServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(history_content([row(protocol.MOST_EPOCHS)])) * protocol.MOST_EPOCHS < MOST_JSON_BYTES
    monkeypatch.setattr(protocol, "MOST_EPOCHS", 2)
    recorder, made = recorded(server)
    recorder.heartbeat(Heartbeat(began=True, rows=rows(1, 2)))
    with pytest.raises(JobError, match="would have 3 epochs, and 2 are allowed"):
        recorder.heartbeat(Heartbeat(began=True, rows_from=2, rows=rows(3)))
    assert store.get(made.run_id).epochs_done == 2


def test_a_run_does_not_end_with_an_epoch_that_it_has_not(server: StoreServer, store: Store, run: Run) -> None:
    worker, content = claimed(server, run), predicted()
    worker.send("predictions.npz", content)
    files = {"predictions.npz": protocol.sha256(content)}
    with pytest.raises(JobError, match="the best epoch is 77, and run a run has 0"):
        worker.end(End(state="finished", best_epoch=77, files=files))
    with pytest.raises(JobError, match="has no epoch, and a training that has finished has one"):
        worker.end(End(state="finished", files=files))
    worker.heartbeat(Heartbeat(began=True, rows=rows(1)))
    files["history.jsonl"] = protocol.sha256((run.path / "history.jsonl").read_bytes())
    with pytest.raises(JobError, match="the kept epoch is 2, and run a run has 1"):
        worker.end(End(state="finished", best_epoch=1, kept_epoch=2, files=files))
    assert store.get(run.id).state == "running"
    worker.end(End(state="finished", best_epoch=1, kept_epoch=1, files=files))
    assert store.get(run.id).state == "finished"


@pytest.mark.parametrize(("tags", "limit"), [(["a"] * 51, 50), (["a" * 81], 80)])
def test_a_run_from_outside_has_no_more_and_no_longer_tags_than_one_of_a_person(
    server: StoreServer, store: Store, tags: list[str], limit: int
) -> None:
    found = Client(ServerAddress.parse(server.address), server.tokens.recording, secrets.token_hex(32))
    source = Recorded(dataset="mnist", content=secrets.token_hex(32))
    new = NewRun(attempt=found.attempt, recorded=source, name="tagged", fingerprint="f" * 16)
    with pytest.raises(JobError, match=f"refuses: .*tags.*{limit}"):
        found.record(new.model_copy(update={"tags": tuple(tags)}))
    assert store.runs() == []


@pytest.mark.parametrize("name", ["model.keras", "checkpoint.npz"])
def test_a_run_from_outside_gets_no_weights(server: StoreServer, store: Store, name: str) -> None:
    recorder, made = recorded(server)
    with pytest.raises(JobError, match=f"keeps no {name}"):
        recorder.send(name, SHIPPED_WEIGHTS.read_bytes())
    recorder.end(End(state="cancelled", files={}))
    assert store.get(made.run_id).model_file is None


@pytest.mark.parametrize(
    "name", ["status.json", "config.json", "lease-9.json", "attempt.json", "..%2Fstatus.json", "predictions-0.npz", "x"]
)
def test_only_files_of_the_list_are_taken(server: StoreServer, run: Run, name: str) -> None:
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}
    worker = claimed(server, run)
    with pytest.raises(JobError, match=r"no file that a worker may send|nothing at this address"):
        worker.send(name, b"{}")
    after = {path.name: path.read_bytes() for path in run.path.iterdir() if path.name in before}
    assert after == before


def test_a_file_that_is_too_large_is_refused_before_it_is_read(
    server: StoreServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = claimed(server, run)
    monkeypatch.setattr(protocol, "MOST_FILE_BYTES", 1000)
    with pytest.raises(JobError, match="longer than"):
        worker.send("checkpoint.npz", b"0" * 1001)
    assert not run.checkpoint_file.exists()


def test_text_has_a_smaller_limit_and_predictions_a_number(
    server: StoreServer, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = claimed(server, run)
    monkeypatch.setattr(protocol, "MOST_MESSAGE_BYTES", 500)
    assert len(predicted()) > 500
    worker.send("checkpoint.npz", predicted())
    with pytest.raises(JobError, match="longer than"):
        worker.send("error.txt", b" " * 501)
    for epoch in range(1, protocol.MOST_OTHER_EPOCHS + 1):
        worker.send(f"predictions-{epoch}.npz", predicted())
    worker.send("predictions-1.npz", predicted())
    with pytest.raises(JobError, match="predictions of 8 epochs already"):
        worker.send("predictions-9.npz", predicted())


@pytest.mark.parametrize("token", ["", "0" * 64])
def test_a_wrong_token_is_refused(server: StoreServer, store: Store, run: Run, token: str) -> None:
    stranger = client(server, run, token=token or " ")
    with pytest.raises(JobError, match="token"):
        stranger.claim(run.id, 0)
    assert store.get(run.id).state == "queued"
    assert not lease.attempts(run.path)


def test_the_token_of_one_run_is_none_for_another(
    server: StoreServer, store: Store, run: Run, small_config: RunConfig
) -> None:
    other = store.add(small_config.replace(training__seed=7), name="another")[0]
    with pytest.raises(JobError, match="token"):
        client(server, run).claim(other.id, 0)


def test_a_server_with_another_certificate_gets_nothing(server: StoreServer, run: Run) -> None:
    wrong = dataclasses.replace(ServerAddress.parse(server.address), pin="0" * 64)
    with pytest.raises(JobError, match="another certificate"):
        Client(wrong, "secret", "0" * 64).claim(run.id, 0)


def test_a_certificate_that_nobody_vouches_for_needs_its_fingerprint(server: StoreServer, run: Run) -> None:
    unpinned = dataclasses.replace(ServerAddress.parse(server.address), pin="")
    with pytest.raises(JobError, match="give its fingerprint"):
        Client(unpinned, "secret", "0" * 64).claim(run.id, 0)


def test_a_client_that_does_not_encrypt_is_refused(server: StoreServer) -> None:
    address = ServerAddress.parse(server.address)
    connection = http.client.HTTPConnection(address.host, address.port, timeout=5)
    connection.request("GET", "/v1")
    with pytest.raises((OSError, http.client.HTTPException)):
        connection.getresponse()


@pytest.mark.parametrize("text", ["http://host:1", "host:1", "https://", "https://host:1#sha256=12", "https://host:x"])
def test_an_address_that_cannot_be_used_is_refused_with_the_form_that_can(text: str) -> None:
    with pytest.raises(ConfigError, match="https://HOST:PORT"):
        ServerAddress.parse(text)


def test_a_message_that_is_not_as_it_must_be_is_refused_in_a_sentence(server: StoreServer, run: Run) -> None:
    worker = claimed(server, run)
    for body in (b"{", b"[]", b'{"began": 3}', json.dumps({"began": True, "rows": rows(5)}).encode()):
        with pytest.raises(JobError, match="refuses: "):
            worker._ask("POST", f"{worker._run}/heartbeat", body)


# -- data --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def data_file(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    arrays = {
        f"{kind}_{part}": (
            generator.integers(0, 255, (20, 28, 28), np.uint8) if kind == "x" else np.arange(20, dtype=np.uint8) % 10
        )
        for kind in "xy"
        for part in ("train", "test")
    }
    path = tmp_path / "data.npz"
    np.savez_compressed(path, **arrays)
    return path


def test_data_that_the_worker_lacks_are_sent_once_and_compared_with_their_fingerprint(
    server: StoreServer, store: Store, small_config: RunConfig, data_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = store.catalog.register("letters", data_file)
    fetched: list[str] = []
    real = Client.fetch_data
    monkeypatch.setattr(Client, "fetch_data", lambda *given: (fetched.append("once"), real(*given)))
    for seed in (0, 1):
        config = small_config.replace(dataset=DatasetConfig(name="letters"), training__seed=seed)
        run = store.add(config, name="letters", keep_weights=False)[0]
        assert work(server, run, FakeTrain(state="diverged")) == "diverged"
        assert store.get(run.id).status.fingerprint == data.fingerprint
    assert fetched == ["once"]


def test_data_that_have_changed_at_the_server_fail_the_run_with_the_reason(
    server: StoreServer, store: Store, small_config: RunConfig, data_file: Path
) -> None:
    store.catalog.register("letters", data_file)
    run = store.add(small_config.replace(dataset=DatasetConfig(name="letters")), name="letters")[0]
    with np.load(data_file) as found:
        arrays = dict(found)
    arrays["x_train"] = 255 - arrays["x_train"]
    np.savez_compressed(data_file, **arrays)
    assert fingerprint(arrays) != run.status.fingerprint
    assert work(server, run) == "failed"
    assert "has changed on the server" in store.get(run.id).status.reason


# -- the processes -----------------------------------------------------------------------------------------------------


def test_one_store_has_one_server_whose_secrets_are_for_its_owner_alone(server: StoreServer, store: Store) -> None:
    with pytest.raises(JobError, match="another store server"):
        StoreServer(store, Options("https://127.0.0.1:0", "127.0.0.1")).start()
    folder = store.root / ".service" / "server"
    assert {path.stat().st_mode & 0o077 for path in folder.glob("*") if path.name in ("secret", "certificate.pem")} == {
        0
    }
    found = running(store.root)
    assert found is not None
    assert found.address == server.address


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts the start of a process from boot")
def test_a_server_is_found_after_the_clock_was_set(server: StoreServer, store: Store) -> None:
    path = store.root / ".service" / "server" / "server.json"
    record = read_json(path)
    write_json(path, record | {"process_started": record["process_started"] - 3600})
    found = running(store.root)
    assert found is not None
    assert found.address == server.address
    write_json(path, record | {"process_mark": "another-boot 17"})
    assert running(store.root) is None


def test_who_starts_a_server_while_another_comes_up_gets_that_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"])
    ended.wait()
    monkeypatch.setattr(local_service, "detached", lambda *given: ended)
    record = store_server.ServerRecord("https://there:1", **processes.this_process())
    answers = iter([None, None, record])
    monkeypatch.setattr(store_server, "running", lambda root: next(answers))
    held = lease.claim(store_server.folder(store.root))
    assert held is not None
    assert store_server.start(store.root, "https://there:1") is record
    held.release()
    monkeypatch.setattr(store_server, "running", lambda root: None)
    with pytest.raises(JobError, match="did not come up"):
        store_server.start(store.root, "https://there:1")


def test_a_secret_that_others_may_read_is_not_used(store: Store, server: StoreServer) -> None:
    server.stop()
    (store.root / ".service" / "server" / "secret").chmod(0o644)
    with pytest.raises(JobError, match="another account"):
        StoreServer(store, Options("https://127.0.0.1:0", "127.0.0.1"))


@pytest.mark.parametrize("address", ["tcp://cluster:8786", "cluster:8786", "tcp://10.0.0.1:8786"])
def test_a_scheduler_elsewhere_without_encryption_is_refused(store: Store, run: Run, address: str) -> None:
    with pytest.raises(JobError, match="MNIST_CORE_ALLOW_UNENCRYPTED"):
        ServiceRunner(store, address).submit(run.id)


def test_a_server_that_does_not_answer_is_tried_again_and_then_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_training, "CLAIM_PATIENCE_S", 0.1)
    nobody = Task("https://127.0.0.1:9", "token", run.id, 0)
    with pytest.raises(Unreachable, match=r"https://127\.0\.0\.1:9 does not answer"):
        train_remotely(nobody, train=FakeTrain())
