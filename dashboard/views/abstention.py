"""When may a model say "I don't know"? Accuracy against coverage, a threshold, and a second model for the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import resources, state
from dashboard.shared import panels
from dashboard.shared.charts import Drawing
from dashboard.shared.guesses import runs_with_predictions
from dashboard.shared.opening import no_runs, question_page
from dashboard.shared.run_picker import nothing_chosen, run_picker, short_labels
from dashboard.shared.verdict_panel import margin_box
from mnist_core.comparison.abstention import (
    Abstaining,
    Choosing,
    cascade,
    compare_answered,
    split,
    threshold_for,
)
from mnist_core.comparison.decide import Decision
from mnist_core.comparison.words.abstention import (
    answered_words,
    cascade_words,
    chosen_words,
    compared_words,
    cost_words,
    decided_words,
)
from mnist_core.plots.abstention import cascade_chart, cascade_frame, chosen_frame, coverage_chart, coverage_frame
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown

WANTED, PASSED, FIRST, SECOND = "wanted", "passed", "first", "second"  # keys, and names in the URL
# per cent right that can be asked for, of the images that are answered
ACCURACIES = (90.0, 95.0, 97.0, 98.0, 99.0, 99.5, 99.9)
# per cent of the images that the first model of a cascade can pass on
SHARES = (1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 40, 50)
EXPLAINED = (
    "A model's confidence in an answer is the probability that it gives to its guess. Below the threshold it says "
    '"I don\'t know", and a person, or another model, looks at the image. The lower the threshold, the more is '
    "answered, and the more of it is wrong."
)


def main() -> None:
    """Draw the page."""
    question_page("When to say “I don't know”?", _page)


def _page(runs: list[Run]) -> None:
    if not runs:
        no_runs(
            "Train two models, and this page shows how right each is on the images that it is sure of.",
            button="Train a first model",
        )
        return
    chosen = run_picker(runs)
    if not chosen:
        nothing_chosen(runs, "Choose one above to see how right it is on the images that it is sure of.")
        return
    labels = short_labels(chosen)
    able = _comparable(runs_with_predictions(chosen, labels), labels)
    if not able:
        panels.empty_state("Nothing to show yet", "Choose runs above whose training has ended and been tested.")
        return
    found = {run.id: item for run in able if (item := resources.predictions(run)) is not None}
    base = state.baseline_id(list(found)) or next(iter(found))
    found = {base: found[base]} | found
    models = split(list(found.values()))
    colours = resources.colours([run.id for run in chosen])
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="answering"):
        wanted = _choice("Right on at least", ACCURACIES, 99.5, WANTED, help=EXPLAINED)
        margin = margin_box()
    _thresholds(list(found), models, labels, colours, wanted / 100, margin)
    if len(found) > 1:
        _cascade({run.id: run for run in able}, list(found), models, labels, colours, margin)


def _comparable(runs: Sequence[Run], labels: Mapping[str, str]) -> list[Run]:
    """Return the runs that gave probabilities for the same test images as the first; say why each other one is out."""
    kept: list[Run] = []
    for run in runs:
        found = resources.predictions(run)
        first = resources.predictions(kept[0]) if kept else found
        if found is None or first is None:
            continue
        if found.guesses_only:
            st.caption(f"{for_markdown(labels[run.id])} was recorded with its guesses only; its confidence is unknown.")
        elif not np.array_equal(found.labels, first.labels):
            st.caption(f"Left out, as it was tested on other images: {for_markdown(labels[run.id])}.")
        else:
            kept.append(run)
    return kept


def _choice(label: str, choices: Sequence[float], default: float, name: str, help: str) -> float:
    """Draw a slider of per cent whose value is in the link, and return it."""
    link = state.link_text(name)
    given = next((choice for choice in choices if f"{choice:g}" == link), default)
    state.widget(name, given)
    return float(
        st.select_slider(
            label,
            choices,
            format_func=lambda value: f"{value:g} %",
            key=name,
            help=help,
            width=360,
            on_change=lambda: state.set_link(**{name: f"{state.widget_value(name):g}"}),
        )
    )


def _thresholds(
    ids: Sequence[str],
    models: Choosing,
    labels: Mapping[str, str],
    colours: Mapping[str, str],
    wanted: float,
    margin: float,
) -> None:
    thresholds = [threshold_for(item, wanted) for item in models.chosen_on]
    results = [item.at(threshold) for item, threshold in zip(models.measured_on, thresholds, strict=True)]
    decisions = compare_answered(results, margin=margin)
    if len(ids) > 2:
        _table([labels[key] for key in ids], results, thresholds, decisions)
    else:
        for run_id, decision in zip(ids[1:], decisions, strict=True):
            panels.headline(for_markdown(compared_words(labels[run_id], labels[ids[0]], decision)))
        for run_id, item, threshold in zip(ids, results, thresholds, strict=True):
            st.markdown(for_markdown(answered_words(labels[run_id], item, threshold, wanted)))
    st.caption(chosen_words(halved=models.halved, images=models.measured_on[0].images))
    by_run: dict[str, Abstaining] = dict(zip(ids, results, strict=True))
    frame = coverage_frame(dict(zip(ids, models.measured_on, strict=True)), labels)
    panels.chart_with_table(
        Drawing(coverage_chart, frame, chosen_frame(by_run, labels), {key: colours[key] for key in ids}, wanted),
        frame.drop(columns="run"),
        alt_text="Lines: the accuracy of each run on the images that it is surest of, against how many these are.",
        key="coverage",
        filename="coverage",
        title="Accuracy against coverage",
        sentence="The dot of each run is at its threshold; the dashed line is the accuracy that is asked for.",
    )


def _table(
    names: Sequence[str],
    results: Sequence[Abstaining],
    thresholds: Sequence[float | None],
    decisions: Sequence[Decision],
) -> None:
    """Draw a line a run: what it answers, how right it is, and the decision against the first."""
    frame = pd.DataFrame(
        {
            "run": names,
            "answered in %": [100 * item.share for item in results],
            "of them right in %": [None if item.accuracy is None else 100 * item.accuracy for item in results],
            "threshold": thresholds,
            f"answered rightly, against {names[0]}": ["", *(decided_words(item) for item in decisions)],
        }
    )
    config: dict[str, Any] = {str(name): st.column_config.NumberColumn(format="%.2f") for name in list(frame)[1:3]}
    config["threshold"] = st.column_config.NumberColumn(format="%.4f")
    panels.table(frame, key="answers", filename="answers", column_config=config)


def _cascade(
    runs: Mapping[str, Run],
    ids: Sequence[str],
    models: Choosing,
    labels: Mapping[str, str],
    colours: Mapping[str, str],
    margin: float,
) -> None:
    panels.heading(
        "One model first, another for the rest",
        "A small model answers what it is sure of, and passes the other images on.",
        help="The share is set on the images to choose on; on the test images it comes out a little different.",
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="cascading"):
        first = _model("First", ids, labels, _cheapest(runs, ids), FIRST)
        second = _model("Then", [key for key in ids if key != first], labels, None, SECOND)
        passed = _choice("Passed on", SHARES, 6, PASSED, help="The least sure share of the images.")
    costs = [runs[key].config.model.operations() for key in (first, second) if not runs[key].recorded]
    operations = (costs[0], costs[1]) if len(costs) == 2 else None
    place = {key: number for number, key in enumerate(ids)}
    found = cascade(
        models, passed / 100, margin=margin, first=place[first], second=place[second], operations=operations
    )
    st.markdown(f"**{for_markdown(cascade_words(found, labels[first], labels[second]))}**")
    if operations:
        st.markdown(for_markdown(cost_words(found, labels[second], operations)))
    one, two = (models.measured_on[place[key]] for key in (first, second))
    frame = cascade_frame(one, two)
    alone = [(labels[key], float(item.right.mean()), colours[key]) for key, item in ((first, one), (second, two))]
    panels.chart_with_table(
        Drawing(cascade_chart, frame, alone, (found.passed, found.accuracy)),
        pd.DataFrame(frame),
        alt_text="A line: the accuracy of both together, against the share of the images that is passed on.",
        key="cascade",
        filename="cascade",
    )


def _cheapest(runs: Mapping[str, Run], ids: Sequence[str]) -> str:
    """Return the run with the fewest parameters, of those whose number is known."""
    known = [(runs[key].parameters or 0, key) for key in ids if runs[key].parameters is not None]
    return min(known)[1] if known else ids[0]


def _model(label: str, ids: Sequence[str], labels: Mapping[str, str], default: str | None, name: str) -> str:
    """Draw a choice among the runs that is kept in the link, and return it."""
    given = state.one_of(state.link_text(name), ids, default or ids[0])
    state.widget(name, given)
    found = st.selectbox(
        label,
        ids,
        format_func=labels.__getitem__,
        key=name,
        width=220,
        on_change=lambda: state.set_link(**{name: state.widget_value(name)}),
    )
    return found or ids[0]


main()
