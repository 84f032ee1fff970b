"""Presenter mode: one thing at a time in large type, keys for a class, freeze, and a fresh start for the next class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import streamlit as st

from dashboard import state
from dashboard.shared.component_files import files_of

# Streamlit takes r, c and Esc itself; PageDown and PageUp are what the remote controls of projectors send.
KEYS_HELP = (
    "Page Down and Page Up (also those of a remote control): next and previous. 1 Compare, 2 Lessons, 3 Draw. "
    "F freezes the screen, and lets it go again. N begins anew for the next class. P ends presenter mode."
)
PAGES = (
    ("Compare", "views/compare/page.py", "1"),
    ("Lessons", "views/lessons/page.py", "2"),
    ("Draw", "views/draw/page.py", "3"),
)
_HOLD_KEYS = st.components.v2.component(
    "hold_keys",
    html="<span hidden></span>",
    js=files_of(__file__)("freeze.js"),
)


def bar() -> None:
    """Draw the bar at the bottom of the screen; where it is, `style.css` has the large type."""
    frozen = state.frozen()
    # always there: if it came and went, Streamlit would draw all that follows again, and Draw would lose its undo
    _HOLD_KEYS(key="keys_hold", data={"frozen": frozen})
    with st.container(key="presenter_bar", horizontal=True, gap="small", vertical_alignment="center"):
        for label, page, key in PAGES:
            if st.button(label, key=f"presenter_{label}", shortcut=key, type="tertiary", disabled=frozen):
                st.switch_page(page)
        st.button(
            "Frozen: go on" if frozen else "Freeze", key="presenter_freeze", shortcut="F", icon=":material/ac_unit:",
            type="primary" if frozen else "tertiary", on_click=state.freeze, args=(not frozen,),
            help="Nothing on this screen changes until you press it again: prepare in another window meanwhile",
        )  # fmt: skip
        if st.button(
            "New class", key="presenter_new", shortcut="N", icon=":material/restart_alt:", type="tertiary",
            disabled=frozen, help="Back to the two shipped models, with no answers and no drawing; nothing is deleted",
        ):  # fmt: skip
            state.start_over()
            st.switch_page(PAGES[0][1], query_params={state.PRESENT: "1"})
        st.button(
            "End", key="presenter_end", shortcut="P", icon=":material/close:", type="tertiary", disabled=frozen,
            on_click=state.present, args=(False,), help=KEYS_HELP,
        )  # fmt: skip


def steps(names: Sequence[str], current: int, go: Callable[[int], None]) -> None:
    """Draw the buttons to the next and the previous of several things to show.

    Parameters
    ----------
    names
        of the things.
    current
        the place of the one that is shown, from 0; −1 for none.
    go
        what shows the one at a place.
    """
    frozen = state.frozen()
    with st.container(
        key="presenter_steps", horizontal=True, gap="small", vertical_alignment="center", width="content"
    ):
        st.button(
            "Previous", key="presenter_previous", shortcut="PageUp", type="tertiary",
            disabled=frozen or current <= 0, on_click=go, args=(current - 1,),
        )  # fmt: skip
        st.button(
            "Next", key="presenter_next", shortcut="PageDown", type="tertiary",
            disabled=frozen or current >= len(names) - 1, on_click=go, args=(current + 1,),
            help=names[current + 1] if current < len(names) - 1 else None,
        )  # fmt: skip


def next_to_each_other(parts: int) -> Sequence[AbstractContextManager[object]]:
    """Return a column for each of some parts in presenter mode, whose screen is to hold them all; else the page."""
    if state.presenting() and parts > 1:
        return st.columns(parts, gap="medium")
    return [nullcontext()] * parts


def invitation() -> None:
    """Draw the button that begins presenter mode; nothing where it is on."""
    if not state.presenting():
        st.button(
            "Present", key="presenter_begin", icon=":material/slideshow:", type="tertiary",
            on_click=state.present, args=(True,), help=f"Large type for a class. {KEYS_HELP}",
        )  # fmt: skip
