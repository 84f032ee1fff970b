"""The parameters of networks, layer by layer: configurations → frame → stacked bars, one bar a run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import altair as alt
import pandas as pd

from mnist_core.experiments.configs import ModelConfig
from mnist_core.plots.style import PAPER, as_text, ink_on, layer, over


class LabelledModel(NamedTuple):
    """One run as this chart needs it."""

    id: str
    label: str
    model: ModelConfig


def parameter_frame(networks: Sequence[LabelledModel]) -> pd.DataFrame:
    """Return one row for each layer that has parameters.

    Returns
    -------
    Columns run (id), label, layer, order (from 1), parameters, total (of the run).
    """
    rows = []
    for network in networks:
        layers = [row for row in network.model.layer_table() if row.parameters]
        for order, row in enumerate(layers, start=1):
            rows.append(
                {
                    "run": network.id,
                    "label": network.label,
                    "layer": row.name.replace("_", " "),
                    "order": order,
                    "parameters": row.parameters,
                    "total": network.model.parameter_count(),
                }
            )
    return pd.DataFrame(rows, columns=["run", "label", "layer", "order", "parameters", "total"])


def parameter_chart(frame: pd.DataFrame, colours: Mapping[str, str], *, dark: bool = False) -> alt.LayerChart:
    """Return the bars of `parameter_frame`: length = parameters, one segment a layer, the total at the end.

    Segments that are long enough carry their layer's name.
    """
    paper = PAPER[dark]
    runs = list(dict.fromkeys(frame["run"]))
    labels = dict(zip(frame["run"], frame["label"], strict=True))
    longest = float(frame["total"].max())
    frame = frame.assign(start=frame.groupby("run")["parameters"].cumsum() - frame["parameters"])
    frame = frame.assign(end=frame["start"] + frame["parameters"])
    frame = frame.assign(middle=(frame["start"] + frame["end"]) / 2)
    names = "{" + ", ".join(f"{_quoted(run)}: {_quoted(label)}" for run, label in labels.items()) + "}"
    y = alt.Y(
        "run:N", sort=runs, title=None, axis=alt.Axis(labelExpr=f"{names}[datum.value]", labelLimit=130, ticks=False)
    )
    x_scale = alt.Scale(domain=[0, longest * 1.16], nice=False)
    x_axis = alt.Axis(format=",d", tickCount=4)
    colour = alt.Color("run:N", scale=alt.Scale(domain=runs, range=[colours[run] for run in runs]), legend=None)
    tooltip = [
        alt.Tooltip("label:N", title="run"),
        alt.Tooltip("layer:N"),
        alt.Tooltip("parameters:Q", format=","),
    ]
    bars = (
        alt.Chart(frame)
        .mark_bar(stroke=paper, strokeWidth=2, size=26)
        .encode(
            x=alt.X("start:Q", scale=x_scale, axis=x_axis, title="parameters"),
            x2=alt.X2("end:Q"),
            y=y,
            color=colour,
            opacity=alt.Opacity(
                "order:O",
                scale=alt.Scale(type="ordinal", domain=list(range(1, len(_OPACITIES) + 1)), range=_OPACITIES),
                legend=None,
            ),
            tooltip=tooltip,
        )
    )
    named = frame[frame["parameters"] > longest * 0.12]
    fills = (
        over(colours[run], _OPACITIES[order - 1], paper)
        for run, order in zip(named["run"], named["order"], strict=True)
    )
    named = named.assign(ink=[ink_on(fill) for fill in fills])
    inside = (
        alt.Chart(named)
        .mark_text(fontSize=13, fontWeight="bold")
        .encode(
            x=alt.X("middle:Q", scale=x_scale, title="parameters"),
            y=y,
            text=alt.Text("layer:N"),
            color=alt.Color("ink:N", scale=None),
        )
    )
    totals = (
        alt.Chart(frame.drop_duplicates("run").assign(total_ink=[as_text(colours[run]) for run in runs]))
        .mark_text(align="left", dx=6, fontSize=14, fontWeight="bold")
        .encode(
            x=alt.X("total:Q", scale=x_scale, title="parameters"),
            y=y,
            text=alt.Text("total:Q", format=","),
            color=alt.Color("total_ink:N", scale=None),
        )
    )
    return layer(bars, inside, totals).properties(height=60 + 44 * len(runs))


# Twelve layers at most, each with batch normalisation perhaps, and the output.
_OPACITIES = [1.0, 0.75, 0.55, 0.45, 0.38, 0.32, *[0.28] * 19]


def _quoted(text: str) -> str:
    return json.dumps(text)
