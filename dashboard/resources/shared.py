"""What there is once in a process: the store, the runner, the watch, and what was last seen of the store."""

from __future__ import annotations

import contextlib
import functools
import os
from typing import TYPE_CHECKING, NamedTuple

from dashboard import classroom
from dashboard.cache import CACHE
from mnist_core.files import printable
from mnist_core.runs import index
from mnist_core.runs.index import Index, Snapshot
from mnist_core.runs.run import Run
from mnist_core.runs.store import Problem, Store

if TYPE_CHECKING:
    from mnist_core.jobs.runners import ServiceRunner
    from mnist_core.jobs.watch import Watch
    from mnist_core.studies.kinds import AnyStudy

FRESH_S = index.FRESH_S
"""Seconds for which what was seen of the store is taken to be up to date."""


@functools.cache
def store() -> Store:
    """Return the store that the whole app reads and writes; in a class each viewer may change what is theirs."""
    return Store(who=classroom.person)


@functools.cache
def runner() -> ServiceRunner:
    """Return what trains: the local job service, or the remote scheduler that MNIST_CORE_SCHEDULER names."""
    from mnist_core.jobs.runners import ServiceRunner

    return ServiceRunner(store())


def watch() -> Watch:
    """Return the watch that keeps the runs on open pages in training; one for all sessions."""
    return _watch(store(), runner())


@functools.lru_cache(maxsize=1)
def _watch(store: Store, runner: ServiceRunner) -> Watch:
    from mnist_core.jobs.watch import Watch

    if classroom.address():
        store = Store(store.root)  # it works in a thread of its own, for no viewer
    # a run that was interrupted long ago waits for a person, and not for whoever happens to look
    return Watch(store, runner, adopt=False)


@functools.cache
def warm_up() -> None:
    """Start the job service in the background, once, so that the first training begins at once."""
    if not store().writable or os.environ.get("MNIST_CORE_WARM_UP") == "0":  # nothing can, or is to, be trained here
        return
    # loading TensorFlow in the workers would take the processor from the first page, which is just being drawn
    runner().warm(after_s=1.5)


@functools.cache
def _index(of: Store) -> Index:
    return Index(of, FRESH_S)


def seen() -> Index:
    """Return the index of the store, which looks at its files again after `FRESH_S`."""
    return _index(store())


def snapshot() -> Snapshot:
    """Return the content of the store, the same object for all sessions until it changes; costs next to nothing."""
    return seen().snapshot()


def scan() -> tuple[list[Run], list[Problem]]:
    """Return all runs and unreadable folders, of a snapshot."""
    found = snapshot()
    return list(found.runs), list(found.problems)


def all_problems() -> list[Problem]:
    """Return the runs, sweeps and searches that could not be read."""
    return [*snapshot().problems, *studies().problems]


class Studies(NamedTuple):
    """All sweeps and searches of the store, and what of them could not be read."""

    known: list[AnyStudy]
    problems: list[Problem]
    version: tuple[object, ...]
    """Changes with their files."""


def studies() -> Studies:
    """Return all sweeps and searches, read again when one of their files has changed; not to be written into."""
    files = study_files()
    found: Studies = CACHE.get(
        ("studies", *files), lambda: _studies(files), lambda _: sum(size for _, _, size in files) * 8
    )
    return found


def study_files() -> tuple[tuple[str, int, int], ...]:
    """Return the files of sweeps and searches: path, time of the last change, bytes."""
    from mnist_core.studies.kinds import SHELVES

    found = []
    for root in store().roots:
        for path in [path for shelf in SHELVES.values() for path in shelf.files(root)]:
            with contextlib.suppress(OSError):  # gone since
                stat = path.stat()
                found.append((printable(path), stat.st_mtime_ns, stat.st_size))
    return tuple(found)


def _studies(version: tuple[object, ...]) -> Studies:
    from mnist_core.studies.kinds import studies

    return Studies(*studies(store()), version)
