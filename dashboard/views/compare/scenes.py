"""Compare in presenter mode: the answer, the loss, the accuracy and the digits, one at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import state
from dashboard.cache import cached
from dashboard.shared import presenter
from dashboard.shared.charts import Drawing
from dashboard.views.compare.curve_panels import TITLES
from dashboard.views.compare.strip import one_right_gallery
from mnist_core.plots.learning_curves import Curve, CurveMetric, curve_frame, curves_chart, described
from mnist_core.runs.run import Run

SCENES = ("The answer", TITLES["loss"], TITLES["accuracy"], "Digits that only one gets right")
SCENE = "scene"
MOST = 12
HEIGHT = 370


def current() -> int:
    """Return the place of the scene that is shown, from 0: that in the URL, else the last one."""
    found = state.link_number(SCENE, 1, len(SCENES)) or state.widget_value(SCENE) or 1
    return int(found) - 1


def go(place: int) -> None:
    """Show the scene at a place."""
    state.fill({SCENE: place + 1})
    state.set_link(**{SCENE: place + 1})


def scene(curves: Sequence[Curve], pair: Sequence[Run], labels: Mapping[str, str], colours: Mapping[str, str]) -> bool:
    """Draw the scene below the sentence; return False for the first, which the caller draws.

    Parameters
    ----------
    curves
        of the chosen runs.
    pair
        the baseline and the runs that were tested on the same images.
    labels, colours
        of the runs, by id.
    """
    place = current()
    presenter.steps(SCENES, place, go)
    if place == 0:
        return False
    st.markdown(f"### {SCENES[place]}")
    if place < 3:
        metric: CurveMetric = "loss" if place == 1 else "accuracy"
        frame = cached(curve_frame, curves, metric, kinds=("training", "validation"), smoothing=0.0)
        if frame.empty:
            st.caption("No epoch is finished yet.")
        else:
            drawing = Drawing(
                curves_chart, frame, {curve.id: curve.colour for curve in curves}, metric, height=HEIGHT
            )  # fmt: skip
            drawing.show(key=f"scene_{metric}", alt_text=described(frame, metric))
        return True
    _digits(pair, labels, colours)
    return True


def _digits(pair: Sequence[Run], labels: Mapping[str, str], colours: Mapping[str, str]) -> None:
    if len(pair) != 2:
        st.caption("Choose two runs that were tested on the same images.")
        return
    one_right_gallery(pair, labels, colours, state.chosen_epoch(), MOST, key="scene_digits", on_open=lambda index: None)
