"""Draw: a digit of the user's own, and what every chosen run makes of it while it is being drawn."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard import resources, state
from dashboard.shared import explanations, panels, presenter
from dashboard.shared.drawing import edits, pad
from dashboard.shared.drawing.live import bring_weights, fresh, live_pad
from dashboard.shared.drawing.pad import PadDrawing
from dashboard.shared.networks import with_network
from dashboard.shared.opening import no_runs
from dashboard.shared.run_picker import nothing_chosen, run_labels, run_picker, short_labels
from dashboard.views.draw import kept_panel
from mnist_core.data.drawings import encoded, pad_of
from mnist_core.data.images import Pixels
from mnist_core.errors import DatasetError, DrawingError
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

REFUSED = "draw:refused"
MORE = "draw:more"


def main() -> None:
    """Draw the page."""
    head = st.container(horizontal=True, vertical_alignment="center")
    with head:
        st.title("Draw a digit", width="stretch")
        presenter.invitation()
    runs, problems = resources.scan()
    with st.container(key="draw_choice"):
        chosen = run_picker(runs, label="Runs that answer")
    panels.store_problems(problems)
    if not runs:
        no_runs("Once a run is trained, it answers here while you draw.")
        return
    if not chosen:
        nothing_chosen(runs, "Choose a run with weights above: it answers here while you draw.")
    labels = run_labels(runs)
    able = with_network(chosen, labels)
    short = short_labels(able)
    colours = resources.colours([run.id for run in chosen])
    if able and state.presenting():
        with head:
            _more_tools()
    fresh()
    _live(able, short, colours)
    with st.container(key="draw_weights"):
        bring_weights(able)
    if state.presenting():
        return
    _why(able, short, colours)
    kept_panel.kept_panel(able, short, colours)


def _more_tools() -> None:
    """Draw the button that brings what `style.css` hides, or hides it again.

    Hidden, the widgets keep their values, and the pad its place.
    """
    on = bool(state.widget_value(MORE))
    st.button(
        "Fewer tools" if on else "More tools", key="draw_fewer" if on else "draw_more", icon=":material/tune:",
        on_click=lambda: state.fill({MORE: not on}),
        help="The runs that answer; pen, eraser and undo; centring, shift, turn and noise; a photograph",
    )  # fmt: skip


@st.fragment
def _live(runs: Sequence[Run], labels: Mapping[str, str], colours: Mapping[str, str]) -> None:
    """Draw the pad and the answers: what runs again after each stroke."""
    large = state.presenting()
    few = large and not state.widget_value(MORE)
    live_pad(runs, labels, colours, edited_too=True, large=large, few_tools=few)
    if not runs and colours:
        st.info("Choose a run with weights above: it answers here while you draw.", icon=":material/checklist:")
    edits.controls(runs, labels)
    _upload()


def _upload() -> None:
    with st.expander("Upload or photograph a digit", icon=":material/photo_camera:", key="draw_upload"):
        st.caption(
            "One digit, dark on light paper or light on dark. The picture is read here, made into ink on the pad "
            "above, and not kept. There it can be mended with pen and eraser."
        )
        left, right = st.columns(2, gap="medium")
        with left:
            st.file_uploader(
                "Picture of a digit",
                ["png", "jpg", "jpeg", "webp", "bmp", "gif"],
                key="draw_file",
                on_change=_take,
                args=("draw_file",),
            )
        with right:
            if st.toggle("Use the camera", key="draw_camera_on"):
                st.camera_input("Photograph of a digit", key="draw_camera", on_change=_take, args=("draw_camera",))
        refused = state.widget_value(REFUSED)
        if refused:
            st.error(str(refused), icon=":material/error:")
            state.fill({REFUSED: None})


def _take(key: str) -> None:
    """Put the digit of an uploaded picture on the pad."""
    given: Any = state.widget_value(key)
    if given is None:  # it was taken away again; the drawing stays
        return
    try:
        pad.put(f"upload-{time.time_ns()}", encoded(pad_of(given.getvalue())))
    except DrawingError as error:
        state.fill({REFUSED: panels.markdown_sentence(error)})


def _model_picture() -> tuple[PadDrawing, Pixels] | None:
    """Return the drawing, and the picture that the networks see; None where the pad is blank."""
    drawing = pad.current()
    if drawing is None or not drawing.ink.any():
        return None
    return drawing, edits.picture(drawing.ink)


@st.fragment
def _why(runs: Sequence[Run], labels: Mapping[str, str], colours: Mapping[str, str]) -> None:
    """Draw what decided, explained for the drawing as it is at the time of the request."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = explanations.choice()
        if chosen:
            st.button(
                "Look again", key="why_again", icon=":material/refresh:", help="Explains the drawing as it is now"
            )
    if chosen is None or not runs:
        return
    with panels.errors_as_messages():
        found = _model_picture()
        if found is None:
            st.caption("The pad is blank: draw a digit first.")
            return
        first = runs[0]
        alike = [run for run in runs if run.status.fingerprint == first.status.fingerprint]
        for run in runs:
            if run not in alike:
                st.caption(
                    f"{for_markdown(labels[run.id])} was trained on other data; choose it alone to look into it."
                )
        try:
            off = {run.id: edits.off(run) for run in alike}
            named = {run.id: f"{labels[run.id]} ({words})" for run in alike if (words := edits.off_words(run))}
            explanations.explain(chosen, found[1], None, alike, {**labels, **named}, colours, off)
        except DatasetError as error:
            panels.no_images(error)


main()
