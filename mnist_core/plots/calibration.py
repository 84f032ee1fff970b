"""Loss against accuracy, and how far stated confidence can be trusted: frames → charts.

The lines by epoch are drawn by `curves.curves_chart`, so that they look like all other curves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from mnist_core.evaluation.calibration import ReliabilityBin
from mnist_core.plots.learning_curves import Curve
from mnist_core.plots.style import GREY, QUIET, layer

HEIGHT = 320


def history_frame(curves: Sequence[Curve], columns: Mapping[str, str]) -> pd.DataFrame:
    """Return columns of histories as the long frame that `curves_chart` draws; values that are not finite are left out.

    Parameters
    ----------
    curves
        the runs.
    columns
        kind of line (see `curves.DASH`) → column of the history.
    """
    parts = [
        pd.DataFrame(
            {
                "run": curve.id,
                "label": curve.label,
                "kind": kind,
                "epoch": curve.history["epoch"].astype(int),
                "seconds": curve.history["seconds"].astype(float).fillna(0.0).cumsum(),
                "value": curve.history[column].astype(float).replace([np.inf, -np.inf], np.nan),
            }
        )
        for curve in curves
        for kind, column in columns.items()
    ]
    frame = pd.concat(parts, ignore_index=True).dropna(subset="value").reset_index(drop=True)
    return frame.assign(smoothed=frame["value"], best=False)


def reliability_frame(bins: Sequence[ReliabilityBin]) -> pd.DataFrame:
    """Return one row a bin: images, confidence (mean), its low and high, accuracy with its 95 % interval."""
    return pd.DataFrame(
        [
            {
                "images": item.images,
                "confidence": item.confidence,
                "accuracy": item.accuracy,
                "least sure": item.low,
                "most sure": item.high,
                "accuracy, low": item.interval.low,
                "accuracy, high": item.interval.high,
            }
            for item in bins
        ]
    )


def reliability_chart(
    frame: pd.DataFrame, colour: str, *, stretched: bool, dark: bool = False, height: int = HEIGHT
) -> alt.LayerChart:
    """Draw accuracy against confidence, a point a bin with its interval; on the diagonal, confidence can be trusted.

    Parameters
    ----------
    frame
        of `reliability_frame`.
    colour
        of the run.
    stretched
        axes on which 90, 99 and 99.9 % are equally far apart, for bins of equal counts: most of those are nearly sure,
        and would lie on one another. Else even axes, with the number of images at each point.
    dark
        whether the chart stands on the dark background.
    height
        in pixels.
    """
    worst = float(1 - min(frame["confidence"].min(), frame["accuracy, low"].min()))
    worst = min(1.0, np.ceil(worst * 20) / 20)
    # as shares that are wrong, upside down: a logarithm can only be stretched towards 0
    scale = alt.Scale(
        type="symlog" if stretched else "linear",
        constant=0.001 if stretched else alt.Undefined,
        domain=[0, worst],
        reverse=True,
        nice=False,
        padding=4,
    )
    axis = alt.Axis(
        values=[0, 0.001, 0.01, 0.1, 0.3, 0.6] if stretched else [0, 0.2, 0.4, 0.6, 0.8],
        labelExpr="format(1 - datum.value, datum.value == 0.001 ? '.1%' : '.0%')",
    )
    x = alt.X("unsure:Q", scale=scale, axis=axis, title="mean confidence of the bin")
    y = alt.Y("wrong:Q", scale=scale, axis=axis, title="share that is right")
    steps = np.concatenate([[0.0], np.geomspace(1e-4, worst, 40)])
    diagonal = (
        alt.Chart(pd.DataFrame({"unsure": steps, "wrong": steps}))
        .mark_line(color=GREY, strokeDash=[4, 4])
        .encode(x=x, y=y)
    )
    shown = frame.assign(
        unsure=1 - frame["confidence"],
        wrong=1 - frame["accuracy"],
        least=1 - frame["accuracy, high"],
        most=1 - frame["accuracy, low"],
    )
    base = alt.Chart(shown)
    tooltip = [
        alt.Tooltip("images:Q", format=",d"),
        alt.Tooltip("confidence:Q", format=".2%", title="mean confidence"),
        alt.Tooltip("accuracy:Q", format=".2%", title="right"),
        alt.Tooltip("least sure:Q", format=".2%"),
        alt.Tooltip("most sure:Q", format=".2%"),
    ]
    interval = base.mark_rule(color=colour, strokeWidth=1.5, opacity=0.7).encode(
        x=x, y=alt.Y("least:Q", scale=scale, axis=axis, title="share that is right"), y2=alt.Y2("most:Q")
    )
    points = base.mark_point(filled=True, size=80, opacity=1, color=colour).encode(x=x, y=y, tooltip=tooltip)
    layers = [diagonal, interval, base.mark_line(color=colour, strokeWidth=1.5).encode(x=x, y=y), points]
    if not stretched:
        layers.append(
            base.mark_text(align="left", dx=8, dy=12, fontSize=12, color=QUIET[dark]).encode(
                x=x, y=y, text=alt.Text("images:Q", format=",d")
            )
        )
    return layer(*layers).properties(height=height)


def temperature_chart(
    frame: pd.DataFrame,
    colour: str,
    *,
    chosen: float,
    fitted: float | None,
    dark: bool = False,
    height: int = HEIGHT,
) -> alt.LayerChart:
    """Draw loss on the test images against temperature, with the chosen one and the fitted one marked.

    Parameters
    ----------
    frame
        columns temperature and loss.
    colour
        of the run.
    chosen, fitted
        temperatures; the second None where there is nothing to fit it on.
    dark
        whether the chart stands on the dark background.
    height
        in pixels.
    """
    x = alt.X(
        "temperature:Q",
        scale=alt.Scale(type="log", domain=[float(frame["temperature"].min()), float(frame["temperature"].max())]),
        axis=alt.Axis(values=[0.25, 0.5, 1, 2, 4], format="~g", grid=False),
        title="temperature",
    )
    y = alt.Y("loss:Q", scale=alt.Scale(zero=False), title="loss on the test images", axis=alt.Axis(format="~g"))
    line = (
        alt.Chart(frame)
        .mark_line(color=colour, strokeWidth=2.5)
        .encode(x=x, y=y, tooltip=[alt.Tooltip("temperature:Q", format=".2f"), alt.Tooltip("loss:Q", format=".4f")])
    )
    layers: list[alt.Chart] = [line]
    at = frame.iloc[[int((frame["temperature"] - chosen).abs().argmin())]]
    layers.append(alt.Chart(at).mark_point(filled=True, size=110, opacity=1, color=colour).encode(x=x, y=y))
    if fitted is not None:
        inside = float(np.clip(fitted, frame["temperature"].min(), frame["temperature"].max()))
        rule = alt.Chart(pd.DataFrame({"temperature": [inside], "text": [f"fitted: {fitted:.2f}"]}))
        layers.append(rule.mark_rule(color=GREY, strokeDash=[4, 4], strokeWidth=1.5).encode(x=x))
        layers.append(
            rule.mark_text(align="left", dx=5, fontSize=13, fontWeight="bold", color=QUIET[dark]).encode(
                x=x, y=alt.value(10), text=alt.Text("text:N")
            )
        )
    return layer(*layers).properties(height=height)
