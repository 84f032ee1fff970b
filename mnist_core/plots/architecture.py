"""A network as a picture: one block a layer, from the pixels at the top to the ten classes at the bottom."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from mnist_core.experiments.configs import ModelConfig
from mnist_core.plots.style import GREY, INK, layer

ROW_HEIGHT = 58
LEAST = 0.24
"""Half the width of a block without outputs: the text of a small layer has room in its block all the same."""


def architecture_frame(model: ModelConfig, widest: int | None = None) -> pd.DataFrame:
    """Return the layers as blocks whose width grows with the logarithm of their outputs.

    Parameters
    ----------
    model
        the network.
    widest
        outputs of a block of width 1; the same in all pictures that stand side by side. Default: the widest layer.

    Returns
    -------
    Columns order (from 0), layer, kind, look (`weights`, `bare` or `dropout`), text, outputs, parameters, half (half
    the width, 0 to 0.5), left, right.
    Dropout is a row of its own, as wide as the layer whose outputs it drops.
    """
    table = model.parts()
    widest = widest or max(int(np.prod(row.output_shape)) for row, _ in table)
    rows = []
    for order, (row, part) in enumerate(table):
        outputs = int(np.prod(row.output_shape))
        share = float(np.log2(outputs + 1) / np.log2(widest + 1))
        half = LEAST + (0.5 - LEAST) * share
        rows.append(
            {
                "order": order,
                "layer": row.name.replace("_", " "),
                "kind": row.kind,
                "look": "dropout" if part.keras.seeded == "dropout" else "weights" if row.parameters else "bare",
                "text": part.text,
                "outputs": outputs,
                "parameters": row.parameters,
                "half": half,
                "left": -half,
                "right": half,
            }
        )
    return pd.DataFrame(rows)


def architecture_chart(
    frame: pd.DataFrame, colour: str, *, dark: bool = False, rows: int | None = None
) -> alt.LayerChart:
    """Return the blocks of `architecture_frame`: filled where there are parameters, dashed outlines for dropout.

    Parameters
    ----------
    frame
        as of `architecture_frame`.
    colour
        of the run.
    dark
        whether the chart stands on the dark background.
    rows
        height of the picture in layers, so that pictures side by side line up. Default: as many as there are.
    """
    ink = INK[dark]
    y_scale = alt.Scale(domain=[-0.5, (rows or len(frame)) - 0.5], reverse=True, nice=False)
    x_scale = alt.Scale(domain=[-0.52, 0.52], nice=False)
    frame = frame.assign(middle=0.0, top=frame["order"] - 0.3, bottom=frame["order"] + 0.3)
    frame["count"] = [f"{count:,} parameters" for count in frame["parameters"]]
    tooltip = [
        alt.Tooltip("layer:N"),
        alt.Tooltip("text:N", title="what"),
        alt.Tooltip("outputs:Q", format=","),
        alt.Tooltip("parameters:Q", format=","),
    ]
    # every layer names the same axis: Vega-Lite cannot merge one that is hidden with one that is not given
    middle = alt.X("middle:Q", scale=x_scale, axis=None)
    x, x2 = alt.X("left:Q", scale=x_scale, axis=None), "right:Q"
    y, y2 = alt.Y("top:Q", scale=y_scale, axis=None), "bottom:Q"

    def blocks(part: pd.DataFrame, **mark: Any) -> alt.Chart:
        drawn: alt.Chart = (
            alt.Chart(part).mark_rect(cornerRadius=4, **mark).encode(x=x, x2=x2, y=y, y2=y2, tooltip=tooltip)
        )
        return drawn

    def written(part: pd.DataFrame, column: str, **mark: Any) -> alt.Chart:
        text: alt.Chart = (
            alt.Chart(part)
            .mark_text(color=ink, **mark)
            .encode(x=middle, y=alt.Y("order:Q", scale=y_scale, axis=None), text=alt.Text(column), tooltip=tooltip)
        )
        return text

    joints = pd.DataFrame(
        {"order": frame["order"].iloc[:-1] + 0.3, "next": frame["order"].iloc[1:].to_numpy() - 0.3, "middle": 0.0}
    )
    layers = [
        alt.Chart(joints)
        .mark_rule(color=GREY, strokeWidth=1.5)
        .encode(y=alt.Y("order:Q", scale=y_scale, axis=None), y2=alt.Y2("next:Q"), x=middle),
        blocks(frame[frame["look"] == "bare"], fill=GREY, fillOpacity=0.22),
        blocks(frame[frame["look"] == "weights"], fill=colour, fillOpacity=0.3, stroke=colour),
        blocks(frame[frame["look"] == "dropout"], fillOpacity=0.04, fill=colour, stroke=colour, strokeDash=[4, 4]),
        written(frame[frame["parameters"] == 0], "text:N", fontSize=13, fontWeight="bold"),
        written(frame[frame["parameters"] > 0], "text:N", fontSize=13, fontWeight="bold", dy=-7),
        written(frame[frame["parameters"] > 0], "count:N", fontSize=12, dy=9),
    ]
    drawn = [layer for layer in layers if len(layer.data)]
    return layer(*drawn).properties(height=ROW_HEIGHT * (rows or len(frame)))


def described(frame: pd.DataFrame, label: str) -> str:
    """Return the picture in words, from top to bottom."""
    return f"Layers of {label}, from input to output: " + "; ".join(frame["text"]) + "."
