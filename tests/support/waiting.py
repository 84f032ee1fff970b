"""Wait for what other threads and processes do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil


def until(condition: Callable[[], bool], limit_s: float = 60) -> None:
    """Return as soon as `condition()` is true; raise AssertionError if it is not within `limit_s` seconds."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def suspend(pid: int) -> psutil.Process:
    """Suspend a process, and return it once it has stopped: on a busy machine its threads run on for a while."""
    process = psutil.Process(pid)
    process.suspend()
    until(lambda: process.status() == psutil.STATUS_STOPPED)
    return process


def run_apart(work: Coroutine[Any, Any, object], limit_s: float = 60) -> None:
    """Run a coroutine to its end in a thread of its own, as Playwright's loop may run in this one after browser tests.

    Raises what the coroutine raises, and TimeoutError after `limit_s` seconds.
    """

    async def limited() -> None:
        await asyncio.wait_for(work, limit_s)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(limited())).result()
