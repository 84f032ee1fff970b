"""The table itself: ticks, names, tags and notes are changed in place; a button in each line opens its details."""

from __future__ import annotations

import datetime
import functools
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import resources, state
from dashboard.shared import panels
from dashboard.views.runs.lines import Line, toggled
from mnist_core.errors import MnistCoreError
from mnist_core.plots.style import GREY
from mnist_core.runs.columns import COLUMNS, Column
from mnist_core.text import data_name

EDITOR = "runs_table"
TICKED = "runs_ticked"
FAILED = "runs_failed"
DRAWN, DONE = f"{EDITOR}:drawn", f"{EDITOR}:done"
OPEN = "details"
TICK, FOLD, COLOUR, CURVE, DIFFERENCE, SEEDS, SPREAD, DETAILS = (
    "tick", "fold", "colour", "curve", "difference", "seeds", "spread", "details"
)  # fmt: skip

SHOWN = {
    CURVE: "Validation loss, epoch by epoch",
    DIFFERENCE: "Difference of the test accuracy from the baseline",
    SEEDS: "Seed",
} | {name: column.label for name, column in COLUMNS.items()}
"""All columns that can be chosen, and what they are called."""
USUAL = (
    "test_accuracy", DIFFERENCE, "test_loss", CURVE, "dataset", SEEDS, "state", "parameters", "seconds", "created",
    "tags", "note",
)  # fmt: skip
ROW_PX, MOST_ROWS = 35, 16
PHONE_PX = 640
"""Largest width of a window in which the columns are as narrow as they can be."""
NAME_PX, LETTER_PX, CELL_PX = (140, 480), 7.5, 20
"""Smallest and largest width of the names, that of a letter, and what is around the text of a cell."""
INDENT = "   ↳ "
"""Stands before the name of a run that is listed below its recipe, in the cell that is edited."""


@dataclass(frozen=True)
class Widths:
    """Widths in pixels of the columns that a reader needs on any screen."""

    tick: int
    fold: int
    colour: int
    name: int
    accuracy: int
    phone: bool


def widths_of(names: Sequence[str], window: int | None, *, by_recipe: bool) -> Widths:
    """Return widths for these names: each is seen whole up to a limit.

    On a phone tick, colour, name and accuracy are on the screen together.
    """
    wanted = round(CELL_PX + LETTER_PX * max(map(len, names), default=0))
    if window is None or window > PHONE_PX:
        return Widths(40, 56, 36, min(max(NAME_PX[0], wanted), NAME_PX[1]), 92, phone=False)
    tick, fold, colour, accuracy = 34, 40, 28, 78
    others = tick + fold * by_recipe + colour + accuracy
    room = window - 2 * 16 - 2 - others  # without the margins of the page, and the table's border
    return Widths(tick, fold, colour, max(NAME_PX[0], min(wanted, room)), accuracy, phone=True)


@dataclass(frozen=True)
class _Drawn:
    """The editor's content when it was first drawn, so that its own changes can be distinguished from ours."""

    key: str
    lines: tuple[tuple[str, ...], ...]
    recipes: tuple[str, ...]
    ticks: tuple[bool, ...]
    widths: Widths

    @property
    def click_key(self) -> str:
        """Key of the last click on a button in a line."""
        return f"{self.key}_click"

    def edits(self) -> list[tuple[int, str, Any]]:
        """Return all changes since it was first drawn: row, column, value."""
        found = state.widget_value(self.key) or {}
        return [
            (int(row), column, value)
            for row, changes in found.get("edited_rows", {}).items()
            for column, value in changes.items()
        ]

    def ticks_now(self) -> tuple[bool, ...]:
        """Return the ticks that it shows."""
        ticks = list(self.ticks)
        for row, column, value in self.edits():
            if column == TICK:
                ticks[row] = bool(value)
        return tuple(ticks)


def with_spread(shown: Sequence[str]) -> list[str]:
    """Return the columns with the spread of a recipe's seeds after the accuracy."""
    return [part for name in shown for part in ((name, SPREAD) if name == "test_accuracy" else (name,))]


def ticked(runs: Sequence[str]) -> list[str]:
    """Return the ids of the runs that are ticked, of those that are there; at first the chosen ones."""
    found = state.widget_value(TICKED)
    known = set(runs)
    return [run_id for run_id in (found if isinstance(found, list) else []) if run_id in known]


def tick(ids: Sequence[str], most: int) -> None:
    """Tick these runs and no others; those `to_compare` are the runs chosen on all pages."""
    state.fill({TICKED: list(ids)})
    state.choose(to_compare(ids, most))


def to_compare(ids: Sequence[str], most: int) -> list[str]:
    """Return what `compared` does, with the baseline that somebody has pinned."""
    return compared(ids, most, state.pinned_baseline(ids))


def compared(ids: Sequence[str], most: int, baseline: str | None = None) -> list[str]:
    """Return which of the ticked runs are compared where `most` can be: the baseline, and those that were ticked first.

    Without a pinned baseline, it is the first.
    """
    first = baseline if baseline in ids else next(iter(ids), None)
    others = [run_id for run_id in ids if run_id != first]
    kept = {first, *others[: max(0, most - 1)]}
    return [run_id for run_id in ids if run_id in kept]


def tick_all(ids: Sequence[str], ticked_now: Sequence[str], most: int) -> None:
    """Tick these runs too, after those that are ticked: these stay compared, in their order, with their baseline."""
    tick(list(dict.fromkeys([*ticked_now, *ids])), most)


def draw(
    lines: Sequence[Line],
    shown: Sequence[str],
    *,
    chosen: Sequence[str],
    colours: Mapping[str, str],
    differences: Sequence[float | None],
    unfolded: frozenset[str],
    by_recipe: bool,
    tags: Sequence[str],
) -> None:
    """Draw the table.

    Parameters
    ----------
    lines
        of `lines_of`.
    shown
        the columns after the name, of `SHOWN`.
    chosen
        the ids that are ticked.
    colours
        of the runs that have one.
    differences
        from the baseline, a share for each line.
    unfolded
        the recipes that show their seeds.
    by_recipe
        whether there may be lines of recipes.
    tags
        all that are in use.
    """
    names = [(INDENT if line.depth else "") + str(line.row["name"]) for line in lines]
    widths = widths_of(names, state.window_width(), by_recipe=by_recipe)
    drawn = _drawn([line.ids for line in lines], [line.recipe for line in lines], chosen, widths)
    frame = pd.DataFrame({TICK: list(drawn.ticks)})
    if by_recipe:
        frame[FOLD] = pd.Series([line.recipe in unfolded if line.recipe else None for line in lines], dtype="boolean")
    # each value goes to the browser once: the squares of 2,000 lines would be half of the message
    frame[COLOUR] = pd.Categorical([_square(colours.get(line.ids[0])) for line in lines])
    frame["name"] = names
    for name in shown:
        frame[name] = _values(name, lines, differences)
    frame[DETAILS] = pd.Categorical([":material/info:"] * len(lines))

    st.data_editor(
        frame,
        key=drawn.key,
        hide_index=True,
        placeholder="–",
        column_order=[TICK, *([FOLD] if by_recipe else []), COLOUR, "name", *_with_details(shown, widths)],
        column_config=_config(shown, tags, drawn.click_key, drawn.widths),
        disabled=[name for name in frame.columns if name not in (TICK, FOLD, "name", "tags", "note")],
        height=ROW_PX * (min(len(lines), MOST_ROWS) + 1) + 3,
        row_height=ROW_PX,
        alt="All runs that the filters leave, one a line",
    )


def _with_details(shown: Sequence[str], widths: Widths) -> list[str]:
    """Return the columns after the name: the button for the details is first, on a phone after one figure."""
    place = 1 if widths.phone else 0
    return [*shown[:place], DETAILS, *shown[place:]]


def _drawn(ids: list[tuple[str, ...]], recipes: list[str], chosen: Sequence[str], widths: Widths) -> _Drawn:
    """Return the editor that shows these lines: that of the last rerun where it shows the same lines and ticks.

    Streamlit keeps what was changed in an editor by the numbers of its rows, so that other lines need another editor.
    It has the widths of when it was first drawn, so that a new name does not change the column in which it is written.
    """
    on = set(chosen)
    now = tuple(on.issuperset(line) for line in ids)
    before = state.widget_value(DRAWN)
    if isinstance(before, _Drawn) and before.lines == tuple(ids) and before.ticks_now() == now:
        return before
    number = state.count_up(f"{EDITOR}:number")
    drawn = _Drawn(f"{EDITOR}_{number}", tuple(ids), tuple(recipes), now, widths)
    state.fill({DRAWN: drawn, DONE: {}})
    return drawn


def redraw() -> None:
    """Draw the table again: what was changed in it has failed, or was changed elsewhere since."""
    state.fill({DRAWN: None})


def carry_out(unfolded: frozenset[str], unfold: Callable[[frozenset[str]], None], most: int) -> None:
    """Do what was changed in the table since the last rerun; to be called before anything is read.

    Parameters
    ----------
    unfolded
        the recipes that show their seeds.
    unfold
        is called with those that are to show them, where that was changed.
    most
        how many runs can be compared at once.
    """
    drawn = state.widget_value(DRAWN)
    if not isinstance(drawn, _Drawn):
        return
    done, chosen, open_now = dict(state.widget_value(DONE) or {}), list(state.widget_value(TICKED) or []), set(unfolded)
    news = [(row, column, value) for row, column, value in drawn.edits() if done.get((row, column), _NOTHING) != value]
    for row, column, value in news:
        ids = drawn.lines[row]
        if column == TICK:
            chosen = toggled(chosen, ids, on=bool(value))
        elif column == FOLD and drawn.recipes[row]:
            (open_now.add if value else open_now.discard)(drawn.recipes[row])
        elif column in ("name", "tags", "note"):
            _describe(ids, column, value)
    if news:
        state.fill({DONE: done | {(row, column): value for row, column, value in news}})
        tick(chosen, most)
    if open_now != unfolded:
        unfold(frozenset(open_now))
    click = state.widget_value(drawn.click_key)
    if click is not None:
        state.set_link(**{OPEN: drawn.lines[click["row"]][0]})


_NOTHING = object()


def _describe(ids: Sequence[str], column: str, value: Any) -> None:
    """Give runs another name, other tags or another note; what is refused is shown, and the table drawn again."""
    store = resources.store()
    try:
        for run_id in ids:
            if column == "name":
                text = str(value or "").removeprefix(INDENT).strip()
                seed = store.get(run_id).seed  # a run from outside, which has none, is never one of several
                store.describe(run_id, name=text if len(ids) == 1 else f"{text}, seed {seed}")
            elif column == "tags":
                store.describe(run_id, tags=clean_tags(value or []))
            else:
                store.describe(run_id, note=str(value or ""))
    except MnistCoreError as error:
        state.fill({FAILED: panels.sentence(error)})
        redraw()
    if len(ids) > 1:
        redraw()  # the lines below show it too


def clean_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Return tags as they are stored: without blanks around them, each once."""
    return tuple(dict.fromkeys(text for tag in tags if (text := str(tag).strip())))


_PLAIN = " <>='/:()-"


@functools.cache
def _square(colour: str | None) -> str:
    """Return a small square as the address of a picture; for no colour a hollow one."""
    paint = f"fill='{colour}'" if colour else f"fill='none' stroke='{GREY}' stroke-dasharray='2'"
    box = f"<rect x='4' y='4' width='8' height='8' rx='1' {paint}/>"
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>{box}</svg>"
    # as few characters as possible are escaped: there is one of these for each line
    return f"data:image/svg+xml,{urllib.parse.quote(svg, safe=_PLAIN)}"


def _values(name: str, lines: Sequence[Line], differences: Sequence[float | None]) -> list[Any] | pd.Series:
    if name == CURVE:
        return [np.array(line.losses, np.float32) if line.losses else None for line in lines]  # half the bytes
    if name == DIFFERENCE:
        return pd.Series([None if value is None else 100 * value for value in differences], dtype="Float64")
    if name == SPREAD:
        spreads = [line.row["spread"] for line in lines]
        return pd.Series([None if value is None else 100 * value for value in spreads], dtype="Float64")
    column = COLUMNS.get(name)
    values = [line.row[name] for line in lines]
    if name == "dataset":
        return [value and data_name(value) for value in values]
    if column is None or column.kind == "text":
        return values
    if column.kind == "texts":
        return [list(value) for value in values]
    if column.kind == "time":
        # the time of this machine's clock; a browser elsewhere would show its own
        return [datetime.datetime.fromtimestamp(value) for value in values]
    if column.kind == "flag":
        return pd.Series(values, dtype="boolean")
    return pd.Series(
        [None if value is None else 100 * value for value in values] if column.share else values, dtype="Float64"
    )


def _config(shown: Sequence[str], tags: Sequence[str], click_key: str, widths: Widths) -> dict[str, Any]:
    kinds = st.column_config
    config: dict[str, Any] = {
        TICK: kinds.CheckboxColumn("", pinned=True, width=widths.tick, help="Compare, hide or delete the ticked runs."),
        FOLD: kinds.CheckboxColumn("▾", pinned=True, width=widths.fold, help="Show the seeds of this recipe below it."),
        COLOUR: kinds.ImageColumn(
            "", pinned=True, width=widths.colour,
            help="The run's colour on every page; it gets one when it is first chosen.",
        ),
        "name": kinds.TextColumn(
            "Name", pinned=True, required=True, max_chars=80, width=widths.name, help="Click twice to rename."
        ),
        DETAILS: kinds.ButtonColumn(
            "", width=44, type="tertiary", key=click_key, help="Everything about this run."
        ),
        CURVE: kinds.LineChartColumn("Val. loss", width=110, help="The validation loss, epoch by epoch."),
        DIFFERENCE: kinds.NumberColumn(
            "Δ", format="%+.2f", width=70,
            help="Test accuracy less that of the baseline, in points; without its interval, which Compare has. Empty "
            "where the data is another.",
        ),
        SEEDS: kinds.TextColumn(SHOWN[SEEDS], width=64),
        SPREAD: kinds.NumberColumn(
            "±", format="%.2f", width=56, help="Standard deviation of the test accuracy over the seeds, in points."
        ),
        "tags": kinds.MultiselectColumn(
            "Tags", options=list(tags), accept_new_options=True, width=140, help="Click twice to change them."
        ),
        "note": kinds.TextColumn("Note", max_chars=4000, width=200, help="Click twice to write."),
    }  # fmt: skip
    plain = (COLUMNS[name] for name in shown if name in COLUMNS and name not in config)
    return config | {
        column.name: _plain(column, widths.accuracy if column.name == "test_accuracy" else _WIDTHS.get(column.name))
        for column in plain
    }


_WIDTHS = {
    "dataset": 84,
    "state": 84,
    "test_loss": 84,
    "parameters": 96,
    "seconds": 70,
    "created": 130,
}
_LABELS = {"test_accuracy": "Accuracy", "test_loss": "Loss", "seconds": "Seconds", "parameters": "Parameters"}


def _plain(column: Column, width: int | None) -> Any:
    label = _LABELS.get(column.name, column.label)
    help = f"{column.label}: {column.help} `{column.name}` in conditions."
    if column.kind == "time":
        return st.column_config.DatetimeColumn(label, format="YYYY-MM-DD HH:mm", width=width, help=help)
    if column.kind == "flag":
        return st.column_config.CheckboxColumn(label, width=width, help=help)
    if column.kind == "number":
        losses = "%.4f" if column.name.endswith("loss") else "localized" if column.name == "parameters" else None
        form = "%.2f %%" if column.share else "%.1f" if column.name == "seconds" else losses
        return st.column_config.NumberColumn(label, format=form, width=width, help=help)
    return st.column_config.TextColumn(label, width=width, help=help)
