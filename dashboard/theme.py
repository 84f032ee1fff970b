"""Colours and numbers, the same on every page.

Runs take the colours of Okabe and Ito (2008), which people with a colour-vision deficiency can tell apart; everything
else is grey.
"""

from __future__ import annotations

import altair as alt
import streamlit as st

# Okabe–Ito without black and yellow, which vanish on one of the two backgrounds.
RUN_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7F7F7F")
# The same hues, lighter, for a dark background: lines and names in them have a contrast of at least 4.5 to 1 there.
RUN_COLOURS_DARK = ("#3D9BDC", "#EB7A2E", "#1FB88B", "#DB94BC", "#8CCDF2", "#F0B429", "#A3A9B0")
GREY = "#8A9099"
SEQUENTIAL = "blues"

CSS = """
<style>
:root { font-variant-numeric: tabular-nums; }
.block-container h1 { font-size: 2rem; padding: 0.4rem 0 0.2rem; }
.block-container { padding-top: 4rem; max-width: 1240px; }
[data-testid="stMetricValue"] { font-variant-numeric: tabular-nums; }
/* room for one job, so that the curves stay where they are when it ends */
.st-key-live_jobs { min-height: 5.2rem; }
.st-key-train_preview img { image-rendering: pixelated; }
</style>
"""


def apply() -> None:
    """Put the page-wide styles in place; once on every rerun."""
    st.html(CSS)


def is_dark() -> bool:
    """Whether the viewer sees the dark theme."""
    return st.context.theme.type == "dark"


def on_paper(colour: str) -> str:
    """A run's colour as it is on white paper, whichever theme it was chosen for."""
    return RUN_COLOURS[RUN_COLOURS_DARK.index(colour)] if colour in RUN_COLOURS_DARK else colour


def styled(chart: alt.Chart | alt.LayerChart | alt.HConcatChart | alt.VConcatChart) -> alt.TopLevelMixin:
    """The chart with the fonts and quiet axes that all charts share."""
    return (
        chart.configure_axis(
            labelFontSize=13, titleFontSize=13, titleFontWeight="normal", gridOpacity=0.35, domain=False
        )
        .configure_legend(labelFontSize=13, titleFontSize=13, symbolStrokeWidth=3)
        .configure_title(fontSize=15, anchor="start", fontWeight="bold")
        .configure_view(strokeWidth=0)
    )


def percent(share: float) -> str:
    """An accuracy, such as ``97.62 %``."""
    return f"{100 * share:.2f} %"


def points(difference: float) -> str:
    """A difference of two accuracies in percentage points, with its sign, such as ``+0.86 pp``."""
    return f"{100 * difference:+.2f} pp".replace("-", "−")


def loss(value: float) -> str:
    """A cross-entropy, such as ``0.108``."""
    return f"{value:.4f}"


def count(value: int) -> str:
    """A whole number, such as ``55,050``."""
    return f"{value:,}"


def duration(seconds: float) -> str:
    """A time span, such as ``28 s`` or ``3 min 05 s``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 119.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def size(size_bytes: int) -> str:
    """A file size, such as ``215 kB``."""
    return f"{size_bytes / 1e6:.2f} MB" if size_bytes >= 1e6 else f"{size_bytes / 1e3:.0f} kB"
