"""Keep a drawn digit with its label, and compare the runs on all that were kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard import classroom, resources, state
from dashboard.shared import panels
from dashboard.shared.drawing import edits, pad
from dashboard.shared.exam_scores import exam_scores
from dashboard.shared.gallery import gallery, vote_items
from mnist_core.comparison.decide import POWER, detectable, narrowest
from mnist_core.comparison.disagreements import votes
from mnist_core.constants import CLASSES
from mnist_core.data.kept_digits import MOST_KEPT, KeptDigits, keep, remove
from mnist_core.errors import MnistCoreError
from mnist_core.evaluation.predictions import Predictions
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

LABEL, NOTICE, OPENED, TAKEN = "kept_label", "kept:said", "kept:opened", "kept:taken"


@st.fragment
def kept_panel(runs: Sequence[Run], labels: Mapping[str, str], colours: Mapping[str, str]) -> None:
    """Draw the panel for runs that have a network."""
    panels.heading(
        "Your own test set",
        "Keep what you have drawn, with the digit that it is meant to be, as the picture that the networks see. "
        "No network was trained on it.",
        help=f"Kept digits are small files in the store's folder `drawings`, shared by all who use it; at most "
        f"{MOST_KEPT:,}. Nothing else of a drawing is stored.",
    )
    if resources.store().writable:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.segmented_control("It is a", list(range(CLASSES)), key=LABEL, wrap=True)
            st.button("Keep this digit", key="keep", icon=":material/bookmark_add:", on_click=_keep)
    notice: Any = state.widget_value(NOTICE)
    if notice:
        kind, text = notice
        (st.error if kind == "error" else st.caption)(for_markdown(text))
        state.fill({NOTICE: None})
    found = resources.kept()
    for problem in found.problems:
        st.caption(f":material/report: {for_markdown(problem)}")
    if not found.digits:
        return
    _compared(found, runs, labels)
    _pictures(found, runs, labels, colours)


def _keep() -> None:
    label: Any = state.widget_value(LABEL)
    try:
        drawing = pad.current()
        if drawing is None or not drawing.ink.any():
            notice = ("error", "The pad is blank: draw a digit first.")
        elif label is None:
            notice = ("error", "Say which digit it is meant to be, then keep it.")
        else:
            classroom.count(classroom.NEW_DIGITS)
            keep(resources.kept_folder(), edits.picture(drawing.ink), int(label), by=classroom.person())
            notice = ("note", f"Kept as a {label}.")
            state.fill({LABEL: None})
    except MnistCoreError as error:
        notice = ("error", panels.sentence(error))
    state.fill({NOTICE: notice})


def few_words(images: int, discordant: int) -> str:
    """Return how little so few digits can show, in a sentence or two."""
    count = "One digit shows" if images == 1 else f"{images} digits show"
    text = f"{count} little. "
    if images > 1:
        text += (
            f"A difference of {100 * detectable(images, discordant):.0f} points would be found in "
            f"{100 * POWER:.0f} of 100 such sets; a smaller one would more often be missed. "
        )
    same = "it" if images == 1 else f"the very same {images}"
    return text + (
        f"Even two models that both get {same} right may differ by up to {100 * narrowest(images):.0f} "
        "points on other digits."
    )


def _compared(found: KeptDigits, runs: Sequence[Run], labels: Mapping[str, str]) -> None:
    if not runs:
        return
    version = f"drawn {resources.kept_version()}"
    results = resources.sat_elsewhere(runs, found.images, found.labels, version)
    discordant = exam_scores(results, labels, key="kept_scores", filename="kept-digits")
    st.caption(f":material/info: {few_words(next(iter(results.values())).images, discordant)}")


def _pictures(found: KeptDigits, runs: Sequence[Run], labels: Mapping[str, str], colours: Mapping[str, str]) -> None:
    """Draw all kept digits with what the runs guess; one that is pressed can be removed."""
    if not runs:
        return
    predictions = []
    for run in runs:
        network = resources.network(run)
        assert network is not None
        predictions.append(Predictions(found.labels, network.probabilities(found.images)))
    items = vote_items(votes(predictions), [labels[run.id] for run in runs], [colours[run.id] for run in runs])

    def opened(index: int) -> None:
        state.fill({OPENED: found.digits[index].id if index < len(found.digits) else None})

    changed = resources.kept_version()
    gallery(items, found.images, f"kept {changed}", key="kept_gallery", on_open=opened)
    chosen = next((digit for digit in found.digits if digit.id == state.widget_value(OPENED)), None)
    taken: Any = state.widget_value(TAKEN)
    with st.container(horizontal=True, vertical_alignment="center"):
        if chosen is not None:
            st.caption(f"Chosen: a {chosen.label}")
            st.button("Remove it", key="kept_remove", icon=":material/delete:", on_click=_remove, args=(chosen,))
        else:
            st.caption("Press a digit to choose it; a chosen one can be removed.")
        if taken is not None:
            st.button("Undo", key="kept_undo", icon=":material/undo:", on_click=_undo)


def _remove(digit: Any) -> None:
    try:
        remove(resources.kept_folder(), digit.id, by=classroom.person())
        state.fill({OPENED: None, TAKEN: digit, NOTICE: ("note", f"A {digit.label} is removed.")})
    except MnistCoreError as error:
        state.fill({NOTICE: ("error", panels.sentence(error))})


def _undo() -> None:
    digit: Any = state.widget_value(TAKEN)
    try:
        keep(resources.kept_folder(), digit.picture, digit.label, by=classroom.person())
        state.fill({TAKEN: None, NOTICE: ("note", f"The {digit.label} is back.")})
    except MnistCoreError as error:
        state.fill({NOTICE: ("error", panels.sentence(error))})
