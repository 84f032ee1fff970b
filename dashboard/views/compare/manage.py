"""Rename, tag, note, delete and restore runs, in a dialog that stays out of the way."""

from __future__ import annotations

import streamlit as st

from dashboard import resources
from dashboard.shared import panels
from dashboard.shared.run_picker import run_labels
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown


def manage_button(runs: list[Run]) -> None:
    """The button that opens the dialog."""
    if st.button("Manage runs", icon=":material/edit:", type="tertiary", key="manage"):
        _dialog(runs)


@st.dialog("Manage runs", width="medium", icon=":material/edit:")
def _dialog(runs: list[Run]) -> None:
    with panels.in_words():
        own = [run for run in runs if not run.read_only]
        if not own:
            st.write(
                "Every run here ships with the project and cannot be changed. Runs that you train appear in this list."
            )
        else:
            _edit(own)
        _trash()


def _edit(own: list[Run]) -> None:
    labels = run_labels(own)
    by_id = {run.id: run for run in own}
    run_id = st.selectbox(
        "Run", [run.id for run in reversed(own)], format_func=lambda key: labels[key], key="manage_run"
    )
    run = by_id[run_id]
    with st.form(f"manage_form_{run_id}", border=False):
        name = st.text_input("Name", run.name, max_chars=80, key=f"manage_name_{run_id}")
        tags = st.text_input(
            "Tags, separated by commas",
            ", ".join(run.meta.tags),
            key=f"manage_tags_{run_id}",
            placeholder="lesson 3, dropout",
        )
        note = st.text_area("Note", run.meta.note, max_chars=4000, key=f"manage_note_{run_id}", height=90)
        if st.form_submit_button("Save", type="primary"):
            with panels.in_words():
                resources.store().describe(
                    run_id,
                    name=name.strip(),
                    tags=tuple(dict.fromkeys(tag.strip() for tag in tags.split(",") if tag.strip())),
                    note=note,
                )
                st.rerun()
    with st.container(horizontal=True, vertical_alignment="center"):
        sure = st.checkbox(f"Yes, delete {for_markdown(run.name)}", key=f"manage_sure_{run_id}")
        if st.button("Move to trash", icon=":material/delete:", disabled=not sure, key="manage_delete"):
            with panels.in_words():
                resources.store().delete(run_id)
                st.rerun()
    if run.state == "running":
        st.caption("A run that is being trained must be cancelled on the Train page before it can be deleted.")


def _trash() -> None:
    runs, problems = resources.store().trash()
    if not runs and not problems:
        st.caption("The trash is empty.")
        return
    st.markdown("**Trash**")
    labels = run_labels(runs, states=False)
    for run in runs:
        with st.container(horizontal=True, vertical_alignment="center", key=f"trash_{run.id}"):
            st.markdown(for_markdown(labels[run.id]), width="stretch")
            if st.button("Restore", icon=":material/restore:", type="tertiary", key=f"restore_{run.id}"):
                with panels.in_words():
                    resources.store().restore(run.id)
                    st.rerun()
    for problem in problems:
        st.caption(for_markdown(problem.reason))
    with st.container(horizontal=True, vertical_alignment="center"):
        sure = st.checkbox("Yes, delete what is in the trash for good", key="trash_sure")
        if st.button("Empty trash", disabled=not sure, key="trash_empty"):
            with panels.in_words():
                resources.store().empty_trash()
                st.rerun()
