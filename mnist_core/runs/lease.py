"""Leases: the right to write a run, as numbered attempts, each claimed once.

An attempt is a file `lease-N.json` made with exclusive creation, so that one process gets each number. The highest
number holds the run; a writer of a lower one (a ghost that lost its scheduler, say) learns that it is stale and must
stop.

A file names the process that may write. After its release it is empty, or has the reason why the attempt could write no
other file, as `{"reason": …}`.

On the holder's own machine it is known whether that process lives. On others only its heartbeat is: the holder touches
the file every few seconds, and so the file system gives it the time. How old it is follows from the same clock, by the
time of a file that the reader makes on the same file system: no clock of any machine that trains or looks on matters.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import socket
import threading
import time
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from pydantic import TypeAdapter

from mnist_core import processes
from mnist_core.errors import StaleAttempt, WriteError
from mnist_core.files import read_json, temporary_near, writing

SILENCE_LIMIT_S = 60.0
"""After this long without a heartbeat, a holder on another machine counts as gone."""
BEAT_S = 5.0
"""Seconds between two heartbeats of a holder."""
CLOCK_S = 10.0
"""Seconds for which the clock of a file system, once read, is reckoned on by this machine's own clock."""

_ROOM_BYTES = 1024
"""A lease is made so long, so that its release, with a reason, needs no space on a full disk."""
_LONGEST_REASON = 500

_unwritten: dict[tuple[Path, int], str] = {}
"""Attempts of this process that are over, and why, where the disk did not even take that: by folder and number."""

_clocks: dict[int, tuple[float, float]] = {}
"""By file system: how far its clock is ahead of this process's monotonic one, and when that was looked at."""


class _BeatingLeases:
    """Touches the leases that this process holds, in a thread that lives while there are any."""

    def __init__(self) -> None:
        self._files: set[Path] = set()
        self._changed = threading.Condition()
        self._beats = False

    def begin(self, file: Path) -> None:
        with self._changed:
            self._files.add(file)
            if not self._beats:
                self._beats = True
                threading.Thread(target=self._beat, name="lease-heartbeat", daemon=True).start()

    def end(self, file: Path) -> None:
        with self._changed:
            self._files.discard(file)
            self._changed.notify_all()

    def _beat(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: not self._files, BEAT_S)
                if not self._files:
                    self._beats = False
                    return
                files = list(self._files)
            for file in files:
                try:
                    os.utime(file)  # the time is the file system's own
                except FileNotFoundError:  # deleted with its run
                    self.end(file)
                except OSError:  # the disk refuses; the next beat may succeed
                    continue


_heartbeat = _BeatingLeases()


@dataclass(frozen=True)
class Lease:
    """A claimed attempt: the right to write to `folder` for as long as no higher attempt exists."""

    folder: Path
    attempt: int

    def check(self) -> None:
        """Raise StaleAttempt if a later attempt has taken over, or the folder is gone."""
        if attempts(self.folder) != self.attempt:
            raise StaleAttempt(f"attempt {self.attempt} at run {self.folder.name} was taken over by a later one")

    def release(self, reason: str = "") -> None:
        """Say that nobody holds the run now; the number stays used.

        `reason` is why the attempt failed, where it could not be written to any other file; `failure` gives it.
        """
        _heartbeat.end(_file(self.folder, self.attempt).absolute())
        text = json.dumps({"reason": reason[:_LONGEST_REASON]} if reason else {})
        try:
            with _file(self.folder, self.attempt).open("r+b", buffering=0) as file:
                # over what is there, and as long as that: the disk may be full, and a reader may be looking
                file.write(text.encode().ljust(os.fstat(file.fileno()).st_size))
        except FileNotFoundError:
            pass  # deleted with its run
        except OSError:
            _unwritten[self.folder.resolve(), self.attempt] = reason

    def forget_earlier(self) -> None:
        """Delete the files of earlier attempts, where nobody asks how many there were."""
        for number in _numbers(self.folder):
            if number < self.attempt:
                with contextlib.suppress(OSError):  # one that is left behind does no harm
                    _file(self.folder, number).unlink(missing_ok=True)


def _file(folder: Path, attempt: int) -> Path:
    return folder / f"lease-{attempt}.json"


def count_from(folder: Path, number: int) -> None:
    """Let the next attempt in a folder without any have this number, 1 or more: earlier ones were made elsewhere."""
    if number > 1:
        _file(folder, number - 1).write_bytes(b"{}")


def unreleased() -> bool:
    """True if this process could not write down that it holds a run no more; others see that once it has ended."""
    return any(attempts(folder) == attempt for folder, attempt in _unwritten)


def failure(folder: Path, after: int) -> str:
    """Return why the latest attempt, of a number above `after`, could not be written down; empty where it could."""
    number = attempts(folder)
    if _unwritten:
        place = folder.resolve()
        for attempt in (number + 1, number):  # the next one, where not even a lease could be written
            if attempt > after and (reason := _unwritten.get((place, attempt))):
                return reason
    if number <= after:
        return ""
    try:
        found = read_json(_file(folder, number))
    except (OSError, ValueError):
        return ""
    return str(found.get("reason", "")) if isinstance(found, dict) else ""


def forget_failure(folder: Path) -> None:
    """Forget what this process remembers of the run's attempts: it is wanted again."""
    place = folder.resolve()
    for key in [key for key in _unwritten if key[0] == place and key[1] > attempts(folder)]:
        _unwritten.pop(key, None)


@dataclass(frozen=True, kw_only=True)
class _Holder(processes.NamedProcess):
    """The content of a lease that was not released: the process that may write.

    elsewhere: that process writes what a worker on another machine sends; the training is not in it.
    """

    host: str
    elsewhere: bool = False


_HOLDER = TypeAdapter(_Holder)


def _holder(path: Path) -> _Holder | None:
    """Return the holder in a lease file, None if it was released; raises OSError, or ValueError if it is damaged."""
    data = read_json(path)
    # a released lease is empty, or says why the run's end could not be written down
    return None if isinstance(data, dict) and set(data) <= {"reason"} else _HOLDER.validate_python(data)


def attempts(folder: Path) -> int:
    """Return the highest attempt claimed so far, 0 for none."""
    return max(_numbers(folder), default=0)


def _numbers(folder: Path) -> list[int]:
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [int(match[1]) for name in names if (match := re.fullmatch(r"lease-([0-9]+)\.json", name))]


def claim(folder: Path, *, elsewhere: bool = False) -> Lease | None:
    """Return the next attempt at the run in `folder`, or None where a living process holds it.

    elsewhere: this process only writes what a worker on another machine sends.

    Raises WriteError where the lease cannot be written, and remembers that for `failure`.
    """
    while True:
        # counted before looking at the holder: were it counted after, a claim made in between would be overtaken
        number = attempts(folder) + 1
        if held(folder):
            return None
        holder = {
            "host": socket.gethostname(),
            **processes.this_process(),
            **({"elsewhere": True} if elsewhere else {}),
        }
        path = _file(folder, number)
        try:
            with writing(path):
                try:
                    file = path.open("xb", buffering=0)
                except FileExistsError:
                    time.sleep(0.02)  # somebody else was faster; see whether they live
                    continue
                _fill(path, file, json.dumps(holder).encode().ljust(_ROOM_BYTES))
        except WriteError as error:
            _unwritten[folder.resolve(), number] = str(error)
            raise
        _unwritten.pop((folder.resolve(), number), None)
        _heartbeat.begin(path.absolute())
        return Lease(folder, number)


def _fill(path: Path, file: FileIO, content: bytes) -> None:
    """Write the whole content, or delete the file: a lease that nobody can read would count as held for a while."""
    try:
        with file:
            if file.write(content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    except OSError:
        path.unlink(missing_ok=True)
        raise


def held(folder: Path) -> bool:
    """True if a living process has the lease of the run."""
    number = attempts(folder)
    if not number:
        return False
    if _unwritten and (folder.resolve(), number) in _unwritten:
        return False
    path = _file(folder, number)
    try:
        holder = _holder(path)
    except (OSError, ValueError):
        # just created, not yet written; or damaged, and then held by nobody. The clock may have been set back since
        return abs(_now(path, 0) - _changed(path)) < 1.0
    if holder is None:
        return False
    if holder.host != socket.gethostname():
        beat = max(_changed(path), _changed(folder / "progress.json"))  # earlier versions beat by the latter alone
        return _now(path, CLOCK_S) - beat < SILENCE_LIMIT_S
    return holder.alive()


def holder_pid(folder: Path) -> int | None:
    """Return the process on this machine that trains the run, or None."""
    holder = _living(folder)
    return holder.pid if holder and holder.host == socket.gethostname() and not holder.elsewhere else None


def holder_elsewhere(folder: Path) -> str:
    """Return the name of the other machine whose process holds the lease; empty where none does."""
    holder = _living(folder)
    return holder.host if holder and holder.host != socket.gethostname() else ""


def heartbeat(folder: Path) -> float:
    """Return what changes with each heartbeat of the holder."""
    return _changed(_file(folder, attempts(folder)))


def trained_elsewhere(folder: Path) -> bool:
    """True if a worker on another machine trains the run, and a process here writes what it sends."""
    holder = _living(folder)
    return holder is not None and holder.elsewhere


def revoke(folder: Path) -> None:
    """Take the run from whoever holds it: a later attempt is claimed and released at once. Raises WriteError."""
    path = _file(folder, attempts(folder) + 1)
    with writing(path), contextlib.suppress(FileExistsError), path.open("xb") as file:
        file.write(b"{}")


def _living(folder: Path) -> _Holder | None:
    """Return who holds the run now, where that can be read."""
    if not held(folder):
        return None
    try:
        return _holder(_file(folder, attempts(folder)))
    except (OSError, ValueError):  # just created, not yet written
        return None


def _changed(path: Path) -> float:
    """Return when a file was last written or touched, by its file system's clock; minus infinity where it is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return float("-inf")


def _now(path: Path, most_s: float) -> float:
    """Return the time by the clock that gives files next to `path` theirs, which may be another machine's.

    A look at it that is at most `most_s` seconds old will do. Where nothing can be written, and so nothing can be taken
    over either, it is the time of this machine.
    """
    probe = temporary_near(path.absolute().parent)  # not in the folder, whose own change would be taken for news
    try:
        system = probe.parent.stat().st_dev
        ahead, looked = _clocks.get(system, (0.0, float("-inf")))
        if time.monotonic() - looked > most_s:
            before = time.monotonic()
            probe.touch(exist_ok=False)
            try:
                ahead = probe.stat().st_mtime - before
            finally:
                probe.unlink()
            _clocks[system] = ahead, before
    except OSError:
        return time.time()
    return time.monotonic() + ahead
