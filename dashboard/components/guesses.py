"""Which of the chosen runs have guessed the test images, and why the others have not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard import resources
from dashboard.components import panels
from mnist_core.errors import StoreError
from mnist_core.runs import Run


def with_guesses(runs: Sequence[Run], labels: Mapping[str, str]) -> list[Run]:
    """The runs that have predictions; the page says of each other one why it has none."""
    return [run for run in runs if _has_guesses(run, labels[run.id])]


def _has_guesses(run: Run, label: str) -> bool:
    try:
        if resources.predictions(run) is not None:
            return True
        st.caption(f":material/hourglass_empty: {label} has no guesses on the test images: {_why(run)}.")
    except StoreError as error:
        st.warning(panels.sentence(error), icon=":material/report:")
    return False


def _why(run: Run) -> str:
    if run.live:
        return "its training is not finished"
    if run.state == "finished":
        return "they are not stored with it; train it again to have them"
    return run.status.reason or f"its training was {run.state}"
