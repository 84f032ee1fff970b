"""Sweeps and searches together: all that a store has, and asking for one of either kind."""

from __future__ import annotations

from collections.abc import Mapping

from mnist_core.comparison.selection import StudyKind
from mnist_core.experiments.grids import SweepSpec
from mnist_core.experiments.spaces import SearchSpec
from mnist_core.jobs.runners import Runner
from mnist_core.runs.store import Problem, Store
from mnist_core.studies import searches, sweeps
from mnist_core.studies.searches import Search
from mnist_core.studies.shelf import Shelf
from mnist_core.studies.sweeps import Sweep

AnyStudy = Sweep | Search
SHELVES: Mapping[StudyKind, Shelf[Sweep] | Shelf[Search]] = {"sweep": sweeps.SHELF, "search": searches.SHELF}


def studies(store: Store) -> tuple[list[AnyStudy], list[Problem]]:
    """Return all studies of a store and those that ship, the sweeps first, and the files that cannot be read."""
    found: list[AnyStudy] = []
    problems: list[Problem] = []
    for shelf in SHELVES.values():
        some, damaged = shelf.all(store)
        found += some
        problems += damaged
    return found, problems


def request(store: Store, runner: Runner, spec: SweepSpec | SearchSpec, *, keep_weights: bool = True) -> AnyStudy:
    """Have a study trained, whichever kind its spec is of; one that was cut short goes on.

    Parameters
    ----------
    store, runner, spec
        where, by what, and what.
    keep_weights
        for a sweep: whether new runs keep their weights.
    """
    return SHELVES[spec.kind].request(store, runner, spec, keep_weights)
