"""The attempts of workers on other machines at the runs of a store, as the store server keeps them.

The server's process holds the leases of such runs, and writes what the workers send. An attempt lives by its messages:
the run of a worker that is silent for too long is released, and is then interrupted, for another worker to take up.
Time is measured by this process alone, so that no clock of another machine matters. Of two attempts at a run, the later
one counts, and the other gets StaleAttempt for all that it sends from then on.

`attempt.json` in the run's folder has a hash of the latest attempt's secret. With it a worker goes on after the server
was started again, or after a silence in which nobody else took the run.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mnist_core.archives import read_arrays
from mnist_core.errors import DamagedFile, MnistCoreError, StaleAttempt, StoreError
from mnist_core.evaluation.predictions import Predictions
from mnist_core.experiments.frozen import Frozen, damage
from mnist_core.files import placing, read_bytes, read_json, replacing, write_json, writing
from mnist_core.recording.run_archive import check_weights
from mnist_core.remote import protocol
from mnist_core.remote.client import HeldByAnother, NothingToTrain
from mnist_core.remote.protocol import HISTORY, PREDICTIONS, Claimed, End, Heartbeat, NewRun, Tokens, Wishes
from mnist_core.runs import lease
from mnist_core.runs.records import SCORES, Environment, EpochRow, LiveProgress
from mnist_core.runs.run import Run, read_scores
from mnist_core.runs.states import LIVE
from mnist_core.runs.store import Store
from mnist_core.runs.writer import RunWriter

SILENCE_S = 60.0
"""Seconds without a message after which a worker counts as gone."""
MOST_EARLIER = 100
RECORD = "attempt.json"

logger = logging.getLogger("mnist_core.jobs.attempts")


class Refused(MnistCoreError):
    """What a worker has sent is not what it must be."""


class _AttemptRecord(Frozen):
    """`attempt.json`.

    attempt: SHA-256 of the latest attempt's secret; earlier: of those before it, which are over. sent: the files that
    have come since the run last ended, so that no end has named them yet.
    """

    attempt: str
    lease: int
    requests: int = 0
    earlier: tuple[str, ...] = ()
    sent: tuple[str, ...] = ()


@dataclass
class _HeldAttempt:
    """An attempt that holds its run.

    record: as it stands in `attempt.json`. seen: when the last message came, in seconds of the server's clock.
    """

    record: _AttemptRecord
    requests: int
    writer: RunWriter
    rows: list[EpochRow]
    seen: float
    began: bool = False

    @property
    def mark(self) -> str:
        """SHA-256 of its secret."""
        return self.record.attempt

    @property
    def run(self) -> Run:
        return self.writer.run

    def keep(self, **changes: object) -> None:
        """Write `attempt.json`, with these changes; where the disk refuses, the record stays as it was."""
        record = self.record.model_copy(update=changes)
        write_json(self.run.path / RECORD, record.model_dump(mode="json"))
        self.record = record


class Attempts:
    """The attempts at the runs of one store; several threads may use it.

    Parameters
    ----------
    store
        whose only writer this process is, for the runs that are trained elsewhere.
    tokens
        of the server, for the answers to claims.
    silence_s
        seconds without a message after which an attempt is over.
    clock
        returns seconds that only grow.
    """

    def __init__(
        self,
        store: Store,
        tokens: Tokens,
        *,
        silence_s: float = SILENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self._tokens, self._silence_s, self._clock = tokens, silence_s, clock
        self._held: dict[str, _HeldAttempt] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """Number of runs that are held for workers now."""
        return len(self._held)

    # -- beginning -----------------------------------------------------------------------------------------------------

    def claim(self, run_id: str, requests: int, secret: str) -> tuple[Claimed, dict[str, bytes]]:
        """Give a run to a new attempt; the same secret may claim again, as an answer can be lost on the way.

        Parameters
        ----------
        run_id, requests
            the run, and the request of it that the worker's task was made for.
        secret
            of the attempt.

        Returns
        -------
        tuple[Claimed, dict[str, bytes]]
            the attempt, and the files that the worker needs: by name, those of a parent as ``parent/NAME``.

        Raises
        ------
        StaleAttempt
            where a later attempt has had the run, or it was requested again since.
        NothingToTrain, HeldByAnother
            where it has ended, or a process of this machine holds it.
        """
        with self._locked(run_id):
            run = self.store.get(run_id)
            if run.read_only or run.ended or run.recorded:
                raise NothingToTrain(f"run {run.name} is {run.state}; there is nothing to train")
            self._take(run, requests, secret)
            return self._claimed(run_id), self._given(run_id)

    def record(self, new: NewRun) -> Claimed:
        """Make a run from outside and give it to an attempt. Raises as `claim` and `Store.add_recorded` do."""
        run_id = new.recorded.run_id(new.fingerprint)
        with self._locked(run_id):
            run, _ = self.store.add_recorded(
                new.recorded, name=new.name, fingerprint=new.fingerprint, tags=new.tags, note=new.note
            )
            if run.read_only or run.ended or run.recorded is None:
                raise NothingToTrain(f"run {run.name} is here already, and has ended")
            self._take(run, run.status.requests, new.attempt)
            return self._claimed(run_id)

    def _take(self, run: Run, requests: int, secret: str) -> None:
        if requests != run.status.requests:
            raise StaleAttempt(f"run {run.name} was requested again since this task was made")
        mark, record = _mark(secret), _record(run.path)
        if record and mark in record.earlier:
            raise StaleAttempt(f"a later attempt has taken over run {run.name}")
        held = self._held.get(run.id)
        if held is not None and held.mark == mark and self._holds(held):
            held.seen = self._clock()
            return
        if held is not None:  # its task was given to another worker, as the scheduler takes this one for lost
            self._held.pop(run.id)
            held.writer.release()
        self._open(run, requests, mark, record)

    def _open(self, run: Run, requests: int, mark: str, record: _AttemptRecord | None) -> _HeldAttempt:
        writer = self.store.open_writer(run.id, elsewhere=True)
        if writer is None:
            raise HeldByAnother(f"run {run.name} is being trained by another process")
        try:
            if self.store.get(run.id).status.state not in LIVE:  # it was ended between the two looks
                raise NothingToTrain(f"run {run.name} has ended")
            before = [] if record is None else [*record.earlier, record.attempt]
            earlier = tuple(dict.fromkeys(one for one in before if one != mark))[-MOST_EARLIER:]
            sent = () if record is None else record.sent
            found = _AttemptRecord(attempt=mark, lease=writer.attempt, requests=requests, earlier=earlier, sent=sent)
            try:
                rows = run.rows()
            except StoreError:  # damaged; the worker sends them again
                rows = []
            held = _HeldAttempt(found, requests, writer, rows, self._clock())
            held.keep()
            if record is None or record.attempt != mark:  # not later: the attempt may send its own before it says more
                (run.path / "error.txt").unlink(missing_ok=True)
            self._held[run.id] = held
        except BaseException:
            writer.release()
            raise
        return held

    def _claimed(self, run_id: str) -> Claimed:
        held = self._held[run_id]
        return Claimed(
            run_id=run_id,
            requests=held.requests,
            lease=held.writer.attempt,
            token=self._tokens.training(run_id, held.requests),
        )

    def _given(self, run_id: str) -> dict[str, bytes]:
        run = self.store.get(run_id)
        found = _contents(run.path, protocol.GIVEN)
        if run.config.parent is not None and "checkpoint.npz" not in found:
            parent = self.store.parent(run.config).parent
            of_parent = _contents(parent, protocol.GIVEN_OF_PARENT)
            found |= {f"parent/{name}": content for name, content in of_parent.items()}
        return found

    # -- the messages of an attempt ------------------------------------------------------------------------------------

    def heartbeat(self, run_id: str, requests: int, secret: str, message: Heartbeat) -> Wishes:
        """Write what is new; return what people want of the run. Raises StaleAttempt."""
        with self._attempt(run_id, requests, secret) as held:
            if message.began and not held.began:
                held.writer.started(held.rows)
                held.began = True
            if message.rows is not None and message.rows_from <= len(held.rows):
                self._write_rows(held, message.rows_from, message.rows)
            if message.progress is not None:
                _check_epochs(held.run, message.progress.epochs, None)
                held.writer.progress(LiveProgress(**message.progress.model_dump()))
            run = held.run
            delay = run.slow_motion_wish()
            return Wishes(
                epochs=len(held.rows), cancel=held.writer.cancel_requested, pause=run.pause(), slow_motion=delay
            )

    @staticmethod
    def _write_rows(held: _HeldAttempt, start: int, data: list[dict[str, object]]) -> None:
        try:
            rows = [EpochRow.from_json(item) for item in data]
        except ValueError as error:
            raise Refused(f"an epoch is not as it must be: {error}") from None
        numbers = [row.epoch for row in rows]
        if numbers != list(range(start + 1, start + 1 + len(rows))):
            raise Refused(f"the epochs after {start} are numbered {numbers[:5]}; they must count on from there")
        _check_epochs(held.run, start + len(rows), protocol.MOST_EPOCHS)
        if start == len(held.rows):
            for row in rows:
                held.writer.epoch(row)
                held.rows.append(row)
        elif rows != held.rows[start:]:
            held.writer.history([*held.rows[:start], *rows])
            held.rows[start:] = rows

    def store_file(self, run_id: str, requests: int, secret: str, name: str, content: bytes) -> None:
        """Write a file of the run; the caller has compared its hash.

        Raises
        ------
        Refused
            where the run may have no file of this name, or the content is not as it must be; what was there stays.
        StaleAttempt
            where the attempt does not hold the run.
        """
        if not protocol.may_be_sent(name):
            raise Refused(f"{name!r} is no file that a worker may send")
        with self._attempt(run_id, requests, secret) as held:
            held.writer.check()
            run, path = held.run, held.run.path / name
            if run.recorded and name in protocol.OF_TRAINED_RUNS:
                raise Refused(f"run {run.name} was recorded from outside, and keeps no {name}")
            if name.startswith("predictions-") and not path.exists():
                there = len(list(run.path.glob("predictions-*.npz")))
                if there >= protocol.MOST_OTHER_EPOCHS:
                    raise Refused(f"there are predictions of {there} epochs already, the most that are taken")
            if name not in held.record.sent:
                held.keep(sent=(*held.record.sent, name))
            with placing(path) as arrived:
                with replacing(arrived) as file:
                    file.write(content)
                _check_content(run, name, arrived)

    def end(self, run_id: str, requests: int, secret: str, message: End) -> None:
        """Compare all that was sent with its hashes, and end the run; doing so twice is harmless.

        What was sent and is not named in the message is no part of the run, and is deleted.

        Raises
        ------
        Refused
            where a file is missing or has another hash, or an epoch is named that the run has not; the run is then as
            it was.
        StaleAttempt
            where the attempt does not hold the run.
        """
        with self._locked(run_id):
            run = self.store.get(run_id)
            record = _record(run.path)
            if run.ended and record and record.attempt == _mark(secret) and run.state == message.state:
                return  # the answer to the first message was lost
        with self._attempt(run_id, requests, secret) as held:
            _compare(held.run, message)
            if held.rows and HISTORY not in message.files and message.state != "failed":
                raise Refused(f"the SHA-256 of {HISTORY} is missing; a run that has epochs ends with it")
            _check_ending(held, message)
            with writing(held.run.path):
                for name in set(held.record.sent) - set(message.files) - set(protocol.FOR_THE_NEXT_ATTEMPT):
                    (held.run.path / name).unlink(missing_ok=True)
            held.keep(sent=())
            if not held.began and message.state != "cancelled" and message.state != "failed":
                held.writer.started(held.rows)
            held.writer.ended(
                message.state, message.reason, best_epoch=message.best_epoch, kept_epoch=message.kept_epoch
            )
            self._held.pop(run_id, None)

    def release(self, run_id: str, requests: int, secret: str, reason: str) -> None:
        """Give up a run, which is then interrupted. Raises StaleAttempt."""
        with self._attempt(run_id, requests, secret) as held:
            self._held.pop(run_id, None)
            held.writer.release(reason)

    def data(self, run_id: str, requests: int, secret: str) -> Path:
        """Return the file of the run's data set.

        Raises
        ------
        Refused
            where the run was recorded from outside, or the data are not here as a file, or have changed since it was
            made.
        StaleAttempt
            where the attempt does not hold the run.
        """
        with self._attempt(run_id, requests, secret) as held:
            run = held.run
        if run.recorded:  # whoever records has a token to add runs with, and none to read what is here
            raise Refused(f"run {run.name} was recorded from outside, and is sent no data")
        path = self.store.catalog.file(run.dataset)
        if path is None:
            raise Refused(f"the data set {run.dataset} is not on the server as a file; set it up on the worker")
        if self.store.catalog.fingerprint(run.dataset) != run.status.fingerprint:
            raise Refused(f"the data set {run.dataset} has changed on the server since run {run.name} was made")
        return path

    def sign_of_life(self, run_id: str, secret: str) -> None:
        """Take note that a message of this attempt is under way: a large file may take long."""
        held = self._held.get(run_id)
        if held is not None and held.mark == _mark(secret):
            held.seen = self._clock()

    # -- time ----------------------------------------------------------------------------------------------------------

    def release_silent(self) -> list[str]:
        """Release the runs whose workers are silent; return their ids. To be called about once a second."""
        released = []
        for run_id in list(self._held):
            with self._locked(run_id):
                held = self._held.get(run_id)
                if held is None:
                    continue
                if not self._holds(held):
                    self._held.pop(run_id)
                elif self._clock() - held.seen > self._silence_s:
                    self._held.pop(run_id)
                    held.writer.release()
                    released.append(run_id)
                    logger.info("run %s is interrupted: its worker was silent for %.0f s", run_id, self._silence_s)
        return released

    def close(self) -> None:
        """Release all runs, as the server ends; workers that come back to a new server go on."""
        for run_id in list(self._held):
            with self._locked(run_id):
                held = self._held.pop(run_id, None)
                if held is not None:
                    held.writer.release()

    # -- who holds what ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _locked(self, run_id: str) -> Iterator[None]:
        with self._lock:
            lock = self._locks.setdefault(run_id, threading.Lock())
        with lock:
            yield

    @contextlib.contextmanager
    def _attempt(self, run_id: str, requests: int, secret: str) -> Iterator[_HeldAttempt]:
        """Give the attempt that holds the run, with the run locked; raise StaleAttempt where it does not hold it."""
        with self._locked(run_id):
            held = self._held.get(run_id)
            if held is None or not self._holds(held):
                self._held.pop(run_id, None)
                held = self._taken_up(run_id, requests, secret)
            if held.mark != _mark(secret):
                raise StaleAttempt(f"another attempt has taken over run {held.run.name}")
            held.seen = self._clock()
            try:
                yield held
            except StaleAttempt:
                self._held.pop(run_id, None)
                raise

    def _taken_up(self, run_id: str, requests: int, secret: str) -> _HeldAttempt:
        """Let an attempt go on that nobody holds the run for, as it was silent or the server was started again."""
        run = self.store.get(run_id)
        record = _record(run.path)
        mine = record is not None and record.attempt == _mark(secret)
        if not mine or record is None or record.lease != lease.attempts(run.path) or run.ended:
            raise StaleAttempt(f"this attempt does not hold run {run.name} any more")
        if requests != run.status.requests or run.status.requests != record.requests:
            raise StaleAttempt(f"run {run.name} was requested again since this attempt")
        try:
            return self._open(run, requests, record.attempt, record)
        except NothingToTrain as error:
            raise StaleAttempt(str(error)) from None

    @staticmethod
    def _holds(held: _HeldAttempt) -> bool:
        try:
            held.writer.check()
        except StaleAttempt:
            return False
        return True


def _mark(secret: str) -> str:
    return protocol.sha256(secret.encode())


def _record(folder: Path) -> _AttemptRecord | None:
    """Return what a run's folder says of its latest attempt from elsewhere; None where there was none."""
    try:
        return _AttemptRecord.model_validate(read_json(folder / RECORD))
    except (OSError, ValueError):
        return None


def _contents(folder: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    found = {}
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            found[name] = read_bytes(folder / name, protocol.MOST_FILE_BYTES)
    return found


def _compare(run: Run, message: End) -> None:
    """Raise Refused unless all files that the message names are here as the worker has them."""
    for name, expected in message.files.items():
        if not protocol.may_be_sent(name) and name != HISTORY:
            raise Refused(f"{name!r} is no file that a worker may send")
        try:
            found = protocol.sha256(read_bytes(run.path / name, protocol.MOST_FILE_BYTES))
        except OSError:
            raise Refused(f"{name} has not arrived") from None
        if found != expected:
            raise Refused(f"{name} has another hash here than at the worker; it was changed or damaged on the way")
    if message.state == "finished" and PREDICTIONS not in message.files:
        raise Refused(f"{PREDICTIONS} has not arrived; a run that has finished has it")


def _check_epochs(run: Run, number: int, most: int | None) -> None:
    """Raise Refused where a run would have more epochs than are planned, or than `most`."""
    planned = run.planned_epochs
    if planned is not None and number > planned:
        raise Refused(f"run {run.name} would have {number:,} epochs, and {planned:,} are planned; make a run of more")
    if most is not None and number > most:
        raise Refused(f"run {run.name} would have {number:,} epochs, and {most:,} are allowed; train fewer")


def _check_ending(held: _HeldAttempt, message: End) -> None:
    """Raise Refused where a run ends with epochs that it does not have."""
    done = len(held.rows)
    for what, epoch in (("best", message.best_epoch), ("kept", message.kept_epoch)):
        if epoch is not None and epoch > done:
            raise Refused(f"the {what} epoch is {epoch}, and run {held.run.name} has {done}; send its epochs first")
    if message.state == "finished" and not done and not held.run.recorded:
        raise Refused(f"run {held.run.name} has no epoch, and a training that has finished has one; send it first")


def _check_content(run: Run, name: str, arrived: Path) -> None:
    """Raise Refused unless a file that has arrived, and has not its name yet, is one of such a run."""
    try:
        if name == "model.keras":
            check_weights(run, arrived)
        elif name.startswith("predictions"):
            if Predictions.read(arrived).classes != len(run.classes):
                raise DamagedFile(f"{name} has another number of classes than the run")
        elif name == SCORES:
            read_scores(arrived)
        elif name == "checkpoint.npz":
            read_arrays(arrived)
        elif name == "environment.json":
            Environment.model_validate(read_json(arrived))
        elif name == "error.txt":
            arrived.read_text(encoding="utf-8")
    except (StoreError, OSError, ValueError) as error:
        reason = damage(arrived, error) if isinstance(error, OSError | ValueError) else str(error)
        raise Refused(reason.replace(arrived.name, name)) from None
