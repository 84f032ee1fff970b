"""Compare in presenter mode: the answer, the loss, the accuracy and the digits, one at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import resources, state
from dashboard.cache import kept
from dashboard.shared import panels, presenter
from dashboard.shared.charts import Drawing
from dashboard.shared.gallery import gallery, vote_items
from dashboard.views.compare.curve_panels import TITLES
from mnist_core.comparison.disagreements import one_right
from mnist_core.errors import DatasetError
from mnist_core.plots.learning_curves import Curve, Metric, curve_frame, curves_chart, described
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
        metric: Metric = "loss" if place == 1 else "accuracy"
        frame = kept(curve_frame, curves, metric, kinds=("training", "validation"), smoothing=0.0)
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
    found = kept(one_right, resources.votes(list(pair), state.chosen_epoch()), MOST)
    if found.empty:
        st.caption("Both are right, or both are wrong, on each of the test images.")
        return
    try:
        images = resources.test_images(pair[0])
    except DatasetError as error:
        st.info(panels.markdown_sentence(error))
        return
    names, tints = [labels[run.id] for run in pair], [colours[run.id] for run in pair]
    items = vote_items(found, names, tints)
    for item in items:
        for vote in item["votes"]:
            vote["sure"] = ""  # too small to be read from the last row
    gallery(
        items, images, pair[0].status.fingerprint, key="scene_digits",
        on_open=lambda index: None,
    )  # fmt: skip
