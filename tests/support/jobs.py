"""A stand-in for the job service, and workers that cost little."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mnist_core.errors import JobError
from mnist_core.jobs.local_service import ServiceStatus
from mnist_core.jobs.runners import Absence
from mnist_core.runs.run import Run
from mnist_core.runs.store import Store


class FakeRunner:
    """Takes the place of a runner and trains nothing.

    submitted, killed: the ids that it was given, in order. problem: if set, `submit` raises JobError with this text.
    service: what `status` returns. absence: what `absent` returns.
    """

    address = None

    def __init__(self, store: Store) -> None:
        self.store = store
        self.absence: Absence | None = None
        self.submitted: list[str] = []
        self.killed: list[str] = []
        self.problem: str | None = None
        self.service = ServiceStatus("ready", workers=2, warm=2)

    def submit(self, run_id: str) -> None:
        """Take note of the run; it stays queued."""
        if self.problem:
            raise JobError(self.problem)
        self.submitted.append(run_id)

    def absent(self) -> Absence | None:
        """Return `absence`."""
        return self.absence

    def unheld(self, runs: Sequence[Run]) -> list[Run]:
        """Return no run: all are in somebody's hands."""
        return []

    def cancel(self, run_id: str) -> None:
        """Cancel the run in the store."""
        self.store.cancel(run_id)

    def kill(self, run_id: str) -> None:
        """Take note of the run."""
        self.killed.append(run_id)

    def status(self) -> ServiceStatus:
        """Return `service`."""
        return self.service


@contextlib.contextmanager
def workers_without_tensorflow(folder: Path) -> Iterator[None]:
    """Within it, workers that start cannot train, and cost a fraction: TensorFlow is a module that cannot be loaded.

    folder: an empty one, for that module.
    """
    (folder / "tensorflow.py").write_text('raise ImportError("this worker needs none")\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        yield
