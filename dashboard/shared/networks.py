"""Which of the chosen runs have a network to ask, and why the others have none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import resources
from dashboard.shared import panels
from mnist_core.errors import StoreError
from mnist_core.runs.recorded import NO_NETWORK
from mnist_core.runs.run import Run
from mnist_core.text import for_markdown


def with_network(runs: Sequence[Run], labels: Mapping[str, str]) -> list[Run]:
    """Return the runs whose weights are kept; the page says of each other one why it cannot answer."""
    return [run for run in runs if _has_network(run, labels[run.id])]


def _has_network(run: Run, label: str) -> bool:
    try:
        if resources.network(run) is not None:
            return True
        reason = "its weights were not kept; train it again to have them"
        if run.live:
            reason = "its training is not finished"
        elif run.recorded:
            reason = NO_NETWORK
        st.caption(f":material/hide_source: {for_markdown(label)} cannot answer: {reason}.")
    except StoreError as error:
        st.warning(panels.markdown_sentence(error), icon=":material/report:")
    return False
