"""A map of digits: each a point where the network sees it, in the colour of its class; wrong guesses stand out."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from mnist_core.inspection.embedding import Map
from mnist_core.plots.style import INK, PAPER, layer

HEIGHT = 560
# ten hues that differ in lightness too; each class also has its digit written on it, so hue is never needed alone
CLASS_COLOURS = (
    "#1F77B4", "#E4670B", "#2A9134", "#C8281F", "#8455B5", "#8A5546", "#D557B0", "#6E6E6E", "#93941B", "#0E9AA8",
)  # fmt: skip
CLASS_COLOURS_DARK = (
    "#5AA9E6", "#FF9A4D", "#5FCB67", "#FF7B72", "#B893E6", "#C29284", "#F39AD9", "#B4B4B4", "#D0D150", "#4FD3E0",
)  # fmt: skip


def map_frame(test_images: pd.DataFrame, indices: np.ndarray, found: Map) -> pd.DataFrame:
    """Return one row a point: index, true, guess, correct, confidence (per cent), x, y.

    Parameters
    ----------
    test_images
        all test images, as of `mnist_core.evaluation.mistakes.prediction_frame`.
    indices
        which of them are on the map, in its order.
    found
        the map.
    """
    frame = test_images.iloc[indices][["index", "true", "guess", "correct", "confidence"]].reset_index(drop=True)
    return frame.assign(confidence=100 * frame["confidence"], x=found.places[:, 0], y=found.places[:, 1])


def map_chart(frame: pd.DataFrame, found: Map, *, dark: bool = False) -> alt.LayerChart:
    """Draw right guesses as faint points, wrong ones ringed, and each digit written at the middle of its class."""
    ink, paper = INK[dark], PAPER[dark]
    palette = CLASS_COLOURS_DARK if dark else CLASS_COLOURS
    colour = alt.Color(
        "true:N", scale=alt.Scale(domain=list(range(10)), range=list(palette)), legend=None, title="true digit"
    )
    x, y = (alt.X("x:Q", **_axis(found, 0)), alt.Y("y:Q", **_axis(found, 1)))
    tooltip = [
        alt.Tooltip("index:Q", title="test image"),
        alt.Tooltip("true:N", title="true digit"),
        alt.Tooltip("guess:N", title="guessed"),
        alt.Tooltip("confidence:Q", title="confidence in %", format=".1f"),
    ]
    points = (
        alt.Chart(frame)
        .mark_point(filled=True, strokeWidth=1.5)
        .encode(
            x=x,
            y=y,
            color=colour,
            tooltip=tooltip,
            size=alt.condition("datum.correct", alt.value(26), alt.value(60)),
            opacity=alt.condition("datum.correct", alt.value(0.55), alt.value(1)),
            stroke=alt.condition("datum.correct", alt.value("transparent"), alt.value(ink)),
            order=alt.Order("correct:N", sort="descending"),
        )
    )
    digits = alt.Chart(class_middles(frame)).encode(x=x, y=y, text=alt.Text("true:N"))
    halo = digits.mark_text(fontSize=30, fontWeight="bold", stroke=paper, strokeWidth=6, color=paper)
    return layer(points, halo, digits.mark_text(fontSize=30, fontWeight="bold").encode(color=colour)).properties(
        height=HEIGHT
    )


def axis_titles(found: Map) -> tuple[str, str] | None:
    """Return what the two axes are, and the share of the variance that each keeps; None where they mean nothing."""
    if found.explained is None:
        return None
    first, second = (
        f"{name} principal component ({100 * share:.0f} % of the variance)"
        for name, share in zip(("first", "second"), found.explained, strict=True)
    )
    return first, second


def class_middles(frame: pd.DataFrame) -> pd.DataFrame:
    """Return where the name of each class stands: true, x, y, the medians of its right guesses of a `map_frame`."""
    return frame[frame["correct"]].groupby("true", as_index=False)[["x", "y"]].median()


def _axis(found: Map, number: int) -> dict[str, Any]:
    """Return an axis that says how much of the variance it keeps, or, where it means nothing, nothing at all."""
    titles = axis_titles(found)
    if titles is None:
        return {"axis": None, "scale": alt.Scale(zero=False)}
    return {"title": titles[number], "axis": alt.Axis(labels=False, ticks=False), "scale": alt.Scale(zero=False)}
