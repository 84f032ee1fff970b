"""The map of a run's last hidden layer."""

from __future__ import annotations

import streamlit as st

from dashboard import resources, state
from dashboard.shared import panels
from dashboard.shared.charts import Drawing
from dashboard.shared.explanations import no_weights
from mnist_core.errors import DatasetError
from mnist_core.plots.embedding import SELECTION, map_chart, map_frame
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

KEY = "map"
"""Of the chart, and the name in the URL of the kind of map."""
KINDS = {"pca": "Straight (PCA)", "tsne": "By neighbourhood (t-SNE)"}
MEANING = {
    "pca": "The plane on which the digits lie furthest apart. Digits far apart here are far apart to the network; "
    "those near each other may still differ in a direction that is not shown.",
    "tsne": "Digits that are near each other to the network are near each other here. The axes, the distances between "
    "groups and the sizes of groups mean nothing.",
}


def take_point() -> None:
    """Carry a click on a point into the link, from which the enlarged digit is opened; before all widgets."""
    clicked = state.new_selection(KEY, SELECTION)
    if clicked:
        state.set_link(digit=clicked[0].get("index"))
        state.forget_selection(KEY)  # or a second press on the same point would change nothing


def map_panel(run: Run) -> None:
    """Draw the map of a run that has predictions."""
    panels.heading(
        "A map of what the network sees",
        f"Each point is a test digit, placed by what the last hidden layer of {for_markdown(run.name)} makes of it. "
        "Wrong guesses are ringed. Press a point to enlarge its digit.",
        help="The last hidden layer describes each digit by as many numbers as it has units; the output layer decides "
        "by these alone. Two numbers for each digit are computed from them so that they can be drawn. **PCA** "
        "(principal component analysis) is a projection onto the two directions in which the digits differ most. "
        "**t-SNE** bends space so that neighbours stay neighbours, and takes some seconds.",
    )
    wanted = state.link_text(KEY)
    kind = wanted if wanted in KINDS else "pca"
    state.widget("map_kind", kind)
    st.segmented_control(
        "Map", list(KINDS), format_func=KINDS.__getitem__, key="map_kind", required=True, on_change=_choose
    )
    with panels.errors_as_messages():
        if resources.network(run) is None:
            st.info(for_markdown(no_weights(run.name)), icon=":material/visibility_off:")
            return
        try:
            indices, found = resources.digit_map(run, kind)
        except DatasetError as error:
            st.info(panels.markdown_sentence(error), icon=":material/hide_image:")
            return
        everything = resources.prediction_frame(run)
        assert everything is not None
        frame = map_frame(everything, indices, found)
        wrong, all_wrong = int((~frame["correct"]).sum()), int((~everything["correct"]).sum())
        panels.chart_with_table(
            Drawing(map_chart, frame, found),
            frame,
            alt_text=f"Map of {len(frame)} test digits as points in the colour of their class; {wrong} wrong guesses "
            "are ringed. The table holds their places.",
            key=state.fresh_key(KEY),
            filename=f"map-{kind}-{run.id}",
            on_select="rerun",
        )
        ringed = "all" if wrong == all_wrong else f"{wrong:,} of the"
        st.caption(
            f"{MEANING[kind]} Drawn are {ringed} {all_wrong:,} wrong guesses and {len(frame) - wrong:,} of the "
            f"{len(everything) - all_wrong:,} right ones, so that errors look more frequent than they are."
        )


def _choose() -> None:
    state.set_link(**{KEY: state.widget_value("map_kind")})
