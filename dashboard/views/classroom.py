"""Class: how to join, who is here, whose turn it is, and what the teacher alone may do."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import streamlit as st

from dashboard import classroom, resources, state
from dashboard.shared import panels, progress
from dashboard.shared.run_picker import run_labels
from mnist_core.people import Person
from mnist_core.runs.classroom import MOST_PINNED, Classroom
from mnist_core.runs.run import Run
from mnist_core.text import for_html, for_markdown

FOLLOW_S = 2.0
"""Seconds after which the page shows who has joined and what waits."""
QR_WORDS = "QR picture of the address of the class, with its code"


def main() -> None:
    """Draw the page."""
    st.title("Class")
    room, viewer = classroom.classroom(), classroom.person()
    if room is None:
        panels.empty_state("No class", "`python3 start.py class` opens the dashboard for a class on this network.")
        return
    left, right = st.columns([2, 3], gap="large")
    with left:
        _invitation(room)
    with right:
        st.markdown(f"You are **{for_markdown(viewer.name)}**.")
        state.again_every(FOLLOW_S, going_on=True)(_now)()
        _other_device()
    if viewer.role == "teacher":
        _teacher(room, viewer, list(resources.snapshot().runs))


def _invitation(room: Classroom) -> None:
    """Draw the QR picture, the address and the code, to be read from the last row."""
    import segno

    code = segno.make(classroom.link(code=room.code))
    st.image(code.svg_inline(scale=10, border=3, dark="#000000", light="#ffffff"), width=380, alt=QR_WORDS)
    st.html(
        f'<div class="class-address">{for_html(classroom.address())}</div>'
        f'<div class="class-code">{for_html(room.code)}</div>'
    )
    st.caption("Scan the picture, or type the address and then the code.")


def _now() -> None:
    """Draw who is here and what waits, which others change."""
    room, runs = classroom.classroom(), resources.scan()[0]
    if room is not None:  # a class that has ended meanwhile
        _here(room, runs)
        _queue(runs)


def _here(room: Classroom, runs: list[Run]) -> None:
    members = room.members
    panels.heading(
        f"{len(members)} joined" if members else "Nobody has joined yet",
        "Names as they were typed, in the order of joining." if members else "",
    )
    if not members:
        return
    counts = Counter(run.meta.owner for run in runs)
    finished = Counter(run.meta.owner for run in runs if run.state == "finished")
    panels.table(
        pd.DataFrame(
            [
                {"Name": member.name, "Runs": counts[member.name], "Finished": finished[member.name]}
                for member in members
            ]
        ),
        key="class_members",
        filename="class",
    )


def _queue(runs: list[Run]) -> None:
    live = [run for run in runs if run.live and not run.recorded]
    waiting = progress.waiting(live)
    panels.heading(
        f"{len(waiting)} waiting" if waiting else "Nothing waits",
        "People take turns: one run of each person, then the next of each." if waiting else "",
    )
    for place, run in enumerate(waiting[:8], 1):
        st.markdown(f"{place}\\. {for_markdown(run.meta.owner or 'the teacher')}: {for_markdown(run.name)}")
    if len(waiting) > 8:
        st.caption(f"And {len(waiting) - 8} more.")


def _other_device() -> None:
    token = classroom.token()
    if not token:
        return
    with st.expander("Your own link, for another device of yours", icon=":material/devices:", key="class_own_link"):
        st.code(classroom.link(me=token), language=None, wrap_lines=True)
        st.caption("Whoever opens it is you. Keep it to yourself.")


def _teacher(room: Classroom, viewer: Person, runs: list[Run]) -> None:
    """Pin, remove and close, which the core refuses to everybody else."""
    panels.heading("For the teacher", "Students do not see this part, and a request of theirs is refused.")
    labels = run_labels(runs)
    left, right = st.columns(2, gap="large")
    with left:
        pinned = st.multiselect(
            "Pinned runs", list(labels), [run_id for run_id in room.pinned if run_id in labels],
            format_func=lambda run_id: labels[run_id], key="class_pinned", max_selections=MOST_PINNED, select_all=False,
            help="What Compare shows to everybody who has not chosen runs.", placeholder="Choose runs",
        )  # fmt: skip
        if st.button("Pin them for the class", icon=":material/push_pin:", key="class_pin"):
            with panels.errors_as_messages():
                room.pin(viewer, tuple(pinned))
                st.toast("Pinned.")
    with right:
        state.again_every(FOLLOW_S, going_on=True)(_removal)(viewer)
        st.caption("Its browser is asked for a name again, and its runs stay.")


def _removal(viewer: Person) -> None:
    """Draw the names that can be removed, which follow who joins; a name that is chosen stays chosen."""
    room = classroom.classroom()
    if room is None:  # a class that has ended meanwhile
        return
    names = [member.name for member in room.members]
    gone = st.selectbox("A name to remove", names, None, key="class_name", placeholder="Choose a name")
    if st.button("Remove it", icon=":material/person_remove:", key="class_remove", disabled=gone is None) and gone:
        with panels.errors_as_messages():
            room.remove(viewer, gone)
            st.rerun()


main()
