"""Number of images of each digit in a dataset: dataset → frame → chart."""

from __future__ import annotations

import altair as alt
import numpy as np
import pandas as pd

from mnist_core.constants import CLASSES
from mnist_core.data.datasets import Dataset

PARTS = ("training", "test")
GREYS = ("#6B7280", "#B4BAC4")
HEIGHT = 300


def class_frame(dataset: Dataset) -> pd.DataFrame:
    """Return columns digit, part (training or test), images and share (of the part's images); 20 rows."""
    parts = []
    for part, labels in zip(PARTS, (dataset.y_train, dataset.y_test), strict=True):
        counts = np.bincount(labels, minlength=CLASSES)
        digits = range(CLASSES)
        parts.append(
            pd.DataFrame({"digit": digits, "part": part, "images": counts, "share": counts / max(1, counts.sum())})
        )
    return pd.concat(parts, ignore_index=True)


def class_chart(frame: pd.DataFrame) -> alt.Chart:
    """Return the share of each digit in both parts, side by side: shares, as the parts differ in size."""
    chart: alt.Chart = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X("digit:O", title="digit", axis=alt.Axis(labelAngle=0)),
            xOffset=alt.XOffset("part:N", sort=list(PARTS)),
            y=alt.Y("share:Q", title=None, axis=alt.Axis(format=".0%", tickCount=4)),
            color=alt.Color(
                "part:N",
                scale=alt.Scale(domain=list(PARTS), range=list(GREYS)),
                legend=alt.Legend(title=None, orient="top"),
            ),
            tooltip=[
                alt.Tooltip("digit:O"),
                alt.Tooltip("part:N"),
                alt.Tooltip("images:Q", format=","),
                alt.Tooltip("share:Q", format=".2%"),
            ],
        )
        .properties(height=HEIGHT)
    )
    return chart
