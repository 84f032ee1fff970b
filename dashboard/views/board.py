"""Board: the class in order, so that neither luck nor tuning to the board leads; there in a class only."""

from __future__ import annotations

from collections import Counter

import pandas as pd
import streamlit as st

from dashboard import classroom, resources
from dashboard.shared import panels
from dashboard.shared.charts import Drawing
from mnist_core.comparison.board import eligible
from mnist_core.comparison.words.board import lead_words, rules_words
from mnist_core.people import Person
from mnist_core.plots.board import board_chart, board_frame
from mnist_core.runs.classroom import Classroom
from mnist_core.text import data_name, for_markdown

HELP = (
    "Places are shared where the images do not tell people apart: a place is one more than the number of people who "
    "are shown to be better. Runs that were uploaded, or changed in the middle of their training, do not count. A run "
    "counts for whoever requested it first."
)


def main() -> None:
    """Draw the page."""
    st.title("Board")
    room, viewer = classroom.classroom(), classroom.person()
    runs = [run for run in resources.snapshot().runs if eligible(run)]
    data = Counter((run.dataset, run.status.fingerprint) for run in runs).most_common()
    if room is None or not data:
        panels.empty_state(
            "Nobody is on the board yet", "Everybody who has a finished run of their own is.",
            button="Train a first run", page="views/train/page.py",
        )  # fmt: skip
        return
    names = [key for key, _ in data]
    chosen = names[0]
    if len(names) > 1:
        chosen = st.segmented_control(
            "Data", names, format_func=lambda key: for_markdown(data_name(key[0])), default=names[0], required=True,
            key="board_data",
        )  # fmt: skip
    with panels.errors_as_messages():
        _board(room, chosen[1])
    if viewer.role == "teacher":
        _close(room, viewer)


def _board(room: Classroom, fingerprint: str) -> None:
    lines = resources.board(fingerprint, room.final)
    if not lines:
        st.caption("None of the finished runs has kept its predictions.")
        return
    panels.headline(for_markdown(lead_words(lines)), help=HELP)
    st.caption(rules_words(lines[0].images, final=room.final))
    frame = board_frame(lines)
    colour = resources.palette()[0]
    names = {run.id: run.name for run in resources.snapshot().runs}
    panels.table(
        pd.DataFrame(
            {
                "Place": frame["place"],
                "Name": frame["name"],
                "Accuracy in %": 100 * frame["accuracy"],
                "95 % interval": [f"{100 * line.interval.low:.2f} to {100 * line.interval.high:.2f}" for line in lines],
                "Tries": frame["tries"],
                "Run": [names.get(line.run, line.run) for line in lines],
            }
        ),
        key="board_table",
        filename="board",
        column_config={"Accuracy in %": st.column_config.NumberColumn(format="%.2f")},
    )
    panels.chart_with_table(
        Drawing(board_chart, frame, colour),
        frame,
        alt_text="A dot for each person at their accuracy, with its 95 % interval as a line, the best on top.",
        key="board_chart",
        filename="board-chart",
    )


def _close(room: Classroom, viewer: Person) -> None:
    """Draw the switch that shows the final order, which the core refuses to everybody but the teacher."""
    final = st.toggle(
        "Show the final order, by the other half of the test images", room.final, key="board_final",
        help="Once, at the end: a half that has been looked at can be tuned to like the first.",
    )  # fmt: skip
    if final != room.final:
        with panels.errors_as_messages():
            room.close_board(viewer, bool(final))
            st.rerun()


main()
