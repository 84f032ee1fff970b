"""The front page: which of the chosen runs is better, by how much, at what cost, and how they got there."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import partial

import streamlit as st

from dashboard import resources, state
from dashboard.shared import groups, looks, panels, presenter
from dashboard.shared.figures import RunColumn, figure_table, seed_figures, seed_label, text_table
from dashboard.shared.parameter_panel import parameter_panel
from dashboard.shared.run_curves import curves_of
from dashboard.shared.run_picker import MOST_COMPARED, nothing_chosen, run_picker, short_labels
from dashboard.shared.verdict_panel import EPOCH_LABELS, epoch_switch, margin_box, undermining, verdict_panel
from dashboard.views.compare import scenes
from dashboard.views.compare.curve_panels import curve_panels
from dashboard.views.compare.diagnosis_panel import diagnosis_marks, diagnosis_panel
from dashboard.views.compare.draw_strip import draw_strip
from dashboard.views.compare.plan_panel import plan_panel
from dashboard.views.compare.published_panel import published_popover
from dashboard.views.compare.replay import replay_panel
from dashboard.views.compare.run_lines import run_lines
from dashboard.views.compare.strip import strip
from mnist_core.comparison.comparability import on_other_data
from mnist_core.comparison.words.comparability import names_of_compared, other_data_words
from mnist_core.errors import StoreError
from mnist_core.report import comparison_report, tables
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

WHAT = "Small networks read handwritten digits: which reads better, and can we be sure?"
INTERVALS = (
    "A test set is a sample of digits: with other test images an accuracy, and a difference, would have come out "
    "a little differently. The 95 % interval, in brackets, says by how much: drawn this way again and again, 19 of 20 "
    "such intervals hold the true value. Two accuracies are compared image by image, which tells more than whether "
    "their own intervals (Wilson 1927) overlap; p is how often a difference this large would arise if both networks "
    "were equally good (McNemar's score test). A recipe is a configuration without its seed. Where both recipes have "
    "at least three seeds, the first sentence is about the recipes, and its interval holds the chance of another "
    "training too."
)


def results(ids: list[str]) -> None:
    """Draw all that depends on the chosen runs, read again from the store."""
    everything = resources.scan()[0]
    found = groups.grouped(ids, everything)
    if sum(len(group.runs) for group in found) < len(ids):
        st.rerun()  # deleted from another window: choose again from what there is
    runs, figures, chosen = [], {}, state.chosen_epoch()
    for group in found:
        try:
            run = group.first
            figures[run.id] = resources.summary(run, chosen)
            resources.history(run)
            runs.append(run)
        except StoreError as error:
            st.error(panels.markdown_sentence(error), icon=":material/error:")
    if not runs:
        return
    found = [group for group in found if group.first.id in {run.id for run in runs}]
    labels = short_labels(runs)
    colours = resources.colours([run.id for run in runs])
    fingerprints = {run.id: run.status.fingerprint for run in runs}
    baseline = state.baseline_id([run.id for run in runs]) or runs[0].id
    items = [figures[run.id] for run in runs]

    margin = state.margin()
    known = resources.background(runs)
    comparison = resources.comparison(runs, baseline, chosen, margin, known)
    recipes = resources.recipe_comparison(runs, baseline, chosen, margin)
    base = next(run for run in runs if run.id == baseline)
    apart = on_other_data(base, runs)
    names = names_of_compared(base, apart, labels) if apart else labels
    parts = tables.answer(items, names, comparison, recipes), other_data_words(base, apart, labels)
    answer = for_markdown(" ".join(filter(None, parts)))
    seeds = seed_figures(found, chosen)
    with st.container(key="first_screen", gap="xsmall"):
        with st.container(key="answer", gap="xxsmall"):
            st.markdown(f"## {answer}", help=INTERVALS, anchors=False)
            if undermining(comparison.verdicts, labels):
                why = "end presenter mode to read why." if state.presenting() else "why is written below the curves."
                st.caption(f":material/warning: **Not a fair comparison as it stands**: {why}")
        pair = [run for run in runs if run.id == baseline or comparison.of(run.id)]
        pair.sort(key=lambda run: run.id != baseline)
        curves = curves_of(found, colours, labels)
        lines = (runs, figures, labels, colours, baseline, chosen, seeds, comparison)
        if state.presenting():
            if not scenes.scene(curves, pair, labels, colours):
                run_lines(*lines)
            return
        with st.container(key="figures", gap="small"):
            place = None
            if len(runs) == len(pair) == 2:
                left, right = st.columns([3, 2], gap="medium")
                place = right.container(key="strip", gap="xxsmall")
                with left:
                    run_lines(*lines)
            else:
                run_lines(*lines)
            for run in runs:
                if run.state in ("diverged", "failed") and run.status.reason:
                    st.warning(f"**{for_markdown(labels[run.id])}** {run.state}: {for_markdown(run.status.reason)}.")
        curve_panels(found, curves, diagnosis_marks(found), baseline)
        replay_panel(found, curves)

    # after the curves, as it may read the predictions of many runs
    plans = resources.plans(runs, comparison, recipes)
    diagnosis_panel(found, labels, colours, everything)
    if len(runs) > 1:
        verdict_panel(comparison, recipes, labels, colours)
        plan_panel(plans, runs, labels, everything)
        st.page_link(
            "views/disagreements/page.py", label="On which digits these runs disagree", icon=":material/call_split:"
        )
    draw_strip(runs, labels, colours)
    looks.selection_captions(runs, known, labels)
    uses = looks.count_caption(base, runs, figures)

    columns = [
        RunColumn(
            seed_label(labels[run.id], seeds.get(run.id)), colours[run.id], "baseline" if run.id == baseline else ""
        )
        for run in runs
    ]
    with panels.folded("All figures", key="all") as opened:
        if opened:
            if len(runs) > 1:
                st.caption("Small: the difference from the baseline. A point is a percentage point.")
            figure_table(items, columns, baseline, fingerprints, seeds)
            with st.container(horizontal=True, gap="small", key="all_foot"):
                exact = tables.exact_frame([one for item in items for one in seeds.get(item.id) or [item]])
                panels.csv_button(exact, "figures", key="figures_csv")
                published_popover(runs, figures)
    with panels.folded("Settings and parameters: what differs", key="settings") as opened:
        if opened:
            left, right = st.columns(2, gap="medium")
            with left:
                parameter_panel(runs, labels, colours)
            with right:
                configurations(runs, labels, columns)
    paper = resources.colours([run.id for run in runs], printed=True)
    report_buttons(comparison_report.Content(runs, items, comparison, recipes, labels, paper, uses, plans))
    if place is not None:
        with place:  # last, as nothing is to wait for the images
            strip(pair, labels, colours, chosen, ids)


def measured_against(chosen: list[Run]) -> None:
    """Draw a button that says what the runs are measured by and opens it: baseline, epoch of the weights, margin."""
    labels = short_labels(chosen)
    baseline = state.baseline_id([run.id for run in chosen]) or chosen[0].id
    words = EPOCH_LABELS[state.chosen_epoch()].lower() + " weights"
    several = len(chosen) > 1
    text = f"Against {for_markdown(labels[baseline])}, {words}" if several else words.capitalize()
    with st.popover(text, icon=":material/tune:", key="measured"):
        if several:
            state.widget("baseline_picker", baseline)
            st.selectbox(
                "Baseline",
                [run.id for run in chosen],
                format_func=lambda run_id: labels[run_id],
                key="baseline_picker",
                help="The run that the others are measured against.",
                on_change=lambda: state.choose_baseline(str(state.widget_value("baseline_picker"))),
            )
        epoch_switch()
        if several:
            margin_box()


Make = Callable[[comparison_report.Content, datetime.datetime], bytes]


def _made(make: Make, found: comparison_report.Content) -> bytes:
    return make(found, datetime.datetime.now())


def report_buttons(found: comparison_report.Content) -> None:
    """Download all of this as one file, to hand in or to print."""
    with st.container(horizontal=True, gap="small", key="report"):
        for label, make, ending, mime in (
            ("Report (HTML)", comparison_report.as_html, "html", "text/html"),
            ("Report (Markdown)", comparison_report.as_markdown, "md", "text/markdown"),
        ):
            panels.download(
                label,
                partial(_made, make, found),
                f"comparison.{ending}",
                mime,
                key=f"report_{ending}",
            )


def configurations(runs: list[Run], labels: dict[str, str], columns: list[RunColumn]) -> None:
    """Draw in which settings the runs differ."""
    panels.heading("What differs in the settings", "Only settings that are not the same in all chosen runs.")
    frame = tables.difference_frame(runs, [labels[run.id] for run in runs])
    if frame.empty:
        st.caption("Choose a second run to see differences." if len(runs) == 1 else "All settings are the same.")
        return
    text_table(frame, columns)
    panels.csv_button(frame, "differences", key="differences_csv")


with panels.errors_as_messages():
    all_runs, problems = resources.scan()
with st.container(horizontal=True, vertical_alignment="center", key="page_head"):
    st.title("Compare", width="content", anchor=False)
    st.markdown(WHAT, width="stretch")
    presenter.invitation()
    st.page_link(
        "views/runs/page.py", label="All runs", icon=":material/table_rows:", width="content",
        help="Find, rename, tag and delete runs; read everything about each.",
    )  # fmt: skip

if not all_runs:
    panels.empty_state(
        "Nothing to compare yet",
        "Train two models, and their curves, accuracies and costs appear here side by side.",
        button="Train a first model",
        page="views/train/page.py",
    )
else:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="choice"):
        with st.container(width="stretch", gap=None):
            chosen = run_picker(all_runs, every_seed=True, most=MOST_COMPARED, label_shown=False)
        if chosen and not state.presenting():
            measured_against([group.first for group in groups.grouped([run.id for run in chosen], all_runs)])
    if not chosen:
        nothing_chosen(
            all_runs,
            "Choose one run above to see its figures, or several to compare them."
            if any(run.ended for run in all_runs)
            else "Runs are being trained; choose them above to watch.",
            verb="Compare",
        )
    else:
        live = any(run.live for run in chosen)

        @state.again_every(1.0, going_on=live)
        def following(ids: list[str]) -> None:
            """Draw the results, drawn again every second while one of the runs is live."""
            results(ids)
            if live and not any(run.live for run in resources.scan()[0] if run.id in ids):
                st.rerun()  # the whole page once more, without polling

        following([run.id for run in chosen])
panels.store_problems(problems)
