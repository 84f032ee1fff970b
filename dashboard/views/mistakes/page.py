"""Mistakes: how often a run is wrong, which digits it confuses, and the very images."""

from __future__ import annotations

import streamlit as st

from dashboard import resources, state, theme
from dashboard.shared import panels
from dashboard.shared.guesses import runs_with_predictions
from dashboard.shared.label_errors import label_effect, likely_panel
from dashboard.shared.matrix_panel import chosen_cell, matrix_panel, take_click
from dashboard.shared.opening import no_runs
from dashboard.shared.run_picker import nothing_chosen, run_labels, run_picker
from dashboard.views.mistakes.digits_panel import digits_panel
from dashboard.views.mistakes.map_panel import chosen_area, map_panel
from mnist_core.evaluation.metrics import accuracy_interval, confusion_matrix
from mnist_core.evaluation.mistakes import score_frame, top_confusions
from mnist_core.plots import style
from mnist_core.runs.recorded import DIGITS
from mnist_core.runs.run import Run
from mnist_core.text import data_name, for_markdown


def main() -> None:
    """Draw the page."""
    st.title("Mistakes")
    runs, problems = resources.scan()
    left, right = st.columns([3, 2], gap="medium")
    with left:
        chosen = run_picker(runs)
    panels.store_problems(problems)
    if not runs:
        no_runs("Once a run is trained, its wrong guesses are here, digit by digit.")
        return
    if not chosen:
        nothing_chosen(runs, "Choose one above to see what it gets wrong.")
        return
    labels = run_labels(runs)
    tested = runs_with_predictions(chosen, labels)
    if not tested:
        panels.empty_state(
            "Nothing to show yet",
            "A run guesses the test images when its training ends. Choose a finished run above, or wait.",
            button="See the training",
            page="views/train/page.py",
            icon=":material/hourglass_empty:",
        )
        return
    with right:
        run = _inspected(tested, labels)
        if len(tested) > 1 and not state.presenting():
            st.page_link(
                "views/disagreements/page.py", label="On which digits these runs disagree", icon=":material/call_split:"
            )
    _inspect(run, tested, labels)


def _inspected(tested: list[Run], labels: dict[str, str]) -> Run:
    """Return the run to look at: the one in the link, else the first; with a choice where there are several."""
    ids = [run.id for run in tested]
    wanted = state.link_text("inspect")
    found = wanted if wanted in ids else ids[0]
    if len(ids) > 1:
        state.widget("inspect", found)
        st.radio(
            "Run to look at",
            ids,
            format_func=lambda run_id: for_markdown(labels[run_id]),
            horizontal=True,
            key="inspect",
            on_change=_inspect_other,
        )
    return tested[ids.index(found)]


def _inspect_other() -> None:
    state.set_link(inspect=state.widget_value("inspect"), page=None, digit=None)


def _inspect(run: Run, tested: list[Run], labels: dict[str, str]) -> None:
    colours = resources.colours([item.id for item in tested])
    with st.container(key="mistakes_answer"):
        theme.set_style({".st-key-mistakes_answer": {"--run": colours[run.id]}})
        _answer(run)
    take_click()
    cell, area = chosen_cell(len(run.classes)), chosen_area(run)
    with st.container(key="matrix_map_gallery"):
        with st.container(key="matrix_panel"):
            matrix_panel(run, cell)
        with st.container(key="gallery_panel"):
            digits_panel(run, cell, area, tested, labels, colours)
        with st.container(key="map_panel"):
            map_panel(run, area)
    _scores(run)
    likely_panel(run)


def _answer(run: Run) -> None:
    found, predictions = resources.test_scores(run), resources.predictions(run)
    assert found is not None
    assert predictions is not None
    interval = accuracy_interval(found.images - found.errors, found.images)
    top = top_confusions(confusion_matrix(predictions.labels, predictions.predicted, predictions.classes))
    accuracy, wrong, confusion = st.columns([3, 3, 4], vertical_alignment="top")
    with accuracy:
        st.metric(
            "Test accuracy",
            style.percent(found.accuracy),
            help="The share of test images guessed right. Other test images of the same kind would give another "
            "figure: the interval (Wilson, 95 %) says within which range.",
        )
        st.caption(f"95 % interval {100 * interval.low:.2f} to {style.percent(interval.high)}")
    with wrong:
        st.metric("Wrong guesses", style.count(found.errors))
        st.caption(f"of {found.images:,} test images of {for_markdown(data_name(run.dataset))}")
    with confusion:
        if top:
            names = run.classes
            true, guess = names[top[0].true], names[top[0].guess]
            st.metric("Most frequent confusion", f"{true} → {guess}")
            rest = ", ".join(f"{names[item.true]} → {names[item.guess]} ({item.times:,})" for item in top[1:])
            taken = f"a true {true} taken for {'a ' if names == DIGITS else ''}{guess}"
            text = f"{_times(top[0].times)} {taken}" + (f"; then {rest}" if rest else "")
            st.caption(for_markdown(text))
        else:
            st.metric("Most frequent confusion", "none")
            st.caption("every test image is guessed right")
    if not state.presenting():  # whose first screen is for the matrix
        label_effect(run)


def _times(times: int) -> str:
    return "once" if times == 1 else f"{times:,} times"


def _scores(run: Run) -> None:
    predictions, found = resources.predictions(run), resources.test_scores(run)
    assert predictions is not None
    assert found is not None
    panels.heading(
        "How well it knows each digit",
        f"Averaged over the digits, F1 is {found.macro_f1:.4f} (macro F1: every digit that occurs counts the same).",
        help="**Precision**: of the images guessed as this digit, the share that really are. "
        "**Recall**: of the images of this digit, the share that was found. "
        "**F1**: their harmonic mean, high only where both are. **Support**: how many test images of it there are.",
    )
    frame = score_frame(predictions)
    per_cent = {
        "precision": "Of the images guessed as this digit, the share that really are",
        "recall": "Of the images of this digit, the share that was found",
    }
    config = {
        name: st.column_config.NumberColumn(f"{name} in %", format="%.2f", help=text) for name, text in per_cent.items()
    }
    config |= {
        "f1": st.column_config.NumberColumn("F1", format="%.4f", help="Harmonic mean of precision and recall, 0 to 1"),
        "support": st.column_config.NumberColumn("support", help="Test images of this digit"),
    }
    shown = frame.assign(
        digit=[run.classes[number] for number in frame["digit"]],
        precision=100 * frame["precision"],
        recall=100 * frame["recall"],
    )
    panels.table(shown, key="class_scores", filename=f"scores-{run.id}", exact=frame, column_config=config)


main()
