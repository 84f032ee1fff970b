"""The learning rate by epoch, where it is known beforehand: configuration → frame → chart."""

from __future__ import annotations

import altair as alt
import pandas as pd

from mnist_core.experiments.configs import PlateauSchedule, TrainingConfig
from mnist_core.plots.style import GREY

HEIGHT = 130


def rate_frame(training: TrainingConfig) -> pd.DataFrame | None:
    """Return columns epoch (from 1) and rate, one row an epoch.

    The result is None where the rate depends on how the training goes.
    """
    schedule, first, epochs = training.schedule, training.learning_rate, training.epochs
    if isinstance(schedule, PlateauSchedule):
        return None
    rates = [schedule.rate(first, epoch, epochs) if schedule else first for epoch in range(1, epochs + 1)]
    return pd.DataFrame({"epoch": range(1, epochs + 1), "rate": rates})


def rate_chart(frame: pd.DataFrame) -> alt.Chart:
    """Return the rate of `rate_frame` as steps: it is the same for a whole epoch."""
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_line(color=GREY, strokeWidth=2.5, interpolate="step-after", point=len(frame) == 1)
        .encode(
            x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, format="d", grid=False)),
            y=alt.Y("rate:Q", title=None, axis=alt.Axis(tickCount=3, format="~g")),
            tooltip=[alt.Tooltip("epoch:Q"), alt.Tooltip("rate:Q", format=".3g")],
        )
        .properties(height=HEIGHT)
    )
    return chart
