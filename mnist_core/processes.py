"""Tells living processes from ended ones.

A number alone is not enough: the system gives it to another process later. A process is identified by its number and
its start time, and on Linux by its `mark`, as there start times move when the clock is set. One that has ended stays in
the system's table, as a zombie, until its parent looks; it counts as gone.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import psutil
from pydantic import Field

SAME_START_S = 1.0
"""Two start times that differ by less are of one process; systems report them more or less exactly."""
CLOCK_SLACK_S = 5.0
"""By so much the clock may have been set between a process's start and what it made."""


def start_time(pid: int | None = None) -> float | None:
    """Return when a process began, in Unix seconds; None where it is gone. Without a number: this process.

    Raises
    ------
    psutil.AccessDenied
        where the system does not say.
    """
    try:
        process = psutil.Process(pid)
        return float(process.create_time()) if alive(process) else None
    except (psutil.NoSuchProcess, OverflowError):
        return None


def alive(process: psutil.Process) -> bool:
    """True if a process is there and has not ended."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True  # it is there; only more the system does not say


def mark(pid: int | None = None) -> str:
    """Return what identifies a process, next to its number, whatever happens to the clock; empty where nothing does.

    Linux counts a start from boot, and its time of boot back from the clock, which people and time servers set. So the
    mark is that count, with the name of the boot. Without a number: of this process.
    """
    try:
        fields = Path("/proc", str(pid or "self"), "stat").read_text(encoding="utf-8", errors="replace")
        return f"{_boot()} {fields.rpartition(')')[2].split()[19]}"
    except (OSError, IndexError):
        return ""


@functools.cache
def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def is_alive(pid: int, started: float, marked: str = "") -> bool:
    """True if the process `pid` that began at `started`, in Unix seconds, is there and the system says so.

    `marked` is its `mark`, where it had one.
    """
    try:
        found = start_time(pid)
    except psutil.AccessDenied:
        return False
    if found is not None and marked and (now := mark(pid)):
        return now == marked
    return found is not None and abs(found - started) < SAME_START_S


def may_have_made(pid: int, made_at: float) -> bool:
    """True if a living process of this number may have made something at `made_at`, in Unix seconds.

    One that began later is another of the same number. True also where the system does not say.
    """
    try:
        started = start_time(pid)
    except psutil.AccessDenied:
        return True
    return started is not None and started <= made_at + CLOCK_SLACK_S


@dataclass(frozen=True, kw_only=True)
class NamedProcess:
    """A process as a file names it, so that others can tell whether it still exists. process_mark: see `mark`."""

    pid: Annotated[int, Field(ge=0, le=2**31 - 1)]
    process_started: float
    process_mark: str = ""

    def alive(self) -> bool:
        """True if the process still exists, where it is one of this machine."""
        return is_alive(self.pid, self.process_started, self.process_mark)


def this_process() -> dict[str, Any]:
    """Return the fields of `NamedProcess` for this process."""
    me = psutil.Process()
    return {"pid": me.pid, "process_started": me.create_time(), "process_mark": mark()}


def wait_for_end(family: Sequence[psutil.Process], patience_s: float) -> None:
    """Wait until all have ended, for `patience_s` seconds at most.

    One that ended may stay in the table as a zombie until its parent, another dashboard perhaps, looks; so
    `psutil.wait_procs` would wait in vain.
    """
    deadline = time.monotonic() + patience_s
    while any(map(alive, family)) and time.monotonic() < deadline:
        time.sleep(0.02)
