"""The board of a class: a dot and an interval for each person, in order."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
import pandas as pd

from mnist_core.comparison.board import BoardLine
from mnist_core.comparison.words.board import place_words
from mnist_core.plots.style import by_rows, interval_tooltips, layer

ROW_PX = 24


def board_frame(board: Sequence[BoardLine]) -> pd.DataFrame:
    """Return columns place, name, accuracy, low, high and tries; one row a person, in the board's order.

    low, high: Wilson's 95 % interval. All three are shares.
    """
    rows = [
        (place_words(line), line.owner, line.accuracy, line.interval.low, line.interval.high, line.tries)
        for line in board
    ]
    return pd.DataFrame(rows, columns=["place", "name", "accuracy", "low", "high", "tries"])


def board_chart(frame: pd.DataFrame, colour: str) -> alt.LayerChart:
    """Return the dots and intervals, a row for each person. frame: of `board_frame`. colour: of all of them."""
    y = alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=240, grid=False, ticks=False))
    x = alt.X("accuracy:Q", title="accuracy", scale=alt.Scale(zero=False), axis=alt.Axis(format=".1%", tickCount=6))
    tooltip = [alt.Tooltip("name:N"), alt.Tooltip("place:N"), *interval_tooltips()]
    base = alt.Chart(frame)
    return by_rows(
        layer(
            base.mark_rule(strokeWidth=2, opacity=0.6, color=colour).encode(
                y=y, x=alt.X("low:Q", title="accuracy"), x2=alt.X2("high:Q"), tooltip=tooltip
            ),
            base.mark_point(filled=True, size=80, opacity=1, color=colour).encode(y=y, x=x, tooltip=tooltip),
        ),
        frame["name"].nunique(),
        ROW_PX,
    )
