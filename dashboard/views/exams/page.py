"""Exams: how the chosen runs do on test images that were made harder, exam by exam, and severity by severity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import resources, state
from dashboard.shared import panels
from dashboard.shared.charts import Drawing
from dashboard.shared.gallery import in_theme, png
from dashboard.shared.networks import with_network
from dashboard.shared.opening import no_runs
from dashboard.shared.run_picker import nothing_chosen, run_labels, run_picker, short_labels
from dashboard.views.exams.other_digits import other_digits
from mnist_core.comparison.exams import ORIGINAL, affordable, compare_exams, exam_names, most_robust
from mnist_core.comparison.words.exams import corrected_words, count_words, robust_words
from mnist_core.comparison.words.numbers import ANSWER_WORDS, bare_points_words
from mnist_core.data.images import sprite
from mnist_core.errors import DatasetError
from mnist_core.evaluation.corruptions import CORRUPTIONS, SEVERITIES
from mnist_core.plots.exams import HEIGHT, severity_chart, severity_frame
from mnist_core.runs.run import Run
from mnist_core.text import data_name, for_markdown

EXAM = "exam"  # the key, and the name in the URL, of the corruption whose severities are shown
PRESENTED = 250  # height of the chart in presenter mode, before it is enlarged: all of it is on the first screen
SHOWN = 10  # digits to a row of the picture


def main() -> None:
    """Draw the page."""
    st.title("Exams")
    runs, problems = resources.scan()
    chosen = run_picker(runs, label="Runs that sit the exams")
    panels.store_problems(problems)
    if not runs:
        no_runs(
            "Once a run is trained, it sits sixteen exams here: the test images, and fifteen ways to make them harder."
        )
        return
    if not chosen:
        nothing_chosen(runs, "Choose runs whose weights were kept, above.")
        return
    labels = run_labels(runs)
    able = with_network(chosen, labels)
    if not able:
        panels.empty_state(
            "No run to examine", "Choose a run whose weights were kept, above.", icon=":material/checklist:"
        )
        return
    same = [run for run in able if run.status.fingerprint == able[0].status.fingerprint]
    for run in able:
        if run not in same:
            st.caption(
                f":material/link_off: {for_markdown(labels[run.id])} was trained on other data than "
                f"{for_markdown(labels[able[0].id])}; only runs on the same data sit the same exams."
            )
    try:
        images = len(resources.own_dataset(same[0]).y_test)
    except DatasetError as error:
        panels.no_images(error)
        _digits_that_ship([run for run in runs if run not in same])
        other_digits(same, short_labels(same))
        return
    short, colours = short_labels(same), resources.colours([run.id for run in chosen])
    count = affordable([run.config.model for run in same], images, len(exam_names()))
    few = f"Here {count:,} of them are used, as convolutions take long. " if count < images else ""
    if state.presenting():  # the chart on the first screen
        if few:
            st.caption(f"There are {images:,} test images. {few}")
        frame, config = _compared(same, short, count)
        _severity(same, short, colours, count)
        _table(frame, config, len(same) - 1)
        return
    st.caption(
        f"The {images:,} test images of {for_markdown(data_name(same[0].config.dataset.name))}, and fifteen "
        f"corruptions of them, those of MNIST-C (Mu and Gilmer 2019), made here. {few}"
        "No run was trained on them; one that was trained with augmentation has seen digits moved and turned."
    )
    frame, config = _compared(same, short, count)
    _table(frame, config, len(same) - 1)
    _severity(same, short, colours, count)
    other_digits(same, short)


def _digits_that_ship(runs: list[Run]) -> None:
    """Offer those of the runs whose digits every machine has, where the images of the chosen runs are missing."""
    here = state.suggested([run for run in runs if run.dataset == "digits" and run.model_file is not None])
    if here:
        names = " and ".join(short_labels(here)[run.id] for run in here)
        st.markdown("Exams are made of the test images. Those of the small data set digits come with the program.")
        st.button(
            f"Continue with {for_markdown(names)} on digits",
            key="exams_digits",
            icon=":material/arrow_forward:",
            type="primary",
            on_click=lambda: state.choose([run.id for run in here]),
        )


def _compared(runs: Sequence[Run], labels: Mapping[str, str], count: int) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Write what the exams show of the runs, and return the table of all exams and how its columns look."""
    exams: dict[str, resources.Exam] = {name: (name, None) for name in exam_names()}
    results = resources.exam_results(runs, list(exams.values()), count)
    by_run = {run.id: dict(zip(exams, results[run.id], strict=True)) for run in runs}
    base = state.baseline_id([run.id for run in runs]) or runs[0].id
    by_run = {base: by_run[base]} | by_run
    others = [run_id for run_id in by_run if run_id != base]
    compared = compare_exams(by_run[base], [by_run[run_id] for run_id in others], margin=state.margin())
    for run_id, items in zip(others, compared, strict=True):
        st.markdown(f"**{for_markdown(count_words(items, labels[run_id], labels[base]))}**")
    robust = most_robust(by_run, compared)
    if robust is not None or len(others) == 1:  # against one baseline, nothing is known of two others
        st.markdown(for_markdown(robust_words(robust, labels)))
    # the decisions stand next to the exams, as a phone has room for no more
    frame = pd.DataFrame({"exam": [_label(name) for name in exams]})
    for run_id, items in zip(others, compared, strict=True):
        frame[f"{labels[run_id]} against {labels[base]}"] = [ANSWER_WORDS[item.accuracy.answer] for item in items]
    frame["severity"] = [0 if name == ORIGINAL else CORRUPTIONS[name].published for name in exams]
    for run_id, of_run in by_run.items():
        frame[f"{labels[run_id]} in %"] = [100 * found.accuracy for found in of_run.values()]
    for run_id, items in zip(others, compared, strict=True):
        differences = [bare_points_words(item.accuracy, sign=True) for item in items]
        frame[f"{labels[run_id]} minus {labels[base]}, in points"] = differences
    config: dict[str, Any] = {
        "severity": st.column_config.NumberColumn(help="Of 5; that of MNIST-C. 0: the test images as they are.")
    }
    config |= {f"{labels[run_id]} in %": st.column_config.NumberColumn(format="%.2f") for run_id in by_run}
    return frame, config


def _table(frame: pd.DataFrame, config: Mapping[str, Any], others: int) -> None:
    panels.grid(frame, key="exams_table", most=len(frame), column_config=dict(config), height="content")
    if others:
        st.caption(corrected_words(others * len(frame)))
    panels.csv_button(frame, "exams", key="exams_csv")


def _label(name: str) -> str:
    return "Test images as they are" if name == ORIGINAL else CORRUPTIONS[name].label


def _severity(runs: Sequence[Run], labels: Mapping[str, str], colours: Mapping[str, str], count: int) -> None:
    panels.heading(
        "The harder, the worse", "One corruption at five severities. Bars are 95 % intervals.",
        help="MNIST-C has each corruption at one severity, which the table uses. Stripe, dotted line, zigzag and Canny "
        "edges have only that one in MNIST-C; their other severities are this project's own.",
    )  # fmt: skip
    wanted = state.link_text(EXAM)
    name = wanted if wanted in CORRUPTIONS else next(iter(CORRUPTIONS))
    state.widget(EXAM, name)
    st.selectbox(
        "Corruption",
        list(CORRUPTIONS),
        format_func=_label,
        key=EXAM,
        width=420 if state.presenting() else 260,
        label_visibility="collapsed" if state.presenting() else "visible",
        on_change=lambda: state.set_link(**{EXAM: state.widget_value(EXAM)}),
    )
    exams: list[resources.Exam] = [(ORIGINAL, None), *((name, severity) for severity in SEVERITIES)]
    results = resources.exam_results(runs, exams, count)
    frame = severity_frame(results, labels)
    left, right = st.columns([9, 11], gap="medium")
    with left:
        _digits(runs[0], name, count)
    with right:
        panels.chart_with_table(
            Drawing(severity_chart, frame, dict(colours), height=PRESENTED if state.presenting() else HEIGHT),
            frame.drop(columns="run"),
            alt_text=f"Lines: the accuracy of each run against the severity of {_label(name)}, 0 to 5.",
            key="severity",
            filename=f"severity-{name}",
        )


def _digits(run: Run, name: str, count: int) -> None:
    """Draw the same ten digits at every severity, a row each."""
    labels = resources.exam_labels(run, count)
    first = [int(np.flatnonzero(labels == digit)[0]) for digit in range(10) if (labels == digit).any()][:SHOWN]
    rows = [resources.exam_pictures(run, (ORIGINAL, None), count)[first]]
    rows += [resources.exam_pictures(run, (name, severity), count)[first] for severity in SEVERITIES]
    sheet = sprite(np.concatenate(rows), len(first))
    st.image(
        png(in_theme(sheet, 2)),
        caption=f"{_label(name)}: severity 0 to 5, from the top",
        alt=f"{SHOWN} test digits in six rows, each row spoiled more than the one above by {_label(name)}",
        output_format="PNG",
        width="stretch",
    )


main()
