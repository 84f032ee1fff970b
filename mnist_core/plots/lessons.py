"""Pictures of lessons: curves whose epochs can be clicked, the digits one by one, and pictures that are moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from mnist_core.evaluation.metrics import accuracy_interval
from mnist_core.evaluation.predictions import Predictions
from mnist_core.plots.learning_curves import DASH, CurveMetric, kind_channels, value_domain
from mnist_core.plots.style import INK, PAPER, as_text, halo, layer

HEIGHT = 320
LINE = 20
"""Pixels of a line of words in a plot."""
CORNER = 0.4
"""The share of a plot's width that names of runs take, on a phone."""
KIND_LABELS = "datum.label == 'dropout off' ? 'training (dropout off)' : datum.label"
"""A Vega expression: a kind of line by itself does not say that it is of training images."""
EPOCH = "epoch"
"""The name of the selection, and of its field, in `epochs_chart`."""


def epochs_chart(
    frame: pd.DataFrame,
    colours: Mapping[str, str],
    metric: CurveMetric,
    *,
    marks: Mapping[str, int] | None = None,
    clickable: bool = False,
    height: int = HEIGHT,
    dark: bool = False,
) -> alt.LayerChart:
    """Return lines by epoch, without a mark at the best epoch.

    Parameters
    ----------
    frame, metric
        as of `mnist_core.plots.learning_curves.curve_frame`.
    colours
        run id → colour.
    marks
        words → the epoch at which they stand above the plot.
    clickable
        True if a click selects the nearest epoch, by the selection `EPOCH`.
    height, dark
        pixels of the plot; whether the background is dark.
    """
    kinds = [kind for kind in DASH if (frame["kind"] == kind).any()]
    runs = list(dict.fromkeys(frame["run"]))
    domain = value_domain(frame, metric)
    ends = [int(frame["epoch"].min()), max(int(frame["epoch"].max()), int(frame["epoch"].min()) + 1)]
    x = alt.X(
        "epoch:Q",
        title="epoch",
        scale=alt.Scale(domain=ends, nice=False),
        axis=alt.Axis(format="d", tickMinStep=1, grid=False),
    )
    y = alt.Y(
        "value:Q",
        title=None,
        scale=alt.Scale(domain=list(domain) if domain else alt.Undefined, nice=False, zero=False),
        axis=alt.Axis(format=".1%" if metric == "accuracy" else "~g", tickCount=5),
    )
    colour = alt.Color("run:N", scale=alt.Scale(domain=runs, range=[colours[run] for run in runs]), legend=None)
    legend = alt.Legend(title=None, orient="top", symbolType="stroke", symbolSize=300, labelExpr=KIND_LABELS)
    dash, width = kind_channels(kinds, legend)
    layers = [
        alt.Chart(frame).mark_line(clip=True).encode(x=x, y=y, color=colour, strokeDash=dash, strokeWidth=width),
    ]
    given = marks or {}
    ink = INK[dark]
    if len(runs) > 1:
        layers += _names(frame, runs, colours, domain, height, LINE * len(given), PAPER[dark])
    for place, (words, epoch) in enumerate(given.items()):
        here = alt.Chart(pd.DataFrame({"epoch": [epoch], "words": [f"{words}: {epoch}"]}))
        layers.append(here.mark_rule(strokeDash=[4, 3], strokeWidth=1.8, color=ink).encode(x=x))
        # the earlier of several to the left of its rule, so that they do not cover each other
        first = epoch == min(given.values())
        left = first and epoch > ends[1] / 4 if len(set(given.values())) > 1 else epoch > ends[1] / 2
        layers.append(
            here.mark_text(align="right" if left else "left", dx=-6 if left else 6, fontSize=14, color=ink).encode(
                x=x, y=alt.value(12 + LINE * place), text="words:N"
            )
        )
    if clickable:
        chosen = alt.selection_point(name=EPOCH, fields=[EPOCH], nearest=True, on="click", empty=False, toggle=False)
        last = frame[frame["kind"] == kinds[-1]] if "validation" not in kinds else frame[frame["kind"] == "validation"]
        points = alt.Chart(last[last["run"] == runs[0]])
        layers.append(
            points.mark_point(filled=True, size=110)
            .encode(
                x=x,
                y=y,
                color=colour,
                opacity=alt.condition(chosen, alt.value(1), alt.value(0)),
                tooltip=[alt.Tooltip("epoch:Q", format="d")],
            )
            .add_params(chosen)
        )
    return layer(*layers, height=height)


def _names(
    frame: pd.DataFrame,
    runs: Sequence[str],
    colours: Mapping[str, str],
    domain: tuple[float, float] | None,
    height: int,
    taken: int,
    paper: str,
) -> list[alt.Chart]:
    """Return the names of the runs, one under the other, in the right corner that the lines leave free.

    domain: the ends of the vertical axis. taken: pixels of the upper corner that other words take. paper: the colour
    behind the words.
    """
    late = frame.loc[frame["epoch"] >= frame["epoch"].max() * (1 - CORNER), "value"]
    low, high = domain or (late.min(), late.max())
    above = high - late.max() >= late.min() - low
    first = 12 + taken if above else height - 12 - LINE * (len(runs) - 1)
    labels = frame.drop_duplicates("run").set_index("run")["label"]
    found = []
    for place, run in enumerate(runs):
        name = alt.Chart(pd.DataFrame({"label": [labels[run]]}))
        for outline in (halo(paper), {}):
            text = name.mark_text(
                align="right", dx=-4, fontSize=14, fontWeight="bold", color=as_text(colours[run]), **outline
            )
            found.append(text.encode(x=alt.value("width"), y=alt.value(first + LINE * place), text="label:N"))
    return found


def digit_frame(predictions: Mapping[str, Predictions], labels: Mapping[str, str]) -> pd.DataFrame:
    """Return columns run, label, digit, images, right, share, low and high (Wilson's 95 % interval); a row a digit."""
    rows = []
    for run, found in predictions.items():
        for digit in np.unique(found.labels):
            of_digit = found.labels == digit
            images, right = int(of_digit.sum()), int((found.predicted[of_digit] == digit).sum())
            low, high = accuracy_interval(right, images)
            rows.append((run, labels[run], int(digit), images, right, right / images, low, high))
    return pd.DataFrame(rows, columns=["run", "label", "digit", "images", "right", "share", "low", "high"])


def digit_chart(frame: pd.DataFrame, colours: Mapping[str, str], *, height: int = HEIGHT) -> alt.LayerChart:
    """Return the share that is right of each digit, a dot a run, with the intervals as thin bars.

    frame: as of `digit_frame`. colours: run id → colour.
    """
    shown = frame.drop_duplicates("run")
    order = list(shown["label"])
    colour = alt.Color(
        "label:N",
        scale=alt.Scale(domain=order, range=[colours[run] for run in shown["run"]]),
        legend=alt.Legend(title=None, orient="top") if len(order) > 1 else None,
    )
    x = alt.X("digit:O", title="digit", axis=alt.Axis(labelAngle=0))
    offset = alt.XOffset("label:N", sort=order)
    scale = alt.Scale(zero=False)
    y = alt.Y("share:Q", title=None, scale=scale, axis=alt.Axis(format=".0%", tickCount=6))
    low = alt.Y("low:Q", title=None, scale=scale, axis=alt.Axis(format=".0%", tickCount=6))
    tooltip = [
        alt.Tooltip("label:N", title="run"),
        alt.Tooltip("digit:O"),
        alt.Tooltip("share:Q", format=".2%", title="right"),
        alt.Tooltip("images:Q", format=","),
    ]
    base = alt.Chart(frame)
    return layer(
        base.mark_rule(strokeWidth=2, opacity=0.6).encode(x=x, xOffset=offset, y=low, y2="high:Q", color=colour),
        base.mark_point(filled=True, size=110, opacity=1).encode(
            x=x, xOffset=offset, y=y, color=colour, tooltip=tooltip
        ),
        height=height,
    )


def moved_chart(frame: pd.DataFrame, colour: str, *, height: int = HEIGHT) -> alt.LayerChart:
    """Return the accuracy against how far pictures are moved, each with its value in per cent next to the point.

    The value stands to the right of its point and above it, where no line runs as long as the accuracy falls.

    frame: columns pixels and accuracy (0 to 1). colour: of the run.
    """
    base = alt.Chart(frame.assign(text=[f"{100 * value:.0f}" for value in frame["accuracy"]]))
    x = alt.X("pixels:O", title="pixels to the right", axis=alt.Axis(labelAngle=0))
    y = alt.Y("accuracy:Q", title=None, scale=alt.Scale(domain=[0, 1.08], nice=False), axis=alt.Axis(format=".0%"))
    return layer(
        base.mark_line(strokeWidth=2.8, color=colour).encode(x=x, y=y),
        base.mark_point(filled=True, size=90, opacity=1, color=colour).encode(
            x=x, y=y, tooltip=[alt.Tooltip("pixels:O"), alt.Tooltip("accuracy:Q", format=".2%")]
        ),
        base.mark_text(align="left", dx=3, dy=-12, fontSize=14, color=as_text(colour)).encode(x=x, y=y, text="text:N"),
        height=height,
    )
