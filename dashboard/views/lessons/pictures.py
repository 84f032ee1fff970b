"""The pictures of lessons: a small closed set, drawn from the runs of the lesson."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import streamlit as st

from dashboard import resources, state
from dashboard.shared import panels
from dashboard.shared.charts import Drawing
from dashboard.shared.gallery import in_theme, png
from dashboard.views.lessons.subjects import SOURCES
from mnist_core.data.images import sprite
from mnist_core.errors import LessonError
from mnist_core.lessons.lesson import LessonPicture
from mnist_core.lessons.quantities import Subject, moved_accuracy, moved_right, verdict
from mnist_core.plots.architecture import architecture_chart, architecture_frame
from mnist_core.plots.architecture import described as layers_described
from mnist_core.plots.learning_curves import Curve, CurveKind, CurveMetric, curve_frame, described
from mnist_core.plots.lessons import HEIGHT, digit_chart, digit_frame, epochs_chart, moved_chart
from mnist_core.plots.style import GREY
from mnist_core.plots.verdicts import described as verdicts_described
from mnist_core.plots.verdicts import verdict_chart, verdict_frame
from mnist_core.runs.run import Run

PRESENTED = 240
"""Height of a chart by epochs, digits or pixels in presenter mode, before it is enlarged: all is on one screen then."""
MOVES = range(9)
"""Pixels in the picture of moved digits."""
KINDS: tuple[CurveKind, ...] = ("dropout off", "validation")
TITLES: dict[CurveMetric, str] = {
    "loss": "Loss by epoch: lower is better",
    "accuracy": "Accuracy by epoch: higher is better",
}


def _height() -> int:
    return PRESENTED if state.presenting() else HEIGHT


def draw(
    wanted: LessonPicture,
    found: Mapping[str, Subject],
    *,
    key: str,
    marks: Mapping[str, int] | None = None,
    clickable: bool = False,
) -> None:
    """Draw a picture.

    Parameters
    ----------
    wanted
        what to draw.
    found
        the runs of the lesson.
    key
        of the chart, unique on the page.
    marks
        words → an epoch to mark, in a picture of curves.
    clickable
        True if an epoch can be clicked; `state.new_selection(key, EPOCH)` has the click.
    """
    chosen = [found[name] for name in wanted.runs]
    if wanted.what == "layers":
        _layers(chosen[0], key)
        return
    runs = []
    for subject in chosen:
        if subject.run is None:
            raise LessonError(f"{subject.name} is not trained yet; predict first, then train it")
        runs.append(subject.run)
    labels = {run.id: subject.name for run, subject in zip(runs, chosen, strict=True)}
    colours = resources.colours([run.id for run in runs])
    if wanted.what in ("loss", "accuracy"):
        metric: CurveMetric = "loss" if wanted.what == "loss" else "accuracy"
        _curves(runs, labels, colours, metric, key, marks, clickable)
    elif wanted.what == "digits":
        _digits(runs, labels, colours, key)
    elif wanted.what == "difference":
        _difference(chosen, labels, colours, key)
    else:
        _moved(chosen[0], runs[0], colours[runs[0].id], key)


def _layers(subject: Subject, key: str) -> None:
    if subject.config is None:
        raise LessonError(f"{subject.name} was recorded from outside; its layers are not known")
    frame = architecture_frame(subject.config.model)
    colour = resources.colours([subject.run.id])[subject.run.id] if subject.run else GREY
    panels.chart_with_table(
        Drawing(architecture_chart, frame, colour),
        frame[["layer", "kind", "text", "outputs", "parameters"]],
        alt_text=layers_described(frame, subject.name),
        key=key,
        filename="layers",
    )


def _curves(
    runs: Sequence[Run],
    labels: Mapping[str, str],
    colours: Mapping[str, str],
    metric: CurveMetric,
    key: str,
    marks: Mapping[str, int] | None,
    clickable: bool,
) -> None:
    curves = [Curve(run.id, labels[run.id], colours[run.id], resources.history(run)) for run in runs]
    frame = curve_frame(curves, metric, kinds=KINDS)
    drawing = Drawing(epochs_chart, frame, dict(colours), metric, marks=marks, clickable=clickable, height=_height())
    st.markdown(f"**{TITLES[metric]}**")
    # a question does not give its answer away in the description of its chart, nor in a table
    if clickable or not marks:
        drawing.show(
            key=state.fresh_key(key),
            on_select="rerun" if clickable else "ignore",
            alt_text=f"Lines: {metric} on training images (dropout off) and on validation images, by epoch.",
        )
        return
    panels.chart_with_table(
        drawing, frame, alt_text=described(frame, metric), key=key, filename=f"{metric}-by-epoch"
    )  # fmt: skip


def _digits(runs: Sequence[Run], labels: Mapping[str, str], colours: Mapping[str, str], key: str) -> None:
    known = {run.id: found for run in runs if (found := resources.predictions(run)) is not None}
    if not known:
        raise LessonError("these runs are stored without predictions; choose others")
    frame = digit_frame(known, labels)
    panels.chart_with_table(
        Drawing(digit_chart, frame, dict(colours), height=_height()),
        frame.drop(columns="run"),
        alt_text="Share of each digit that is right: "
        + "; ".join(f"{row.label}, digit {row.digit}: {row.share:.4f}" for row in frame.itertuples()),
        key=key,
        filename="digits",
        title="How much of each digit is right",
        sentence="Bars are 95 % intervals.",
    )


def _difference(chosen: Sequence[Subject], labels: Mapping[str, str], colours: Mapping[str, str], key: str) -> None:
    frame = verdict_frame([verdict(SOURCES, chosen)], labels)
    panels.chart_with_table(
        Drawing(verdict_chart, frame, dict(colours), chosen[1].name),
        frame.drop(columns="text"),
        alt_text=verdicts_described(frame, chosen[1].name),
        key=key,
        filename="difference",
    )


def _moved(subject: Subject, run: Run, colour: str, key: str) -> None:
    frame = _moved_frame(resources.network_name(run), subject)
    images = resources.own_dataset(run).x_test[:1]
    row = np.concatenate([moved_right(images, pixels) for pixels in MOVES])
    sheet = sprite(row, len(row))
    st.image(
        png(in_theme(sheet, 3)),
        caption=f"One test digit, moved by {MOVES[0]} to {MOVES[-1]} pixels",
        alt=f"The same digit {len(row)} times, each a pixel further to the right",
        output_format="PNG",
        width="stretch",
    )
    panels.chart_with_table(
        Drawing(moved_chart, frame, colour, height=_height()),
        frame,
        alt_text="Accuracy by pixels moved: " + "; ".join(
            f"{row.pixels}: {row.accuracy:.4f}" for row in frame.itertuples()
        ),
        key=key,
        filename="moved",
        title="Accuracy on moved digits, in %",
    )  # fmt: skip


@st.cache_data(max_entries=20, show_spinner=False)
def _moved_frame(network: str, _subject: Subject) -> pd.DataFrame:
    accuracies = [moved_accuracy(SOURCES, _subject, pixels) for pixels in MOVES]
    return pd.DataFrame({"pixels": list(MOVES), "accuracy": accuracies})
