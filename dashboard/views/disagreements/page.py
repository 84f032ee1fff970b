"""Disagreements: on which images two runs differ, who is right there, and what many runs get wrong alike."""

from __future__ import annotations

import streamlit as st

from dashboard import resources, state
from dashboard.shared import panels
from dashboard.shared.guesses import runs_with_predictions
from dashboard.shared.opening import no_runs
from dashboard.shared.run_picker import nothing_chosen, run_labels, run_picker, short_labels
from dashboard.shared.verdict_panel import epoch_switch
from dashboard.views.disagreements import disagreement_panels
from dashboard.views.disagreements.disagreement_panels import Panel
from mnist_core.comparison.verdicts import Refusal, paired
from mnist_core.comparison.words.disagreements import disagreement_words
from mnist_core.comparison.words.verdicts import refusal_words, verdict_words
from mnist_core.runs.records import ChosenEpoch
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

VIEWS = {"groups": "Who is right", "matrices": "Which digits they confuse", "all": "All {} runs"}
MCNEMAR = (
    "Images that both get right, or both wrong, do not tell two models apart. What does is the number that only one of "
    "them gets right: on these two counts McNemar’s test is made, which says whether such a split could be chance. "
    "The sentence below the heading is its result, as on Compare."
)


def main() -> None:
    """Draw the page."""
    st.title("Disagreements")
    runs, problems = resources.scan()
    left, right = st.columns([3, 2], gap="medium")
    with left:
        chosen = run_picker(runs)
    panels.store_problems(problems)
    if not runs:
        no_runs("Once two runs are trained, the very digits on which they disagree are here.")
        return
    if len(chosen) < 2:
        nothing_chosen(
            runs,
            "Choose at least two above to see on which digits they disagree, and who is right there.",
            title="Choose two runs",
            verb="Compare",
            least=2,
        )
        return
    epoch = state.chosen_epoch()
    tested = runs_with_predictions(chosen, run_labels(runs), epoch)
    if len(tested) < 2:
        if epoch != "kept":
            epoch_switch()
        panels.empty_state(
            "Nothing to compare yet",
            "A run guesses the test images when its training ends. Choose two finished runs above, or wait.",
            button="See the training",
            page="views/train/page.py",
            icon=":material/hourglass_empty:",
        )
        return
    labels = short_labels(tested)
    many = len(tested) > 2
    with right:
        first, second = st.columns(2, gap="small")
        with first:
            baseline = _baseline(tested, labels, place=many)
        together = _together(baseline, tested, labels, epoch)
        with second:
            other = _other(together[1:], labels, place=many)
    if other is None:
        panels.empty_state(
            "These runs cannot be compared",
            "Image by image, only guesses on the same images can be compared: choose runs on the same data above.",
            icon=":material/rule:",
        )
        return
    colours = resources.colours([run.id for run in tested])
    _compare(Panel([baseline, other], labels, colours, epoch), Panel(together, labels, colours, epoch))


def _baseline(tested: list[Run], labels: dict[str, str], *, place: bool) -> Run:
    """Return A: the baseline that the link names, else the first; with a box to choose it where there are many."""
    ids = [run.id for run in tested]
    found = state.baseline_id(ids) or ids[0]
    if place:
        state.widget("pair_a", found)
        st.selectbox(
            "A, the baseline",
            ids,
            format_func=labels.__getitem__,
            key="pair_a",
            on_change=lambda: state.choose_baseline(str(state.widget_value("pair_a"))),
        )
    return tested[ids.index(found)]


def _together(baseline: Run, tested: list[Run], labels: dict[str, str], epoch: ChosenEpoch) -> list[Run]:
    """Return the baseline and the runs tested on the same images; the page states why it leaves out each other one."""
    found = [baseline]
    for run in tested:
        if run.id == baseline.id:
            continue
        pair = paired(baseline, run, epoch, resources.READER)
        if isinstance(pair, Refusal):
            st.caption(f":material/link_off: {for_markdown(refusal_words(pair, labels))}.")
        else:
            found.append(run)
    return found


def _other(others: list[Run], labels: dict[str, str], *, place: bool) -> Run | None:
    """Return B: the run that the link sets against the baseline, else the first that can be."""
    if not others:
        return None
    ids = [run.id for run in others]
    wanted = state.link_text("against")
    found = wanted if wanted in ids else ids[0]
    if place:
        state.widget("pair_b", found)
        st.selectbox(
            "B, set against it",
            ids,
            format_func=labels.__getitem__,
            key="pair_b",
            on_change=lambda: state.set_link(against=state.widget_value("pair_b"), page=None, digit=None),
        )
    return others[ids.index(found)]


def _compare(pair: Panel, everybody: Panel) -> None:
    text = disagreement_words(pair.counts, pair.names[0], pair.names[1])
    panels.headline(for_markdown(text), help=MCNEMAR)
    baseline, other = pair.runs
    found = resources.comparison(everybody.runs, baseline.id, pair.chosen, state.margin())
    verdict = found.of(other.id)
    if verdict is not None:
        st.markdown(for_markdown(verdict_words(verdict, pair.labels)))
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom", key="looks"):
        view = _view(len(everybody.runs))
        epoch_switch()
    if view == "groups":
        disagreement_panels.groups_panel(pair)
    elif view == "matrices":
        disagreement_panels.matrices_panel(pair)
    else:
        disagreement_panels.wrong_panel(everybody)


def _view(runs: int) -> str:
    """Draw the switch of views, and return the view in the link."""
    views = [name for name in VIEWS if name != "all" or runs > 2]
    wanted = state.link_text("view")
    found = wanted if wanted in views else views[0]
    state.widget("view", found)
    st.segmented_control(
        "Look at",
        views,
        format_func=lambda name: VIEWS[name].format(runs),
        required=True,
        wrap=True,
        label_visibility="collapsed",
        key="view",
        on_change=lambda: state.set_link(view=state.widget_value("view"), page=None, digit=None),
    )
    return found


main()
