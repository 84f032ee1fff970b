"""Scheduler and worker of the local job service. Importing this module imports distributed."""

from __future__ import annotations

from typing import Any

from distributed import Scheduler, Worker


class _NoWebServer:
    """Opens no port for HTTP; distributed opens one in each process, unencrypted, even where it shows nothing."""

    def start_http_server(self, *arguments: Any, **options: Any) -> None:
        """Do nothing."""


class LocalScheduler(_NoWebServer, Scheduler):
    """Keeps runs in its own queue, first come, first served, and hands a worker one at a time.

    The usual placement would queue runs at the workers by guessed durations: one could idle while runs wait behind
    a long one at another.
    """

    def is_rootish(self, ts: Any) -> bool:
        """Return whether the task may wait in the queue: any that is not tied to certain workers."""
        return not (ts.resource_restrictions or ts.worker_restrictions or ts.host_restrictions)


class LocalWorker(_NoWebServer, Worker):
    """A worker without a web server."""
