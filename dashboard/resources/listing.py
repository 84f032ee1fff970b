"""The runs in lists: a row of the table for each, and its colour."""

from __future__ import annotations

import threading
from typing import NamedTuple

from dashboard.resources import readings, shared
from dashboard.theme import is_dark
from mnist_core.errors import StoreError
from mnist_core.plots.labels import remembered_colours, run_colours
from mnist_core.plots.style import RUN_COLOURS, RUN_COLOURS_DARK
from mnist_core.runs import columns
from mnist_core.runs.index import Snapshot
from mnist_core.runs.run import Run


def palette() -> tuple[str, ...]:
    """Return the colours of runs in the theme that the viewer sees."""
    return RUN_COLOURS_DARK if is_dark() else RUN_COLOURS


def colours(run_ids: list[str], *, printed: bool = False) -> dict[str, str]:
    """Return a colour for each run, the same on every page and in every session; `printed` for those on white paper."""
    return run_colours(shared.store().root, run_ids, RUN_COLOURS if printed else palette())


def known_colours() -> dict[str, str]:
    """Return the colours of the runs that have one already, on the screen."""
    return remembered_colours(shared.store().root, palette())


class Entry(NamedTuple):
    """A run with its row of the table of runs, and its validation losses by epoch, at most 40 of them."""

    run: Run
    row: columns.RunRow
    losses: tuple[float, ...]


MOST_LOSSES = 40
"""Points of a sparkline."""


class _Entries:
    """The rows of the runs of the latest snapshot; each is made again only when its run has changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = -1
        self._by_id: dict[str, tuple[object, Entry]] = {}
        self._all: tuple[Entry, ...] = ()

    def of(self, snapshot: Snapshot) -> tuple[Entry, ...]:
        with self._lock:
            if snapshot.number != self._number:
                found = {}
                for run in snapshot.runs:
                    version = (run.path, readings.run_key(run))
                    known = self._by_id.get(run.id)
                    found[run.id] = known if known and known[0] == version else (version, _entry(run))
                self._by_id = found
                self._all = tuple(entry for _, entry in found.values())
                self._number = snapshot.number
            return self._all


_ENTRIES = _Entries()


def entries() -> tuple[Entry, ...]:
    """Return all runs of the store with their rows, oldest first; one object for all sessions until one changes."""
    return _ENTRIES.of(shared.snapshot())


def _entry(run: Run) -> Entry:
    try:
        losses = readings.summary(run).val_losses
    except StoreError:
        losses = ()
    step = -(-len(losses) // MOST_LOSSES) or 1
    return Entry(run, columns.run_row(run, reader=readings.READER), losses[::step])
