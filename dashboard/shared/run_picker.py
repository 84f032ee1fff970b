"""Choose runs, as chips in their colours. The choice travels from page to page and is in the URL (see `state`)."""

from __future__ import annotations

import streamlit as st

from dashboard import resources, state, theme
from dashboard.shared import groups, panels
from mnist_core.plots.labels import run_labels as run_labels
from mnist_core.plots.labels import short_labels as short_labels
from mnist_core.plots.style import RUN_COLOURS
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

KEY = "run_picker"
MOST = len(RUN_COLOURS)
"""Largest number of chosen runs: more colours could not be distinguished."""

MOST_COMPARED = 20
"""Largest number of runs compared at once; pointing at a line distinguishes runs that share a colour."""

SEEDS = "seeds:"
"""Precedes the id of the first run in the option that stands for all seeds of a recipe."""


def run_picker(
    runs: list[Run],
    *,
    label: str = "Runs",
    help: str | None = None,
    every_seed: bool = False,
    most: int = MOST,
    label_shown: bool = True,
) -> list[Run]:
    """Draw the chips and return the chosen runs, in the order of choice.

    The seeds of one recipe are one choice, and one chip if all are chosen; each can be chosen by itself, too.

    Parameters
    ----------
    runs
        all runs of the store, oldest first.
    label, help
        of the widget.
    every_seed
        return all seeds of a recipe that is chosen as one, for a page that shows them together. Else one stands for
        all of them.
    most
        how many can be chosen.
    label_shown
        True to show the label above the widget; a screen reader has it either way.
    """
    missing = state.missing_ids(runs)
    ids = groups.newest(state.chosen_ids(runs), runs, most)
    chosen = groups.grouped(ids, runs)
    # without their state: a chip keeps its text in the browser when the text of its option changes
    labels = run_labels(runs, states=False)
    members: dict[str, list[str]] = {}
    for group in groups.in_order_of_choice(runs, ids):
        if group.several:
            key = SEEDS + group.first.id
            members[key] = group.ids
            labels[key] = f"{group.name} ({len(group.runs)} seeds)"
        members |= {run_id: [run_id] for run_id in group.ids}
    options = list(members)
    tags = {(SEEDS if group.several else "") + group.first.id: group for group in chosen}
    state.widget(KEY, [tag for tag in tags if tag in members])

    def changed() -> None:
        wanted = [str(option) for option in state.widget_value(KEY) or []]
        state.choose(list(dict.fromkeys(run_id for option in wanted for run_id in members[option])))

    st.multiselect(
        label,
        options,
        format_func=lambda option: labels[option],
        key=KEY,
        max_selections=most,
        filter_mode="contains",  # the default, "fuzzy", puts the shortest label first, of whatever family
        placeholder="Choose runs",
        select_all=False,
        on_change=changed,
        label_visibility="visible" if label_shown else "collapsed",
        help=help or "Each run has one colour on every page. The link in the address bar opens this choice again.",
    )
    palette = resources.colours([group.first.id for group in chosen])
    chips = chip_colours({tag: palette[group.first.id] for tag, group in tags.items()}, labels)
    theme.set_style({f".st-key-{KEY}": {"--chips": max(1, len(tags))}, **chips})
    if missing:
        what = "One run of this link is" if len(missing) == 1 else f"{len(missing)} runs of this link are"
        st.caption(f"{what} not in this store, or cannot be read: {for_markdown(', '.join(missing))}.")
    by_id = {run.id: run for run in runs}
    if every_seed:
        return [by_id[run_id] for run_id in ids]
    several = [group for group in chosen if group.several]
    if several:
        seeds = ", ".join(f"{group.name}: seed {group.first.seed}" for group in several)
        st.caption(f"One seed of each recipe stands for all of them here. {for_markdown(seeds)}.")
    return [group.first for group in chosen]


def nothing_chosen(
    runs: list[Run], sentence: str, *, title: str = "No run is chosen", verb: str = "Choose", least: int = 1
) -> None:
    """Write what a page shows once runs are chosen, with a button that chooses those that a newcomer sees.

    Without the button where these are fewer than `least`, the number that the page needs.
    """
    suggested = state.suggested(runs)
    names = " and ".join(short_labels(suggested)[run.id] for run in suggested)
    panels.empty_state(
        title,
        sentence,
        button=f"{verb} {for_markdown(names)}" if len(suggested) >= least else None,
        icon=":material/checklist:",
        on_click=lambda: state.choose([run.id for run in suggested]),
    )


def chip_colours(colours: dict[str, str], labels: dict[str, str]) -> dict[str, dict[str, object]]:
    """Return the styles that give the chips of the picker the colours of the runs.

    Chips are found by their label, not by their place, so that the colours stay right while one is being removed.
    """
    chip = f".st-key-{KEY} [data-tag]"
    return {
        f"{chip}[aria-label={theme.css_string(labels[run_id])}]": {"--chip": colour}
        for run_id, colour in colours.items()
    }
