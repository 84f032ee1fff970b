"""Scheduler and worker of the local job service. Importing this module imports distributed."""

from __future__ import annotations

from typing import Any

from distributed import Scheduler, SchedulerPlugin, Worker
from distributed.collections import HeapSet

from mnist_core.jobs.turns import OWNER_KEY, Turns


class _NoWebServer:
    """Opens no port for HTTP; distributed opens one in each process, unencrypted, even where it shows nothing."""

    def start_http_server(self, *arguments: Any, **options: Any) -> None:
        """Do nothing."""


class LocalScheduler(_NoWebServer, Scheduler):
    """Keeps runs in its own queue, where people take turns (see `turns`), and hands a worker one at a time.

    The usual placement would queue runs at the workers by guessed durations: one could idle while runs wait behind
    a long one at another.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        turns = Turns()
        # the queue asks for the key of a task once, when it comes in
        self.queued = HeapSet(key=lambda task: (turns.round_of(str(task.key), owner_of(task)), task.priority))
        self.add_plugin(_Follow(self, turns))

    def is_rootish(self, ts: Any) -> bool:
        """Return whether the task may wait in the queue: any that is not tied to certain workers."""
        return not (ts.resource_restrictions or ts.worker_restrictions or ts.host_restrictions)


class _Follow(SchedulerPlugin):
    """Reports to the turns which tasks are carried out, and which are over."""

    name = "mnist-core-turns"

    def __init__(self, scheduler: LocalScheduler, turns: Turns) -> None:
        self._scheduler = scheduler
        self._turns = turns

    def transition(self, key: Any, start: str, finish: str, *arguments: Any, **options: Any) -> None:
        """Take note of a task that has changed its state."""
        if finish == "processing":
            self._turns.started(str(key), owner_of(self._scheduler.tasks[key]))
        elif finish in ("memory", "erred", "forgotten"):
            self._turns.forgotten(str(key))


def owner_of(task: Any) -> str:
    """Return whose run a task of the scheduler trains; empty for nobody's."""
    return str((task.annotations or {}).get(OWNER_KEY, ""))


class LocalWorker(_NoWebServer, Worker):
    """A worker without a web server."""
