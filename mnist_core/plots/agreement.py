"""Charts of agreement: the five groups of two runs, and how many of n runs are wrong on an image."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mnist_core.comparison.disagreements import GROUPS, Counts, ImageGroup
from mnist_core.plots.confusion_matrix import DARK, LIGHT
from mnist_core.plots.margin_names import margin_names
from mnist_core.plots.style import GREY, layer

HEIGHT = 390
GROUP_SELECTION = "group"
"""Name of the selection that a click on a group makes; its field is `group`."""
WRONG_SELECTION = "wrong"
"""Name of the selection that a click on a bar makes; its field is `wrong`."""

# left, right, top and bottom of each group: columns are B right and B wrong, rows A right and A wrong
_PLACES: dict[ImageGroup, tuple[float, float, float, float]] = {
    "both_right": (0, 1, 0, 1),
    "only_a": (1, 2, 0, 1),
    "only_b": (0, 1, 1, 2),
    "same_wrong": (1, 2, 1, 1.5),
    "different_wrong": (1, 2, 1.5, 2),
}
_GAP = 0.012
ROOMY, SHORT = "width > 420", 10
"""A Vega expression: whether names are written whole; and the letters of those that are not."""


def group_words(first: str, second: str) -> dict[ImageGroup, str]:
    """Return the name of each group."""
    return {
        "both_right": "both right",
        "only_a": f"only {first} right",
        "only_b": f"only {second} right",
        "same_wrong": "same wrong guess",
        "different_wrong": "different wrong guesses",
    }


def group_frame(counts: Counts, first: str, second: str, picked: ImageGroup | None = None) -> pd.DataFrame:
    """Return the five groups as the chart needs them, one row each.

    Returns
    -------
    Columns group, words, images, share (per cent of all images), label (the number as it is printed), picked, large
    (whether it has a whole quarter), and the place of its box: left, right, top, bottom, x, y, from 0 to 2.
    """
    words = group_words(first, second)
    rows = []
    for group, images in zip(GROUPS, counts, strict=True):
        left, right, top, bottom = _PLACES[group]
        rows.append(
            {
                "group": group,
                "words": words[group],
                "images": images,
                "share": 100 * images / counts.images,
                "label": f"{images:,}",
                "picked": group == picked,
                "large": bottom - top == 1,
                "left": left + _GAP,
                "right": right - _GAP,
                "top": top + _GAP,
                "bottom": bottom - _GAP,
                "x": (left + right) / 2,
                "y": (top + bottom) / 2,
            }
        )
    return pd.DataFrame(rows)


def group_chart(
    frame: pd.DataFrame, first: str, second: str, colours: tuple[str, str], *, dark: bool = False
) -> alt.LayerChart:
    """Return the groups of `group_frame` as McNemar's two by two boxes, the one where both are wrong cut in two.

    A click selects a group by the selection `GROUP_SELECTION`; the picked one is framed by the data, so that a link or
    a list box can pick one as well.

    Parameters
    ----------
    frame
        of the two runs.
    first, second
        how to call A and B.
    colours
        of A and B.
    dark
        for a dark background.
    """
    shades = DARK if dark else LIGHT
    short = margin_names([first, second], SHORT)
    x, y = (
        alt.X(
            "left:Q",
            scale=alt.Scale(domain=[0, 2], nice=False),
            axis=_axis(second, short[1], "width", shades.text, orient="top"),
            title=None,
        ),
        alt.Y(
            "top:Q",
            scale=alt.Scale(domain=[0, 2], nice=False, reverse=True),
            axis=_axis(first, short[0], "height", shades.text, orient="left"),
            title=None,
        ),
    )
    tooltip = [
        alt.Tooltip("words:N", title=" "),
        alt.Tooltip("images:Q", title="images", format=","),
        alt.Tooltip("share:Q", title="% of all images", format=".2f"),
    ]
    strengths = dict(zip(GROUPS, (0.14, 0.5, 0.5, 0.32, 0.32), strict=True))
    brief = group_words(*short)
    base = alt.Chart(
        frame.assign(strength=frame["group"].map(strengths).astype(float), brief=frame["group"].map(brief).astype(str))
    )
    fill = alt.Color(
        "group:N",
        scale=alt.Scale(domain=list(GROUPS), range=[GREY, *colours, GREY, GREY]),
        legend=None,
    )
    opacity = alt.Opacity("strength:Q", scale=None)
    boxes = (
        base.mark_rect(cursor="pointer", cornerRadius=4)
        .encode(x=x, x2=alt.X2("right:Q"), y=y, y2=alt.Y2("bottom:Q"), color=fill, opacity=opacity, tooltip=tooltip)
        .add_params(alt.selection_point(name=GROUP_SELECTION, fields=["group"], toggle=False))
    )
    texts = []
    for large, size, small, up in ((True, 40, 15, 12), (False, 30, 14, 9)):
        part = base.transform_filter(f"datum.large === {json.dumps(large)}").encode(
            x=alt.X("x:Q", title=None), y=alt.Y("y:Q", title=None), tooltip=tooltip
        )
        ink: dict[str, Any] = {"color": shades.text, "cursor": "pointer", "aria": False}
        texts.append(part.mark_text(fontSize=size, fontWeight=600, dy=-up, **ink).encode(text=alt.Text("label:N")))
        limit = alt.ExprRef("width / 2 - 12")
        texts.append(
            part.mark_text(fontSize=small, dy=size / 2 + 1, limit=limit, **ink).encode(
                text=alt.TextValue(alt.ExprRef(f"{ROOMY} ? datum.words : datum.brief"))
            )
        )
    frames = (
        base.transform_filter("datum.picked")
        .mark_rect(filled=False, stroke=shades.text, strokeWidth=3, cornerRadius=4, cursor="pointer", aria=False)
        .encode(x=x, x2=alt.X2("right:Q"), y=y, y2=alt.Y2("bottom:Q"), tooltip=tooltip)
    )
    return layer(boxes, *texts, frames).properties(height=HEIGHT)


def _axis(run: str, short: str, side: str, ink: str, *, orient: str) -> alt.Axis:
    """Return the axis with the heads of the two columns or rows, cut where they are longer than these."""
    right, wrong = (
        f"({ROOMY} ? {json.dumps(f'{run} {word}')} : {json.dumps(f'{short} {word}')})" for word in ("right", "wrong")
    )
    return alt.Axis(
        orient=orient,  # type: ignore[arg-type]
        values=[0.5, 1.5],
        labelExpr=f"datum.value < 1 ? {right} : {wrong}",
        labelAngle=0 if orient == "top" else -90,
        labelAlign="center",
        labelBaseline="bottom",
        labelLimit=alt.ExprRef(f"{side} / 2 - 8"),
        labelColor=ink,
        labelFontSize=15,
        labelPadding=8,
        ticks=False,
        grid=False,
        domain=False,
    )


def wrong_frame(counts: NDArray[np.int64], picked: Sequence[int] = ()) -> pd.DataFrame:
    """Return how many images k of n runs get wrong, one row a k: wrong (k), runs (in words), images, share (per cent),
    bar (its length), label, picked.

    No run is wrong on nearly all images, and next to a bar that long the others would be too short to see. So it is cut
    off a little beyond the longest of the others, and its label states this.

    Parameters
    ----------
    counts
        as `mnist_core.comparison.disagreements.wrong_counts` gives them, shape (n + 1,).
    picked
        the bars to frame.
    """
    runs = len(counts) - 1
    longest = int(counts[1:].max())
    cut = counts[0] > 1.25 * max(longest, 1)
    bars = [min(int(count), round(1.25 * max(longest, 1))) for count in counts]
    return pd.DataFrame(
        {
            "wrong": range(runs + 1),
            "runs": ["none", *(f"{k} of {runs}" for k in range(1, runs)), f"all {runs}"],
            "images": counts,
            "share": 100 * counts / counts.sum(),
            "bar": bars,
            "label": [f"{count:,}" + (" (cut off)" if cut and k == 0 else "") for k, count in enumerate(counts)],
            "picked": [k in picked for k in range(runs + 1)],
        }
    )


def wrong_chart(frame: pd.DataFrame, *, dark: bool = False) -> alt.LayerChart:
    """Return the bars of `wrong_frame`, one a row; a click selects one by the selection `WRONG_SELECTION`."""
    shades = DARK if dark else LIGHT
    order = frame["runs"].tolist()
    tooltip = [
        alt.Tooltip("runs:N", title="runs that are wrong"),
        alt.Tooltip("images:Q", title="images", format=","),
        alt.Tooltip("share:Q", title="% of all images", format=".2f"),
    ]
    base = alt.Chart(frame).encode(
        x=alt.X(
            "bar:Q",
            axis=None,
            # room for the numbers, however wide the chart is
            scale=alt.Scale(
                domain=[0, max(1, int(frame["bar"].max()))], range=[0, alt.ExprRef("width - 130")], nice=False
            ),
        ),
        y=alt.Y(
            "runs:N",
            sort=order,
            title="Runs that are wrong",
            axis=alt.Axis(ticks=False, labelPadding=8, labelFontSize=15, titleFontSize=14, grid=False),
            scale=alt.Scale(paddingInner=0.28, paddingOuter=0.1),
        ),
        tooltip=tooltip,
    )
    fill = alt.when("datum.wrong === 0").then(alt.value(shades.diagonal)).otherwise(alt.value(GREY))
    # the whole row answers a click, as a bar may be too short to hit
    rows = base.mark_rect(opacity=0.001, cursor="pointer").encode(x=alt.value(0), x2=alt.value("width"))
    bars = base.mark_bar(cursor="pointer", cornerRadiusEnd=3).encode(color=fill)
    frames = (
        base.transform_filter("datum.picked")
        .mark_bar(filled=False, stroke=shades.frame, strokeWidth=3, cornerRadiusEnd=3, cursor="pointer", aria=False)
        .encode()
    )
    numbers = base.mark_text(
        align="left", dx=7, fontSize=17, fontWeight=600, color=shades.text, cursor="pointer", aria=False
    ).encode(text=alt.Text("label:N"))
    return layer(
        rows.add_params(alt.selection_point(name=WRONG_SELECTION, fields=["wrong"], toggle=False)),
        bars,
        frames,
        numbers,
    ).properties(height=max(150, 52 * len(frame)))
