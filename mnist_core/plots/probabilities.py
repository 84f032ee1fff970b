"""The probabilities that several runs give for one image, side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mnist_core.plots.style import INK, layer
from mnist_core.runs.recorded import DIGITS

HEIGHT = 240


@dataclass(frozen=True, eq=False)
class Opinion:
    """The prediction of one run for one image.

    probabilities: shape (K,), 0 to 1. names: of the classes. guesses_only: True if the run has no probabilities, and
    these are 1 for its guess.
    """

    run_id: str
    label: str
    colour: str
    probabilities: NDArray[np.floating]
    names: tuple[str, ...] = DIGITS
    guesses_only: bool = False


def probability_frame(opinions: Sequence[Opinion], true: int) -> pd.DataFrame:
    """Return one row a run and digit: run (id), label, digit, probability (per cent), true (of the true digit)."""
    return pd.DataFrame(
        [
            (opinion.run_id, opinion.label, digit, 100 * float(value), digit == true)
            for opinion in opinions
            for digit, value in enumerate(opinion.probabilities)
        ],
        columns=["run", "label", "digit", "probability", "true"],
    )


def probability_chart(
    frame: pd.DataFrame, opinions: Sequence[Opinion], *, dark: bool = False, named: bool = False
) -> alt.LayerChart:
    """Draw bars by digit, one in each run's colour; the true digit stands on a band and is named beneath it.

    Where the chart stands alone, as on paper, a legend above it has the runs' names (`named`).
    """
    ids = [opinion.run_id for opinion in opinions]
    ink = INK[dark]
    true = int(frame.loc[frame["true"], "digit"].iloc[0])
    names = opinions[0].names
    named_axis = names != DIGITS
    label = f"({json.dumps(list(names))})[datum.value]" if named_axis else "datum.label"
    x = alt.X(
        "digit:O",
        title="class" if named_axis else "digit",
        scale=alt.Scale(domain=list(range(len(names))), paddingInner=0.25, paddingOuter=0.1),
        axis=alt.Axis(
            labelAngle=-60 if named_axis else 0,
            ticks=False,
            labelPadding=6,
            labelFontSize=11 if named_axis else 15,
            labelOverlap=True,
            labelExpr=f"datum.value === {true} ? [{label}, 'true'] : {label}",
            labelFontWeight=alt.condition(f"datum.value === {true}", alt.value("bold"), alt.value("normal")),
        ),
    )
    y = alt.Y("probability:Q", title="probability in %", scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(tickCount=5))
    colour = alt.Color(
        "run:N",
        scale=alt.Scale(domain=ids, range=[opinion.colour for opinion in opinions]),
        legend=alt.Legend(title=None, orient="top", columns=2, labelExpr=_names(opinions)) if named else None,
    )
    band = (
        alt.Chart(pd.DataFrame({"digit": [true], "low": [0], "high": [100]}))
        .mark_bar(color=ink, opacity=0.09, aria=False)
        .encode(x=x, y=alt.Y("low:Q", title="probability in %"), y2=alt.Y2("high:Q"))
    )
    bars = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=x,
            xOffset=alt.XOffset("run:N", sort=ids),
            y=y,
            color=colour,
            tooltip=[
                alt.Tooltip("label:N", title="run"),
                alt.Tooltip("digit:O", title="digit"),
                alt.Tooltip("probability:Q", title="probability in %", format=".2f"),
            ],
        )
    )
    return layer(band, bars).properties(height=HEIGHT)


def _names(opinions: Sequence[Opinion]) -> str:
    """Return a Vega expression: run id → its label."""
    return f"({json.dumps({opinion.run_id: opinion.label for opinion in opinions})})[datum.value]"
