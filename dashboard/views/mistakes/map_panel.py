"""The map of a run's last hidden layer, and the area that was drawn on it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from dashboard import resources, state
from dashboard.cache import CACHE, size_of
from dashboard.shared import digit_dialog, matrix_panel, panels
from dashboard.shared.charts import Drawing
from dashboard.shared.explanations import no_weights
from dashboard.views.mistakes.digit_map import DrawnArea, digit_map
from mnist_core.errors import DatasetError, MnistCoreError
from mnist_core.evaluation.mistakes import Cell
from mnist_core.inspection.embedding import Map
from mnist_core.inspection.map_area import corners_of, inside, on_grid
from mnist_core.plots.embedding import map_chart, map_frame
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

KEY = "map"
"""Of the map, and the name in the URL of its kind."""
AREA = "area"
"""The name in the URL of the area: the beginning of the run's id, and the corners."""
KINDS = {"pca": "Straight (PCA)", "tsne": "By neighbourhood (t-SNE)"}
MEANING = {
    "pca": "The plane on which the digits lie furthest apart. Digits far apart here are far apart to the network; "
    "those near each other may still differ in a direction that is not shown.",
    "tsne": "Digits that are near each other to the network are near each other here. The axes, the distances between "
    "groups and the sizes of groups mean nothing.",
}


def chosen_area(run: Run) -> DrawnArea | None:
    """Return the area in the link with its digits; None where there is none on the map of this run."""
    owner, _, text = (state.link_text(AREA) or "").partition("~")
    corners = corners_of(text)
    if corners is None or owner != _owner(run):
        return None
    try:
        if resources.network(run) is None:
            return None
        frame, found = _points(run, _kind())
    except MnistCoreError:  # the map states it
        return None
    inner = frame[inside(on_grid(found.places), corners)]
    return DrawnArea(corners, inner["index"].to_numpy(), area_sentence(len(inner), int(inner["correct"].sum())))


def area_sentence(digits: int, right: int) -> str:
    """Return what an area holds, such as ``37 digits in the area: 12 guessed wrong, 25 right``."""
    if not digits:
        return "No digit of the map is in the area."
    count = "1 digit" if digits == 1 else f"{digits:,} digits"
    return f"{count} in the area: {digits - right:,} guessed wrong, {right:,} right"


def forget_area() -> None:
    """Remove the area from the link."""
    state.set_link(**{AREA: None}, page=None, digit=None)


def _owner(run: Run) -> str:
    return run.id[:6]


def _kind() -> str:
    return state.one_of(state.link_text(KEY), KINDS, "pca")


def _points(run: Run, kind: str) -> tuple[pd.DataFrame, Map]:
    """Return the points of the map, made once for the area and the map, and the map; not to be written into."""
    indices, found = resources.digit_map(run, kind)
    key = ("map points", run.id, run.version(), kind, indices.tobytes(), found.places.tobytes())

    def made() -> pd.DataFrame:
        everything = resources.prediction_frame(run)
        assert everything is not None
        return map_frame(everything, indices, found)

    return CACHE.get(key, made, size_of), found


def map_panel(run: Run, area: DrawnArea | None) -> None:
    """Draw the map of a run that has predictions, with the area that was drawn on it."""
    panels.heading(
        "A map of what the network sees",
        f"Each point is a test digit, placed by what the last hidden layer of {for_markdown(run.name)} makes of it. "
        "Wrong guesses are ringed. Point at a digit to see it, press it to enlarge it, and draw around digits to list "
        "them; with a finger, press Lasso or Rectangle first.",
        help="The last hidden layer describes each digit by as many numbers as it has units; the output layer decides "
        "by these alone. Two numbers for each digit are computed from them so that they can be drawn. **PCA** "
        "(principal component analysis) is a projection onto the two directions in which the digits differ most. "
        "**t-SNE** bends space so that neighbours stay neighbours, and takes some seconds.\n\n"
        "By keyboard: arrow keys go from digit to digit, Enter enlarges one. The space bar begins a rectangle at a "
        "digit, and ends it at another; Escape removes the area.",
    )
    kind = _kind()
    state.widget("map_kind", kind)
    st.segmented_control(
        "Map", list(KINDS), format_func=KINDS.__getitem__, key="map_kind", required=True, on_change=_choose
    )
    with panels.errors_as_messages():
        if resources.network(run) is None:
            st.info(for_markdown(no_weights(run, run.name)), icon=":material/visibility_off:")
            return
        try:
            images = resources.test_images(run)
            frame, found = _points(run, kind)
        except DatasetError as error:
            st.info(panels.markdown_sentence(error), icon=":material/hide_image:")
            return
        everything = resources.prediction_frame(run)
        assert everything is not None
        wrong, all_wrong = int((~frame["correct"]).sum()), int((~everything["correct"]).sum())
        digit_map(
            frame,
            found,
            images,
            run.status.fingerprint,
            classes=run.classes,
            area=area,
            description=f"Map of {len(frame)} test digits; {wrong} wrong guesses are ringed. Arrow keys go from digit "
            "to digit, Enter enlarges one, the space bar marks two corners of an area, Escape removes it.",
            key=KEY,
            on_draw=lambda corners: _draw(run, corners),
            on_open=digit_dialog.show,
        )
        ringed = "all" if wrong == all_wrong else f"{wrong:,} of the"
        st.caption(
            f"{MEANING[kind]} Drawn are {ringed} {all_wrong:,} wrong guesses and {len(frame) - wrong:,} of the "
            f"{len(everything) - all_wrong:,} right ones, so that errors look more frequent than they are."
        )
        panels.data_and_downloads(frame, Drawing(map_chart, frame, found), key=KEY, filename=f"map-{kind}-{run.id}")


def _draw(run: Run, corners: str) -> None:
    if not corners:
        forget_area()
        return
    # the digits of the area, and not those of a cell of the matrix that was looked at before
    matrix_panel.choose_cell(Cell())
    state.set_link(**{AREA: f"{_owner(run)}~{corners}"})


def _choose() -> None:
    state.set_link(**{KEY: state.widget_value("map_kind"), AREA: None}, page=None)
