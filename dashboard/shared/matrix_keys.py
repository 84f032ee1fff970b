"""A confusion matrix by keyboard (a components-v2 component): a frame that the arrow keys move over its chart."""

from __future__ import annotations

import streamlit as st

from dashboard import state
from dashboard.shared.component_files import COMPONENTS_CSS, files_of

_file = files_of(__file__)
_KEYS = st.components.v2.component(
    "matrix_keys",
    html='<div class="keys" tabindex="0" role="application"><div class="frame" hidden></div>'
    '<p class="spoken" aria-live="polite"></p></div>',
    css=COMPONENTS_CSS + _file("matrix_keys.css"),
    js=_file("matrix_keys.js"),
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
