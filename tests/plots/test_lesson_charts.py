"""The charts of lessons: words stand where no line runs through them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mnist_core.plots.learning_curves import CurveMetric
from mnist_core.plots.lessons import epochs_chart, moved_chart

PHONE_PX = 290
"""Width of a plot on a phone."""
COLOURS = {"a": "#0072B2", "b": "#D55E00"}


def texts(chart: Any) -> Iterator[dict[str, Any]]:
    for layer in chart.to_dict()["layer"]:
        if layer["mark"]["type"] == "text":
            yield layer


@pytest.mark.parametrize("metric", ["loss", "accuracy"])
def test_the_names_of_two_runs_stand_in_the_corner_that_their_lines_leave_free(metric: CurveMetric) -> None:
    epochs = np.arange(1, 31)
    falling = 0.1 + np.exp(-epochs / 4)
    frame = pd.concat(
        pd.DataFrame({"run": run, "label": run, "kind": "validation", "epoch": epochs, "value": values})
        for run, values in (("a", falling), ("b", falling + 0.02 * np.sin(epochs)))
    )
    if metric == "accuracy":
        frame["value"] = 1 - 0.5 * frame["value"]
    chart = epochs_chart(frame, COLOURS, metric)
    line = next(layer for layer in chart.to_dict()["layer"] if layer["mark"]["type"] == "line")
    low, high = line["encoding"]["y"]["scale"]["domain"]
    late = frame.loc[frame["epoch"] > 18, "value"]
    height = chart.to_dict()["height"]
    lines = [height * (high - value) / (high - low) for value in (late.max(), late.min())]  # from the top
    places = sorted({layer["encoding"]["y"]["value"] for layer in texts(chart)})
    assert len(places) == 2
    assert places[1] - places[0] >= 16
    for place in places:
        assert 8 <= place <= height - 8
        assert place + 8 < lines[0] or lines[1] < place - 8


def test_no_line_of_falling_accuracies_runs_through_their_values() -> None:
    accuracies = [0.97, 0.97, 0.83, 0.55, 0.39, 0.27, 0.18, 0.13, 0.13]
    chart = moved_chart(pd.DataFrame({"pixels": range(9), "accuracy": accuracies}), "#0072B2")
    (values,) = texts(chart)
    assert values["mark"]["align"] == "left"
    height = chart.to_dict()["height"]
    xs = [PHONE_PX * (place + 0.5) / 9 for place in range(9)]
    ys = [height * (1 - accuracy / 1.08) for accuracy in accuracies]
    at = np.linspace(xs[0], xs[-1], 2000)
    line = np.interp(at, xs, ys)
    rows = next(iter(chart.to_dict()["datasets"].values()))
    for x, y, row in zip(xs, ys, rows, strict=True):
        left, middle = x + values["mark"]["dx"], y + values["mark"]["dy"]
        right = left + 8 * len(row["text"])
        assert right <= PHONE_PX + 4
        inside = (at >= left) & (at <= right) & (np.abs(line - middle) < 7)
        assert not inside.any(), f"the line runs through {row['text']}"
