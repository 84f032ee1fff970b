"""One index of a store in a process, shared by all its threads: a look at the store costs almost nothing.

A run is read when one of its files has changed, and never otherwise. What has changed is found by a sweep over the
files' times, sizes and inodes, which reads no file; it takes about 20 µs a run, and is made at most every `FRESH_S`
seconds. Folder times alone would not do: a history grows, and a person's editor may write, without touching them.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from mnist_core.errors import RunNotFound, StoreError
from mnist_core.runs import lease
from mnist_core.runs.records import SCORES, ChosenEpoch
from mnist_core.runs.run import Run
from mnist_core.runs.store import Problem, Store, run_names, unlisted
from mnist_core.runs.summary import RunSummary, summarise

FRESH_S = 0.5
"""A snapshot younger than this is given out again without a look at the files."""
MOST_SHARE = 0.2
"""Share of the time that sweeps may take: where the disk is slow, they become rarer."""
WATCHED = ("config.json", "meta.json", "status.json", "history.jsonl", "predictions.npz", SCORES)
"""The files that make a run what it is. What else training writes comes before a change of `status.json`."""

Stamp = tuple[int, int, int, int]
_NUMBERS = itertools.count(1)
"""For all indices of the process together: a number alone says what a snapshot holds."""


@dataclass(frozen=True)
class Snapshot:
    """The content of the store at one moment. It does not change; two snapshots with the same number are equal.

    runs: all readable runs, oldest first. problems: files that could not be read. by_id: the runs by id.
    """

    number: int
    runs: tuple[Run, ...]
    problems: tuple[Problem, ...]
    by_id: Mapping[str, Run]

    def get(self, run_id: str) -> Run:
        """Return the run with exactly this id.

        Raises
        ------
        RunNotFound
            where there is none.
        StoreError
            where it is damaged.
        """
        if run_id in self.by_id:
            return self.by_id[run_id]
        for problem in self.problems:
            if problem.path.name == run_id:
                raise StoreError(problem.reason)
        raise RunNotFound(f"there is no run {run_id!r} in the store")


@dataclass(frozen=True)
class _FolderReading:
    """A folder as it was read: the stamps were taken before, so that a change in between is found by the next sweep."""

    stamps: tuple[Stamp | None, ...]
    folder: Stamp | None
    """A new holder's lease changes the folder."""
    failure: str
    """Result of `lease.failure`. It changes none of the stamps: a full disk may have room for the lease file only."""
    found: Run | Problem


class Index:
    """The runs of a store, kept up to date; all methods may be called from any thread.

    Parameters
    ----------
    store
        where the runs are. A change that is made through this very object is seen at once, others within `fresh_s`.
    fresh_s
        seconds for which a snapshot is taken to be up to date; with 0 every call looks at the files.
    """

    def __init__(self, store: Store, fresh_s: float = FRESH_S) -> None:
        self.store = store
        self.fresh_s = fresh_s
        self._lock = threading.Lock()
        self._entries: dict[str, _FolderReading] = {}
        self._unlistable: list[Problem] = []
        self._catalog: tuple[Stamp | None, str] = (None, "")
        self._snapshot: Snapshot | None = None
        self._changes = -1
        self._next_sweep = 0.0
        self._figures: dict[str, tuple[object, dict[ChosenEpoch, RunSummary | str]]] = {}
        self._counting = threading.Lock()

    def snapshot(self) -> Snapshot:
        """Return what the store holds, as it was at most `fresh_s` seconds ago (longer where a sweep takes long)."""
        with self._lock:
            changes = self.store.changes
            if self._snapshot is None or changes != self._changes or time.monotonic() >= self._next_sweep:
                began = time.monotonic()
                self._snapshot = self._swept(self._snapshot)
                self._changes = changes
                ended = time.monotonic()
                slow = (ended - began) * (1 - MOST_SHARE) / MOST_SHARE
                self._next_sweep = ended + (max(self.fresh_s, slow) if self.fresh_s else 0.0)
            return self._snapshot

    def summary(self, run: Run, chosen: ChosenEpoch = "kept") -> RunSummary:
        """Return the figures of a run of a snapshot, which are read once for each version of it.

        Raises
        ------
        StoreError
            where its files are damaged.
        """
        version = run.version(), run.state
        with self._counting:
            known, figures = self._figures.get(run.id, (None, {}))
            if known != version:
                figures = {}
                self._figures[run.id] = version, figures
        if chosen not in figures:
            try:
                figures[chosen] = summarise(run, chosen)
            except StoreError as error:
                figures[chosen] = str(error)
        found = figures[chosen]
        if isinstance(found, str):
            raise StoreError(found)
        return found

    def _swept(self, before: Snapshot | None) -> Snapshot:
        """Return the snapshot after a look at all files; `before` itself where nothing has changed."""
        entries: dict[str, _FolderReading] = {}
        unlistable: list[Problem] = []
        for folder in self.store.run_folders:
            root = str(folder)
            try:
                names = run_names(folder)
            except OSError as error:
                unlistable.append(unlisted(folder, error))
                continue
            for name in names:
                path = f"{root}{os.sep}{name}"
                entries[path] = self._entry(path, self._entries.get(path))
        catalog = self._catalog_problem()
        same = (
            before is not None
            and unlistable == self._unlistable
            and catalog is self._catalog
            and len(entries) == len(self._entries)
            and all(entry is self._entries.get(path) for path, entry in entries.items())
        )
        self._entries, self._catalog, self._unlistable = entries, catalog, unlistable
        if before is not None and same:
            return before
        by_id: dict[str, Run] = {}
        problems: list[Problem] = []
        for entry in entries.values():  # those of the later folder come later, and hide the others
            if isinstance(entry.found, Run):
                by_id[entry.found.id] = entry.found
            else:
                problems.append(entry.found)
        if catalog[1]:
            problems.append(Problem(self.store.root / "datasets.json", catalog[1]))
        with self._counting:
            self._figures = {key: value for key, value in self._figures.items() if key in by_id}
        runs = sorted(by_id.values(), key=lambda run: (run.status.created_at, run.id))
        return Snapshot(
            next(_NUMBERS),
            tuple(runs),
            (*unlistable, *problems),
            MappingProxyType({run.id: run for run in runs}),
        )

    def _entry(self, path: str, known: _FolderReading | None) -> _FolderReading:
        """Return what a folder holds: `known` itself where it still holds that."""
        stamps = tuple(_stamp(f"{path}{os.sep}{name}") for name in WATCHED)
        if known is not None and known.stamps == stamps and not self._holder_changed(path, known):
            return known
        folder, failure = _stamp(path), _failure(path)
        found = self.store.read_folder(Path(path))
        if isinstance(found, Run):
            found = replace(found, seen=stamps)
        return _FolderReading(stamps, folder, failure, found)

    @staticmethod
    def _holder_changed(path: str, known: _FolderReading) -> bool:
        """True if a run whose files are the same has lost its holder, may have found one, or failed on a full disk."""
        run = known.found
        if not isinstance(run, Run):
            return False
        if run.state == "running":
            return not lease.held(run.path)
        if run.state not in ("queued", "interrupted"):
            return False
        return _stamp(path) != known.folder or _failure(path) != known.failure

    def _catalog_problem(self) -> tuple[Stamp | None, str]:
        stamp = _stamp(f"{self.store.root}{os.sep}datasets.json")
        return self._catalog if stamp == self._catalog[0] else (stamp, self.store.catalog.problem())


def _failure(path: str) -> str:
    try:
        return lease.failure(Path(path), 0)
    except OSError:  # an entry with the name of a run may be a file, or a folder that cannot be listed
        return ""


def _stamp(path: str) -> Stamp | None:
    """Return what changes with a file or folder, None where there is none.

    The time of its last change of any kind is part of it: a copy may keep the time of the content.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino
