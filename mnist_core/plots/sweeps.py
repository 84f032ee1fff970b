"""Many runs at once: results of a sweep → frame → lines, heat map, slices. `parallel` has all settings at once.

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

from mnist_core.experiments.settings import written_value
from mnist_core.plots.style import GREY, RUN_COLOURS, by_rows, layer

RUNS_SELECTION = "pick"
"""Name of the selection that a click makes; its field is `runs`."""

SERIES = {"train": "training", "val": "validation", "test": "test"}
_COLOURS = {"training": GREY, "validation": RUN_COLOURS[0], "test": RUN_COLOURS[1]}
_DASHES = {"training": [4, 3], "validation": [1, 0], "test": [1, 0]}
_LOGARITHMIC_FROM = 8.0
ROW_PX = 44
"""Height of a row of a heat map."""
MOST_BINS = 5
FEW_TICKS = 5
CELLS, CELLS_DARK = ("#DCEAF7", "#08519C"), ("#22384F", "#BFE0FF")
"""Colours of cells from the worst to the best, for a light and for a dark background."""
LINES, LINES_DARK = ("#AE7F12", "#1F7A7A", "#0A1A4F"), ("#8377C9", "#3FB6A8", "#FFF3A3")
"""Colours of thin marks from the worst or first to the best or last: the first has a contrast of 3 to 1 as well."""


def is_numeric(values: pd.Series) -> bool:
    """True if all values are numbers; True and False are none."""
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def scale_of(values: pd.Series) -> str:
    """Return the scale that suits a setting's numbers.

    ``linear`` where they are evenly spaced or close together, else ``log``, or ``symlog`` where a 0 is among them.
    """
    numbers = sorted({float(value) for value in values})
    positive = [value for value in numbers if value > 0]
    steps = [high - low for low, high in itertools.pairwise(numbers)]
    even = not steps or max(steps) <= 1.01 * min(steps)
    if even or numbers[0] < 0 or positive[-1] / positive[0] < _LOGARITHMIC_FROM:
        return "linear"
    return "log" if numbers[0] > 0 else "symlog"


def spread(values: pd.Series, scale: str) -> pd.Series:
    """Return numbers as places from 0 to 1 on a scale of `scale_of`; all are 0.5 where they are equal."""
    numbers = values.astype(float)
    if scale != "linear":
        constant = numbers[numbers > 0].min()
        numbers = (numbers / constant).map(math.log if scale == "log" else math.log1p)
    span = numbers.max() - numbers.min()
    return (numbers - numbers.min()) / span if span else numbers * 0 + 0.5


def shown(value: Any) -> str:
    """Return a setting's value as text for an axis: fractions with three significant digits, choices as they are."""
    return written_value(value, 3)


def written(value: float, column: str) -> str:
    """Return a figure of a column of results as text: losses as numbers, errors and accuracies in per cent."""
    return f"{value:.4f}" if column.endswith("loss") else f"{100 * value:.2f} %"


def line_frame(table: pd.DataFrame, axis: str, quantity: str, *, series: Sequence[str] = tuple(SERIES)) -> pd.DataFrame:
    """Return a quantity against one setting, for training, validation and test.

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
    """Draw the lines of `line_frame`: means, with the range over the runs where several share a setting."""
    x = _setting_axis(frame["setting"], axis_title)
    number = ".2%" if quantity != "loss" else ".4f"
    names = [name for name in _COLOURS if name in set(frame["series"])]
    legend = alt.Legend(title=None, orient="top", symbolType="stroke", symbolOpacity=1, symbolSize=300)
    base = alt.Chart(frame).encode(
        x=x,
        color=alt.Color(
            "series:N", scale=alt.Scale(domain=names, range=[_COLOURS[name] for name in names]), legend=legend
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
            "series:N", scale=alt.Scale(domain=names, range=[_DASHES[name] for name in names]), legend=legend
        ),
    )
    several = frame[frame["count"] > 1]
    ranges = base.properties(data=several).mark_rule(opacity=0.45).encode(y=alt.Y("low:Q"), y2=alt.Y2("high:Q"))
    points = (
        base.mark_point(filled=True, size=90, cursor="pointer", opacity=1)
        .encode(y=y)
        .add_params(alt.selection_point(name=RUNS_SELECTION, fields=["runs"], toggle=False))
    )
    return layer(*([ranges] if len(several) else []), lines, points).properties(height=360)


def _setting_axis(values: pd.Series, title: str, *, ends_only: bool = False) -> alt.X:
    """Return the x axis of a setting; with `ends_only` and more than a few numbers, the ends alone have labels."""
    distinct = list(dict.fromkeys(values))
    if not is_numeric(values):
        return alt.X("setting:N", title=title, sort=distinct, axis=alt.Axis(labelAngle=0))
    kwargs: dict[str, Any] = {"type": scale_of(values), "nice": False, "padding": 12}
    if kwargs["type"] == "symlog":
        kwargs["constant"] = min(float(value) for value in distinct if value > 0)
    ticks = sorted(distinct)
    if ends_only and len(ticks) > FEW_TICKS:
        ticks = [ticks[0], ticks[-1]]
    texts = json.dumps({f"{value:.12g}": shown(value) for value in ticks})
    label = f"{texts}[format(datum.value, '.12~g')] || datum.label"
    axis = alt.Axis(values=ticks, labelExpr=label, labelOverlap=True, labelFlush=False)
    return alt.X("setting:Q", title=title, scale=alt.Scale(**kwargs), axis=axis)


def heat_frame(table: pd.DataFrame, x: str, y: str, column: str) -> pd.DataFrame:
    """Return a row for each cell: x, y, value (mean over its runs), count, runs; in the order of the axes.

    `x` and `y` are columns of settings, or of `binned` ones.
    """
    known = table[table[column].notna()]
    grouped = known.groupby([x, y], sort=True, observed=True)
    frame = grouped[column].agg(value="mean", count="count").reset_index()
    frame["runs"] = [",".join(dict.fromkeys(runs)) for _, runs in grouped["run"]]
    return frame.set_axis(["x", "y", "value", "count", "runs"], axis=1)


def binned(values: pd.Series, most: int = MOST_BINS) -> pd.Series:
    """Return a setting's values as an ordered category; more than `most` different numbers become equal bins.

    The bins are equally wide on the scale that suits the numbers (see `scale_of`).
    """
    distinct = sorted(set(values)) if is_numeric(values) else list(dict.fromkeys(values))
    if not is_numeric(values) or len(distinct) <= most:
        texts = {value: shown(value) for value in distinct}
        return pd.Series(pd.Categorical([texts[value] for value in values], list(texts.values()), ordered=True))
    places = spread(values, scale_of(values))
    bins = [min(most - 1, int(place * most)) for place in places]
    numbers = list(values)
    words = {}
    for number in sorted(set(bins)):
        inside = [value for value, found in zip(numbers, bins, strict=True) if found == number]
        ends = dict.fromkeys(written_value(value, 2) for value in (min(inside), max(inside)))
        words[number] = "–".join(ends)
    if len(set(words.values())) < len(words):  # two digits are too few
        words = {number: f"{text} ({number + 1})" for number, text in words.items()}
    return pd.Series(pd.Categorical([words[number] for number in bins], list(words.values()), ordered=True))


def pair_frame(table: pd.DataFrame, x: str, y: str, column: str) -> pd.DataFrame:
    """Return `heat_frame` of two settings whose values are `binned`."""
    return heat_frame(table.assign(**{path: binned(table[path]) for path in (x, y)}), x, y, column)


def heat_chart(
    frame: pd.DataFrame, x: str, y: str, title: str, *, higher_is_better: bool, dark: bool = False
) -> alt.LayerChart:
    """Draw the cells of `heat_frame`, each with its number. Better cells stand out more from the background."""
    share = "loss" not in title
    number, unit = (".2f", ", %") if share else (".3f", "")
    shown_frame = frame.assign(
        x=frame["x"].map(shown).astype(object),
        y=frame["y"].map(shown).astype(object),
        shown=frame["value"] * (100 if share else 1),
    )
    base = alt.Chart(shown_frame).encode(
        x=alt.X(
            "x:O", title=x, sort=_in_order(frame["x"]), axis=alt.Axis(labelAngle=0, labelOverlap=True, labelLimit=130)
        ),
        y=alt.Y("y:O", title=y, sort=_in_order(frame["y"]), axis=alt.Axis(labelLimit=130)),
        tooltip=[
            alt.Tooltip("x", title=x),
            alt.Tooltip("y", title=y),
            alt.Tooltip("shown:Q", title=f"{title}{unit}", format=number),
            alt.Tooltip("count:Q", title="runs"),
        ],
    )
    colours = list(reversed(CELLS_DARK if dark else CELLS))  # from the best to the worst
    cells = (
        base.mark_rect(cursor="pointer")
        .encode(
            color=alt.Color(
                "value:Q",
                scale=alt.Scale(range=colours, reverse=higher_is_better),
                legend=None,  # each cell has its number
            )
        )
        .add_params(alt.selection_point(name=RUNS_SELECTION, fields=["runs"], toggle=False))
    )
    black = alt.when("luminance(scale('color', datum.value)) > 0.18").then(alt.value("#000000"))
    numbers = base.mark_text(fontSize=13, cursor="pointer", aria=False).encode(
        text=alt.Text("shown:Q", format=number), color=black.otherwise(alt.value("#FFFFFF"))
    )
    return by_rows(layer(cells, numbers), frame["y"].nunique(), ROW_PX)


def _in_order(values: pd.Series) -> list[str]:
    if isinstance(values.dtype, pd.CategoricalDtype):
        present = set(values)
        return [str(value) for value in values.cat.categories if value in present]
    distinct = list(dict.fromkeys(values))
    return [shown(value) for value in (sorted(distinct) if is_numeric(values) else distinct)]


def slice_frame(table: pd.DataFrame, axis: str, column: str) -> pd.DataFrame:
    """Return a row for each trial with a figure in `column`: setting, value, trial (counted from 1), runs."""
    known = table[table[column].notna()]
    return pd.DataFrame(
        {"setting": known[axis], "value": known[column], "trial": known["trial"], "runs": known["run"]}
    ).reset_index(drop=True)


def slice_frames(table: pd.DataFrame, axes: Sequence[str], column: str) -> dict[str, pd.DataFrame]:
    """Return `slice_frame` of several settings, by setting."""
    return {axis: slice_frame(table, axis, column) for axis in axes}


def slice_chart(frame: pd.DataFrame, axis_title: str, quantity: str, *, dark: bool = False) -> alt.Chart:
    """Draw the figure of each trial of `slice_frame` against one setting. Later trials stand out more."""
    number = ".4f" if "loss" in quantity else ".2%"
    y_axis = alt.Axis(format="~g" if "loss" in quantity else "%", tickCount=5, labelFlush=False)
    points = alt.Chart(frame).mark_point(filled=True, size=70, opacity=1, cursor="pointer", strokeWidth=0)
    encoded = points.encode(
        x=_setting_axis(frame["setting"], axis_title, ends_only=True),
        y=alt.Y("value:Q", title=None, axis=y_axis, scale=alt.Scale(zero=False)),
        color=alt.Color("trial:Q", legend=None, scale=alt.Scale(range=list(LINES_DARK if dark else LINES))),
        tooltip=[
            alt.Tooltip("trial:Q"),
            alt.Tooltip("setting", title=axis_title),
            alt.Tooltip("value:Q", title=quantity, format=number),
        ],
    )
    picked = alt.selection_point(name=RUNS_SELECTION, fields=["runs"], toggle=False)
    chart: alt.Chart = encoded.add_params(picked).properties(height=210)
    return chart


def history_chart(frame: pd.DataFrame, metric: str) -> alt.LayerChart:
    """Draw the result of each trial of `mnist_core.studies.searches.history`, and the best so far as steps."""
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
    """Draw the share of the spread that each setting explains, the greatest first."""
    frame = pd.DataFrame({"setting": list(shares), "share": list(shares.values())})
    y = alt.Y("setting:N", sort=list(shares), title=None, axis=alt.Axis(labelLimit=220, ticks=False))
    x = alt.X(
        "share:Q",
        axis=alt.Axis(format="%", tickCount=4, labelFlush=False),
        title="share of the spread",
        scale=alt.Scale(domain=[0, 1.2 * max(shares.values())]),
    )
    bars = alt.Chart(frame).mark_bar(color=RUN_COLOURS[0], size=18).encode(x=x, y=y)
    texts = (
        alt.Chart(frame)
        .mark_text(align="left", dx=5, fontSize=13, color=GREY)
        .encode(x=x, y=y, text=alt.Text("share:Q", format=".0%"))
    )
    return by_rows(layer(bars, texts), len(shares), 30)
