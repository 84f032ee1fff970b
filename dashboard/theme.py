"""Colours and numbers, the same on every page.

Runs take the colours of Okabe and Ito (2008), which people with a colour-vision deficiency can tell apart; everything
else is grey.
"""

from __future__ import annotations

import streamlit as st

CSS = """
<style>
:root { font-variant-numeric: tabular-nums; }
.block-container h1 { font-size: 2rem; padding: 0.4rem 0 0.2rem; }
.block-container { padding-top: 4rem; max-width: 1240px; }
[data-testid="stMetricValue"] { font-variant-numeric: tabular-nums; }
/* room for one job, so that the curves stay where they are when it ends */
.st-key-live_jobs { min-height: 5.2rem; }
.st-key-train_preview img { image-rendering: pixelated; }
/* Streamlit's own CSV of a table lets names be formulas of a spreadsheet; every table has a CSV button besides */
[data-testid="stElementToolbarButton"]:has([aria-label="Download as CSV"]) { display: none; }
</style>
"""


def apply() -> None:
    """Put the page-wide styles in place; once on every rerun."""
    st.html(CSS)


def is_dark() -> bool:
    """Whether the viewer sees the dark theme."""
    return st.context.theme.type == "dark"
