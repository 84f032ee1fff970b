"""The browser's history: one step for one change of page (a components-v2 component without a picture)."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_HISTORY = st.components.v2.component(
    "one_step_back",
    html="<span hidden></span>",
    js=(Path(__file__).parent / "history.js").read_text(encoding="utf-8"),
)


def one_step_a_page() -> None:
    """Let one press of Back undo one change of page; once on every rerun."""
    _HISTORY(key="keys_history")
