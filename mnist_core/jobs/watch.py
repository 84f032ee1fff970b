"""Keeping runs that somebody waits for in training, whatever dies meanwhile.

Whoever waits for runs (a command, a search, an open page) shows them to a `Watch` on each poll. The watch checks in the
background whether runs that are queued or interrupted are in somebody's hands. Where they are not, because the job
service or a scheduler has died, it hands them to the runner again, which starts the local service where that is gone.
What a person should know meanwhile is a `Notice`. A run that was cancelled stays cancelled.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Literal

from mnist_core.errors import JobError, StoreError, WriteError
from mnist_core.jobs.runners import Runner
from mnist_core.runs.run import Run
from mnist_core.runs.states import TRAINABLE
from mnist_core.runs.store import GONE, Store

CHECK_S = 1.5
"""Seconds between two checks."""
CONFIRM_S = 0.7
"""A service that is missing is looked for again after so many seconds: somebody may just be starting it."""
MOST_SILENT = 3
"""Number of checks in a row without an answer of the local service before it is reported."""
MOST_TRIES = 5
"""Number of times a run is handed over in a row without any run getting further; then the watch stops trying."""
LOOKED_AT_S = 5.0
"""A run counts as waited for until so many seconds after it was last shown to the watch."""
PATIENCE_S = 5.0
"""A watch that is closed waits so long for a check that is under way."""

NoticeCode = Literal[
    "service_gone", "service_fails", "service_silent", "service_stopped", "unreachable", "no_worker", "given_up"
]

logger = logging.getLogger("mnist_core.jobs.watch")


@dataclass(frozen=True)
class Notice:
    """The reason why runs are not being trained.

    code: `service_gone`, the local service has died and is being started again; `service_fails`, it cannot be started,
    and is tried again; `service_silent`, it is there and does not answer; `service_stopped`, a person has stopped it;
    `unreachable`, no scheduler answers at `address`;
    `no_worker`, the scheduler there has no worker; `given_up`, the runs were handed over several times to no effect.
    runs: how many runs wait. detail: the last error, or nothing.
    """

    code: NoticeCode
    runs: int
    address: str = ""
    detail: str = ""


def sentence(notice: Notice) -> str:
    """Return the notice in words, with what to do."""
    runs = "1 run" if notice.runs == 1 else f"{notice.runs} runs"
    wait, go, goes = ("waits", "goes", "is") if notice.runs == 1 else ("wait", "go", "are")
    if notice.code == "service_gone":
        return f"The training service has ended unexpectedly. It is being started again, and {runs} {go} on."
    if notice.code == "service_fails":
        return f"The training service cannot be started, and {runs} {wait} for it. It is tried again. {notice.detail}"
    if notice.code == "service_silent":
        return (
            f"The training service does not answer, and {runs} {wait} for it. Stop it with "
            f"`python -m mnist_core.jobs.service --stop`, then resume."
        )
    if notice.code == "service_stopped":
        return f"The training service was stopped, and {runs} {goes} unfinished. Resume or start them to go on."
    if notice.code == "unreachable":
        return (
            f"No scheduler answers at {notice.address}, and {runs} {wait} for it. Start it there again, with its "
            f"workers; training then goes on by itself."
        )
    if notice.code == "no_worker":
        return (
            f"The scheduler at {notice.address} has no worker, and {runs} {wait} for one. Start one with "
            f"`dask worker {notice.address} --nthreads 1 --preload mnist_core.jobs.worker`; "
            "training then goes on by itself."
        )
    return (
        f"{runs[0].upper()}{runs[1:]} could not be handed to a worker in {MOST_TRIES} attempts, and {wait} no longer. "
        f"See service.log in the store, then resume. {notice.detail}"
    ).strip()


@dataclass(frozen=True)
class Look:
    """The result of a check.

    waited: the runs to wait for, as they were passed in, without ended runs and those that the watch no longer tries.
    notice: why runs are not being trained; None if they are.
    """

    waited: list[Run]
    notice: Notice | None


def _refused(run: Run) -> bool:
    """True if the disk would not take what the run's process had to write: to hand it over again would not help."""
    return run.state == "interrupted" and run.status.reason not in ("", GONE)


class Watch:
    """Keeps runs in training for as long as somebody waits for them. Several threads may use it.

    Parameters
    ----------
    store, runner
        where the runs are, and what they are handed to.
    adopt
        whether a run that is interrupted when it is first shown is waited for too. A page that shows all runs of a
        store says no: it waits for those only that it has seen queued or running.
    """

    def __init__(self, store: Store, runner: Runner, *, adopt: bool = True) -> None:
        self.store, self.runner = store, runner
        self._adopt = adopt
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._next_check = time.monotonic() + CHECK_S
        self._looked_at: dict[str, tuple[Run, float]] = {}
        self._seen: set[str] = set()
        self._given_up: set[tuple[str, int]] = set()
        self._tries: dict[str, int] = {}
        self._reached: tuple[int, int] | None = None
        self._notice: Notice | None = None
        self._final: Notice | None = None
        self._problem = ""
        self._silent = 0
        self._stopped = False
        self._closed = False

    def look(self, runs: Iterable[Run]) -> Look:
        """Return which of these runs are to be waited for, and what keeps them. Cheap: checks go on in the background.

        It is to be called on each poll, at least every few seconds.
        """
        if self._stopped and self.runner.absent() is None:  # somebody has started it again
            self.again()
        with self._lock:
            waited, given_up = [], False
            for run in runs:
                if run.state == "running":
                    self._given_up.discard(_request(run))
                if run.read_only or run.ended or run.recorded or _refused(run):
                    continue
                if _request(run) in self._given_up:
                    given_up = True
                elif run.live or self._adopt or run.id in self._seen:
                    self._seen.add(run.id)
                    waited.append(run)
            now = time.monotonic()
            self._looked_at.update((run.id, (run, now)) for run in waited)
            busy = self._thread is not None and self._thread.is_alive()
            if waited and now >= self._next_check and not busy and not self._closed:
                recent = {key: item for key, item in self._looked_at.items() if item[1] > now - LOOKED_AT_S}
                self._looked_at = recent
                # a check may wait for a scheduler that does not answer, and the screen must not
                self._thread = threading.Thread(
                    target=self._check, args=([run for run, _ in recent.values()],), name="watch", daemon=True
                )
                self._thread.start()
            return Look(waited, (self._notice if waited else None) or (self._final if given_up else None))

    def again(self) -> None:
        """Wait again for runs that the watch no longer tries, as a person has just started them."""
        with self._lock:
            self._given_up.clear()
            self._tries.clear()
            self._notice = None
            self._final = None
            self._stopped = False

    def close(self) -> None:
        """Hand nothing over any more."""
        self._closed = True
        if self._thread is not None:
            self._thread.join(PATIENCE_S)

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- in the background -------------------------------------------------------------------------------------------

    def _check(self, runs: list[Run]) -> None:
        try:
            notice = self._keep(runs)
        except Exception:  # the next check may do better
            logger.exception("a check of the runs that are waited for failed")
            notice = self._notice
        with self._lock:
            self._notice = notice
            self._next_check = time.monotonic() + CHECK_S

    def _keep(self, runs: Sequence[Run]) -> Notice | None:
        """See that all runs are in somebody's hands; return what keeps them from it."""
        idle = [run for run in runs if run.state != "running"]
        absence = self.runner.absent()
        if absence and idle:
            time.sleep(CONFIRM_S)
            absence, idle = self.runner.absent(), self._as_they_are(idle)
        if absence == "stopping":
            return self._notice  # its workers are about to end, and what they train with them
        if absence == "stopped":
            left = self._as_they_are(runs)
            return self._give_up(left, "service_stopped") if left else None
        if absence and idle:
            self._warn(Notice("service_gone", len(idle)))
            return self._hand_over(idle)
        if absence or not (idle or self.runner.address):
            return None
        try:
            missing = self._as_they_are(self.runner.unheld(idle))
        except JobError as error:
            return self._unanswered(len(idle or runs), error)
        self._silent = 0
        return self._hand_over(missing) or self._without_worker(len(idle))

    def _as_they_are(self, runs: Sequence[Run]) -> list[Run]:
        """Read the runs again; return those that are still queued or interrupted."""
        found = []
        for run in runs:
            with contextlib.suppress(StoreError):  # deleted or damaged meanwhile, which whoever waits finds too
                now = self.store.get(run.id)
                if now.state == "interrupted" and (now.path / "cancel").exists():
                    now = self.store.cancel(run.id)  # its process died before it could stop
                if now.state in TRAINABLE and not _refused(now):
                    found.append(now)
        return found

    def _hand_over(self, runs: Sequence[Run]) -> Notice | None:
        if not runs:
            return None
        looked_at = [run for run, _ in self._looked_at.values()]
        reached = (len(looked_at), sum(map(_written, looked_at)))
        if reached != self._reached:  # some run got further: whatever died, it is not dead for good
            self._tries.clear()
        self._reached = reached
        tired = {run.id for run in runs if self._tries.get(run.id, 0) >= MOST_TRIES}
        if not self.runner.address:  # a scheduler elsewhere is waited for without end
            self._tries.update((run.id, self._tries.get(run.id, 0) + 1) for run in runs)
        for run in runs:
            if run.id in tired or self._closed or self.runner.absent() in ("stopping", "stopped"):
                continue
            try:
                self.runner.submit(run.id)
            except (JobError, WriteError) as error:  # the latter where the disk is full
                self._problem = str(error)
                if self.runner.address and isinstance(error, JobError):
                    return self._unanswered(len(runs), error)
                return Notice("service_fails", len(runs), detail=self._problem)
            except StoreError:  # deleted meanwhile
                continue
        return self._give_up([run for run in runs if run.id in tired], "given_up") if tired else None

    def _give_up(self, runs: Sequence[Run], code: NoticeCode) -> Notice:
        notice = Notice(code, len(runs), detail=self._problem if code == "given_up" else "")
        with self._lock:
            self._final = notice
            self._given_up.update(map(_request, runs))
            self._stopped = code == "service_stopped"
            for run in runs:
                self._tries.pop(run.id, None)
        return notice

    def _unanswered(self, count: int, error: JobError) -> Notice | None:
        if self.runner.address:
            return Notice("unreachable", count, self.runner.address)
        logger.info("the job service did not answer: %s", error)
        self._silent += 1  # it may just be ending, which the next check finds
        return Notice("service_silent", count) if self._silent >= MOST_SILENT else self._notice

    def _warn(self, notice: Notice) -> None:
        """Show a notice before the remedy, which takes its time; a problem with the remedy itself stays in view."""
        with self._lock:
            if self._notice is None or self._notice.code != "service_fails":
                self._notice = notice

    def _without_worker(self, count: int) -> Notice | None:
        if not count or not self.runner.address:
            return None  # those of the local service are on their way
        status = self.runner.status()
        if status.problem or status.workers:
            return None
        return Notice("no_worker", count, self.runner.address)


def _request(run: Run) -> tuple[str, int]:
    """Return the key of one request of a run; a later request of the run has another key and is waited for again."""
    return run.id, run.status.requests


def _written(run: Run) -> int:
    try:
        return (run.path / "history.jsonl").stat().st_size
    except OSError:
        return 0
