"""The ticked runs in one line above the table, also those that a filter or the order has put out of sight."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import theme
from dashboard.shared.run_picker import short_labels
from dashboard.views.runs import table
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

KEY, REST = "runs_chosen", "runs_chosen_rest"
LINE_PX = 1080
"""Width of the line in a window of 1280 pixels; a narrower one scrolls it."""
LETTER_PX, AROUND_PX, MOST_PX, REST_PX = 7, 62, 300, 110
"""Of a letter, of a chip around its name, of a whole chip, and of the button for the others."""
MOST_LISTED = 20
"""Chips, those behind the button for the others included."""


def draw(count: str, chosen: Sequence[Run], baseline: str | None, colours: Mapping[str, str], most: int) -> None:
    """Draw how many runs are listed, and after it a chip for each ticked run, the baseline first; a click unticks it.

    Parameters
    ----------
    count
        how many are listed and ticked, in words.
    chosen
        the ticked runs, in their order.
    baseline
        the id of the one that the others are compared with; None for none.
    colours
        of the runs that have one.
    most
        how many runs can be compared at once.
    """
    ids = [run.id for run in chosen]
    runs = sorted(chosen, key=lambda run: run.id != baseline)
    near = runs[:MOST_LISTED]
    names = short_labels(near)
    labels = {run.id: names[run.id] + (" (baseline)" if run.id == baseline else "") for run in near}
    room = LINE_PX - LETTER_PX * len(count)
    shown = fitting([labels[run.id] for run in near], room, more=len(runs) > len(near))
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key=KEY):
        st.caption(count, width="content")
        for run in near[:shown]:
            _chip(run, labels[run.id], ids, most)
        if len(runs) > shown:
            with st.popover(f"+{len(runs) - shown} more", key=REST, type="tertiary", on_change="rerun") as rest:
                if rest.open:
                    for run in near[shown:]:
                        _chip(run, labels[run.id], ids, most)
                    if len(runs) > len(near):
                        st.caption(f"And {len(runs) - len(near)} more.")
        if near:
            theme.set_style({f".st-key-chip_{run.id}": {"--chip": colours.get(run.id, "grey")} for run in near})


def fitting(labels: Sequence[str], room: float, *, more: bool = False) -> int:
    """Return how many of the labels fit as chips into `room` pixels, at least the first; `more` if others follow."""
    ends = list(itertools.accumulate(min(MOST_PX, AROUND_PX + LETTER_PX * len(label)) for label in labels))
    if not more and ends and ends[-1] <= room:
        return len(ends)
    return max(min(1, len(ends)), sum(end <= room - REST_PX for end in ends))


def _chip(run: Run, label: str, ids: Sequence[str], most: int) -> None:
    others = [run_id for run_id in ids if run_id != run.id]
    st.button(
        for_markdown(label), key=f"chip_{run.id}", icon=":material/close:", icon_position="right",
        on_click=table.tick, args=(others, most), help=f"Untick {for_markdown(label)}.",
    )  # fmt: skip
