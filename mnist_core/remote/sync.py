"""Sends what a training writes into a folder of this machine to a store server, about once a second, in a thread.

The folder is a run's folder in a store on this machine; whatever trains writes it, and knows nothing of the server.
What people want of the run comes back with each answer, as the small files that it would find in the real store.
Where the server does not answer, nothing is lost: it is sent later, and the training goes on meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mnist_core.errors import JobError, StoreError
from mnist_core.files import parse_json, read_bytes, read_json, write_json
from mnist_core.remote import protocol
from mnist_core.remote.client import Client, Unreachable
from mnist_core.remote.protocol import HISTORY, End, Heartbeat, Release, SentProgress, Wishes
from mnist_core.runs.records import Status, read_part
from mnist_core.runs.states import ENDED

INTERVAL_S = 1.0
LONGEST_WAIT_S = 15.0
"""The longest wait between two tries where the server does not answer."""
_EARLY = ("environment.json", "attempts.jsonl", "checkpoint.npz")
"""The files that are sent while the run trains; the others when it has ended."""

logger = logging.getLogger("mnist_core.remote")


class Sync:
    """Keeps a run of a store server up to date with a folder of this machine.

    Parameters
    ----------
    client
        with the attempt that holds the run.
    folder
        the run's folder here.
    known
        the content of the files that the server has already, by name.
    begin
        what makes the run known to the server, where it is not yet; tried again until the server answers.
    stops
        whether the training is asked to stop where the run is lost.
    interval_s
        seconds between two messages.

    lost: why no more can be sent, as the server refuses what is sent, or another attempt holds the run; else empty.
    """

    def __init__(
        self,
        client: Client,
        folder: Path,
        known: Mapping[str, bytes] | None = None,
        *,
        begin: Callable[[], object] | None = None,
        stops: bool = True,
        interval_s: float | None = None,
    ) -> None:
        self._client, self._folder = client, folder
        self._begin, self._stops = begin, stops
        self._interval_s = INTERVAL_S if interval_s is None else interval_s
        known = known or {}
        self._sent = {name: protocol.sha256(content) for name, content in known.items() if protocol.may_be_sent(name)}
        self._lines = known.get(HISTORY, b"").splitlines()
        self._versions: dict[str, object] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_sending, name="store-server", daemon=True)
        self._over = False
        self.lost = ""
        self.problem = ""
        """Why the last message could not be sent; empty where it was."""

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def finish(self, patience_s: float) -> bool:
        """Send the rest and the end of the run, and stop; True if the store has all of it.

        A run whose status is no end is released. Where the server does not answer, it is tried again for `patience_s`
        seconds.
        """
        self._stop.set()
        self._thread.join()
        deadline, tries = time.monotonic() + patience_s, 0
        while not self.lost and not self._over:
            try:
                self._end()
            except Unreachable as error:
                self.problem, tries = str(error), tries + 1
                wait = wait_s(self._interval_s, tries)
                if time.monotonic() + wait > deadline:
                    break
                time.sleep(wait)
            except (JobError, StoreError) as error:
                self.lost = str(error)
                self._fail(error)
        self._client.close()
        return self._over

    # -- in the thread -------------------------------------------------------------------------------------------------

    def _keep_sending(self) -> None:
        wait, tries = 0.0, 0
        while not self._stop.wait(wait):
            try:
                self._send(_EARLY)
                self.problem, tries, wait = "", 0, self._interval_s
            except Unreachable as error:
                if not tries:
                    logger.info("%s; it is tried again, and the training goes on", error)
                self.problem, tries = str(error), tries + 1
                wait = wait_s(self._interval_s, tries)
            except (JobError, StoreError) as error:
                self.lost = str(error)
                logger.warning("no more is sent of this run: %s", error)
                if self._stops:
                    self._ask_to_stop()
                return
            except Exception:  # a file that cannot be read just now, say; the next time may do better
                logger.exception("a run could not be sent")
                tries += 1
                wait = wait_s(self._interval_s, tries)

    def _ask_to_stop(self) -> None:
        with contextlib.suppress(OSError):
            (self._folder / "cancel").touch()

    def _send(self, names: tuple[str, ...] | None) -> Status:
        """Send what has changed of these files, or of all where it is None, then the epochs, and heed the answer."""
        if self._begin is not None:
            self._begin()
            self._begin = None
        status = read_part(self._folder / "status.json", Status.model_validate)
        # The checkpoint is sent before the history, and read after it: as on disk, it is never behind.
        lines = self._history()
        for name in names if names is not None else self._there():
            self._send_file(name)
        while self._beat(status, lines):
            pass
        return status

    def _history(self) -> list[bytes]:
        try:
            content = read_bytes(self._folder / HISTORY)
        except FileNotFoundError:
            return []
        return content[: content.rfind(b"\n") + 1].splitlines()

    def _there(self) -> list[str]:
        return sorted(path.name for path in self._folder.iterdir() if protocol.may_be_sent(path.name))

    def _send_file(self, name: str) -> None:
        path = self._folder / name
        try:
            found = path.stat()
            version = found.st_mtime_ns, found.st_size, found.st_ino
            if self._versions.get(name) == version:
                return
            content = read_bytes(path, protocol.most_bytes(name))
        except FileNotFoundError:
            return
        total = protocol.sha256(content)
        if self._sent.get(name) != total:
            self._client.send(name, content)
            self._sent[name] = total
        self._versions[name] = version

    def _beat(self, status: Status, lines: list[bytes]) -> bool:
        """Send a heartbeat; True if there are more epochs to send."""
        same = 0
        for mine, theirs in zip(lines, self._lines, strict=False):
            if mine != theirs:
                break
            same += 1
        changed = same < len(lines) or same < len(self._lines)
        until = min(len(lines), same + protocol.MOST_ROWS)
        wishes = self._client.heartbeat(
            Heartbeat(
                began=status.started_at is not None,
                rows_from=same,
                rows=[parse_json(line) for line in lines[same:until]] if changed else None,
                progress=self._progress(),
            )
        )
        # the server may have fewer epochs than were sent, where its machine went down meanwhile
        self._lines = lines[: min(until, wishes.epochs)]
        if status.state not in ENDED:
            self._heed(wishes)
        return wishes.epochs == until < len(lines) or wishes.epochs < same

    def _progress(self) -> SentProgress | None:
        try:
            found = read_json(self._folder / "progress.json")
            found.pop("at", None)
            return SentProgress.model_validate(found)
        except (OSError, ValueError, StoreError, AttributeError):
            return None

    def _heed(self, wishes: Wishes) -> None:
        """Write what people want as the files that a training looks for."""
        if wishes.cancel:
            self._ask_to_stop()
        for name, wish in (("pause.json", wishes.pause), ("slow_motion.json", wishes.slow_motion)):
            path = self._folder / name
            wanted = wish.model_dump(mode="json") if wish else None
            if wanted != _content(path):
                if wanted is None:
                    path.unlink(missing_ok=True)
                else:
                    write_json(path, wanted, durable=False)

    def _end(self) -> None:
        status = self._send(None)
        if status.state not in ENDED:
            self._client.release(Release(reason=status.reason[:500]))
        else:
            files = {name: self._sent[name] for name in self._there()}
            with contextlib.suppress(FileNotFoundError):
                files[HISTORY] = protocol.sha256(read_bytes(self._folder / HISTORY))
            self._client.end(
                End(
                    state=status.state,
                    reason=status.reason[:4000],
                    best_epoch=status.best_epoch,
                    kept_epoch=status.kept_epoch,
                    files=files,
                )
            )
        self._over = True

    def _fail(self, error: JobError | StoreError) -> None:
        """Tell the server why the run has failed, where it has refused what the run consists of."""
        if isinstance(error, JobError):
            with contextlib.suppress(JobError, StoreError):
                self._client.end(End(state="failed", reason=str(error)[:4000], files={}))


def _content(path: Path) -> Any:
    try:
        return read_json(path)
    except (OSError, ValueError, StoreError):
        return None


def wait_s(first_s: float, tries: int, longest_s: float = LONGEST_WAIT_S) -> float:
    """Return how many seconds to wait before the next try: longer each time, and not all workers at once."""
    return float(min(longest_s, first_s * 2 ** min(tries, 10)) * random.uniform(0.7, 1.0))
