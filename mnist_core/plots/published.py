"""Published test accuracies next to the measured ones: rows → frame → a dot plot."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from mnist_core.plots.style import GREY, INK, PAPER, layer
from mnist_core.published.reproduction import Reproduction, ReproductionRow

ROW = 25
"""Pixels a row takes."""
AROUND = 150
"""Pixels that the two legends, the axis and its title take from the chart's height (measured)."""
FAR = 3.0
"""Percentage points between the two figures beyond which the published one is written at the edge, not drawn."""
COLOURS: dict[Reproduction, tuple[str, str]] = {
    "reproduces": ("#0072B2", "#3D9BDC"),
    "differs": ("#D55E00", "#EB7A2E"),
    "chosen to match": (GREY, GREY),
}
"""By verdict: on a light and on a dark background."""


def published_frame(rows: Sequence[ReproductionRow]) -> pd.DataFrame:
    """Return one row for each published test accuracy that was measured here, source by source, as `rows` has them.

    Returns
    -------
    Columns name, label (with "winner" for a sweep or search), source, published, measured, low, high, all four in
    percent, outcome, far (True where the published figure is more than FAR points away). low, high: where another
    training with the same settings falls by chance alone, 19 times in 20 (Holm's level where several figures are
    compared); the accuracy differs exactly where the published figure is outside.
    """
    found = [
        {
            "name": row.name,
            "label": row.name if row.kind == "model" else f"{row.name}, winner",
            "source": row.source,
            "published": 100 * item.published,
            "measured": 100 * item.measured.mean,
            "low": 100 * (item.measured.mean - item.limit),
            "high": 100 * (item.measured.mean + item.limit),
            "outcome": row.outcome,
            "far": 100 * abs(item.gap) > FAR,
        }
        for source in dict.fromkeys(row.source for row in rows)
        for row in rows
        if row.source == source and (item := row.accuracy) is not None
    ]
    columns = ["name", "label", "source", "published", "measured", "low", "high", "outcome", "far"]
    return pd.DataFrame(found, columns=columns)


def described(frame: pd.DataFrame) -> str:
    """Return what the chart shows, in words."""
    texts = [
        f"{row['label']}: published {row['published']:.2f} %, measured {row['measured']:.2f} %, by chance "
        f"{row['low']:.2f} to {row['high']:.2f} %, {row['outcome']}."
        for row in frame.to_dict("records")
    ]
    return " ".join(["Test accuracy as published and as measured.", *texts])


def height(frame: pd.DataFrame) -> int:
    """Return the chart's height in pixels."""
    return ROW * len(frame) + AROUND


def published_chart(frame: pd.DataFrame, *, dark: bool = False) -> alt.LayerChart:
    """Draw each measured accuracy as a dot on the range of chance, and the published one as a diamond.

    Rows are grouped by source.

    Parameters
    ----------
    frame
        of `published_frame`, with at least one row.
    dark
        True where the chart stands on the dark background.
    """
    near = frame[~frame["far"]]
    low = float(min(frame["low"].min(), near["published"].min() if len(near) else frame["low"].min()))
    high = float(max(frame["high"].max(), near["published"].max() if len(near) else frame["high"].max()))
    room = 0.04 * max(high - low, 0.5)
    edge = low - (6 if len(near) < len(frame) else 1) * room  # room for a figure that is written
    scale = alt.Scale(domain=[edge, min(high + room, 100.0) if high < 100 else high], nice=False, zero=False)
    x = alt.X("value:Q", scale=scale, title="test accuracy in %", axis=alt.Axis(tickCount=5, format=".4~f"))
    labels = list(frame["label"])
    y = alt.Y(
        "label:N",
        sort=labels,
        scale=alt.Scale(domain=labels),
        axis=alt.Axis(
            title=None, labelLimit=190, ticks=False, labelPadding=8, grid=False, labelFlush=False, labelOverlap=False
        ),
    )
    outcomes = [outcome for outcome in COLOURS if outcome in set(frame["outcome"])]
    colour = alt.Color(
        "outcome:N",
        scale=alt.Scale(domain=outcomes, range=[COLOURS[outcome][dark] for outcome in outcomes]),
        legend=alt.Legend(
            orient="top", title=None, symbolType="circle", symbolSize=90, symbolOpacity=1, offset=4, columns=1
        ),
    )
    paper, ink = PAPER[dark], INK[dark]
    shape = alt.Shape(
        "what:N",
        scale=alt.Scale(domain=["measured", "published"], range=["circle", "diamond"]),
        legend=alt.Legend(orient="bottom", title=None, symbolFillColor=ink, symbolStrokeColor=ink, offset=4),
    )
    tooltip = [
        alt.Tooltip("name:N"),
        alt.Tooltip("published:Q", title="published, %", format=".2f"),
        alt.Tooltip("measured:Q", title="measured, %", format=".2f"),
        alt.Tooltip("low:Q", title="by chance from", format=".2f"),
        alt.Tooltip("high:Q", title="to", format=".2f"),
        alt.Tooltip("outcome:N", title="all figures"),
    ]
    measured = frame.assign(value=frame["measured"], what="measured")
    printed = near.assign(value=near["published"], what="published")
    firsts = frame.drop_duplicates("source")
    layers: list[alt.Chart] = [
        alt.Chart(firsts.iloc[1:]).mark_rule(color=GREY, opacity=0.35).encode(
            y=alt.Y("label:N", sort=labels, scale=alt.Scale(domain=labels), bandPosition=0)
        ),
        alt.Chart(frame).mark_rule(strokeWidth=6, opacity=0.4, strokeCap="round").encode(
            x=alt.X("low:Q", scale=scale, title="test accuracy in %"), x2="high:Q", y=y, color=colour, tooltip=tooltip
        ),
        alt.Chart(measured).mark_point(filled=True, size=95, opacity=1).encode(
            x=x, y=y, color=colour, shape=shape, tooltip=tooltip
        ),
        alt.Chart(printed).mark_point(filled=True, size=80, opacity=1, color=ink, stroke=paper, strokeWidth=1).encode(
            x=x, y=y, shape=shape, tooltip=tooltip
        ),
    ]  # fmt: skip
    distant = frame[frame["far"]]
    if len(distant):
        arrows = ["◂" if below else "▸" for below in distant["published"] < distant["measured"]]
        text = [f"{arrow} ◆ {value:.2f} %" for arrow, value in zip(arrows, distant["published"], strict=True)]
        written = distant.assign(value=edge, text=text)
        layers.append(
            alt.Chart(written).mark_text(align="left", fontSize=13, dx=2, color=ink).encode(
                x=x, y=y, text="text:N", tooltip=tooltip
            )
        )  # fmt: skip
    return layer(*layers).properties(height=height(frame))
