"""Which lines the table of runs has, and in which order. No Streamlit here."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.resources import Entry
from mnist_core.comparison.recipes import without_seed
from mnist_core.runs.columns import COLUMNS, RunRow, contains
from mnist_core.runs.filters import Filter

MEANS = (
    "epochs", "best_epoch", "val_loss", "val_accuracy", "best_val_loss", "test_loss", "test_accuracy", "test_macro_f1",
    "seconds",
)  # fmt: skip
"""The columns that a line for a recipe shows as the mean of its seeds."""


@dataclass(frozen=True)
class Line:
    """One line: a run, or all seeds of a recipe that are listed.

    row: what it shows, with `seeds` in words, and `spread`, the standard deviation of the test accuracies of a recipe.
    losses: the validation losses, of a recipe those of its first run. depth: 1 below an unfolded recipe, else 0.
    recipe: what folds and unfolds it; empty for a run that stands alone.
    """

    ids: tuple[str, ...]
    row: RunRow
    losses: tuple[float, ...]
    depth: int = 0
    recipe: str = ""


@dataclass(frozen=True)
class View:
    """The view of the table that a person has chosen.

    text: words that must occur. owner: a person whose runs alone are listed, None for everybody's. test: a condition,
    None for none. sort: a column. hidden: ids of runs left out. by_recipe: one line for all seeds of a recipe; those in
    `unfolded` show their seeds below. pinned: the id of the baseline, which comes first and is never left out.
    """

    text: str = ""
    owner: str | None = None
    test: Filter | None = None
    sort: str = "created"
    descending: bool = True
    hidden: frozenset[str] = frozenset()
    by_recipe: bool = False
    unfolded: frozenset[str] = frozenset()
    pinned: str | None = None


def lines_of(entries: Sequence[Entry], view: View) -> list[Line]:
    """Return the lines of the table."""
    kept = [
        entry
        for entry in entries
        if entry.run.id not in view.hidden
        and contains(entry.row, view.text)
        and view.owner in (None, entry.run.meta.owner)
        and (not view.test or view.test(entry.row))
    ]
    groups = _groups(kept) if view.by_recipe else [[entry] for entry in kept]
    lines = [_recipe(group) if len(group) > 1 else _single(group[0]) for group in groups]
    lines = _sorted(lines, view)
    if view.by_recipe:
        by_recipe = {_key(group[0]): group for group in groups if len(group) > 1}
        lines = [
            part
            for line in lines
            for part in (line, *(_below(by_recipe[line.recipe]) if line.recipe in view.unfolded else ()))
        ]
    return _pinned(lines, entries, view.pinned)


def _key(entry: Entry) -> str:
    return f"{entry.row['recipe']}-{entry.run.status.fingerprint}"


def _groups(entries: Sequence[Entry]) -> list[list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(_key(entry), []).append(entry)
    return list(found.values())


def _single(entry: Entry, depth: int = 0) -> Line:
    return Line(
        (entry.run.id,),
        entry.row | {"seeds": "–" if entry.row["seed"] is None else str(entry.row["seed"]), "spread": None},
        entry.losses,
        depth,
    )


def _below(group: Sequence[Entry]) -> list[Line]:
    return [_single(entry, depth=1) for entry in sorted(group, key=lambda entry: entry.row["seed"])]


def _recipe(group: Sequence[Entry]) -> Line:
    """Return the line for several seeds of one recipe: means of what is measured, and what they have in common."""
    group = sorted(group, key=lambda entry: entry.row["seed"])
    rows = [entry.row for entry in group]
    row: RunRow = {name: rows[0][name] if len({str(r[name]) for r in rows}) == 1 else None for name in COLUMNS}
    for name in MEANS:
        known = [r[name] for r in rows if r[name] is not None]
        row[name] = statistics.fmean(known) if known else None
    accuracies = [r["test_accuracy"] for r in rows if r["test_accuracy"] is not None]
    states = [r["state"] for r in rows]
    row |= {
        "name": without_seed(rows[0]["name"], rows[0]["seed"]),
        "id": None,
        "created": max(r["created"] for r in rows),
        "state": ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states)),
        "tags": tuple(dict.fromkeys(tag for r in rows for tag in r["tags"])),
        "seeds": _seeds([r["seed"] for r in rows]),
        "spread": statistics.stdev(accuracies) if len(accuracies) > 1 else None,
    }
    return Line(tuple(entry.run.id for entry in group), row, group[0].losses, 0, _key(group[0]))


def _seeds(seeds: Sequence[int]) -> str:
    """Return seeds in words, such as ``0–4`` or ``1, 7``."""
    if len(seeds) > 2 and seeds[-1] - seeds[0] == len(seeds) - 1:
        return f"{seeds[0]}–{seeds[-1]}"
    return ", ".join(map(str, seeds))


def _sorted(lines: list[Line], view: View) -> list[Line]:
    def value(line: Line) -> Any:
        found = line.row[view.sort]
        return found.casefold() if isinstance(found, str) else found

    known = sorted((line for line in lines if value(line) is not None), key=value, reverse=view.descending)
    return known + [line for line in lines if value(line) is None]  # a missing value is never the best


def _pinned(lines: list[Line], entries: Sequence[Entry], pinned: str | None) -> list[Line]:
    """Return the lines with that of the pinned run first; it is there even where a filter leaves it out."""
    if pinned is None:
        return lines
    own = next((line for line in lines if line.ids == (pinned,)), None)
    if own is None:
        own = next((_single(entry) for entry in entries if entry.run.id == pinned), None)
    return lines if own is None else [own, *(line for line in lines if line.ids != (pinned,))]


def differences(lines: Sequence[Line], entries: Sequence[Entry], baseline: str | None) -> list[float | None]:
    """Return how much the test accuracy of each line is above the baseline's; None on other data."""
    base = next((entry for entry in entries if entry.run.id == baseline), None)
    if base is None or base.row["test_accuracy"] is None:
        return [None] * len(lines)
    fingerprints = {entry.run.id: entry.run.status.fingerprint for entry in entries}
    return [
        None
        if line.row["test_accuracy"] is None or fingerprints[line.ids[0]] != base.run.status.fingerprint
        else line.row["test_accuracy"] - base.row["test_accuracy"]
        for line in lines
    ]


def toggled(chosen: Sequence[str], line: Collection[str], *, on: bool) -> list[str]:
    """Return the chosen ids with those of a line added at the end, or taken out."""
    others = [run_id for run_id in chosen if run_id not in line]
    return [*chosen, *(run_id for run_id in line if run_id not in chosen)] if on else others
