"""Draw a digit below the comparison, and see what each of the compared runs makes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard.shared import panels
from dashboard.shared.drawing.live import bring_weights, fresh, live_pad
from dashboard.shared.networks import with_network
from mnist_core.runs.run import Run


def draw_strip(runs: Sequence[Run], labels: Mapping[str, str], colours: Mapping[str, str]) -> None:
    """Draw the folded pad; nothing of it is made before it is opened."""
    with panels.folded("Draw a digit, and see what each makes of it", key="compare_draw") as opened:
        if not opened:
            return
        able = with_network(runs, labels)
        if not able:
            return
        fresh()
        _pad(able, labels, colours)
        bring_weights(able)
        st.page_link("views/draw/page.py", label="More: shift, turn, switch off neurons, keep the digit")


@st.fragment
def _pad(runs: Sequence[Run], labels: Mapping[str, str], colours: Mapping[str, str]) -> None:
    live_pad(runs, labels, colours, edited_too=False)
