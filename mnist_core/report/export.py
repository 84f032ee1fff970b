"""Charts as files, in the colours for white paper. No Streamlit."""

from __future__ import annotations

import io
from typing import Literal

import altair as alt

EXPORT_WIDTH = 640


def picture(chart: alt.TopLevelMixin, kind: Literal["png", "svg"]) -> bytes:
    """Return the chart as a PNG at twice the size, or as an SVG, on white."""
    if isinstance(chart, alt.Chart | alt.LayerChart) and chart.width is alt.Undefined:
        chart = chart.properties(width=EXPORT_WIDTH)
    chart = chart.properties(background="white")
    if kind == "png":
        buffer = io.BytesIO()
        chart.save(buffer, format="png", scale_factor=2)
        return buffer.getvalue()
    text = io.StringIO()
    chart.save(text, format="svg")
    return text.getvalue().encode()
