"""A confusion matrix by keyboard (a components-v2 component): a frame that the arrow keys move over its chart."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from dashboard import state

_HERE = Path(__file__).parent
_KEYS = st.components.v2.component(
    "matrix_keys",
    html='<div class="keys" tabindex="0" role="application"><div class="frame" hidden></div>'
    '<p class="spoken" aria-live="polite"></p></div>',
    css=(_HERE / "matrix_keys.css").read_text(encoding="utf-8"),
    js=(_HERE / "matrix_keys.js").read_text(encoding="utf-8"),
)
HELP = "By keyboard: Tab goes to the matrix, arrow keys go through its cells, and Enter shows the digits of one."


def matrix_keys(key: str, name: str) -> None:
    """Let the arrow keys go through the matrix drawn next, and Enter do what a click on a cell does.

    Parameters
    ----------
    key
        the chart is drawn under `state.fresh_key(key)`.
    name
        of the matrix, for a screen reader.
    """
    label = f"{name}: arrow keys go from cell to cell, Enter shows the digits of one"
    _KEYS(key=f"keys_{key}", data={"chart": state.fresh_key(key), "label": label})
