"""Delete many runs at once, with undo, and the trash."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dashboard import resources, state
from dashboard.shared import panels
from dashboard.shared.run_picker import run_labels
from mnist_core.errors import MnistCoreError
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

DELETED = "runs_deleted"
SENTENCES = "runs_sentences"
MOST_LISTED = 50


def delete(runs: Sequence[Run]) -> list[str]:
    """Move runs to the trash; return the ids of those that are there now. What is refused is kept for `report`."""
    gone, refused = [], []
    for run in runs:
        try:
            resources.store().delete(run.id)
            gone.append(run.id)
        except MnistCoreError as error:
            refused.append(panels.sentence(error))
    state.fill({DELETED: gone, SENTENCES: refused})
    return gone


def report() -> None:
    """State what has just been deleted, with the button that brings it back, and what was refused."""
    found = state.widget_value(SENTENCES)
    refused = found if isinstance(found, list) else []
    for sentence in refused[:3]:
        st.error(for_markdown(sentence), icon=":material/error:")
    if len(refused) > 3:
        st.error(f"And {len(refused) - 3} more could not be deleted.", icon=":material/error:")
    state.fill({SENTENCES: []})
    gone = state.widget_value(DELETED)
    if isinstance(gone, list) and gone:
        with st.container(horizontal=True, vertical_alignment="center", key="runs_undo_bar"):
            st.markdown("One run is in the trash." if len(gone) == 1 else f"{len(gone)} runs are in the trash.")
            st.button("Undo", icon=":material/undo:", key="runs_undo", on_click=_undo, args=(gone,))


def _undo(ids: Sequence[str]) -> None:
    refused = []
    for run_id in ids:
        try:
            resources.store().restore(run_id)
        except MnistCoreError as error:
            refused.append(panels.sentence(error))
    state.fill({DELETED: [], SENTENCES: refused})


def trash_panel() -> None:
    """Draw the content of the trash, folded; it is read only while it is open."""
    with panels.folded("Trash", icon=":material/delete:", key="runs_trash") as opened:
        if not opened:
            return
        with panels.errors_as_messages():
            _content()


def _content() -> None:
    runs, problems = resources.store().trash()
    if not runs and not problems:
        st.caption("The trash is empty.")
        return
    labels = run_labels(runs, states=False)
    for run in runs[-MOST_LISTED:]:
        with st.container(horizontal=True, vertical_alignment="center", key=f"trash_{run.id}"):
            st.markdown(for_markdown(labels[run.id]), width="stretch")
            if st.button("Restore", icon=":material/restore:", type="tertiary", key=f"restore_{run.id}"):
                resources.store().restore(run.id)
                st.rerun()
    if len(runs) > MOST_LISTED:
        st.caption(f"And {len(runs) - MOST_LISTED} older ones; `python -m mnist_core runs --trash` lists them all.")
    for problem in problems:
        st.caption(for_markdown(problem.reason))
    with st.container(horizontal=True, vertical_alignment="center"):
        sure = st.checkbox("Yes, delete what is in the trash for good", key="trash_sure")
        if st.button("Empty trash", disabled=not sure, key="trash_empty"):
            resources.store().empty_trash()
            state.fill({DELETED: []})
            st.rerun()
