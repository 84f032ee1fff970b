"""Accuracy of several runs against the severity of one corruption: results → frame → chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from mnist_core.comparison.exams import Result
from mnist_core.plots.style import interval_tooltips, layer

HEIGHT = 320


def severity_frame(results: Mapping[str, Sequence[Result]], labels: Mapping[str, str]) -> pd.DataFrame:
    """Return columns run, label, severity, accuracy, low and high; one row a run and severity.

    results: by run id, at severities 0 (the test images as they are), 1, 2, …. low, high: Wilson's 95 % interval.
    """
    rows = [
        (run, labels[run], severity, found.accuracy, found.interval.low, found.interval.high)
        for run, of_run in results.items()
        for severity, found in enumerate(of_run)
    ]
    return pd.DataFrame(rows, columns=["run", "label", "severity", "accuracy", "low", "high"])


def severity_chart(frame: pd.DataFrame, colours: Mapping[str, str], *, height: int = HEIGHT) -> alt.LayerChart:
    """Return lines of accuracy against severity, one a run, with the intervals as thin bars.

    frame: as of `severity_frame`. colours: run id → colour.
    """
    shown = frame.drop_duplicates("run")
    wide = float(frame["high"].max() - frame["low"].min()) > 0.06
    colour = alt.Color(
        "label:N",
        scale=alt.Scale(domain=list(shown["label"]), range=[colours[run] for run in shown["run"]]),
        legend=alt.Legend(title=None, orient="top", symbolType="stroke"),
    )
    x = alt.X("severity:O", title="severity (0: the test images as they are)", axis=alt.Axis(labelAngle=0, grid=False))
    y = alt.Y(
        "accuracy:Q",
        title="accuracy",
        axis=alt.Axis(format=".0%" if wide else ".1%", tickCount=6),
        scale=alt.Scale(zero=False),
    )
    tooltip = [alt.Tooltip("label:N", title="run"), alt.Tooltip("severity:O"), *interval_tooltips()]
    base = alt.Chart(frame)
    return layer(
        base.mark_rule(strokeWidth=1.5, opacity=0.6).encode(
            x=x, y=alt.Y("low:Q", title="accuracy"), y2=alt.Y2("high:Q"), color=colour
        ),
        base.mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour),
        base.mark_point(filled=True, size=70, opacity=1).encode(x=x, y=y, color=colour, tooltip=tooltip),
    ).properties(height=height)
