"""Charts as files, in the colours for white paper. No Streamlit."""

from __future__ import annotations

import io
import json
from typing import Any, Literal

import altair as alt

EXPORT_WIDTH = 640
VEGA_LITE = "6.1"
"""The version that draws charts in a file: 6.4 shows `undefined` in the tooltip of the nearest point."""


def specification(chart: alt.LayerChart) -> str:
    """Return the chart as Vega-Lite JSON, as wide as the place where it is drawn; its data with six digits."""
    fitted = chart.properties(
        width="container", background="white", autosize=alt.AutoSizeParams(type="fit", contains="padding")
    )
    found = fitted.to_dict()
    found["datasets"] = {
        name: [{key: _shortened(value) for key, value in row.items()} for row in rows]
        for name, rows in found.get("datasets", {}).items()
    }
    found["$schema"] = "https://vega.github.io/schema/vega-lite/v6.json"  # a name; nothing is loaded from there
    return json.dumps(found, separators=(",", ":"))


def _shortened(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def picture(chart: alt.TopLevelMixin, kind: Literal["png", "svg"]) -> bytes:
    """Return the chart as a PNG at twice the size, or as an SVG, on white."""
    if isinstance(chart, alt.Chart | alt.LayerChart) and chart.width is alt.Undefined:
        chart = chart.properties(width=EXPORT_WIDTH, autosize="pad")
    chart = chart.properties(background="white")
    if kind == "png":
        buffer = io.BytesIO()
        chart.save(buffer, format="png", scale_factor=2)
        return buffer.getvalue()
    text = io.StringIO()
    chart.save(text, format="svg")
    return text.getvalue().encode()
