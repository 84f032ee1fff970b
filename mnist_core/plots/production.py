"""Accuracy against cost: a frame of candidates → the Pareto picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from mnist_core.comparison.production import CostName, Ranked, dominated_by
from mnist_core.comparison.words.production import STATUS_WORDS
from mnist_core.plots.style import GREY, PAPER, as_text, halo, interval_tooltips, layer

HEIGHT = 380
AXES: dict[CostName, tuple[str, float]] = {
    "parameters": ("parameters", 1.0),
    "bytes": ("file size in kB", 1e-3),
    "one": ("milliseconds for one image", 1e3),
    "many": ("milliseconds for 256 images", 1e3),
    "seconds": ("seconds of training", 1.0),
}
"""Cost → title of its axis, and the factor that brings it into that unit."""


def pareto_frame(items: Sequence[Ranked], labels: Mapping[str, str], cost: CostName) -> pd.DataFrame:
    """Return one row a candidate whose cost was measured, cheapest first.

    Returns
    -------
    Columns run (id), label, cost (in the unit of `AXES`), accuracy, low and high (its 95 % interval), verdict
    (see `comparison.words.production.STATUS_WORDS`), dominated (the label of the run that does; empty
    where none does).
    """
    beaten = dominated_by([item.candidate for item in items], cost)
    columns = ["run", "label", "cost", "accuracy", "low", "high", "verdict", "dominated"]
    rows = []
    for item in items:
        own = item.candidate
        value = own.cost(cost)
        if value is None:
            continue
        verdict = STATUS_WORDS[item.status]
        by = labels[beaten[own.id]] if own.id in beaten else ""
        price = value * AXES[cost][1]
        rows.append([own.id, labels[own.id], price, own.accuracy, own.interval.low, own.interval.high, verdict, by])
    return pd.DataFrame(rows, columns=columns).sort_values(["cost", "accuracy"], kind="stable").reset_index(drop=True)


def pareto_chart(
    frame: pd.DataFrame, colours: Mapping[str, str], cost: CostName, *, dark: bool = False, height: int = HEIGHT
) -> alt.LayerChart:
    """Draw accuracy, with its interval, against cost on a logarithmic axis; dominated candidates are hollow.

    Parameters
    ----------
    frame
        of `pareto_frame`.
    colours
        run id → colour.
    cost
        what the horizontal axis shows.
    dark
        whether the chart stands on the dark background.
    height
        in pixels.
    """
    runs = list(frame["run"])
    low, high = float(frame["cost"].min()), float(frame["cost"].max())
    # room on the right for the labels
    domain = [low / 1.25, high * max(1.6, (high / low) ** 0.35)]
    steps = (1, 2, 5) if high > 6 * low else range(1, 10)
    exponents = range(math.floor(math.log10(domain[0])), math.ceil(math.log10(domain[1])) + 1)
    ticks = [step * 10.0**exponent for exponent in exponents for step in steps]
    x = alt.X(
        "cost:Q",
        scale=alt.Scale(type="log", domain=domain, nice=False),
        axis=alt.Axis(
            values=[tick for tick in ticks if domain[0] <= tick <= domain[1]],
            format="~s" if cost == "parameters" else "~g",
            grid=False,
            labelOverlap="greedy",
        ),
        title=f"{AXES[cost][0]} (logarithmic axis)",
    )
    colour = alt.Color("run:N", scale=alt.Scale(domain=runs, range=[colours[run] for run in runs]), legend=None)
    y_scale = alt.Scale(zero=False, nice=True, padding=8)
    wide = float(frame["high"].max() - frame["low"].min()) > 0.04
    y = alt.Y(
        "accuracy:Q", scale=y_scale, axis=alt.Axis(format=".0%" if wide else ".1%", tickCount=6), title="test accuracy"
    )
    base = alt.Chart(frame.assign(ink=[as_text(colours[run]) for run in frame["run"]]))
    tooltip = [
        alt.Tooltip("label:N", title="run"),
        alt.Tooltip("cost:Q", title=AXES[cost][0], format=",.4~g"),
        *interval_tooltips(),
        alt.Tooltip("verdict:N"),
        alt.Tooltip("dominated:N", title="dominated by"),
    ]
    paper = PAPER[dark]
    front = alt.Chart(frame[frame["dominated"] == ""]).mark_line(
        interpolate="step-after", color=GREY, strokeDash=[4, 4], strokeWidth=1.5
    )
    middle = math.sqrt(domain[0] * domain[1])
    names = []
    # a name stands where it has more room, which on a narrow screen is the only side on which it is not cut off
    for left in (False, True):
        part = base.transform_filter(f"(datum.cost > {middle!r}) === {str(left).lower()}")
        side: dict[str, Any] = {"align": "right" if left else "left", "dx": -11 if left else 11}
        text = side | {"fontSize": 14, "fontWeight": "bold"}
        label = alt.Text("label:N")
        names.append(part.mark_text(**text, **halo(paper)).encode(x=x, y=y, text=label))
        names.append(part.mark_text(**text).encode(x=x, y=y, text=label, color=alt.Color("ink:N", scale=None)))
    return layer(
        front.encode(x=x, y=y),
        base.mark_rule(strokeWidth=2, opacity=0.7).encode(
            x=x, y=alt.Y("low:Q", scale=y_scale, title="test accuracy"), y2=alt.Y2("high:Q"), color=colour
        ),
        base.mark_point(filled=True, size=150, opacity=1, strokeWidth=2.5).encode(
            x=x,
            y=y,
            fill=alt.condition("datum.dominated == ''", colour, alt.value(paper)),
            stroke=colour,
            tooltip=tooltip,
        ),
        *names,
    ).properties(height=height)
