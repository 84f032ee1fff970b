"""Many runs at once: results of a sweep → frame → lines, heatmap or parallel coordinates.

Frames carry the ids of the runs behind each mark in `runs`, joined by commas, for clicks.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from mnist_core.plots.style import GREY, RUN_COLOURS, SEQUENTIAL, layer

SELECTION = "pick"
"""Name of the selection that a click makes; its field is `runs`."""

SERIES = {"train": "training", "val": "validation", "test": "test"}
_COLOURS = {"training": GREY, "validation": RUN_COLOURS[0], "test": RUN_COLOURS[1]}
_DASHES = {"training": [4, 3], "validation": [1, 0], "test": [1, 0]}
_LOGARITHMIC_FROM = 8.0


def is_numeric(values: pd.Series) -> bool:
    """Whether all values are numbers, truth values apart."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def scale_of(values: pd.Series) -> str:
    """The scale that suits a setting's numbers.

    ``linear`` where they are evenly spaced or close together, else ``log``, or ``symlog`` where a 0 is among them.
    """
    numbers = sorted({float(value) for value in values})
    positive = [value for value in numbers if value > 0]
    steps = [high - low for low, high in itertools.pairwise(numbers)]
    even = not steps or max(steps) <= 1.01 * min(steps)
    if even or numbers[0] < 0 or positive[-1] / positive[0] < _LOGARITHMIC_FROM:
        return "linear"
    return "log" if numbers[0] > 0 else "symlog"


def written(value: float, column: str) -> str:
    """A figure of a column of results: losses as numbers, errors and accuracies in per cent."""
    return f"{value:.4f}" if column.endswith("loss") else f"{100 * value:.2f} %"


def line_frame(table: pd.DataFrame, axis: str, quantity: str, *, series: Sequence[str] = tuple(SERIES)) -> pd.DataFrame:
    """A quantity against one setting, for training, validation and test.

    Parameters
    ----------
    table
        as `mnist_core.studies.sweeps.results` gives it.
    axis
        the column of the setting.
    quantity
        ``error``, ``accuracy`` or ``loss``.
    series
        which of `SERIES` are wanted.

    Returns
    -------
    Columns setting, series, value (the mean where several runs share the setting), low, high, count, runs.
    """
    parts = []
    for prefix in series:
        column = f"{prefix}_{quantity}"
        known = table[table[column].notna()]
        grouped = known.groupby(axis, sort=True)
        part = (
            grouped[column].agg(value="mean", low="min", high="max", count="count").rename_axis("setting").reset_index()
        )
        part["runs"] = [",".join(dict.fromkeys(runs)) for _, runs in grouped["run"]]
        part.insert(1, "series", SERIES[prefix])
        parts.append(part)
    columns = ["setting", "series", "value", "low", "high", "count", "runs"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def line_chart(frame: pd.DataFrame, axis_title: str, quantity: str) -> alt.LayerChart:
    """The lines of `line_frame`: means, with the range over the runs where several share a setting."""
    numeric = is_numeric(frame["setting"])
    scale = scale_of(frame["setting"]) if numeric else "linear"
    kwargs: dict[str, Any] = {"type": scale, "nice": False, "padding": 12}
    if scale == "symlog":
        positive = [float(value) for value in frame["setting"] if value > 0]
        kwargs["constant"] = min(positive)
    axis = alt.Axis(
        values=sorted(set(frame["setting"])), labelExpr="'' + datum.value", labelOverlap=True, labelFlush=False
    )
    order = list(dict.fromkeys(frame["setting"]))
    x = (
        alt.X("setting:Q", title=axis_title, scale=alt.Scale(**kwargs), axis=axis)
        if numeric
        else alt.X("setting:N", title=axis_title, sort=order, axis=alt.Axis(labelAngle=0))
    )
    number = ".2%" if quantity != "loss" else ".4f"
    shown = [name for name in _COLOURS if name in set(frame["series"])]
    base = alt.Chart(frame).encode(
        x=x,
        color=alt.Color(
            "series:N",
            title=None,
            scale=alt.Scale(domain=shown, range=[_COLOURS[name] for name in shown]),
            legend=alt.Legend(orient="top", symbolOpacity=1),
        ),
        tooltip=[
            alt.Tooltip("setting", title=axis_title),
            alt.Tooltip("series:N"),
            alt.Tooltip("value:Q", title=quantity, format=number),
            alt.Tooltip("low:Q", title="lowest", format=number),
            alt.Tooltip("high:Q", title="highest", format=number),
            alt.Tooltip("count:Q", title="runs"),
        ],
    )
    y_axis = alt.Axis(format="%" if quantity != "loss" else "~g")
    y = alt.Y("value:Q", title=quantity, axis=y_axis, scale=alt.Scale(zero=False))
    lines = base.mark_line(strokeWidth=2.5).encode(
        y=y,
        strokeDash=alt.StrokeDash(
            "series:N", scale=alt.Scale(domain=shown, range=[_DASHES[name] for name in shown]), legend=None
        ),
    )
    ranges = (
        base.transform_filter("datum.count > 1").mark_rule(opacity=0.45).encode(y=alt.Y("low:Q"), y2=alt.Y2("high:Q"))
    )
    points = (
        base.mark_point(filled=True, size=90, cursor="pointer", opacity=1)
        .encode(y=y)
        .add_params(alt.selection_point(name=SELECTION, fields=["runs"], toggle=False))
    )
    return layer(ranges, lines, points).properties(height=360)


def heat_frame(table: pd.DataFrame, x: str, y: str, column: str) -> pd.DataFrame:
    """One row a cell: x, y, value (the mean over the runs of the cell), count, runs."""
    known = table[table[column].notna()]
    grouped = known.groupby([x, y], sort=True)
    frame = grouped[column].agg(value="mean", count="count").reset_index()
    frame["runs"] = [",".join(dict.fromkeys(runs)) for _, runs in grouped["run"]]
    return frame.set_axis(["x", "y", "value", "count", "runs"], axis=1)


def heat_chart(frame: pd.DataFrame, x: str, y: str, title: str, *, higher_is_better: bool) -> alt.LayerChart:
    """The cells of `heat_frame`: the darker, the better, with the number in each."""
    share = "loss" not in title
    number = ".2%" if share else ".4f"
    low, high = float(frame["value"].min()), float(frame["value"].max())
    base = alt.Chart(frame).encode(
        x=alt.X("x:O", title=x, axis=alt.Axis(labelAngle=0)),
        y=alt.Y("y:O", title=y),
        tooltip=[
            alt.Tooltip("x", title=x),
            alt.Tooltip("y", title=y),
            alt.Tooltip("value:Q", title=title, format=number),
            alt.Tooltip("count:Q", title="runs"),
        ],
    )
    cells = (
        base.mark_rect(cursor="pointer")
        .encode(
            color=alt.Color(
                "value:Q",
                title=title,
                scale=alt.Scale(scheme=SEQUENTIAL, reverse=not higher_is_better),
                legend=alt.Legend(format=number, orient="top"),
            )
        )
        .add_params(alt.selection_point(name=SELECTION, fields=["runs"], toggle=False))
    )
    middle = (low + high) / 2
    dark = f"datum.value > {middle}" if higher_is_better else f"datum.value < {middle}"
    numbers = base.mark_text(fontSize=13, cursor="pointer", aria=False).encode(
        text=alt.Text("value:Q", format=number),
        color=alt.when(dark).then(alt.value("#FFFFFF")).otherwise(alt.value("#1B1F24")),
    )
    return layer(cells, numbers).properties(height=60 + 46 * frame["y"].nunique())


def parallel_frame(table: pd.DataFrame, axes: Sequence[str], column: str) -> pd.DataFrame:
    """One row a run and axis, for those with a value in `column`, which becomes the last axis.

    Returns
    -------
    Columns point (counted from 0), axis, position (0 to 1), text, value (of `column`), runs.
    """
    # the best is drawn last, over the others
    known = table[table[column].notna()]
    known = known.sort_values(column, ascending=column.endswith("accuracy")).reset_index(drop=True)
    parts = []
    for axis in [*axes, column]:
        if axis == column:
            positions, texts = _spread(known[axis], "linear"), known[axis].map(lambda value: written(value, column))
        elif is_numeric(known[axis]):
            positions, texts = _spread(known[axis], scale_of(known[axis])), known[axis].map(lambda value: f"{value:g}")
        else:
            texts = known[axis].map(str)
            order = {text: index for index, text in enumerate(dict.fromkeys(texts))}
            positions = texts.map(lambda text, order=order: order[text] / max(1, len(order) - 1))
        parts.append(
            pd.DataFrame(
                {
                    "point": range(len(known)),
                    "axis": axis,
                    "position": list(positions),
                    "text": list(texts),
                    "value": list(known[column]),
                    "runs": list(known["run"]),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _spread(values: pd.Series, scale: str) -> pd.Series:
    """Numbers as places from 0 to 1; all in the middle where they are the same."""
    numbers = values.astype(float)
    if scale != "linear":
        constant = numbers[numbers > 0].min()
        numbers = (numbers / constant).map(math.log if scale == "log" else math.log1p)
    span = numbers.max() - numbers.min()
    return (numbers - numbers.min()) / span if span else numbers * 0 + 0.5


def parallel_chart(
    frame: pd.DataFrame, titles: Mapping[str, str], *, higher_is_better: bool, dark: bool = False
) -> alt.LayerChart:
    """A line a run through all its settings to its value; the better, the more it stands out from the background."""
    axes = list(dict.fromkeys(frame["axis"]))
    names = "{" + ", ".join(f"{json.dumps(axis)}: {json.dumps(titles.get(axis, axis))}" for axis in axes) + "}"
    x = alt.X(
        "axis:N",
        sort=axes,
        title=None,
        scale=alt.Scale(type="point", padding=0.35),
        axis=alt.Axis(labelExpr=f"{names}[datum.value]", labelAngle=0, orient="top", grid=True, labelLimit=150),
    )
    y = alt.Y("position:Q", axis=None, scale=alt.Scale(domain=[-0.04, 1.04]))
    colour = alt.Color("value:Q", legend=None, scale=alt.Scale(scheme="viridis", reverse=higher_is_better != dark))
    tooltip = [alt.Tooltip("axis:N", title="setting"), alt.Tooltip("text:N", title="value")]
    lines = (
        alt.Chart(frame)
        .mark_line(strokeWidth=1.6, opacity=0.65)
        .encode(x=x, y=y, color=colour, detail=alt.Detail("point:N"))
    )
    points = (
        alt.Chart(frame)
        .mark_point(filled=True, size=60, cursor="pointer", opacity=0.9)
        .encode(x=x, y=y, color=colour, tooltip=tooltip)
        .add_params(alt.selection_point(name=SELECTION, fields=["runs"], toggle=False))
    )
    settings = frame[frame["axis"] != axes[-1]].drop_duplicates(["axis", "text"])
    last = frame[frame["axis"] == axes[-1]]
    ends = last.loc[sorted({last["value"].idxmin(), last["value"].idxmax()})]
    ticks = pd.concat([settings[settings.groupby("axis")["text"].transform("count") <= 12], ends])
    # each text on a halo of the background, as lines run behind it
    text = alt.Chart(ticks).encode(x=x, y=y, text=alt.Text("text:N"))
    style: dict[str, Any] = {"align": "right", "dx": -9, "fontSize": 12, "aria": False}
    halo = text.mark_text(**style, stroke="#14171C" if dark else "#FFFFFF", strokeWidth=5, strokeJoin="round")
    labels = text.mark_text(**style, color="#C9CED6" if dark else "#4A5159")
    return layer(lines, points, halo, labels).properties(height=380)


def history_chart(frame: pd.DataFrame, metric: str) -> alt.LayerChart:
    """What each trial of `mnist_core.studies.searches.history` came to, and the best so far as steps."""
    x = alt.X("trial:Q", axis=alt.Axis(tickMinStep=1, format="d"))
    y = alt.Y("value:Q", title=metric, scale=alt.Scale(zero=False))
    tooltip = [alt.Tooltip("trial:Q"), alt.Tooltip("value:Q", title=metric, format=".4f")]
    points = alt.Chart(frame).mark_point(filled=True, size=60, color=GREY).encode(x=x, y=y, tooltip=tooltip)
    best = (
        alt.Chart(frame)
        .mark_line(interpolate="step-after", strokeWidth=2.5, color=RUN_COLOURS[0])
        .encode(x=x, y=alt.Y("best:Q", title=metric, scale=alt.Scale(zero=False)))
    )
    return layer(best, points).properties(height=240)


def importance_chart(shares: Mapping[str, float]) -> alt.LayerChart:
    """How much of the spread each setting explains, greatest first."""
    frame = pd.DataFrame({"setting": list(shares), "share": list(shares.values())})
    y = alt.Y("setting:N", sort=list(shares), title=None, axis=alt.Axis(labelLimit=200, ticks=False))
    x = alt.X("share:Q", axis=alt.Axis(format="%"), title="share of the spread", scale=alt.Scale(domain=[0, 1.1]))
    bars = alt.Chart(frame).mark_bar(color=RUN_COLOURS[0], size=18).encode(x=x, y=y)
    texts = (
        alt.Chart(frame)
        .mark_text(align="left", dx=5, fontSize=13, color=GREY)
        .encode(x=x, y=y, text=alt.Text("share:Q", format=".0%"))
    )
    return layer(bars, texts).properties(height=40 + 30 * len(frame))
