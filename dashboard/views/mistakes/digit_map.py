"""The map of digits on the screen, on which areas are drawn (a components-v2 component)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from dashboard import state, theme
from dashboard.cache import cached
from dashboard.shared.component_files import COMPONENTS_CSS, ELEMENTS_JS, SHEET_JS, files_of
from dashboard.shared.gallery import SHEET_COLUMNS, confidence_text, sheet
from mnist_core.data.images import Pixels
from mnist_core.inspection.embedding import Map
from mnist_core.inspection.map_area import GRID, MOST_CORNERS, Corners, on_grid
from mnist_core.plots.embedding import CLASS_COLOURS, CLASS_COLOURS_DARK, axis_titles, class_middles

_file = files_of(__file__)
_MAP = st.components.v2.component(
    "digit_map",
    html=_file("digit_map.html"),
    css=COMPONENTS_CSS + _file("digit_map.css"),
    js=ELEMENTS_JS + SHEET_JS + _file("digit_map.js"),
)


class DrawnArea(NamedTuple):
    """An area on the map. indices: of the test images inside, ascending. summary: what they are, as a sentence."""

    corners: Corners
    indices: NDArray[np.intp]
    summary: str


def digit_map(
    frame: pd.DataFrame,
    found: Map,
    images: Pixels,
    fingerprint: str,
    *,
    classes: Sequence[str],
    area: DrawnArea | None,
    description: str,
    key: str,
    on_draw: Callable[[str], None],
    on_open: Callable[[int], None],
) -> None:
    """Draw the map; a digit's picture appears where the pointer or the arrow keys are.

    Parameters
    ----------
    frame
        the points, of `mnist_core.plots.embedding.map_frame`.
    found
        the map that they are on.
    images
        all test images, shape (n, 28, 28).
    fingerprint
        of the dataset that the images belong to.
    classes
        the names of the classes, in the order of their numbers.
    area
        what was drawn; None for nothing.
    description
        for a screen reader.
    key
        of the widget.
    on_draw
        called with the corners of what was drawn, in the form of `map_area.corners_text`; empty to remove the area.
    on_open
        called with the index of a digit that was pressed.
    """

    def event(name: str) -> Any:
        found = state.widget_value(key)
        return found.get(name) if found else None

    def drawn() -> None:
        if (corners := event("drawn")) is not None:
            on_draw(str(corners))

    def opened() -> None:
        if (index := event("opened")) is not None:
            on_open(int(index))

    dark = theme.is_dark()
    points, names = cached(_placed, frame, list(classes))
    _MAP(
        key=key,
        data={
            "points": points,
            "names": names,
            "classes": list(classes),
            "sheet": sheet(fingerprint, frame["index"].tolist(), images),
            "columns": SHEET_COLUMNS,
            "palette": list(CLASS_COLOURS_DARK if dark else CLASS_COLOURS),
            "dark": dark,
            "axes": axis_titles(found),
            "grid": GRID,
            "corners": MOST_CORNERS,
            "area": None if area is None else [list(corner) for corner in area.corners],
            "inside": [] if area is None else area.indices.tolist(),
            "summary": "" if area is None else area.summary,
            "description": description,
        },
        on_drawn_change=drawn,
        on_opened_change=opened,
    )


def _placed(frame: pd.DataFrame, classes: Sequence[str]) -> tuple[list[list[Any]], list[list[Any]]]:
    """Return the points, each as index, x, y, true, guess, confidence, and the names of classes, each as name, x, y,
    true; x and y in steps of the grid.
    """
    steps = on_grid(frame[["x", "y"]].to_numpy())
    placed = frame.assign(x=steps[:, 0], y=steps[:, 1])
    whole = placed[["index", "x", "y", "true", "guess"]].to_numpy().tolist()
    points = [
        [*row, confidence_text(sure / 100)] for row, sure in zip(whole, placed["confidence"].tolist(), strict=True)
    ]
    middles = class_middles(placed).itertuples(index=False, name=None)
    return points, [[classes[int(true)], float(x), float(y), int(true)] for true, x, y in middles]
