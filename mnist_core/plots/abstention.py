"""Accuracy against coverage, and the accuracy of a cascade: answers → frame → chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from mnist_core.comparison.abstention import Abstaining, Answers, cascade_accuracies
from mnist_core.plots.style import GREY, layer

HEIGHT = 320
MOST_POINTS = 200
"""Points of a line; more of them cannot be seen on a screen."""
LEAST_COVERAGE = 0.5
"""Below this share of answered images the accuracy rests on few images, and says little."""
MOST_PASSED = 0.5
"""A first model that passes on more than this saves little."""


def coverage_frame(models: Mapping[str, Answers], labels: Mapping[str, str]) -> pd.DataFrame:
    """Return columns run, label, coverage, accuracy and threshold: at most 200 rows a run, by ascending coverage."""
    parts = []
    for run, answers in models.items():
        threshold, coverage, accuracy = answers.coverage()
        kept = _spread(np.flatnonzero(coverage >= LEAST_COVERAGE))
        parts.append(
            pd.DataFrame(
                {
                    "run": run,
                    "label": labels[run],
                    "coverage": coverage[kept],
                    "accuracy": accuracy[kept],
                    "threshold": threshold[kept],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def chosen_frame(found: Mapping[str, Abstaining], labels: Mapping[str, str]) -> pd.DataFrame:
    """Return columns run, label, coverage and accuracy, a row a run that answers anything with its threshold."""
    rows = [(run, labels[run], item.share, item.accuracy) for run, item in found.items() if item.answers]
    return pd.DataFrame(rows, columns=["run", "label", "coverage", "accuracy"])


def coverage_chart(
    frame: pd.DataFrame, chosen: pd.DataFrame, colours: Mapping[str, str], wanted: float, *, height: int = HEIGHT
) -> alt.LayerChart:
    """Return a line of accuracy against coverage for each run, with a dot at its threshold and a rule at `wanted`.

    frame, chosen: as of `coverage_frame` and `chosen_frame`. colours: run id → colour.
    """
    shown = frame.drop_duplicates("run")
    colour = alt.Color(
        "label:N",
        scale=alt.Scale(domain=list(shown["label"]), range=[colours[run] for run in shown["run"]]),
        legend=alt.Legend(title=None, orient="top", symbolType="stroke"),
    )
    x = alt.X(
        "coverage:Q",
        title="share of the images that is answered",
        scale=alt.Scale(domain=[LEAST_COVERAGE, 1], nice=False),
        axis=alt.Axis(format=".0%", grid=False, tickCount=6),
    )
    y = alt.Y(
        "accuracy:Q",
        title="accuracy on them",
        scale=alt.Scale(zero=False),
        axis=alt.Axis(format=".1%", tickCount=6),
    )
    tooltip = [
        alt.Tooltip("label:N", title="run"),
        alt.Tooltip("coverage:Q", format=".1%", title="answered"),
        alt.Tooltip("accuracy:Q", format=".2%"),
    ]
    rule = alt.Chart(pd.DataFrame({"accuracy": [wanted]}))
    line = alt.Chart(frame).mark_line(strokeWidth=2.5, clip=True).encode(x=x, y=y, color=colour)
    return layer(
        rule.mark_rule(color=GREY, strokeDash=[4, 4]).encode(y=y),
        line,
        line.mark_point(size=60, opacity=0, filled=True).encode(
            tooltip=[*tooltip, alt.Tooltip("threshold:Q", format=".4f", title="threshold")]
        ),
        alt.Chart(chosen).mark_point(filled=True, size=110, opacity=1).encode(x=x, y=y, color=colour, tooltip=tooltip),
    ).properties(height=height)


def cascade_frame(first: Answers, second: Answers) -> pd.DataFrame:
    """Return columns passed and accuracy: at most 200 rows, by ascending share of images that is passed on."""
    passed, accuracy = cascade_accuracies(first, second)
    kept = _spread(np.flatnonzero(passed <= MOST_PASSED))
    return pd.DataFrame({"passed": passed[kept], "accuracy": accuracy[kept]})


def cascade_chart(
    frame: pd.DataFrame,
    alone: Sequence[tuple[str, float, str]],
    chosen: tuple[float, float],
    *,
    height: int = HEIGHT,
) -> alt.LayerChart:
    """Return a line of the cascade's accuracy against the share passed on, between the two models alone.

    Parameters
    ----------
    frame
        as of `cascade_frame`.
    alone
        of both models: label, accuracy and colour.
    chosen
        the share that is passed on and the accuracy there, which is marked.
    height
        in pixels.
    """
    x = alt.X(
        "passed:Q",
        title="share of the images that is passed on",
        scale=alt.Scale(domain=[0, MOST_PASSED], nice=False),
        axis=alt.Axis(format=".0%", grid=False, tickCount=6),
    )
    y = alt.Y("accuracy:Q", title="accuracy", scale=alt.Scale(zero=False), axis=alt.Axis(format=".1%", tickCount=6))
    tooltip = [alt.Tooltip("passed:Q", format=".1%", title="passed on"), alt.Tooltip("accuracy:Q", format=".2%")]
    models = pd.DataFrame([(f"{label} alone", accuracy) for label, accuracy, _ in alone], columns=["label", "accuracy"])
    colour = alt.Color(
        "label:N",
        scale=alt.Scale(domain=list(models["label"]), range=[colour for *_, colour in alone]),
        legend=alt.Legend(title=None, orient="top", symbolType="stroke"),
    )
    line = alt.Chart(frame)
    return layer(
        alt.Chart(models).mark_rule(strokeWidth=2, strokeDash=[6, 4]).encode(y=y, color=colour),
        line.mark_line(strokeWidth=2.5, color=GREY).encode(x=x, y=y),
        line.mark_point(size=60, opacity=0, filled=True).encode(x=x, y=y, tooltip=tooltip),
        alt.Chart(pd.DataFrame([chosen], columns=["passed", "accuracy"]))
        .mark_point(filled=True, size=110, opacity=1, color=GREY)
        .encode(x=x, y=y, tooltip=tooltip),
    ).properties(height=height)


def _spread(places: np.ndarray[tuple[int], np.dtype[np.intp]]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return at most `MOST_POINTS` of the places, evenly spread, the first and the last among them."""
    if len(places) <= MOST_POINTS:
        return places
    return places[np.unique(np.linspace(0, len(places) - 1, MOST_POINTS).round().astype(np.intp))]
