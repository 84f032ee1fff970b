"""Tells living processes from ended ones.

A number alone is not enough: the system gives it to another process later. A process is identified by its number and
its start time. One that has ended stays in the system's table, as a zombie, until its parent looks; it counts as gone.
"""

from __future__ import annotations

import psutil

SAME_START_S = 1.0
"""Two start times that differ by less are of one process; systems report them more or less exactly."""


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


def is_alive(pid: int, started: float) -> bool:
    """True if the process `pid` that began at `started`, in Unix seconds, is there and the system says so."""
    try:
        found = start_time(pid)
    except psutil.AccessDenied:
        return False
    return found is not None and abs(found - started) < SAME_START_S
