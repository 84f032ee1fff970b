"""Which of the chosen runs belong together: all seeds of one recipe are shown as one. No Streamlit here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from mnist_core.comparison import recipes
from mnist_core.plots.labels import family
from mnist_core.runs.run import Run


@dataclass(frozen=True)
class RunGroup:
    """One run, or all runs of a recipe, oldest first.

    first: the run that stands for all where only one can be shown: the oldest finished one, else the oldest. Its
    colour is the recipe's.
    """

    runs: tuple[Run, ...]

    @property
    def first(self) -> Run:
        """The run that stands for all."""
        return next((run for run in self.runs if run.state == "finished"), self.runs[0])

    @property
    def several(self) -> bool:
        """True if these are several seeds of a recipe."""
        return len(self.runs) > 1

    @property
    def name(self) -> str:
        """Name of the runs, without their seeds."""
        return recipes.run_name(self.first)

    @property
    def ids(self) -> list[str]:
        """The ids of all its runs."""
        return [run.id for run in self.runs]


def _key(run: Run) -> tuple[str, str]:
    return run.recipe, run.status.fingerprint


def recipes_of(runs: Iterable[Run]) -> list[RunGroup]:
    """Return all recipes among `runs` that have several seeds, in the order of their first runs."""
    found: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        found.setdefault(_key(run), []).append(run)
    return [RunGroup(tuple(same)) for same in found.values() if len(same) > 1]


def in_order_of_choice(runs: Sequence[Run], ids: Collection[str]) -> list[RunGroup]:
    """Return all recipes as groups, in the order in which a person chooses among them.

    Families of which a run is chosen already come first: the family of ``notebook/model_1`` is ``notebook``. Then the
    user's recipes, the newest first, and those that ship, by name. The runs of sweeps come last: there may be
    hundreds; those of one that ships are found on the Sweeps page.

    Parameters
    ----------
    runs
        all runs of the store, oldest first.
    ids
        of the chosen runs.
    """
    families = {family(run.name) for run in runs if run.id in ids} - {""}
    found: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if run.listed or run.id in ids:
            found.setdefault(_key(run), []).append(run)
    newest = {run.id: number for number, run in enumerate(runs)}

    def place(same: list[Run]) -> tuple[object, ...]:
        first, last = same[0], same[-1]
        name = first.name if first.read_only else ""
        swept = all(run.one_of_many for run in same)
        return swept, family(first.name) not in families, first.read_only, name, -newest[last.id]

    return [RunGroup(tuple(same)) for same in sorted(found.values(), key=place)]


def grouped(ids: Sequence[str], runs: Iterable[Run]) -> list[RunGroup]:
    """Return the chosen runs in the order of choice; recipes of which every seed is chosen are together.

    Parameters
    ----------
    ids
        of the chosen runs; those that are not among `runs` are left out.
    runs
        all runs of the store, oldest first.
    """
    by_id = {run.id: run for run in runs}
    chosen = set(ids)
    # the runs of a sweep that ships can be chosen on its page alone, and are no part of "all seeds" elsewhere
    known = [run for run in by_id.values() if run.listed or run.id in chosen]
    whole = {run.id: group for group in recipes_of(known) if chosen >= set(group.ids) for run in group.runs}
    found: dict[str, RunGroup] = {}
    for run_id in ids:
        if run_id in by_id:
            group = whole.get(run_id) or RunGroup((by_id[run_id],))
            found.setdefault(group.first.id, group)
    return list(found.values())


def newest(ids: Sequence[str], runs: Iterable[Run], most: int) -> list[str]:
    """Return the ids of the last `most` groups."""
    return [run_id for group in grouped(ids, runs)[-most:] for run_id in group.ids]
