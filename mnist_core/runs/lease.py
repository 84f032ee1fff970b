"""Who may write a run: numbered attempts, each claimed once.

An attempt is a file `lease-N.json` made with exclusive creation, so that one process gets each number. The highest
number holds the run; a writer of a lower one (a ghost that lost its scheduler, say) finds itself stale and must stop.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import BaseModel, Field

from mnist_core.errors import StaleAttempt
from mnist_core.files import read_json

SILENCE_LIMIT_S = 60.0
"""After this long without a sign of life, a holder on another machine counts as gone."""


@dataclass(frozen=True)
class Lease:
    """A claimed attempt: the right to write to `folder` for as long as no higher attempt exists."""

    folder: Path
    attempt: int

    def check(self) -> None:
        """Raise StaleAttempt if a later attempt has taken over, or the folder is gone."""
        if attempts(self.folder) != self.attempt:
            raise StaleAttempt(f"attempt {self.attempt} at run {self.folder.name} was taken over by a later one")

    def release(self) -> None:
        """Say that nobody holds the run now; the number stays used."""
        path = self.folder / f"lease-{self.attempt}.json"
        with contextlib.suppress(OSError):
            path.write_text("{}", encoding="utf-8")


class _Holder(BaseModel):
    """What a lease that was not released holds: the process that may write."""

    host: str
    pid: int = Field(ge=0, le=2**31 - 1)
    process_started: float


def _holder(path: Path) -> _Holder | None:
    """The holder in a lease file, None where it was released; raises OSError, or ValueError where it is damaged."""
    data = read_json(path)
    return None if data == {} else _Holder.model_validate(data)


def attempts(folder: Path) -> int:
    """The highest attempt claimed so far, 0 for none."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return 0
    found = [int(match[1]) for name in names if (match := re.fullmatch(r"lease-([0-9]+)\.json", name))]
    return max(found, default=0)


def claim(folder: Path) -> Lease | None:
    """The next attempt at the run in `folder`, or None where a living process holds it."""
    while True:
        # counted before looking at the holder: were it counted after, a claim made in between would be overtaken
        number = attempts(folder) + 1
        if held(folder):
            return None
        holder = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "process_started": psutil.Process().create_time(),
        }
        try:
            with (folder / f"lease-{number}.json").open("x", encoding="utf-8") as file:
                file.write(json.dumps(holder))
        except FileExistsError:
            time.sleep(0.02)  # somebody else was faster; see whether they live
            continue
        return Lease(folder, number)


def held(folder: Path) -> bool:
    """Whether a living process holds the run."""
    number = attempts(folder)
    if not number:
        return False
    path = folder / f"lease-{number}.json"
    try:
        holder = _holder(path)
    except (OSError, ValueError):
        return _seconds_silent(path) < 1.0  # just created, not yet written; or damaged, and then held by nobody
    if holder is None:
        return False
    if holder.host != socket.gethostname():
        return min(_seconds_silent(path), _seconds_silent(folder / "progress.json")) < SILENCE_LIMIT_S
    try:
        process = psutil.Process(holder.pid)
        same: bool = abs(process.create_time() - holder.process_started) < 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def holder_pid(folder: Path) -> int | None:
    """The process on this machine that holds the run, or None."""
    if not held(folder):
        return None
    try:
        holder = _holder(folder / f"lease-{attempts(folder)}.json")
    except (OSError, ValueError):  # just created, not yet written
        return None
    return holder.pid if holder and holder.host == socket.gethostname() else None


def _seconds_silent(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return float("inf")
